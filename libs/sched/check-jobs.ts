import { type Job, ScheduleError } from './types.ts';

/**
 * @throws ScheduleError unless every time of every job is a finite number ≥ 0; it names the job by its
 * index, and the time. Times are in ms; those that may be left out are checked where they are given.
 */
export function checkJobs(jobs: readonly (Job & { readonly delayMs?: number })[]): void {
  for (let index = 0; index < jobs.length; index++) {
    const job = jobs[index]!;
    checkTime(index, 'p1', job.p1);
    checkTime(index, 'p2', job.p2);
    if (job.p3 !== undefined) checkTime(index, 'p3', job.p3);
    if (job.releaseMs !== undefined) checkTime(index, 'releaseMs', job.releaseMs);
    if (job.delayMs !== undefined) checkTime(index, 'delayMs', job.delayMs);
  }
}

function checkTime(index: number, name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw new ScheduleError(`job ${index}: ${name} must be a finite number ≥ 0, not ${value}`);
}

/** @throws ScheduleError unless each of these is a finite number ≥ 0 or left out; it names `item` and the time. */
export function checkTimes(item: string, times: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(times))
    if (value !== undefined && (!Number.isFinite(value) || value < 0))
      throw new ScheduleError(`${item}: ${name} must be a finite number ≥ 0, not ${value}`);
}

/** @throws ScheduleError unless `order` holds indices of n jobs, none of them twice. */
export function checkOrder(order: readonly number[], n: number): void {
  const seen = new Uint8Array(n);
  for (const index of order) {
    if (!Number.isSafeInteger(index) || index < 0 || index >= n)
      throw new ScheduleError(`order: there is no job ${index} among ${n}`);
    if (seen[index]) throw new ScheduleError(`order: job ${index} is in it twice`);
    seen[index] = 1;
  }
}
