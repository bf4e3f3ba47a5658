import { lowerBound } from './lower-bound.ts';
import type { Cut, Plan, Uplink } from './types.ts';

/**
 * A plan from how many jobs take each cut. Jobs are numbered in the order in which they start. What is long or
 * dear (orders of n jobs, the problem's bound) is made when it is first read.
 *
 * @param chosen jobs of each cut, and the cut of each job in the order in which they start.
 * @param proved the search has shown that no plan is shorter.
 */
export function planOf(
  policy: string,
  problem: { readonly cuts: readonly Cut[]; readonly n: number; readonly uplink: Uplink },
  chosen: { readonly counts: readonly number[]; readonly jobCuts: () => number[] },
  makespanMs: number,
  proved = false,
): Plan {
  const { cuts, n, uplink } = problem;
  let bound: number | undefined;
  let jobCuts: number[] | undefined;
  let order: number[] | undefined;
  return {
    policy,
    makespanMs,
    counts: chosen.counts,
    get lowerBoundMs() {
      bound ??= proved ? makespanMs : Math.min(makespanMs, lowerBound(cuts, n, uplink));
      return bound;
    },
    get optimal() {
      return proved || makespanMs <= this.lowerBoundMs * (1 + 1e-12);
    },
    get jobCuts() {
      jobCuts ??= chosen.jobCuts();
      return jobCuts;
    },
    get order() {
      order ??= Array.from({ length: n }, (_, job) => job);
      return order;
    },
  };
}

/** The cut of each job where jobs start in the order of `line`, and `counts` of them take each cut. */
export function expand(line: readonly number[], counts: readonly number[]): number[] {
  return line.flatMap((cut) => new Array<number>(counts[cut]!).fill(cut));
}
