import { planEnergyJ } from './energy.ts';
import type { Grouped } from './groups.ts';
import { type Bound, boundOf } from './lower-bound.ts';
import type { Problem } from './problem.ts';
import type { Plan } from './types.ts';

/**
 * A plan from how many jobs take each cut. Jobs are numbered in the order in which they start. What is long or
 * dear (orders of n jobs, the problem's bound) is made when it is first read.
 *
 * @param chosen jobs of each cut, and the cut of each job in the order in which they start.
 * @param proved the search has shown that no plan is shorter.
 */
function planOf(
  policy: string,
  problem: Problem,
  chosen: { readonly counts: readonly number[]; readonly jobCuts: () => number[] },
  makespanMs: number,
  proved = false,
): Plan {
  let bound: Bound | undefined;
  let jobCuts: number[] | undefined;
  let order: number[] | undefined;
  const theBound = (): Bound => {
    bound ??= proved ? { ms: makespanMs, by: 'search' } : boundOf(problem);
    return bound;
  };
  const energyJ = planEnergyJ(problem, chosen.counts, makespanMs);
  return {
    policy,
    makespanMs,
    counts: chosen.counts,
    get lowerBoundMs() {
      return Math.min(makespanMs, theBound().ms);
    },
    get boundBy() {
      return theBound().by;
    },
    get optimal() {
      return proved || makespanMs <= this.lowerBoundMs * (1 + 1e-12);
    },
    get jobCuts() {
      jobCuts ??= chosen.jobCuts();
      return jobCuts;
    },
    get order() {
      order ??= Array.from({ length: problem.n }, (_, job) => job);
      return order;
    },
    ...(Number.isNaN(energyJ) ? {} : { energyJ }),
  };
}

export function planOfGroups(
  policy: string,
  problem: Problem,
  { line, counts, makespanMs }: Grouped,
  proved = false,
): Plan {
  const chosen = { counts, jobCuts: () => expand(line, counts) };
  return planOf(policy, problem, chosen, makespanMs, proved);
}

/** @param sequence the cut of each job, in the order in which they start. */
export function planOfSequence(
  policy: string,
  problem: Problem,
  sequence: number[],
  makespanMs: number,
  proved = false,
): Plan {
  const counts = new Array<number>(problem.cuts.length).fill(0);
  for (const cut of sequence) counts[cut]!++;
  return planOf(policy, problem, { counts, jobCuts: () => sequence }, makespanMs, proved);
}

/** The cut of each job where jobs start in the order of `line`, and `counts` of them take each cut. */
export function expand(line: readonly number[], counts: ArrayLike<number>): number[] {
  return line.flatMap((cut) => new Array<number>(counts[cut]!).fill(cut));
}
