/**
 * Policies over n identical jobs of one vehicle, each called as `policy(cuts, n, conditions)`. The cuts stand from
 * the input to local-only. Plans are judged on all stages that the cuts have times for, round trip included.
 * Constraints on a job leave each policy fewer cuts; a cap on the whole plan must be met by what it chooses.
 */
import { meetsCaps } from './energy.ts';
import { exact } from './exact.ts';
import { type Grouped, groupsOfPoints, uniformGroups } from './groups.ts';
import { mixCounts } from './jps-mix.ts';
import { planOfGroups } from './plan.ts';
import { CUT_LIMITS, type Problem, problemOf } from './problem.ts';
import { frontier } from './two-stages.ts';
import { type Conditions, type Cut, type Plan, ScheduleError } from './types.ts';

/** All jobs at one cut; undefined where that does not meet the caps. */
function uniform(problem: Problem, cut: number): Grouped | undefined {
  const grouped = uniformGroups(problem, cut);
  return meetsCaps(problem, grouped.counts, grouped.makespanMs) ? grouped : undefined;
}

/** The one cut that a policy stands for. @throws ScheduleError where the conditions forbid it. */
function fixed(policy: string, problem: Problem, chosen: number): Plan {
  const grouped = problem.allowed.includes(chosen) ? uniform(problem, chosen) : undefined;
  if (grouped === undefined)
    throw new ScheduleError(
      `policy '${policy}' takes cut '${problem.cuts[chosen]!.id}', which ${forbiddingOf(problem, chosen)} forbids`,
    );
  return planOfGroups(policy, problem, grouped);
}

/** The first constraint that is against all jobs at this cut, and its value. */
function forbiddingOf({ cuts, allowed, conditions }: Problem, cut: number): string {
  const { maxEnergyJ, maxLoss } = conditions;
  if (!allowed.includes(cut)) {
    const name = CUT_LIMITS.find(({ allows }) => !allows(cuts[cut]!, cut, conditions))!.name;
    return `${name} ${conditions[name]}`;
  }
  const { loss = 0 } = cuts[cut]!;
  return maxLoss !== undefined && loss > maxLoss ? `maxLoss ${maxLoss}` : `maxEnergyJ ${maxEnergyJ}`;
}

/** Of these cuts the one whose uniform plan is the shortest. @throws ScheduleError where none meets the caps. */
function shortestUniform(policy: string, problem: Problem, among: readonly number[]): Grouped {
  let best: Grouped | undefined;
  for (const cut of among) {
    const grouped = uniform(problem, cut);
    if (grouped && (best === undefined || grouped.makespanMs < best.makespanMs)) best = grouped;
  }
  if (best === undefined)
    throw new ScheduleError(`policy '${policy}' finds no single cut that meets the caps on energy and loss`);
  return best;
}

/** The allowed cuts of which n jobs meet the caps. @throws ScheduleError where there is none. */
function capable(policy: string, problem: Problem): readonly number[] {
  const { allowed, conditions } = problem;
  if (conditions.maxEnergyJ === undefined && conditions.maxLoss === undefined) return allowed;
  const left = allowed.filter((cut) => uniform(problem, cut) !== undefined);
  if (left.length === 0) shortestUniform(policy, problem, allowed);
  return left;
}

/** Local only: the vehicle runs the whole network of every frame. */
export function lo(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  const problem = problemOf(cuts, n, conditions);
  const local = cuts.findIndex((cut) => cut.local);
  if (local < 0) throw new ScheduleError("policy 'lo' needs a cut that is local-only");
  return fixed('lo', problem, local);
}

/** Remote only: the vehicle sends the network's input of every frame, the first cut. */
export function ro(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  return fixed('ro', problemOf(cuts, n, conditions), 0);
}

/**
 * Partition only: the cut of least latency for a single frame, taken by every frame.
 * Source: Y. Kang et al., "Neurosurgeon: Collaborative Intelligence Between the Cloud and Mobile Edge" (2017).
 */
export function po(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  const problem = problemOf(cuts, n, conditions);
  const aloneMs = (cut: number): number => {
    const { p1, p2, p3 = 0, local } = problem.jobs[cut]!;
    return local ? p1 : p1 + p2 + p3 + problem.rttMs;
  };
  const best = capable('po', problem).reduce((a, b) => (aloneMs(b) < aloneMs(a) ? b : a));
  return fixed('po', problem, best);
}

/**
 * Joint partition and scheduling with one uniform cut: of the two cuts beside the crossing of the
 * falling communication time with the rising computation time, the one with the shorter makespan, in
 * Johnson's order (any order, as the jobs are alike). It chooses on two stages, vehicle and uplink. O(k).
 *
 * Source: J. Wu, "On Optimal Partitioning and Scheduling of DNNs in Mobile Edge/Cloud Offloading". Its
 * Theorem 3 puts such a cut within 1 + 1/n of the optimum on continuous convex curves; the layers of a
 * real network are neither, and there the best uniform cut was found up to 1.88 times the optimum.
 */
export function jps(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  const problem = problemOf(cuts, n, conditions);
  const { jobs } = problem;
  let before = -1;
  let after = -1;
  for (const cut of capable('jps', problem)) {
    const { p1, p2 } = jobs[cut]!;
    if (p1 < p2) {
      if (before < 0 || p2 < jobs[before]!.p2 || (p2 === jobs[before]!.p2 && p1 < jobs[before]!.p1))
        before = cut;
    } else if (after < 0 || p1 < jobs[after]!.p1 || (p1 === jobs[after]!.p1 && p2 < jobs[after]!.p2))
      after = cut;
  }
  const beside = [before, after].filter((cut) => cut >= 0);
  return planOfGroups('jps', problem, shortestUniform('jps', problem, beside));
}

/**
 * Two cuts mixed: the ends of the hull's edge that crosses p1 = p2, the best count of each, then single moves.
 * It chooses on two stages, vehicle and uplink, among the cuts that meet the caps each for itself; where the best single
 * cut is shorter, all stages counted, it is that. Derived for this project; on the kept cuts of AlexNet and VGG-16 it
 * is within a few per cent of the optimum.
 */
export function jpsMix(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  const problem = problemOf(cuts, n, conditions);
  const among = capable('jps-mix', problem);
  const points = frontier(problem.jobs, among);
  const mix = groupsOfPoints(problem, points, mixCounts(points, n));
  // With tails a mix of two stages may be longer than one cut, and idle power can take it above a cap.
  const single = shortestUniform('jps-mix', problem, among);
  const mixes = mix.makespanMs <= single.makespanMs && meetsCaps(problem, mix.counts, mix.makespanMs);
  return planOfGroups('jps-mix', problem, mixes ? mix : single);
}

/** All policies over identical jobs, by the names of the literature. */
export const POLICIES = { lo, ro, po, jps, 'jps-mix': jpsMix, exact } as const;
