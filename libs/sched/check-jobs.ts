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
    if (job.delayMs !== undefined) checkTime(index, 'delayMs', job.delayMs);
  }
}

function checkTime(index: number, name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw new ScheduleError(`job ${index}: ${name} must be a finite number ≥ 0, not ${value}`);
}
