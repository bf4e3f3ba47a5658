/** Whose fault it was, as an exit code. */
import { ModelError } from '@splitlane/dnn';
import { JournalError } from '@splitlane/journal';
import { RefusedError } from '@splitlane/proto';
import { BrokerError } from '@splitlane/roadside-unit';
import { ScheduleError } from '@splitlane/sched';
import { CameraError } from '@splitlane/vehicle-node';

export const OUR_FAULT = 1;
export const USER_FAULT = 2;

/** What the user asked for cannot be; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const USER_ERRORS = [
  UsageError,
  ModelError,
  CameraError,
  JournalError,
  BrokerError,
  RefusedError,
  ScheduleError,
];

/** 2 where the user can mend it, 1 where we must. */
export function exitCodeOf(error: unknown): number {
  return USER_ERRORS.some((kind) => error instanceof kind) ? USER_FAULT : OUR_FAULT;
}
