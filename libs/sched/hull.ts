import { frontier } from './two-stages.ts';
import type { Job } from './types.ts';

/**
 * The lower-left convex hull of the points (p1, p2): indices by rising p1 and falling p2. A mix of jobs
 * can do no better on average than a point of this line. Andrew's monotone chain, O(k log k).
 */
export function hull(points: readonly Job[]): number[] {
  const line: number[] = [];
  for (const point of frontier(points, [...points.keys()])) {
    while (line.length >= 2) {
      const a = points[line.at(-2)!]!;
      const b = points[line.at(-1)!]!;
      const turn = (b.p1 - a.p1) * (point.p2 - a.p2) - (b.p2 - a.p2) * (point.p1 - a.p1);
      if (turn > 0) break;
      line.pop();
    }
    line.push(point.cut);
  }
  return line;
}

/**
 * The least value of max(a + m·p1, b + m·p2) over all points (p1, p2) of the hull's line: what m jobs
 * need at least when the stages already carry a and b ms. O(log h) for h corners.
 */
export function hullHeight(
  points: readonly Job[],
  line: readonly number[],
  m: number,
  a: number,
  b: number,
): number {
  // Along the line the first sum rises and the second falls: their crossing is found by halving.
  let low = 0;
  for (let high = line.length; low < high; ) {
    const middle = (low + high) >> 1;
    const { p1, p2 } = points[line[middle]!]!;
    if (a + m * p1 >= b + m * p2) high = middle;
    else low = middle + 1;
  }
  const right = low < line.length ? points[line[low]!] : undefined;
  const left = low > 0 ? points[line[low - 1]!] : undefined;
  if (right === undefined) return b + m * left!.p2;
  const x1 = a + m * right.p1;
  if (left === undefined) return x1;
  const x0 = a + m * left.p1;
  const y0 = b + m * left.p2;
  const y1 = b + m * right.p2;
  // Both ends are plans too: rounding must not put the edge above them.
  return Math.min(x1, y0, x0 + ((x1 - x0) * (y0 - x0)) / (y0 - x0 + x1 - y1));
}
