/** The search for the counts of a steady plan: how many of a period's jobs take each cut. */
import { checkWorkers } from './check-jobs.ts';
import { jobEnergyJ, meetsCaps } from './energy.ts';
import { rootOf } from './lower-bound.ts';
import { type Problem, problemOf } from './problem.ts';
import { capsOf, relax, weigh } from './relaxation.ts';
import { ROUNDING } from './steady-judge.ts';
import { type Counts, ordersFor, type SteadyShop, type Work } from './steady-orders.ts';
import { delaysOf } from './transfer.ts';
import { type Conditions, type Cut, ScheduleError } from './types.ts';

/** What a stream is planned under. A stream begins with an empty system: `busy` is not looked at. */
export interface SteadyConditions extends Conditions {
  /** Parallel workers of the cloud; 1 unless given. */
  readonly cloudWorkers?: number;
}

/** Up to so many choices of cuts every one is accounted for. */
const FEW_CHOICES = 20_000;
/** Above that, so many steps of a search are made. */
const MOST_STEPS = 20_000;
const MOST_MOVES = 200;

/** A planning of streams, checked. */
export interface Streams extends SteadyShop {
  /** The cuts that no other is as good as in every stage and cap. */
  readonly candidates: readonly number[];
  /** The period that was asked for. */
  readonly periodMs: number;
  /** Every choice of cuts is to be accounted for. */
  readonly few: boolean;
}

/** @throws ScheduleError like `problemOf`, and for a number of workers that is none. */
export function streamsOf(
  cuts: readonly Cut[],
  n: number,
  { busy: _, cloudWorkers = 1, ...conditions }: SteadyConditions,
  periodMs: number,
): Streams {
  checkWorkers(cloudWorkers);
  const problem = problemOf(cuts, n, conditions);
  const candidates = candidatesOf(problem);
  const jobs = problem.jobs.map((job) => (job.local ? job : { ...job, p3: (job.p3 ?? 0) / cloudWorkers }));
  const shared = { ...problem, jobs, allowed: candidates };
  return {
    ...{ problem, shared, candidates, periodMs },
    // Nothing passes behind the uplink of two stages.
    options: { cloudWorkers: problem.twoStages ? 1 : cloudWorkers, ...delaysOf(problem) },
    few: choicesOf(candidates.length, n) <= FEW_CHOICES,
  };
}

/** Shorter stages make no frame later, and a local job holds up nobody: what is beaten need not be taken. */
function candidatesOf(problem: Problem): number[] {
  const { cuts, jobs, allowed, conditions } = problem;
  const capped = conditions.maxEnergyJ !== undefined;
  const figures = cuts.map(({ loss = 0 }, cut) => {
    const { p1, p2, p3 = 0, local } = jobs[cut]!;
    const energyJ = capped ? jobEnergyJ(problem, cut) : 0;
    return [p1, p2, p3, local ? 0 : 1, conditions.maxLoss === undefined ? 0 : loss, energyJ];
  });
  const beats = (a: number, b: number): boolean =>
    figures[a]!.every((value, at) => value <= figures[b]![at]!) &&
    (a < b || figures[a]!.some((value, at) => value < figures[b]![at]!));
  return allowed.filter((cut) => !allowed.some((other) => other !== cut && beats(other, cut)));
}

/** How many multisets of n are there of k cuts: C(n + k − 1, k − 1). */
function choicesOf(k: number, n: number): number {
  let count = 1;
  for (let i = 1; i < k; i++) count = (count * (n + i)) / i;
  return Math.round(count);
}

/** A choice of cuts and what it is worth: the least `first`, of equal ones the least `second`. */
interface Valued {
  readonly counts: Counts;
  readonly first: number;
  readonly second: number;
}

function isBetter(a: Omit<Valued, 'counts'>, b: Omit<Valued, 'counts'> | undefined): boolean {
  if (b === undefined || a.first < b.first * (1 - ROUNDING)) return true;
  return a.first <= b.first && a.second < b.second * (1 - ROUNDING);
}

function workOf({ shared: { jobs }, candidates }: Streams, counts: Counts): Work {
  let [s1, s2, s3] = [0, 0, 0];
  for (const cut of candidates) {
    const count = counts[cut]!;
    if (count === 0) continue;
    const { p1, p2, p3 = 0 } = jobs[cut]!;
    s1 += count * p1;
    s2 += count * p2;
    s3 += count * p3;
  }
  return [s1, s2, s3];
}

/** The caps on the whole plan, in the period that it would be planned for. */
function meets({ problem, periodMs }: Streams, counts: Counts, sustainableMs: number): boolean {
  return meetsCaps(problem, counts, Math.max(periodMs, sustainableMs));
}

/**
 * The least period that any choice of cuts holds: the greatest of the stages' work. Started from the linear program's
 * mixture in whole jobs.
 * @throws ScheduleError where no choice meets the caps, or none was found that does.
 */
