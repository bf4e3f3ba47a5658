/** Plans of identical jobs as counts: jobs of the same cut go together, and each group is judged in one step. */
import type { Problem } from './problem.ts';
import type { Point } from './two-stages.ts';

/** Counts by cut, the order of their groups, and how long they take. */
export interface Grouped {
  readonly line: readonly number[];
  readonly counts: readonly number[];
  readonly makespanMs: number;
}

/** All jobs at one cut. */
export function uniformGroups(problem: Problem, cut: number): Grouped {
  const counts = new Array<number>(problem.cuts.length).fill(0);
  counts[cut] = problem.n;
  return { line: [cut], counts, makespanMs: makespanOfGroups(problem, [cut], counts) };
}

/** Groups in the order of the points, `found` jobs at each. */
export function groupsOfPoints(
  problem: Problem,
  points: readonly Point[],
  found: ArrayLike<number>,
): Grouped {
  const counts = new Array<number>(problem.cuts.length).fill(0);
  points.forEach(({ cut }, index) => {
    counts[cut] = found[index]!;
  });
  const line = points.map(({ cut }) => cut);
  return { line, counts, makespanMs: makespanOfGroups(problem, line, counts) };
}

/**
 * When the last of all jobs ends if the groups go in this order: what the judge says, in O(1) for each group.
 * Within a group all stages take the same time for each job, so a longest path turns at its first or at its last job.
 * @param line cuts in the order of their groups, those that send before those that are local.
 */
export function makespanOfGroups(
  { jobs, busy, rttMs }: Problem,
  line: readonly number[],
  counts: ArrayLike<number>,
): number {
  let c1 = busy.vehicleMs;
  let c2 = busy.uplinkMs;
  let c3 = busy.cloudMs;
  let sent = false;
  for (const cut of line) {
    const r = counts[cut]!;
    if (r === 0) continue;
    const { p1, p2, p3 = 0, local } = jobs[cut]!;
    if (local) {
      c1 += r * p1;
      continue;
    }
    const firstSent = Math.max(c1 + p1, c2) + p2;
    const lastSent = Math.max(firstSent + (r - 1) * p2, c1 + r * p1 + p2);
    c3 = Math.max(c3 + r * p3, firstSent + rttMs / 2 + r * p3, lastSent + rttMs / 2 + p3);
    c1 += r * p1;
    c2 = lastSent;
    sent = true;
  }
  return sent ? Math.max(c1, c3 + rttMs / 2) : c1;
}

/**
 * The orders of groups that are worth a look: Johnson's on vehicle and uplink, extended Johnson, Johnson's on uplink
 * and cloud; with two stages the first is a shortest one, whatever the counts.
 */
export function groupOrders({ jobs, allowed, twoStages }: Problem): number[][] {
  const locals = allowed.filter((cut) => jobs[cut]!.local);
  const senders = allowed.filter((cut) => !jobs[cut]!.local);
  const by = (first: (cut: number) => number, second: (cut: number) => number): number[] => [
    ...senders.filter((cut) => first(cut) <= second(cut)).sort((a, b) => first(a) - first(b)),
    ...senders.filter((cut) => first(cut) > second(cut)).sort((a, b) => second(b) - second(a)),
    ...locals,
  ];
  const p1 = (cut: number): number => jobs[cut]!.p1;
  const p2 = (cut: number): number => jobs[cut]!.p2;
  const p3 = (cut: number): number => jobs[cut]!.p3 ?? 0;
  if (twoStages) return [by(p1, p2)];
  return [
    by(p1, p2),
    by(
      (cut) => p1(cut) + p2(cut),
      (cut) => p2(cut) + p3(cut),
    ),
    by(p2, p3),
  ];
}
