import { hull, hullHeight } from './hull.ts';
import { floorsOf, type Root } from './lower-bound.ts';
import type { Problem } from './problem.ts';
import { weigh } from './relaxation.ts';

/** A whole plan that the search has come to. */
export interface Found {
  readonly makespanMs: number;
  readonly energyJ: number;
  /** The cut of each job, in the order in which they start. */
  readonly sequence: () => number[];
}

export interface Searched {
  readonly found: readonly Found[];
  /** Every plan was accounted for: what is not among the found was not wanted, or is no better than one of them. */
  readonly complete: boolean;
}

/** The states after as many jobs: a column for each figure. */
interface Layer {
  size: number;
  /** When vehicle, uplink and cloud are free. Of a state that is local from here on, `c3` is the last result's time. */
  readonly c1: Float64Array;
  readonly c2: Float64Array;
  readonly c3: Float64Array;
  readonly energyJ: Float64Array;
  readonly loss: Float64Array;
  /** The least makespan of any plan that goes on from here. */
  readonly boundMs: Float64Array;
  /** Position among the allowed cuts of the last job, and the state before it. */
  readonly choice: Int32Array;
  readonly before: Int32Array;
}

/** All columns lie in one buffer: a small search is over sooner than many are made. */
function layerOf(room: number): Layer {
  const buffer = new ArrayBuffer(
    room * (6 * Float64Array.BYTES_PER_ELEMENT + 2 * Int32Array.BYTES_PER_ELEMENT),
  );
  const numbers = (column: number): Float64Array =>
    new Float64Array(buffer, column * room * Float64Array.BYTES_PER_ELEMENT, room);
  const indices = (column: number): Int32Array => {
    const atBytes = 6 * room * Float64Array.BYTES_PER_ELEMENT + column * room * Int32Array.BYTES_PER_ELEMENT;
    return new Int32Array(buffer, atBytes, room);
  };
  return {
    size: 0,
    c1: numbers(0),
    c2: numbers(1),
    c3: numbers(2),
    energyJ: numbers(3),
    loss: numbers(4),
    boundMs: numbers(5),
    choice: indices(0),
    before: indices(1),
  };
}

/**
 * Plans of n identical jobs through vehicle, uplink and one cloud worker, in one order for all stages, job after job:
 * every cut is tried, local jobs last, which costs nothing. Of two states after as many jobs, one that is free no
 * earlier in any stage, and has used no less of any cap, is dropped, and so is one that cannot meet the caps any more or
 * that is not wanted. Where more than `width` states are left, those of the least bound go on and the search is
 * not complete. Derived for this project. O(n · width · k) states are looked at.
 *
 * @param wanted whether plans with at least that makespan and energy are of interest.
 */
