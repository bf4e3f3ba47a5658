/** In which order the jobs of a period go: the least worst-case latency of given counts. */
import { groupOrders } from './groups.ts';
import type { Problem } from './problem.ts';
import { ROUNDING, type SteadyOptions, steadyLatencyMs } from './steady-judge.ts';

/** How many jobs take each cut, by cut. */
export type Counts = readonly number[];

/** The stages' work of one period. */
export type Work = readonly [vehicleMs: number, uplinkMs: number, cloudMs: number];

/** A problem whose jobs come again each period. */
export interface SteadyShop {
  readonly problem: Problem;
  /** The same with each tail's time divided among all workers; `allowed` are the cuts that are worth a look. */
  readonly shared: Problem;
  readonly options: SteadyOptions;
}

/** The cut of each job, in the order in which they start. */
export interface Ordered {
  readonly sequence: readonly number[];
  readonly latencyMs: number;
}

/** With tails every order of up to so many jobs is tried. */
export const EVERY_ORDER = 4;
/** Up to so many jobs exchanges of neighbours are tried for each choice of cuts. */
const EXCHANGES = 8;
/** A period of a pool of workers is walked through several times. */
const POOL_STEPS = 5;

export interface Orders {
  /** No order has a lower worst latency than the one that is found, whatever the counts. */
  readonly areBest: boolean;
  /** What judging one choice of cuts costs, as steps of a search. */
  readonly steps: number;
  sequenceMs(sequence: readonly number[], limitMs?: number): number;
  /** The worst latency in the order that is found; where it is above the limit, a number above the limit. */
  leastMs(counts: Counts, work: Work, limitMs: number): number;
  best(counts: Counts): Ordered;
}

/**
 * Groups of the same cut in the order of three rules. On two stages the first of them, Johnson's, is the best one, as the
 * worst latency is the makespan. With tails all orders of up to four jobs are tried; of more the best of the rules is
 * improved by exchanges of neighbours, at least at the end.
 */
export function ordersFor(shop: SteadyShop, periodMs: number): Orders {
  const { problem, shared, options } = shop;
  const { jobs, n, twoStages } = problem;
  const every = !twoStages && n <= EVERY_ORDER;
  const lines = groupOrders(shared);
  const sequence = new Array<number>(n).fill(0);
  const sequenceMs = (of: readonly number[], limitMs?: number): number =>
    steadyLatencyMs(jobs, of, periodMs, options, limitMs);
  const fill = (line: readonly number[], counts: Counts): void => {
    let place = 0;
    for (const cut of line) for (let i = counts[cut]!; i > 0; i--) sequence[place++] = cut;
  };
  const byRules = (counts: Counts, floorMs: number, limitMs: number, keep?: (ms: number) => void): number => {
    let best = Number.POSITIVE_INFINITY;
    for (const line of lines) {
      fill(line, counts);
      const ms = sequenceMs(sequence, Math.min(best, limitMs));
      if (ms >= best) continue;
      best = ms;
      keep?.(ms);
      if (best <= floorMs) break;
    }
    return best;
  };
  const ofAll = (counts: Counts, limitMs: number, keep?: (ms: number) => void): number => {
    fill(lines[0]!, counts);
    const senders = sequence.filter((cut) => !jobs[cut]!.local).length;
    let best = Number.POSITIVE_INFINITY;
    sequence.sort((a, b) => Number(jobs[a]!.local ?? false) - Number(jobs[b]!.local ?? false) || a - b);
    do {
      const ms = sequenceMs(sequence, Math.min(best, limitMs));
      if (ms >= best) continue;
      best = ms;
      keep?.(ms);
    } while (nextOrder(sequence, senders));
    return best;
  };
  const best = (counts: Counts): Ordered => {
    let found: Ordered = { sequence: [], latencyMs: Number.POSITIVE_INFINITY };
    const keep = (latencyMs: number): void => {
      found = { sequence: [...sequence], latencyMs };
    };
    if (every) ofAll(counts, Number.POSITIVE_INFINITY, keep);
    else byRules(counts, 0, Number.POSITIVE_INFINITY, keep);
    return every || twoStages ? found : exchanged(found, sequenceMs);
  };
  const perOrder = n * (options.cloudWorkers === 1 ? 1 : POOL_STEPS);
  return {
    areBest: twoStages || every,
    steps: twoStages || every || n > EXCHANGES ? perOrder : n * perOrder,
    sequenceMs,
    leastMs(counts, work, limitMs) {
      const floorMs = floorOf(problem, counts, work);
      if (floorMs > limitMs * (1 + ROUNDING)) return floorMs;
      const ms = byRules(counts, floorMs, limitMs);
      if (twoStages || ms <= floorMs) return ms;
      if (every) return Math.min(ms, ofAll(counts, Math.min(ms, limitMs)));
      return n <= EXCHANGES ? best(counts).latencyMs : ms;
    },
    best,
  };
}

/** No order of these jobs has a lower worst latency. */
function floorOf({ jobs, allowed, rttMs }: Problem, counts: Counts, [s1, s2, s3]: Work): number {
  const least = { head: Number.POSITIVE_INFINITY, sent: Number.POSITIVE_INFINITY };
  const after = { head: Number.POSITIVE_INFINITY, sent: Number.POSITIVE_INFINITY };
  let sends = false;
  for (const cut of allowed) {
    if (counts[cut] === 0) continue;
    const { p1, p2, p3 = 0, local } = jobs[cut]!;
    if (local) {
      after.head = 0;
      continue;
    }
    sends = true;
    least.head = Math.min(least.head, p1);
    least.sent = Math.min(least.sent, p1 + p2);
    after.head = Math.min(after.head, p2 + rttMs + p3);
    after.sent = Math.min(after.sent, rttMs + p3);
  }
  if (!sends) return s1;
  return Math.max(s1 + after.head, least.head + s2 + after.sent, least.sent + rttMs + s3);
}

/** The next of the first `length` items' distinct orders, by rising values; false after the last. */
function nextOrder(items: number[], length: number): boolean {
  let at = length - 2;
  while (at >= 0 && items[at]! >= items[at + 1]!) at--;
  if (at < 0) return false;
  let other = length - 1;
  while (items[other]! <= items[at]!) other--;
  swap(items, at, other);
  for (let low = at + 1, high = length - 1; low < high; low++, high--) swap(items, low, high);
  return true;
}

function swap(items: number[], a: number, b: number): void {
  const item = items[a]!;
  items[a] = items[b]!;
  items[b] = item;
}

/** The best that exchanges of neighbours make of a sequence. */
function exchanged(start: Ordered, judged: (sequence: readonly number[]) => number): Ordered {
  const sequence = [...start.sequence];
  let { latencyMs } = start;
  for (let helped = true; helped; ) {
    helped = false;
    for (let place = 1; place < sequence.length; place++) {
      if (sequence[place - 1] === sequence[place]) continue;
      swap(sequence, place - 1, place);
      const ms = judged(sequence);
      if (ms < latencyMs * (1 - ROUNDING)) {
        latencyMs = ms;
        helped = true;
      } else swap(sequence, place - 1, place);
    }
  }
  return { sequence, latencyMs };
}
