/**
 * The published theorems as questions: does the condition hold for these times, and what follows where
 * it does. Times are in ms. A local job sends nothing, whatever its other times say.
 *
 * Source of the theorems: J. Wu, "On Optimal Partitioning and Scheduling of DNNs in Mobile Edge/Cloud
 * Offloading". Where more is needed than is published, it is said here: see docs/theory.md.
 */
import { checkJobs } from './check-jobs.ts';
import { hull, hullHeight } from './hull.ts';
import { type Job, ScheduleError } from './types.ts';

/** Relative difference up to which p1 and p2 count as equal: measured times never are. */
const BALANCE = 1e-9;

export interface TheoremAnswer {
  /** True where the theorem's condition is met. */
  readonly holds: boolean;
  /** What follows where it holds; where it does not, nothing is said either way. */
  readonly guarantee: string;
}

/** Theorem 3 speaks of a ratio to the optimum. */
export interface RatioAnswer extends TheoremAnswer {
  /** Makespan ÷ least makespan is at most this where the condition holds. */
  readonly ratio: number;
}

/**
 * Theorem 2, for paths through three stages: extended Johnson is optimal if the uplink never holds up
 * the others, max(min p1, min p3) ≥ max p2, or if p2 ≤ min(p1, p3) in each path.
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function theorem2(paths: readonly Job[]): TheoremAnswer {
  checkJobs(paths);
  const stages = paths.map(({ p1, p2, p3 = 0, local }) => (local ? { p1, p2: 0, p3: 0 } : { p1, p2, p3 }));
  const leastHead = Math.min(...stages.map(({ p1 }) => p1));
  const leastTail = Math.min(...stages.map(({ p3 }) => p3));
  const longestTransfer = Math.max(...stages.map(({ p2 }) => p2));
  return {
    holds:
      Math.max(leastHead, leastTail) >= longestTransfer ||
      stages.every(({ p1, p2, p3 }) => p2 <= Math.min(p1, p3)),
    guarantee: 'No order of these paths ends before the order of extended Johnson.',
  };
}

/**
 * Theorem 3, for n jobs that may each take any of the cuts. As published it is about continuous convex
 * curves, which always have a point at the crossing p1 = p2. For single points this much can be proved:
 * let the lower-left hull of the points cross p1 = p2 at height c. The mean job of any plan lies on or
 * above the hull (Jensen), so Σp1 or Σp2 is at least n·c. If a point lies at the crossing, the uniform
 * cut there takes n·c + c: at most 1 + 1/n times the optimum. The condition is therefore that the hull
 * crosses p1 = p2 at one of the points, within 1e-9 relative; the other points need not be convex.
 * The cuts of a real network hardly ever do that, and then no uniform cut need be within the ratio.
 * @throws ScheduleError for a time that is no finite number ≥ 0, for no points, or for n no whole number ≥ 1.
 */
export function theorem3(points: readonly Job[], n: number): RatioAnswer {
  checkJobs(points);
  if (points.length === 0) throw new ScheduleError('there is no cut to choose from');
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ScheduleError(`the number of jobs must be a whole number ≥ 1, not ${n}`);
  const jobs = points.map(twoStages);
  const height = hullHeight(jobs, hull(jobs), 1, 0, 0);
  return {
    // A point inside an edge is on the hull without being one of its corners: so the heights are compared.
    holds: jobs.some((job) => balanced(job) && Math.max(job.p1, job.p2) <= height * (1 + BALANCE)),
    guarantee: `${n} jobs with the cut at the crossing take at most 1 + 1/${n} times the least makespan.`,
    ratio: 1 + 1 / n,
  };
}

