import { checkJobs } from './check-jobs.ts';
import { johnsonOrder } from './johnson.ts';
import type { Job } from './types.ts';

/**
 * Extended Johnson: an order for paths through three stages (vehicle, uplink, cloud; times in ms, p3 is
 * 0 where it is left out). Paths with p1 + p2 ≤ p2 + p3 come first, by rising p1 + p2; then the rest, by
 * falling p2 + p3. O(n log n); equal paths keep their given order.
 *
 * Optimal if max(min p1, min p3) ≥ max p2, or if p2 ≤ min(p1, p3) in each path. Otherwise it may take up
 * to twice the least makespan, and comes as near to twice as one likes: the published ratio of 5/3 does
 * not hold for it. It is the wrong rule when p3 is about 0, where it forgets p1: see `bestOrder`.
 * Source: J. Wu, "On Optimal Partitioning and Scheduling of DNNs in Mobile Edge/Cloud Offloading",
 * Theorem 2; the rule is Johnson's for three stages (1954).
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function eja(paths: readonly Job[]): number[] {
  checkJobs(paths);
  return johnsonOrder(paths, ({ p1, p2, p3 = 0, local }) =>
    local ? { p1, p2: 0 } : { p1: p1 + p2, p2: p2 + p3 },
  );
}
