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
export function checkUplink({ uplinkBps, rttMs = 0, fixedMs = 0 }: Uplink): void {
  if (!(uplinkBps > 0) || !Number.isFinite(uplinkBps))
    throw new ScheduleError(`uplink rate must be a number above 0 bit/s, not ${uplinkBps}`);
  if (!(rttMs >= 0) || !Number.isFinite(rttMs))
    throw new ScheduleError(`uplink: rttMs must be a finite number ≥ 0, not ${rttMs}`);
  if (!(fixedMs >= 0) || !Number.isFinite(fixedMs))
    throw new ScheduleError(`uplink: fixedMs must be a finite number ≥ 0, not ${fixedMs}`);
}
