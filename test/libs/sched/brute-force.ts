/** References that are slow and plain: what the schedulers are compared with. Never used by the product. */
import type { Cut, Job } from '../../../libs/sched/index.ts';

/** All orders of 0 … n−1. */
export function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((order) =>
    Array.from({ length: n }, (_, place) => [...order.slice(0, place), n - 1, ...order.slice(place)]),
  );
}

/** All ways to give n jobs one of k cuts each, whatever their order: rising lists of n indices below k. */
export function multisets(k: number, n: number, from = 0): number[][] {
  if (n === 0) return [[]];
  return Array.from({ length: k - from }, (_, i) => from + i).flatMap((cut) =>
    multisets(k, n - 1, cut).map((rest) => [cut, ...rest]),
  );
}

/**
 * Makespan of a flow shop as its longest path: the critical path goes along the jobs of one stage and
 * turns down to the next stage at some job, for every way to choose the turns.
 */
export function longestPath(stages: readonly (readonly number[])[]): number {
  const [first = [], ...others] = stages;
  const sum = (times: readonly number[]): number => times.reduce((a, b) => a + b, 0);
  if (others.length === 0) return sum(first);
  let longest = 0;
  for (let turn = 0; turn < first.length; turn++)
    longest = Math.max(
      longest,
      sum(first.slice(0, turn + 1)) + longestPath(others.map((stage) => stage.slice(turn))),
    );
  return longest;
}

/** p1 and p2 of a job that is cut here, by the definition of theory.md §1. */
export function twoStages(cut: Cut, uplinkBps: number): { readonly p1: number; readonly p2: number } {
  return { p1: cut.p1, p2: cut.local ? 0 : (8 * cut.bytes * 1000) / uplinkBps };
}

/** The shortest makespan over every multiset of points and every order, two stages. */
export function optimum(points: readonly Job[], n: number): number {
  const orders = permutations(n);
  let least = Number.POSITIVE_INFINITY;
  for (const cuts of multisets(points.length, n)) {
    for (const order of orders) {
      const p1 = order.map((job) => points[cuts[job]!]!.p1);
      const p2 = order.map((job) => points[cuts[job]!]!.p2);
      least = Math.min(least, longestPath([p1, p2]));
    }
  }
  return least;
}
