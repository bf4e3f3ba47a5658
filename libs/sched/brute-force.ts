import { makespanOf } from './flowshop.ts';
import { johnson } from './johnson.ts';
import { planOf } from './plan.ts';
import { checkProblem, jobAt } from './transfer.ts';
import { type Cut, type Plan, ScheduleError, type Uplink } from './types.ts';

const MOST_PLANS = 2_000_000;

/**
 * The reference: every plan, judged one by one. On two stages every multiset of cuts in Johnson's order; with tails or a
 * round trip every sequence of cuts.
 * @throws ScheduleError where there are more than two million of them.
 */
export function bruteForce(cuts: readonly Cut[], n: number, uplink: Uplink): Plan {
  checkProblem(cuts, n, uplink);
  const jobs = cuts.map((cut) => jobAt(cut, uplink));
  const rttMs = uplink.rttMs ?? 0;
  const twoStages = rttMs === 0 && jobs.every(({ p3 = 0 }) => p3 === 0);
  const k = cuts.length;
  const plans = twoStages ? multisetCount(k, n) : k ** n;
  if (plans > MOST_PLANS) throw new ScheduleError(`brute force over ${plans} plans would not end`);
  const chosen = new Array<number>(n).fill(0);
  let best: number[] = [];
  let bestMs = Number.POSITIVE_INFINITY;
  const visit = (place: number): void => {
    if (place < n) {
      for (let cut = twoStages && place > 0 ? chosen[place - 1]! : 0; cut < k; cut++) {
        chosen[place] = cut;
        visit(place + 1);
      }
      return;
    }
    const row = chosen.map((cut) => jobs[cut]!);
    const order = twoStages ? johnson(row) : row.map((_, job) => job);
    const ms = makespanOf(row, order, { returnMs: rttMs });
    if (ms >= bestMs) return;
    bestMs = ms;
    best = order.map((job) => chosen[job]!);
  };
  visit(0);
  const counts = cuts.map((_, index) => best.filter((cut) => cut === index).length);
  return planOf('bf', { cuts, n, uplink }, { counts, jobCuts: () => best }, bestMs, true);
}

/** C(n + k − 1, k − 1). */
function multisetCount(k: number, n: number): number {
  let count = 1;
  for (let i = 1; i < k; i++) count = (count * (n + i)) / i;
  return Math.round(count);
}
