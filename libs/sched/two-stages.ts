/**
 * Plans of identical jobs through vehicle and uplink, as counts over the points that no other dominates. On
 * them Johnson's order is the order of the points, and the makespan has a closed form.
 */
import type { Busy, Job } from './types.ts';

const FREE: Required<Busy> = { vehicleMs: 0, uplinkMs: 0, cloudMs: 0 };

/** Head and transfer of the cut with this index. */
export interface Point {
  readonly cut: number;
  readonly p1: number;
  readonly p2: number;
}

/**
 * The points that no other is as good as in both stages: p1 rises and p2 falls strictly.
 * @param among indices of the jobs that count.
 */
export function frontier(jobs: readonly Job[], among: readonly number[]): Point[] {
  const sorted = among
    .map((cut): Point => ({ cut, p1: jobs[cut]!.p1, p2: jobs[cut]!.p2 }))
    .sort((a, b) => a.p1 - b.p1 || a.p2 - b.p2);
  const kept: Point[] = [];
  for (const point of sorted) if (kept.length === 0 || point.p2 < kept.at(-1)!.p2) kept.push(point);
  return kept;
}

/**
 * max(p1(first) + Σp2, Σp1 + p2(last)): in Johnson's order the critical path of jobs on the frontier can only
 * turn at the first or at the last of them.
 * @param counts how many jobs take each point.
 * @param busy initial state of the two stages.
 */
export function makespanOfCounts(
  points: readonly Point[],
  counts: ArrayLike<number>,
  { vehicleMs, uplinkMs }: Required<Busy> = FREE,
): number {
  let first = -1;
  let last = 0;
  let sum1 = 0;
  let sum2 = 0;
  for (let i = 0; i < points.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    if (first < 0) first = i;
    last = i;
    sum1 += count * points[i]!.p1;
    sum2 += count * points[i]!.p2;
  }
  return first < 0
    ? 0
    : Math.max(Math.max(vehicleMs + points[first]!.p1, uplinkMs) + sum2, vehicleMs + sum1 + points[last]!.p2);
}

/**
 * The best split of m jobs between a point `a` and a point `b` with longer heads and shorter transfers, beside
 * the sums that the stages already carry: the two whole numbers beside the balance, within 0 … m.
 * @returns how many take `b`, one or two candidates.
 */
export function balance(a: Point, b: Point, m: number, sum1: number, sum2: number): [number, number] {
  const gap = sum2 + m * a.p2 - (sum1 + m * a.p1);
  const even = gap / (b.p1 - a.p1 + a.p2 - b.p2);
  const least = Math.min(m, Math.max(0, Math.floor(even)));
  return [least, Math.min(m, least + 1)];
}
