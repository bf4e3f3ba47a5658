import { meetsCaps, planEnergyJ } from './energy.ts';
import { exact } from './exact.ts';
import { groupOrders, makespanOfGroups } from './groups.ts';
import { rootOf } from './lower-bound.ts';
import { planOfGroups, planOfSequence } from './plan.ts';
import { type Problem, problemOf } from './problem.ts';
import { searchStates } from './state-search.ts';
import { type Conditions, type Cut, type Plan, ScheduleError } from './types.ts';

/** States that are kept before the front is given up proving. */
const NODE_BUDGET = 20_000;
/** As many splits of the jobs between two cuts are looked at first. */
const MOST_SPLITS = 64;

export interface ParetoFront {
  /** By rising makespan and falling energy; each has its `energyJ`. */
  readonly plans: readonly (Plan & { readonly energyJ: number })[];
  /** No plan is better than these in one and no worse in the other; false where the budget did not suffice to know. */
  readonly complete: boolean;
}

/** A plan that may be on the front. */
interface Point {
  readonly makespanMs: number;
  readonly energyJ: number;
  readonly plan: () => Plan;
}

/**
 * The trade of time for energy: all plans of n identical jobs that no other plan beats in makespan or energy without
 * losing in the other. `exact` and mixtures of two cuts give a first front; a search over states finds what is beyond.
 * @throws ScheduleError where the problem is none, no plan meets the caps, or the energy of an allowed cut is unknown.
 */
export function paretoFront(cuts: readonly Cut[], n: number, conditions: Conditions): ParetoFront {
  const problem = problemOf(cuts, n, conditions);
  const root = rootOf(problem);
  if (root.caps.energy.some(Number.isNaN))
    throw new ScheduleError('a front of energy needs a power model, or the headJ of every cut');
  let front: Point[] = [];
  for (const point of mixtures(problem)) front = withPoint(front, point);
  // A search that is cut short may miss the shortest plan, which another search finds.
  const shortest = exact(cuts, n, conditions);
  front = withPoint(front, {
    makespanMs: shortest.makespanMs,
    energyJ: shortest.energyJ!,
    plan: () => shortest,
  });
  const beaten = (makespanMs: number, energyJ: number): boolean =>
    front.some((other) => other.makespanMs <= makespanMs && other.energyJ <= energyJ);
  const width = Math.max(1, Math.floor(NODE_BUDGET / n));
  const { found, complete } = searchStates(problem, root, true, width, (ms, joules) => !beaten(ms, joules));
  for (const { makespanMs, energyJ, sequence } of found) {
    const plan = (): Plan => planOfSequence('exact', problem, sequence(), makespanMs);
    front = withPoint(front, { makespanMs, energyJ, plan });
  }
  const plans = front
    .toSorted((a, b) => a.makespanMs - b.makespanMs)
    .map(({ plan }) => plan() as Plan & { readonly energyJ: number });
  return { plans, complete };
}

/** The front with this point on it, without those that it beats; the same front where it is beaten itself. */
function withPoint(front: Point[], point: Point): Point[] {
  const ROUNDING = 1 + 1e-12;
  if (
    front.some(
      ({ makespanMs, energyJ }) =>
        makespanMs <= point.makespanMs * ROUNDING && energyJ <= point.energyJ * ROUNDING,
    )
  )
    return front;
  return [
    ...front.filter(({ makespanMs, energyJ }) => makespanMs < point.makespanMs || energyJ < point.energyJ),
    point,
  ];
}

/** Uniform plans, and the splits of the jobs between any two cuts, that meet the caps. */
function* mixtures(problem: Problem): Generator<Point> {
  const { n, cuts, allowed } = problem;
  const orders = groupOrders(problem);
  const steps = Math.min(n, MOST_SPLITS);
  for (const a of allowed) {
    for (const b of allowed) {
      if (b <= a && allowed.length > 1) continue;
      for (let step = 0; step <= steps; step++) {
        const counts = new Array<number>(cuts.length).fill(0);
        counts[a] = Math.round((step / steps) * n);
        counts[b]! += n - counts[a]!;
        for (const line of orders) {
          const makespanMs = makespanOfGroups(problem, line, counts);
          if (!meetsCaps(problem, counts, makespanMs)) continue;
          const plan = (): Plan => planOfGroups('exact', problem, { line, counts, makespanMs });
          yield { makespanMs, energyJ: planEnergyJ(problem, counts, makespanMs), plan };
        }
      }
    }
  }
}