export function leastPeriod(streams: Streams): {
  readonly counts: Counts;
  readonly periodMs: number;
  readonly proved: boolean;
} {
  const { shared, few } = streams;
  const caps = capsOf(shared);
  const relaxation = relax(shared, [0, 0, 0], caps);
  const boundMs = weigh(shared, relaxation, caps).boundMs(0, 0, 0, shared.n, 0, 0);
  const value = (counts: Counts): Valued | undefined => {
    const work = workOf(streams, counts);
    const first = Math.max(...work);
    return meets(streams, counts, first) ? { counts, first, second: work[0] + work[1] + work[2] } : undefined;
  };
  let best = climbed(streams, [...uniforms(streams), wholeJobs(streams, relaxation.shares)], value);
  const complete = visit(streams, relaxation.weights, few ? Number.POSITIVE_INFINITY : MOST_STEPS, {
    limitMs: () => (best ? best.first * (1 - ROUNDING) : Number.POSITIVE_INFINITY),
    leaf: (counts) => {
      const found = value(counts);
      if (found && isBetter(found, best)) best = { ...found, counts: [...counts] };
      return 1;
    },
  });
  if (best === undefined) throw noPlan(streams, complete || !relaxation.feasible);
  return {
    counts: best.counts,
    periodMs: best.first,
    proved: complete || best.first <= boundMs * (1 + ROUNDING),
  };
}

function noPlan({ problem: { conditions } }: Streams, proved: boolean): ScheduleError {
  const names = (['maxEnergyJ', 'maxLoss'] as const)
    .filter((name) => conditions[name] !== undefined)
    .map((name) => `${name} ${conditions[name]}`);
  return new ScheduleError(
    `${proved ? 'no plan meets' : 'no plan was found that meets'} ${names.join(' and ')}`,
  );
}

/** A choice of cuts with its best order among those that are looked at. */
export interface SteadyChoice {
  readonly counts: Counts;
  /** The cut of each job, in the order in which they start. */
  readonly sequence: readonly number[];
  readonly latencyMs: number;
  /** Every choice of cuts was accounted for, in its best order. */
  readonly complete: boolean;
}

/**
 * Of the choices that hold a period the one of least worst-case latency, of equal ones that of the least load.
 * @param known one that holds it.
 * @param alone a sequence that is good where the period is long.
 */
export function leastLatency(
  streams: Streams,
  periodMs: number,
  known: Counts,
  alone?: readonly number[],
): SteadyChoice {
  const { shared, few } = streams;
  const root = rootOf(shared);
  const room = periodMs * (1 + ROUNDING);
  const orders = ordersFor(streams, periodMs);
  const value = (counts: Counts, limitMs = Number.POSITIVE_INFINITY): Valued | undefined => {
    const work = workOf(streams, counts);
    const second = Math.max(...work);
    if (second > room || !meets(streams, counts, second)) return undefined;
    return { counts, first: orders.leastMs(counts, work, limitMs), second };
  };
  const sends = shared.allowed.some((cut) => !shared.jobs[cut]!.local);
  const mixture = sends ? [wholeJobs(streams, root.relaxation.shares)] : [];
  const ofAlone = alone && countsOf(streams, alone);
  const starts = [known, ...(ofAlone ? [ofAlone] : []), ...uniforms(streams), ...mixture];
  let best = climbed(streams, starts, value)!;
  const [f1, f2, f3] = root.floors;
  const weights = sends ? root.relaxation.weights : ([1, 0, 0] as const);
  const floors: Work = sends ? [f1, f2, f3] : [0, 0, 0];
  const complete = visit(streams, weights, few ? Number.POSITIVE_INFINITY : MOST_STEPS, {
    floors,
    limitMs: () => best.first,
    worth: (s1, s2, s3) => {
      const loadMs = Math.max(s1, s2, s3);
      return (
        loadMs <= room &&
        isBetter({ first: Math.max(s1 + floors[0], s2 + floors[1], s3 + floors[2]), second: loadMs }, best)
      );
    },
    leaf: (counts) => {
      const found = value(counts, best.first);
      if (found && isBetter(found, best)) best = { ...found, counts: [...counts] };
      return orders.steps;
    },
  });
  const found = { ...orders.best(best.counts), counts: best.counts, complete: complete && orders.areBest };
  const aloneMs = ofAlone && value(ofAlone) ? orders.sequenceMs(alone!) : Number.POSITIVE_INFINITY;
  return aloneMs < found.latencyMs * (1 - ROUNDING)
    ? { counts: ofAlone!, sequence: alone!, latencyMs: aloneMs, complete: false }
    : found;
}

function countsOf({ problem: { cuts } }: Streams, sequence: readonly number[]): Counts {
  const counts = new Array<number>(cuts.length).fill(0);
  for (const cut of sequence) counts[cut]!++;
  return counts;
}

/** All jobs at one cut, for each candidate. */
function uniforms({ problem: { cuts, n }, candidates }: Streams): Counts[] {
  return candidates.map((cut) => cuts.map((_, index) => (index === cut ? n : 0)));
}

