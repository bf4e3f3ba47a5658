import type { Job } from './types.ts';

/**
 * The lower-left convex hull of the points (p1, p2): indices by rising p1 and falling p2. A mix of jobs
 * can do no better on average than a point of this line. Andrew's monotone chain, O(k log k).
 */
export function hull(points: readonly Job[]): number[] {
  const byHead = points
    .map((_, index) => index)
    .sort((a, b) => points[a]!.p1 - points[b]!.p1 || points[a]!.p2 - points[b]!.p2);
  const line: number[] = [];
  for (const index of byHead) {
    const point = points[index]!;
    if (line.length > 0 && point.p2 >= points[line.at(-1)!]!.p2) continue;
    while (line.length >= 2) {
      const a = points[line.at(-2)!]!;
      const b = points[line.at(-1)!]!;
      const turn = (b.p1 - a.p1) * (point.p2 - a.p2) - (b.p2 - a.p2) * (point.p1 - a.p1);
      if (turn > 0) break;
      line.pop();
    }
    line.push(index);
  }
  return line;
}

/**
 * The least value of max(a + m·p1, b + m·p2) over all points (p1, p2) of the hull's line: what m jobs
 * need at least when the stages already carry a and b ms.
 */
export function hullHeight(
  points: readonly Job[],
  line: readonly number[],
  m: number,
  a: number,
  b: number,
): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < line.length; i++) {
    const left = points[line[i]!]!;
    const x0 = a + m * left.p1;
    const y0 = b + m * left.p2;
    best = Math.min(best, Math.max(x0, y0));
    const next = line[i + 1];
    if (next === undefined) break;
    const x1 = a + m * points[next]!.p1;
    const y1 = b + m * points[next]!.p2;
    // The edge meets the diagonal where x − y changes its sign.
    if (x0 < y0 && x1 > y1) best = Math.min(best, x0 + ((x1 - x0) * (y0 - x0)) / (y0 - x0 + x1 - y1));
  }
  return best;
}
