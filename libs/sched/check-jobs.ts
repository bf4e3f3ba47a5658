import { type Job, ScheduleError } from './types.ts';

/**
 * @throws ScheduleError unless every time of every job is a finite number ≥ 0; it names the job by its
 * index, and the time. Times are in ms; those that may be left out are checked where they are given.
 */
export function checkJobs(jobs: readonly (Job & { readonly delayMs?: number })[]): void {
  for (let index = 0; index < jobs.length; index++) {
    const { p1, p2, p3 = 0, releaseMs = 0, delayMs = 0 } = jobs[index]!;
    if (!isAmount(p1)) throw noAmount(`job ${index}`, 'p1', p1);
    if (!isAmount(p2)) throw noAmount(`job ${index}`, 'p2', p2);
    if (!isAmount(p3)) throw noAmount(`job ${index}`, 'p3', p3);
    if (!isAmount(releaseMs)) throw noAmount(`job ${index}`, 'releaseMs', releaseMs);
    if (!isAmount(delayMs)) throw noAmount(`job ${index}`, 'delayMs', delayMs);
  }
}

/** What times, bytes, losses and energies must be: finite and ≥ 0. */
export function isAmount(value: number): boolean {
  return value >= 0 && Number.isFinite(value);
}

export function noAmount(item: string, name: string, value: number): ScheduleError {
  return new ScheduleError(`${item}: ${name} must be a finite number ≥ 0, not ${value}`);
}

/** @throws ScheduleError unless each of these is a finite number ≥ 0 or left out; it names `item` and the time. */
export function checkTimes(item: string, times: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(times))
    if (value !== undefined && !isAmount(value)) throw noAmount(item, name, value);
}

/** @throws ScheduleError unless there is at least one of the cloud's workers, and a whole number of them. */
export function checkWorkers(cloudWorkers: number): void {
  if (!Number.isSafeInteger(cloudWorkers) || cloudWorkers < 1)
    throw new ScheduleError(`cloudWorkers must be a whole number ≥ 1, not ${cloudWorkers}`);
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
