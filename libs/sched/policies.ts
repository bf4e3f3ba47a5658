/**
 * Policies over n identical jobs of one vehicle, each called as `policy(cuts, n, uplink)`. The cuts stand from
 * the input to local-only. Plans are judged on all stages that the cuts have times for, round trip included.
 */
import { exactSequence } from './exact-three-stages.ts';
import { exactCounts } from './exact-two-stages.ts';
import { mixCounts } from './jps-mix.ts';
import { expand, planOf } from './plan.ts';
import { checkProblem, jobAt } from './transfer.ts';
import { frontier } from './two-stages.ts';
import { type Cut, type Job, type Plan, ScheduleError, type Uplink } from './types.ts';

/** Multisets or states that `exact` looks at before it gives up proving: some tens of ms. */
const NODE_BUDGET = 20_000;

/** n jobs alike through all stages: one passes each, and the longest stage n − 1 more times. */
function uniformMs(job: Job, n: number, uplink: Uplink): number {
  if (job.local) return n * job.p1;
  const { p1, p2, p3 = 0 } = job;
  return p1 + p2 + p3 + (n - 1) * Math.max(p1, p2, p3) + (uplink.rttMs ?? 0);
}

function uniform(policy: string, cuts: readonly Cut[], chosen: number, n: number, uplink: Uplink): Plan {
  const counts = cuts.map((_, index) => (index === chosen ? n : 0));
  const jobCuts = (): number[] => new Array<number>(n).fill(chosen);
  return planOf(
    policy,
    { cuts, n, uplink },
    { counts, jobCuts },
    uniformMs(jobAt(cuts[chosen]!, uplink), n, uplink),
  );
}

/** Local only: the vehicle runs the whole network of every frame. */
export function lo(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  const local = cuts.findIndex((cut) => cut.local);
  if (local < 0) throw new ScheduleError("policy 'lo' needs a cut that is local-only");
  return uniform('lo', cuts, local, n, uplink);
}

/** Remote only: the vehicle sends the network's input of every frame, the first cut. */
export function ro(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  return uniform('ro', cuts, 0, n, uplink);
}

/**
 * Partition only: the cut of least latency for a single frame, taken by every frame.
 * Source: Y. Kang et al., "Neurosurgeon: Collaborative Intelligence Between the Cloud and Mobile Edge" (2017).
 */
export function po(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  const alone = cuts.map((cut) => uniformMs(jobAt(cut, uplink), 1, uplink));
  return uniform('po', cuts, alone.indexOf(Math.min(...alone)), n, uplink);
}

/**
 * Joint partition and scheduling with one uniform cut: of the two cuts beside the crossing of the
 * falling communication time with the rising computation time, the one with the shorter makespan, in
 * Johnson's order (any order, as the jobs are alike). It chooses on two stages, vehicle and uplink.
 *
 * Source: J. Wu, "On Optimal Partitioning and Scheduling of DNNs in Mobile Edge/Cloud Offloading". Its
 * Theorem 3 puts such a cut within 1 + 1/n of the optimum on continuous convex curves; the layers of a
 * real network are neither, and there the best uniform cut was found up to 1.88 times the optimum.
 */
export function jps(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  const points = cuts.map((cut) => jobAt(cut, uplink));
  const crossing = points.findIndex(({ p1, p2 }) => p1 >= p2);
  const beside = crossing < 0 ? [cuts.length - 1] : crossing === 0 ? [0] : [crossing - 1, crossing];
  const plans = beside.map((cut) => uniform('jps', cuts, cut, n, uplink));
  return plans.reduce((best, plan) => (plan.makespanMs < best.makespanMs ? plan : best));
}

/**
 * Two cuts mixed: the ends of the hull's edge that crosses p1 = p2, the best count of each, then single moves.
 * It chooses on two stages, vehicle and uplink. Derived for this project; on the kept cuts of AlexNet and
 * VGG-16 it is within a few per cent of the optimum.
 */
export function jpsMix(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  const jobs = cuts.map((cut) => jobAt(cut, uplink));
  const points = frontier(jobs);
  const found = mixCounts(points, n);
  return fromCounts('jps-mix', { cuts, n, uplink, jobs }, points, found, false);
}

/**
 * The optimum over all cuts of all jobs and all orders (one order for all stages), where it could be proved: `optimal`
 * says so. On two stages a search over counts, of any n; with tails or a round trip a search over sequences with one
 * cloud worker. Where the budget ends first: the best plan found, and the problem's bound.
 */
export function exact(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  const jobs = cuts.map((cut) => jobAt(cut, uplink));
  const rttMs = uplink.rttMs ?? 0;
  if (rttMs === 0 && jobs.every(({ p3 = 0 }) => p3 === 0)) {
    const points = frontier(jobs);
    const { counts, proved } = exactCounts(points, n, NODE_BUDGET);
    return fromCounts('exact', { cuts, n, uplink, jobs }, points, counts, proved);
  }
  const { sequence, makespanMs, proved } = exactSequence(jobs, n, rttMs, NODE_BUDGET);
  if (!proved) {
    // A search that was cut short must not lose to a plan that is had for nothing.
    const points = frontier(jobs);
    const simple = [
      fromCounts('exact', { cuts, n, uplink, jobs }, points, mixCounts(points, n), false),
      ...cuts.map((_, cut) => uniform('exact', cuts, cut, n, uplink)),
    ].reduce((best, plan) => (plan.makespanMs < best.makespanMs ? plan : best));
    if (simple.makespanMs < makespanMs) return simple;
  }
  const counts = cuts.map((_, index) => sequence.filter((cut) => cut === index).length);
  return planOf('exact', { cuts, n, uplink }, { counts, jobCuts: () => [...sequence] }, makespanMs, proved);
}

function fromCounts(
  policy: string,
  problem: { cuts: readonly Cut[]; n: number; uplink: Uplink; jobs: readonly Job[] },
  points: ReturnType<typeof frontier>,
  found: ArrayLike<number>,
  proved: boolean,
): Plan {
  const { cuts, jobs, uplink } = problem;
  const counts = new Array<number>(cuts.length).fill(0);
  points.forEach(({ cut }, index) => {
    counts[cut] = found[index]!;
  });
  const line = points.map(({ cut }) => cut);
  return planOf(
    policy,
    problem,
    { counts, jobCuts: () => expand(line, counts) },
    countsMs(line, counts, jobs, uplink),
    proved,
  );
}

/** What the judge says of counts, without a schedule of every job. */
function countsMs(
  line: readonly number[],
  counts: readonly number[],
  jobs: readonly Job[],
  uplink: Uplink,
): number {
  let c1 = 0;
  let c2 = 0;
  let c3 = 0;
  for (const cut of line) {
    const { p1, p2, p3 = 0, local } = jobs[cut]!;
    for (let left = counts[cut]!; left > 0; left--) {
      c1 += p1;
      if (local) continue;
      c2 = Math.max(c1, c2) + p2;
      c3 = Math.max(c3, c2 + (uplink.rttMs ?? 0)) + p3;
    }
  }
  return Math.max(c1, c3);
}

/** All policies over identical jobs, by the names of the literature. */
export const POLICIES = { lo, ro, po, jps, 'jps-mix': jpsMix, exact } as const;
