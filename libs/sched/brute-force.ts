import { meetsCaps } from './energy.ts';
import { makespanOf } from './flowshop.ts';
import { johnsonOrder } from './johnson.ts';
import { planOfSequence } from './plan.ts';
import { problemOf } from './problem.ts';
import { delaysOf } from './transfer.ts';
import { type Conditions, type Cut, type Plan, ScheduleError } from './types.ts';

const MOST_PLANS = 2_000_000;

/**
 * The reference: every plan, judged one by one. On two stages every multiset of cuts in Johnson's order; with tails or a
 * round trip every sequence of cuts.
 * @throws ScheduleError where there are more than two million of them, or none meets the caps.
 */
export function bruteForce(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  const problem = problemOf(cuts, n, conditions);
  const { jobs, allowed, rttMs, busy, twoStages } = problem;
  const k = allowed.length;
  const plans = twoStages ? multisetCount(k, n) : k ** n;
  if (plans > MOST_PLANS) throw new ScheduleError(`brute force over ${plans} plans would not end`);
  const between = { ...delaysOf({ rttMs }), busy };
  const chosen = new Array<number>(n).fill(0);
  const counts = new Array<number>(cuts.length).fill(0);
  let best: number[] | undefined;
  let bestMs = Number.POSITIVE_INFINITY;
  const visit = (place: number): void => {
    if (place < n) {
      for (let index = twoStages && place > 0 ? chosen[place - 1]! : 0; index < k; index++) {
        chosen[place] = index;
        counts[allowed[index]!]!++;
        visit(place + 1);
        counts[allowed[index]!]!--;
      }
      return;
    }
    const row = chosen.map((index) => jobs[allowed[index]!]!);
    const order = twoStages ? johnsonOrder(row) : row.map((_, job) => job);
    const ms = makespanOf(row, order, between);
    if (ms >= bestMs || !meetsCaps(problem, counts, ms)) return;
    bestMs = ms;
    best = order.map((job) => allowed[chosen[job]!]!);
  };
  visit(0);
  if (best === undefined) throw new ScheduleError('no plan meets the caps on energy and loss');
  return planOfSequence('bf', problem, best, bestMs, true);
}

/** C(n + k − 1, k − 1). */
function multisetCount(k: number, n: number): number {
  let count = 1;
  for (let i = 1; i < k; i++) count = (count * (n + i)) / i;
  return Math.round(count);
}
