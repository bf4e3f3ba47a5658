import { checkJobs } from './check-jobs.ts';
import type { Job } from './types.ts';

/**
 * Johnson's rule: an order of least makespan through two machines. Jobs with p1 ≤ p2 come first, by
 * rising p1; then the rest, by falling p2. O(n log n); equal jobs keep their given order.
 * Source: S. M. Johnson, "Optimal two- and three-stage production schedules with setup times
 * included", Naval Research Logistics Quarterly 1 (1954).
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function johnson(jobs: readonly Job[]): number[] {
  checkJobs(jobs);
  return johnsonOrder(jobs);
}

/**
 * Johnson's rule with a fixed delay of each job, `delayMs`, between the end of its first stage and the
 * start of its second; any number of jobs may wait at once. It is Johnson's rule on p1 + delay and
 * delay + p2: no order that both stages keep is shorter (one that differs between them may be).
 * O(n log n); equal jobs keep their given order. A local job sends nothing, so it has no delay either.
 * Source: L. G. Mitten, "Sequencing n jobs on two machines with arbitrary time lags", Management
 * Science 5 (1959).
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function johnsonWithDelays(jobs: readonly (Job & { readonly delayMs: number })[]): number[] {
  checkJobs(jobs);
  return johnsonOrder(
    jobs.map(({ p1, p2, delayMs, local }) =>
      local ? { p1, p2: 0 } : { p1: p1 + delayMs, p2: delayMs + p2 },
    ),
  );
}

/** Johnson's rule on any two keys, unchecked: the rules for other shops are this one on sums of stages. */
export function johnsonOrder(keys: readonly Pick<Job, 'p1' | 'p2'>[]): number[] {
  const first: number[] = [];
  const rest: number[] = [];
  keys.forEach((key, index) => {
    (key.p1 <= key.p2 ? first : rest).push(index);
  });
  first.sort((a, b) => keys[a]!.p1 - keys[b]!.p1);
  rest.sort((a, b) => keys[b]!.p2 - keys[a]!.p2);
  return [...first, ...rest];
}