export function searchStates(
  problem: Problem,
  root: Root,
  withEnergy: boolean,
  width: number,
  wanted: (makespanMs: number, energyJ: number) => boolean,
): Searched {
  const { jobs, allowed, n, rttMs, busy, twoStages } = problem;
  const { ends, caps } = root;
  const halfMs = rttMs / 2;
  const times = allowed.map((cut) => {
    const { p1, p2, p3 = 0, local = false } = jobs[cut]!;
    return { p1, p2, p3, local };
  });
  const locals = times.filter(({ local }) => local);
  const leastLocalMs = Math.min(...locals.map(({ p1 }) => p1));
  const leastJ = Math.min(...caps.energy);
  const leastLoss = Math.min(...caps.loss);
  const capped = {
    energy: caps.maxEnergyJ < Number.POSITIVE_INFINITY,
    loss: caps.maxLossSum < Number.POSITIVE_INFINITY,
  };
  const ROOM = 1 + 1e-9;

  const senders = locals.length < times.length;
  const weighed = senders ? weigh(problem, root.relaxation, caps) : undefined;
  const pairs = (
    twoStages
      ? [[0, 1]]
      : [
          [0, 1],
          [0, 2],
          [1, 2],
        ]
  ).map(([x, y]) => {
    const points = times.map(({ p1, p2, p3 }) => ({ p1: [p1, p2, p3][x!]!, p2: [p1, p2, p3][y!]! }));
    return { x: x!, y: y!, points, line: hull(points) };
  });
  /** The least makespan of plans that go on from here, where `left` jobs are to come. */
  const boundOf = (
    c1: number,
    c2: number,
    c3: number,
    sent: boolean,
    left: number,
    energyJ: number,
    loss: number,
  ): number => {
    const endMs = sent ? Math.max(c1, c3 + halfMs) : c1;
    if (left === 0) return endMs;
    const allLocalMs = Math.max(endMs, c1 + left * leastLocalMs);
    if (weighed === undefined) return allLocalMs;
    const floors = floorsOf(ends, rttMs, c1, c2, c3);
    let bound = Math.max(endMs, weighed.boundMs(floors[0], floors[1], floors[2], left, energyJ, loss));
    for (const { x, y, points, line } of pairs)
      bound = Math.max(bound, hullHeight(points, line, left, floors[x]!, floors[y]!));
    return Math.min(allLocalMs, bound);
  };

  const layers: Layer[] = [];
  let current = layerOf(1);
  current.size = 1;
  current.c1[0] = busy.vehicleMs;
  current.c2[0] = busy.uplinkMs;
  current.c3[0] = busy.cloudMs;
  current.choice[0] = -1;
  layers.push(current);
  let complete = true;
  for (let left = n - 1; left >= 0; left--) {
    const next = layerOf(current.size * times.length);
    const sending: number[] = [];
    const local: number[] = [];
    for (let state = 0; state < current.size; state++) {
      const isLocal = current.choice[state]! >= 0 && times[current.choice[state]!]!.local;
      const sentBefore = current.choice[state]! >= 0 && !isLocal;
      for (let choice = 0; choice < times.length; choice++) {
        const job = times[choice]!;
        if (isLocal && !job.local) continue;
        const c1 = current.c1[state]! + job.p1;
        let c2 = 0;
        let c3 = 0;
        let bound = 0;
        const energyJ = current.energyJ[state]! + (withEnergy ? caps.energy[choice]! : 0);
        const loss = current.loss[state]! + caps.loss[choice]!;
        if (capped.loss && loss + left * leastLoss > caps.maxLossSum * ROOM) continue;
        if (job.local) {
          // From here on nothing is sent: what counts of the other stages is the last result.
          c3 = isLocal ? current.c3[state]! : sentBefore ? current.c3[state]! + halfMs : 0;
          bound = Math.max(c3, c1 + left * leastLocalMs);
        } else {
          c2 = Math.max(c1, current.c2[state]!) + job.p2;
          c3 = Math.max(c2 + halfMs, current.c3[state]!) + job.p3;
          bound = boundOf(c1, c2, c3, true, left, energyJ, loss);
        }
        const leastEnergyJ = energyJ + left * leastJ + caps.idleJ * bound;
        if (capped.energy && leastEnergyJ > caps.maxEnergyJ * ROOM) continue;
        if (!wanted(bound, leastEnergyJ)) continue;
        const at = next.size++;
        next.c1[at] = c1;
        next.c2[at] = c2;
        next.c3[at] = c3;
        next.energyJ[at] = energyJ;
        next.loss[at] = loss;
        next.boundMs[at] = bound;
        next.choice[at] = choice;
        next.before[at] = state;
        (job.local ? local : sending).push(at);
      }
    }
    const used = [...(withEnergy ? [next.energyJ] : []), ...(capped.loss ? [next.loss] : [])];
    let kept = [
      ...undominated(sending, twoStages ? [next.c1, next.c2, ...used] : [next.c1, next.c2, next.c3, ...used]),
      ...undominated(local, [next.c1, next.c3, ...used]),
    ];
    if (kept.length > width) {
      complete = false;
      kept = kept.sort((a, b) => next.boundMs[a]! - next.boundMs[b]!).slice(0, width);
    }
    const packed = layerOf(kept.length);
    packed.size = kept.length;
    for (const column of ['c1', 'c2', 'c3', 'energyJ', 'loss', 'boundMs', 'choice', 'before'] as const)
      kept.forEach((at, index) => {
        packed[column][index] = next[column][at]!;
      });
    layers.push(packed);
    current = packed;
  }
  const found = Array.from({ length: current.size }, (_, state): Found => {
    const makespanMs = current.boundMs[state]!;
    return {
      makespanMs,
      energyJ: current.energyJ[state]! + caps.idleJ * makespanMs,
      sequence: () => trace(layers, state).map((choice) => allowed[choice]!),
    };
  });
  return { found, complete };
}

function trace(layers: readonly Layer[], last: number): number[] {
  const choices: number[] = [];
  let state = last;
  for (let depth = layers.length - 1; depth > 0; depth--) {
    choices.push(layers[depth]!.choice[state]!);
    state = layers[depth]!.before[state]!;
  }
  return choices.reverse();
}

/** The rows that no other is as low as in all columns. O(m log m) for up to three columns, else quadratic at worst. */
function undominated(rows: number[], columns: readonly Float64Array[]): number[] {
  rows.sort((a, b) => {
    for (const column of columns) if (column[a] !== column[b]) return column[a]! - column[b]!;
    return a - b;
  });
  if (columns.length > 3) {
    const kept: number[] = [];
    for (const row of rows)
      if (!kept.some((other) => columns.every((column) => column[other]! <= column[row]!))) kept.push(row);
    return kept;
  }
  // The staircase of what has been kept: the second column rises and the third falls.
  const y = columns[1]!;
  const z = columns[2];
  const stairs: number[] = [];
  return rows.filter((row) => {
    const zOf = (of: number): number => (z === undefined ? 0 : z[of]!);
    let low = 0;
    for (let high = stairs.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (y[stairs[middle]!]! <= y[row]!) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && zOf(stairs[low - 1]!) <= zOf(row)) return false;
    let until = low;
    while (until < stairs.length && zOf(stairs[until]!) >= zOf(row)) until++;
    stairs.splice(low, until - low, row);
    return true;
  });
}