/**
 * Theorem 4, two stages: is the uniform plan at `middle` shorter than a plan that starts with `left` and
 * ends with `right`? The condition is 3·p1(middle) < p1(left) + p1(right) + p2(right) and
 * 3·p2(middle) < p1(left) + p2(left) + p2(right).
 *
 * Two jobs: the uniform plan takes at most three times the larger time of `middle`, and the right sides
 * are the two paths through the other plan. For n > 2 the jobs between must count as well: if `middle`
 * has p1 = p2 = c and all jobs lie on a convex curve through it, those n − 2 take at least (n − 2)·c in
 * one of the stages (Jensen). With an unbalanced `middle` it may fail for n > 2, even on a convex curve.
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function theorem4(left: Job, middle: Job, right: Job): TheoremAnswer {
  checkTimes('left', left);
  checkTimes('middle', middle);
  checkTimes('right', right);
  const [first, centre, last] = [twoStages(left), twoStages(middle), twoStages(right)];
  return {
    holds: 3 * centre.p1 < first.p1 + last.p1 + last.p2 && 3 * centre.p2 < first.p1 + first.p2 + last.p2,
    guarantee: balanced(centre)
      ? 'For every n ≥ 2 the uniform plan at the middle cut is shorter than any plan on a convex curve through it that starts with the left cut and ends with the right one.'
      : 'Two jobs at the middle cut end before one at the left cut and one at the right; of more jobs nothing follows, as the middle cut is not at the crossing.',
  };
}

/**
 * Theorem 5, two stages, corrected: is the uniform plan at `middle` shorter than `plan`, n jobs in
 * Johnson's order? With P its first k jobs and Q its last k, the condition is
 * (2k+1)·p1(middle) < Σ_P p1 + Σ_Q p1 + p2(last) and (2k+1)·p2(middle) < p1(first) + Σ_P p2 + Σ_Q p2.
 * The printed form of the theorem is wrong: it lets plans pass that are shorter than the uniform one.
 *
 * The n − 2k jobs between count too. In a stage that `middle` needs longest they must take at least as
 * long as as many jobs at `middle`; on a convex curve that crosses p1 = p2 at `middle` they always do
 * (Jensen), elsewhere it is looked at here. Then one of the two paths that turn at the first or at the
 * last job is longer than (n+1)·max(p1, p2) of `middle`, and the uniform plan is not. k = 1 is Theorem 4.
 * @throws ScheduleError for a time that is no finite number ≥ 0, or unless k is whole, ≥ 1 and 2k ≤ n.
 */
export function theorem5(middle: Job, plan: readonly Job[], k: number): TheoremAnswer {
  checkTimes('middle', middle);
  checkJobs(plan);
  if (!Number.isSafeInteger(k) || k < 1 || 2 * k > plan.length)
    throw new ScheduleError(
      `k must be a whole number ≥ 1 and at most half of the plan's ${plan.length} jobs, not ${k}`,
    );
  const { p1, p2 } = twoStages(middle);
  const jobs = plan.map(twoStages);
  const ends = [...jobs.slice(0, k), ...jobs.slice(jobs.length - k)];
  const between = jobs.slice(k, jobs.length - k);
  const heads = (some: readonly Job[]): number => some.reduce((sum, job) => sum + job.p1, 0);
  const transfers = (some: readonly Job[]): number => some.reduce((sum, job) => sum + job.p2, 0);
  const endsCount =
    (2 * k + 1) * p1 < heads(ends) + jobs.at(-1)!.p2 && (2 * k + 1) * p2 < jobs[0]!.p1 + transfers(ends);
  const betweenCount =
    (p1 >= p2 && heads(between) >= between.length * p1) ||
    (p2 >= p1 && transfers(between) >= between.length * p2);
  return {
    holds: endsCount && betweenCount,
    guarantee: `The uniform plan of ${jobs.length} jobs at the middle cut is shorter than this plan.`,
  };
}

function twoStages({ p1, p2, local }: Job): Job {
  return { p1, p2: local ? 0 : p2 };
}

function balanced({ p1, p2 }: Job): boolean {
  return Math.abs(p1 - p2) <= BALANCE * Math.max(p1, p2);
}

/** As `checkJobs` for a job that has a name instead of an index; the two stages only. */
function checkTimes(name: string, job: Job): void {
  for (const time of ['p1', 'p2'] as const) {
    const value = job[time];
    if (!Number.isFinite(value) || value < 0)
      throw new ScheduleError(`${name}: ${time} must be a finite number ≥ 0, not ${value}`);
  }
}
