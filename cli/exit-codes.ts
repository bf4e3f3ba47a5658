/** Whose fault it was, as an exit code. */
import type { ModelError } from '@splitlane/dnn';
import type { JournalError } from '@splitlane/journal';
import type { LinkTraceError } from '@splitlane/net';
import type { RefusedError } from '@splitlane/proto';
import type { BrokerError } from '@splitlane/roadside-unit';
import type { ScheduleError } from '@splitlane/sched';
import type { CameraError } from '@splitlane/vehicle-node';

export const OUR_FAULT = 1;
export const USER_FAULT = 2;

/** What the user asked for cannot be; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type UserError =
  | UsageError
  | ModelError
  | CameraError
  | JournalError
  | BrokerError
  | LinkTraceError
  | RefusedError
  | ScheduleError;

/** Known by name: to have their classes here, every command would load all apps and libraries. */
const USER_ERRORS: Readonly<Record<UserError['name'], true>> = {
  UsageError: true,
  ModelError: true,
  CameraError: true,
  JournalError: true,
  BrokerError: true,
  LinkTraceError: true,
  RefusedError: true,
  ScheduleError: true,
};

/** 2 where the user can mend it, 1 where we must. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Error && Object.hasOwn(USER_ERRORS, error.name) ? USER_FAULT : OUR_FAULT;
}