/** Shares of the candidates in whole jobs: rounded down, and the rest where most was lost by that. */
function wholeJobs({ problem: { cuts, n }, candidates }: Streams, shares: ArrayLike<number>): Counts {
  const counts = new Array<number>(cuts.length).fill(0);
  let left = n;
  const rests = candidates.map((cut, index) => {
    counts[cut] = Math.min(left, Math.floor(shares[index]! * n + ROUNDING));
    left -= counts[cut]!;
    return { cut, rest: shares[index]! * n - counts[cut]! };
  });
  rests.sort((a, b) => b.rest - a.rest);
  for (let at = 0; left > 0; at = (at + 1) % rests.length, left--) counts[rests[at]!.cut]!++;
  return counts;
}

/** The best that moves of one job between two cuts make of several starts; undefined where none of them can be taken. */
function climbed(
  { candidates }: Streams,
  starts: readonly Counts[],
  value: (counts: Counts, limit?: number) => Valued | undefined,
): Valued | undefined {
  let start: Valued | undefined;
  for (const counts of starts) {
    const found = value(counts, start?.first);
    if (found && isBetter(found, start)) start = found;
  }
  if (start === undefined) return undefined;
  let best = start;
  for (let moves = 0; moves < MOST_MOVES; moves++) {
    const from = best;
    const moved = [...from.counts];
    for (const a of candidates) {
      if (from.counts[a] === 0) continue;
      for (const b of candidates) {
        if (a === b) continue;
        moved[a]!--;
        moved[b]!++;
        const found = value(moved, best.first);
        if (found && isBetter(found, best)) best = { ...found, counts: [...moved] };
        moved[a]!++;
        moved[b]!--;
      }
    }
    if (best === from) break;
  }
  return best;
}

/** What a visit of choices asks. */
interface Visitor {
  /** What each stage is known to carry besides the jobs. */
  readonly floors?: Work;
  /** Choices whose weighed stages come to more are of no interest. */
  readonly limitMs: () => number;
  /** Whether choices with at least this work are of interest. */
  readonly worth?: (vehicleMs: number, uplinkMs: number, cloudMs: number) => boolean;
  /** @returns how many steps it took. */
  readonly leaf: (counts: Counts) => number;
}

/**
 * Visits the choices of cuts, count by count, the cut that is dearest by the weights first. The greatest of the stages is
 * at least their weighed mean, which rises with each job that is not at the cheapest cut: so few choices are left.
 * @param mostSteps after so many counts that were tried it ends.
 * @returns whether every choice was visited, or is of no interest.
 */
function visit(
  { shared: { jobs, cuts, n }, candidates }: Streams,
  weights: Work,
  mostSteps: number,
  { floors = [0, 0, 0], limitMs, worth, leaf }: Visitor,
): boolean {
  const total = weights[0] + weights[1] + weights[2] || 1;
  const [w1, w2, w3] = weights.map((weight) => weight / total) as [number, number, number];
  const weigh = (cut: number): number => w1 * jobs[cut]!.p1 + w2 * jobs[cut]!.p2 + w3 * (jobs[cut]!.p3 ?? 0);
  const order = candidates.toSorted((a, b) => weigh(b) - weigh(a));
  const last = order.length - 1;
  const column = (of: (cut: number) => number): [Float64Array, Float64Array] => {
    const values = Float64Array.from(order, of);
    const least = values.slice();
    for (let place = last - 1; place >= 0; place--) least[place] = Math.min(least[place]!, least[place + 1]!);
    return [values, least];
  };
  const [p1, least1] = column((cut) => jobs[cut]!.p1);
  const [p2, least2] = column((cut) => jobs[cut]!.p2);
  const [p3, least3] = column((cut) => jobs[cut]!.p3 ?? 0);
  const [, leastWeight] = column(weigh);
  const base = w1 * floors[0] + w2 * floors[1] + w3 * floors[2];
  const counts = new Array<number>(cuts.length).fill(0);
  let steps = 0;

  /** @returns false where the search is to end. */
  function extend(place: number, left: number, s1: number, s2: number, s3: number): boolean {
    const cut = order[place]!;
    for (let count = place === last ? left : 0; count <= left; count++) {
      if (++steps > mostSteps) return false;
      const rest = left - count;
      const [t1, t2, t3] = [s1 + count * p1[place]!, s2 + count * p2[place]!, s3 + count * p3[place]!];
      const then = Math.min(last, place + 1);
      const weighed = base + w1 * t1 + w2 * t2 + w3 * t3 + rest * leastWeight[then]!;
      if (weighed > limitMs() * (1 + ROUNDING)) break;
      if (worth && !worth(t1 + rest * least1[then]!, t2 + rest * least2[then]!, t3 + rest * least3[then]!))
        continue;
      counts[cut] = count;
      if (rest === 0) steps += leaf(counts);
      else if (!extend(place + 1, rest, t1, t2, t3)) return false;
    }
    counts[cut] = 0;
    return true;
  }
  return extend(0, n, 0, 0, 0);
}
