import { type Cut, type Job, ScheduleError, type Uplink } from './types.ts';

/** Time of `bytes` on the uplink in ms, the fixed cost included. @throws ScheduleError for a rate ≤ 0. */
export function transferMs(bytes: number, uplink: Uplink): number {
  checkUplink(uplink);
  return (bytes * 8000) / uplink.uplinkBps + (uplink.fixedMs ?? 0);
}

/** The job that a frame becomes when its network is cut here. */
export function jobAt(cut: Cut, uplink: Uplink): Job {
  if (cut.local) return { p1: cut.p1, p2: 0, p3: 0, local: true };
  return { p1: cut.p1, p2: transferMs(cut.bytes, uplink), p3: cut.p3 ?? 0 };
}

/** @throws ScheduleError for a rate that is no number above 0, or a time that is no finite number ≥ 0. */
function checkUplink({ uplinkBps, rttMs = 0, fixedMs = 0 }: Uplink): void {
  if (!(uplinkBps > 0) || !Number.isFinite(uplinkBps))
    throw new ScheduleError(`uplink rate must be a number above 0 bit/s, not ${uplinkBps}`);
  if (!(rttMs >= 0) || !Number.isFinite(rttMs))
    throw new ScheduleError(`uplink: rttMs must be a finite number ≥ 0, not ${rttMs}`);
  if (!(fixedMs >= 0) || !Number.isFinite(fixedMs))
    throw new ScheduleError(`uplink: fixedMs must be a finite number ≥ 0, not ${fixedMs}`);
}

/** @throws ScheduleError unless there is a cut, every figure is a number ≥ 0, and n is whole and ≥ 1. */
export function checkProblem(cuts: readonly Cut[], n: number, uplink: Uplink): void {
  if (cuts.length === 0) throw new ScheduleError('there is no cut to choose from');
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ScheduleError(`the number of jobs must be a whole number ≥ 1, not ${n}`);
  checkUplink(uplink);
  for (const cut of cuts) {
    for (const [name, value] of [
      ['p1', cut.p1],
      ['bytes', cut.bytes],
      ['p3', cut.p3 ?? 0],
    ] as const) {
      if (!(value >= 0) || !Number.isFinite(value))
        throw new ScheduleError(`cut '${cut.id}': ${name} must be a finite number ≥ 0, not ${value}`);
    }
  }
}
