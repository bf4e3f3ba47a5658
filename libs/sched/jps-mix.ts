import { hull } from './hull.ts';
import { balance, makespanOfCounts, type Point } from './two-stages.ts';

const MOST_MOVES = 1000;

/**
 * Counts of a mix of two cuts, improved job by job: the two ends of the hull's edge that crosses p1 = p2, the
 * best count of each, then one job is moved between any two cuts while that shortens the makespan. Derived
 * for this project; the ends of the edge are seldom neighbours along the network.
 * @param points the frontier, at least one.
 */
export function mixCounts(points: readonly Point[], n: number): Float64Array {
  const line = hull(points);
  const after = line.findIndex((index) => points[index]!.p1 >= points[index]!.p2);
  const right = line[after < 0 ? line.length - 1 : after]!;
  const left = line[Math.max(0, (after < 0 ? line.length : after) - 1)]!;
  const counts = new Float64Array(points.length);
  if (left === right) counts[right] = n;
  else {
    const [low, high] = balance(points[left]!, points[right]!, n, 0, 0);
    const spread = [low - 1, low, high, high + 1, 0, n].filter((of) => of >= 0 && of <= n);
    const split = (of: number): number => {
      counts[right] = of;
      counts[left] = n - of;
      return makespanOfCounts(points, counts);
    };
    split(spread.reduce((best, of) => (split(of) < split(best) ? of : best)));
  }
  return improve(points, counts);
}

/** Moves one job at a time, the best move first, until none helps. O(1) for each of at most k² moves that are tried. */
function improve(points: readonly Point[], counts: Float64Array): Float64Array {
  let bestMs = makespanOfCounts(points, counts);
  for (let moves = 0; moves < MOST_MOVES; moves++) {
    const used: number[] = [];
    let sum1 = 0;
    let sum2 = 0;
    for (let i = 0; i < points.length; i++) {
      if (counts[i] === 0) continue;
      used.push(i);
      sum1 += counts[i]! * points[i]!.p1;
      sum2 += counts[i]! * points[i]!.p2;
    }
    let from = -1;
    let to = -1;
    for (const i of used) {
      // The first and the last of what stays when one job leaves i.
      const stays = used.filter((other) => other !== i || counts[i]! > 1);
      for (let j = 0; j < points.length; j++) {
        if (i === j) continue;
        const first = Math.min(j, stays[0] ?? j);
        const last = Math.max(j, stays.at(-1) ?? j);
        const heads = sum1 + points[j]!.p1 - points[i]!.p1;
        const transfers = sum2 + points[j]!.p2 - points[i]!.p2;
        const ms = Math.max(points[first]!.p1 + transfers, heads + points[last]!.p2);
        if (ms >= bestMs * (1 - 1e-12)) continue;
        bestMs = ms;
        from = i;
        to = j;
      }
    }
    if (from < 0) break;
    counts[from]!--;
    counts[to]!++;
  }
  return counts;
}
