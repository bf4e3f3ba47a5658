import { hull, hullHeight } from './hull.ts';
import type { Job } from './types.ts';

export interface SequenceFound {
  /** The index of the point of each job, in the order in which they start. */
  readonly sequence: readonly number[];
  readonly makespanMs: number;
  readonly proved: boolean;
}

interface State {
  /** When vehicle, uplink and cloud are free; the cloud's time has the way back in it. */
  readonly c1: number;
  readonly c2: number;
  readonly c3: number;
  readonly boundMs: number;
  readonly point: number;
  readonly before?: State;
}

/**
 * The optimum of n identical jobs through vehicle, uplink and one cloud worker, in one order for all stages. Job
 * after job, every cut is tried; of two states that are equally far, one that is free no earlier in any
 * stage is dropped, and so is whatever cannot end before the best plan known. A narrow first pass finds a good plan.
 * @param jobs one for each cut.
 * @param delayMs what passes between the end of a tensor and its result besides the tail.
 * @param stateBudget states that the second pass may keep.
 */
export function exactSequence(
  jobs: readonly Job[],
  n: number,
  delayMs: number,
  stateBudget: number,
): SequenceFound {
  const narrow = search(jobs, n, delayMs, 200, Number.POSITIVE_INFINITY);
  const wide = search(jobs, n, delayMs, Math.max(1, Math.ceil(stateBudget / n)), narrow.best.makespanMs);
  const best = wide.best.makespanMs < narrow.best.makespanMs ? wide.best : narrow.best;
  return { ...best, proved: narrow.complete || wide.complete };
}

function search(
  jobs: readonly Job[],
  n: number,
  delayMs: number,
  width: number,
  knownMs: number,
): {
  readonly best: { readonly sequence: number[]; readonly makespanMs: number };
  readonly complete: boolean;
} {
  const pairs = (
    [
      ['c1', 'c2', (job: Job) => [job.p1, job.p2]],
      ['c1', 'c3', (job: Job) => [job.p1, job.p3 ?? 0]],
      ['c2', 'c3', (job: Job) => [job.p2, job.p3 ?? 0]],
    ] as const
  ).map(([x, y, timesOf]) => {
    const points = jobs.map((job) => {
      const [p1, p2] = timesOf(job);
      return { p1: p1!, p2: p2! };
    });
    return { x, y, points, line: hull(points) };
  });
  const boundOf = (at: { c1: number; c2: number; c3: number }, left: number): number =>
    pairs.reduce(
      (most, { x, y, points, line }) => Math.max(most, hullHeight(points, line, left, at[x], at[y])),
      0,
    );
  let complete = true;
  let states: State[] = [{ c1: 0, c2: 0, c3: 0, boundMs: 0, point: -1 }];
  for (let left = n - 1; left >= 0; left--) {
    const next: State[] = [];
    for (const before of states) {
      jobs.forEach((job, point) => {
        const c1 = before.c1 + job.p1;
        const c2 = job.local ? before.c2 : Math.max(c1, before.c2) + job.p2;
        const c3 = job.local ? before.c3 : Math.max(c2 + delayMs, before.c3) + (job.p3 ?? 0);
        const boundMs = boundOf({ c1, c2, c3 }, left);
        if (boundMs < knownMs * (1 - 1e-12)) next.push({ c1, c2, c3, boundMs, point, before });
      });
    }
    states = undominated(next);
    if (states.length <= width) continue;
    complete = false;
    states = states.sort((a, b) => a.boundMs - b.boundMs).slice(0, width);
  }
  const end = states.reduce<State | undefined>(
    (best, state) => (best && best.boundMs <= state.boundMs ? best : state),
    undefined,
  );
  const sequence: number[] = [];
  for (let at = end; at?.before; at = at.before) sequence.push(at.point);
  return {
    best: { sequence: sequence.reverse(), makespanMs: end?.boundMs ?? Number.POSITIVE_INFINITY },
    complete,
  };
}

/** The states that no other is as early as in all stages. */
function undominated(states: State[]): State[] {
  states.sort((a, b) => a.c1 - b.c1 || a.c2 - b.c2 || a.c3 - b.c3);
  // The staircase of what has been kept: c2 rises and c3 falls.
  const stairs: State[] = [];
  return states.filter((state) => {
    let low = 0;
    for (let high = stairs.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (stairs[middle]!.c2 <= state.c2) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && stairs[low - 1]!.c3 <= state.c3) return false;
    let until = low;
    while (until < stairs.length && stairs[until]!.c3 >= state.c3) until++;
    stairs.splice(low, until - low, state);
    return true;
  });
}
