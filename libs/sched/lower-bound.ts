import { hull, hullHeight } from './hull.ts';
import { checkProblem, jobAt } from './transfer.ts';
import type { Cut, Uplink } from './types.ts';

/**
 * A time in ms before which no plan of n jobs over these cuts can end: one bound per problem, the same
 * for every policy. It holds for the stages vehicle and uplink, whatever the cloud costs on top.
 *
 * In Johnson's order the critical path turns at the first or at the last job only, so a plan whose
 * first job is f and whose last is l takes max(p1(f) + Σp2, Σp1 + p2(l)). For each pair the n − 2 jobs
 * between are relaxed to any mixture on the convex hull; the least of all pairs is the bound. With one
 * job it is the least p1 + p2. O(k² h) for k cuts and h points of the hull.
 *
 * @throws ScheduleError where the problem is none.
 */
export function lowerBound(cuts: readonly Cut[], n: number, uplink: Uplink): number {
  checkProblem(cuts, n, uplink);
  const points = cuts.map((cut) => jobAt(cut, uplink));
  if (n === 1) return Math.min(...points.map(({ p1, p2 }) => p1 + p2));
  const line = hull(points);
  let least = Number.POSITIVE_INFINITY;
  for (const f of points) {
    for (const l of points) {
      const onLink = f.p1 + f.p2 + l.p2;
      const onVehicle = f.p1 + l.p1 + l.p2;
      least = Math.min(least, hullHeight(points, line, n - 2, onVehicle, onLink));
    }
  }
  return least;
}
