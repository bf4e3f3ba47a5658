/**
 * Policies that give every job of a vehicle the same cut: they choose on two stages, vehicle and
 * uplink, as the literature does. Each is called as `policy(cuts, n, uplink)` with the kept cuts from
 * the input to local-only.
 */
import { makespan } from './flowshop.ts';
import { lowerBound } from './lower-bound.ts';
import { checkProblem, jobAt } from './transfer.ts';
import { type Cut, type Plan, ScheduleError, type Uplink } from './types.ts';

function uniform(policy: string, cuts: readonly Cut[], chosen: number, n: number, uplink: Uplink): Plan {
  const order = Array.from({ length: n }, (_, job) => job);
  const jobs = order.map(() => jobAt(cuts[chosen]!, uplink));
  const makespanMs = makespan(jobs, order);
  const lowerBoundMs = lowerBound(cuts, n, uplink);
  return {
    policy,
    makespanMs,
    lowerBoundMs,
    optimal: makespanMs <= lowerBoundMs * (1 + 1e-12),
    counts: cuts.map((_, index) => (index === chosen ? n : 0)),
    jobCuts: order.map(() => chosen),
    order,
  };
}

/** Local only: the vehicle runs the whole network of every frame. */
export function lo(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n);
  const local = cuts.findIndex((cut) => cut.local);
  if (local < 0) throw new ScheduleError("policy 'lo' needs a cut that is local-only");
  return uniform('lo', cuts, local, n, uplink);
}

/** Remote only: the vehicle sends the network's input of every frame, the first cut. */
export function ro(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n);
  return uniform('ro', cuts, 0, n, uplink);
}

/**
 * Joint partition and scheduling with one uniform cut: of the two cuts beside the crossing of the
 * falling communication time with the rising computation time, the one with the shorter makespan, in
 * Johnson's order (any order, as the jobs are alike).
 *
 * Source: J. Wu, "On Optimal Partitioning and Scheduling of DNNs in Mobile Edge/Cloud Offloading". Its
 * Theorem 3 puts such a cut within 1 + 1/n of the optimum on continuous convex curves; the layers of a
 * real network are neither, and there the best uniform cut was found up to 1.88 times the optimum.
 */
export function jps(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n);
  const points = cuts.map((cut) => jobAt(cut, uplink));
  const crossing = points.findIndex(({ p1, p2 }) => p1 >= p2);
  const beside = crossing < 0 ? [cuts.length - 1] : crossing === 0 ? [0] : [crossing - 1, crossing];
  const plans = beside.map((cut) => uniform('jps', cuts, cut, n, uplink));
  return plans.reduce((best, plan) => (plan.makespanMs < best.makespanMs ? plan : best));
}
