import { hull, hullHeight } from './hull.ts';
import { mixCounts } from './jps-mix.ts';
import { balance, makespanOfCounts, type Point } from './two-stages.ts';
import type { Busy } from './types.ts';

export interface CountsFound {
  readonly counts: ArrayLike<number>;
  /** No counts are shorter; false where the budget of nodes did not suffice to know. */
  readonly proved: boolean;
}

/**
 * The optimum of n identical jobs through two stages, derived for this project. For each pair of a first point f
 * and a last point l the makespan is max(p1(f) + Σp2, Σp1 + p2(l)); the other n − 2 jobs are an integer program
 * of two sums. Weighing the sums as the hull's crossing edge does gives each point a reduced cost, 0 on the edge.
 * Whatever is shorter than the best plan spends less reduced cost than the gap to it: such multisets of points off the edge
 * are enumerated, and the rest is split between the edge's ends in closed form.
 * @param points the frontier, at least one.
 * @param nodeBudget multisets that may be looked at.
 * @param busy initial state: the vehicle's jobs start later, and the first transfer waits for the uplink.
 */
export function exactCounts(
  points: readonly Point[],
  n: number,
  nodeBudget: number,
  busy: Required<Busy>,
): CountsFound {
  const sentMs = ({ p1, p2 }: Point): number => Math.max(busy.vehicleMs + p1, busy.uplinkMs) + p2;
  if (n === 1) {
    const best = points.reduce((b, point, i) => (sentMs(point) < sentMs(points[b]!) ? i : b), 0);
    const counts = points.map((_, i) => (i === best ? 1 : 0));
    return { counts, proved: true };
  }
  const line = hull(points);
  const pairs: { f: Point; l: Point; fIndex: number; lIndex: number; boundMs: number }[] = [];
  let best: Float64Array = mixCounts(points, n);
  let bestMs = makespanOfCounts(points, best, busy);
  // Weighed as the hull's edge at the balance of all jobs weighs them, most pairs are seen to be no better at once.
  const weight = crossingWeight(points, line);
  let least = Number.POSITIVE_INFINITY;
  for (const { p1, p2 } of points) least = Math.min(least, weight * p1 + (1 - weight) * p2);
  points.forEach((f, fIndex) => {
    const sent = sentMs(f);
    for (let lIndex = fIndex; lIndex < points.length; lIndex++) {
      const l = points[lIndex]!;
      const onVehicle = busy.vehicleMs + f.p1 + l.p1 + l.p2;
      const onUplink = sent + l.p2;
      if (weight * onVehicle + (1 - weight) * onUplink + (n - 2) * least >= bestMs) continue;
      const boundMs = hullHeight(points, line, n - 2, onVehicle, onUplink);
      if (boundMs < bestMs) pairs.push({ f, l, fIndex, lIndex, boundMs });
    }
  });
  pairs.sort((a, b) => a.boundMs - b.boundMs);

  let nodes = 0;
  const path: number[] = [];
  for (const { f, l, fIndex, lIndex, boundMs } of pairs) {
    if (boundMs >= bestMs * (1 - 1e-12)) break;
    const m = n - 2;
    const base1 = busy.vehicleMs + f.p1 + l.p1 + l.p2;
    const base2 = sentMs(f) + l.p2;
    const take = (ms: number, extra: readonly (readonly [number, number])[]): void => {
      if (ms >= bestMs) return;
      const counts = new Float64Array(points.length);
      counts[fIndex]!++;
      counts[lIndex]!++;
      for (const [index, count] of extra) counts[index]! += count;
      for (const index of path) counts[index]!++;
      // A multiset that goes beyond its pair is shorter than the pair says.
      best = counts;
      bestMs = makespanOfCounts(points, counts, busy);
    };
    const sumsAt = (index: number): [number, number] => {
      const { p1, p2 } = points[index]!;
      return [base1 + m * p1, base2 + m * p2];
    };
    const after = line.findIndex((index) => sumsAt(index)[0] >= sumsAt(index)[1]);
    if (after <= 0) {
      // One stage is the longer at every point: all take the end of the hull that is kindest to it.
      const end = line[after < 0 ? line.length - 1 : 0]!;
      take(Math.max(...sumsAt(end)), [[end, m]]);
      continue;
    }
    const [left, right] = [line[after - 1]!, line[after]!];
    const [a, b] = [points[left]!, points[right]!];
    const share = edgeWeight(a, b);
    const cost = (p1: number, p2: number): number => share * p1 + (1 - share) * p2;
    const edge = cost(a.p1, a.p2);
    const baseMs = cost(base1, base2) + m * edge;
    // What alone takes more than the gap is in no shorter plan.
    const off: { index: number; p1: number; p2: number; reduced: number }[] = [];
    for (let index = 0; index < points.length; index++) {
      if (index === left || index === right) continue;
      const { p1, p2 } = points[index]!;
      const reduced = Math.max(0, cost(p1, p2) - edge);
      if (baseMs + reduced < bestMs) off.push({ index, p1, p2, reduced });
    }
    off.sort((x, y) => x.reduced - y.reduced);

    // Depth first over multisets of `off`, without recursion: a multiset may be as deep as the budget.
    const chosen: number[] = [];
    const spent = [0];
    const sums1 = [base1];
    const sums2 = [base2];
    let next = 0;
    const leaf = (): void => {
      const depth = chosen.length;
      const rest = m - depth;
      for (const toRight of balance(a, b, rest, sums1[depth]!, sums2[depth]!)) {
        const ms = Math.max(
          sums1[depth]! + rest * a.p1 + toRight * (b.p1 - a.p1),
          sums2[depth]! + rest * a.p2 - toRight * (a.p2 - b.p2),
        );
        if (ms < bestMs)
          take(ms, [
            [left, rest - toRight],
            [right, toRight],
          ]);
      }
    };
    path.length = 0;
    leaf();
    for (;;) {
      const depth = chosen.length;
      const step = off[next];
      const fits =
        step !== undefined && depth < m && baseMs + spent[depth]! + step.reduced < bestMs * (1 - 1e-12);
      if (fits) {
        if (++nodes > nodeBudget) return { counts: best, proved: false };
        chosen.push(next);
        path.push(step.index);
        spent[depth + 1] = spent[depth]! + step.reduced;
        sums1[depth + 1] = sums1[depth]! + step.p1;
        sums2[depth + 1] = sums2[depth]! + step.p2;
        leaf();
      } else {
        // Dearer ones do not fit either: back, and on with the next one there.
        if (depth === 0) break;
        next = chosen.pop()! + 1;
        path.pop();
      }
    }
  }
  return { counts: best, proved: true };
}

/** The share of the first stage in a weighing of both that makes the ends of a hull's edge cost the same. */
function edgeWeight(a: Point, b: Point): number {
  return (a.p2 - b.p2) / (b.p1 - a.p1 + a.p2 - b.p2);
}

/** That of the edge which crosses p1 = p2; where none does, all weight is on the stage that is the longer everywhere. */
function crossingWeight(points: readonly Point[], line: readonly number[]): number {
  const after = line.findIndex((index) => points[index]!.p1 >= points[index]!.p2);
  if (after <= 0) return after < 0 ? 0 : 1;
  return edgeWeight(points[line[after - 1]!]!, points[line[after]!]!);
}
