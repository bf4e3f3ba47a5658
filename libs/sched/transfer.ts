import { isAmount, noAmount } from './check-jobs.ts';
import { type Cut, type Job, ScheduleError, type Uplink } from './types.ts';

/** Time of `bytes` on the uplink in ms, the fixed cost included. @throws ScheduleError for a rate ≤ 0. */
export function transferMs(bytes: number, uplink: Uplink): number {
  checkUplink(uplink);
  return timeOf(bytes, uplink);
}

function timeOf(bytes: number, { uplinkBps, fixedMs = 0 }: Uplink): number {
  return (bytes * 8000) / uplinkBps + fixedMs;
}

/** The job that a frame becomes when its network is cut here. @throws ScheduleError for a rate ≤ 0. */
export function jobAt(cut: Cut, uplink: Uplink): Job {
  checkUplink(uplink);
  return jobOf(cut, uplink);
}

/** `jobAt` on an uplink that has been checked. */
export function jobOf({ p1, bytes, p3 = 0, local }: Cut, uplink: Uplink): Job {
  return local ? { p1, p2: 0, p3: 0, local: true } : { p1, p2: timeOf(bytes, uplink), p3 };
}

/** @throws ScheduleError for a rate that is no number above 0, or a time that is no finite number ≥ 0. */
export function checkUplink({ uplinkBps, rttMs = 0, fixedMs = 0 }: Uplink): void {
  if (!(uplinkBps > 0) || !Number.isFinite(uplinkBps))
    throw new ScheduleError(`uplink rate must be a number above 0 bit/s, not ${uplinkBps}`);
  if (!isAmount(rttMs)) throw noAmount('uplink', 'rttMs', rttMs);
  if (!isAmount(fixedMs)) throw noAmount('uplink', 'fixedMs', fixedMs);
}

/** What passes between the stages: half of the round trip before the tail, half behind it. */
export function delaysOf({ rttMs = 0 }: Pick<Uplink, 'rttMs'>): {
  readonly uplinkDelayMs: number;
  readonly returnMs: number;
} {
  return { uplinkDelayMs: rttMs / 2, returnMs: rttMs / 2 };
}
