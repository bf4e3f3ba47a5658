import type { Job } from './types.ts';

/**
 * Johnson's rule: an order of least makespan through two machines. Jobs with p1 ≤ p2 come first, by
 * rising p1; then the rest, by falling p2. O(n log n); equal jobs keep their given order.
 * Source: S. M. Johnson, "Optimal two- and three-stage production schedules with setup times
 * included", Naval Research Logistics Quarterly 1 (1954).
 */
export function johnson(jobs: readonly Job[]): number[] {
  const first: number[] = [];
  const rest: number[] = [];
  jobs.forEach((job, index) => {
    (job.p1 <= job.p2 ? first : rest).push(index);
  });
  first.sort((a, b) => jobs[a]!.p1 - jobs[b]!.p1);
  rest.sort((a, b) => jobs[b]!.p2 - jobs[a]!.p2);
  return [...first, ...rest];
}
