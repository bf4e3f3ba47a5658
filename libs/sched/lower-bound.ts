import { meetsCaps } from './energy.ts';
import { hull, hullHeight } from './hull.ts';
import { type Problem, problemOf } from './problem.ts';
import { type Caps, capsOf, type Floors, type Relaxation, relax, weigh } from './relaxation.ts';
import type { BoundBy, Conditions, Cut } from './types.ts';

export interface Bound {
  readonly ms: number;
  readonly by: BoundBy;
}

/**
 * A time in ms before which no plan of n jobs over these cuts can end: one bound per problem, the same
 * for every policy. See `boundOf` for what it is made of.
 * @throws ScheduleError where the problem is none.
 */
export function lowerBound(cuts: readonly Cut[], n: number, conditions: Conditions): number {
  return boundOf(problemOf(cuts, n, conditions)).ms;
}

/** What must lie before and behind the stages in any plan that sends at least one job from here on. */
export interface Ends {
  /** The shortest head, head and transfer, and transfer of a job that sends. */
  readonly headMs: number;
  readonly sentMs: number;
  readonly transferMs: number;
  /** The least that follows a head, and the least that follows a transfer of a job that sends. */
  readonly afterHeadMs: number;
  readonly afterTransferMs: number;
}

function endsOf({ jobs, allowed, rttMs }: Problem): Ends {
  const senders = allowed.map((cut) => jobs[cut]!).filter(({ local }) => !local);
  const least = (of: (job: (typeof senders)[number]) => number): number =>
    senders.reduce((value, job) => Math.min(value, of(job)), Number.POSITIVE_INFINITY);
  const afterHeadMs = least(({ p2, p3 = 0 }) => p2 + rttMs + p3);
  return {
    headMs: least(({ p1 }) => p1),
    sentMs: least(({ p1, p2 }) => p1 + p2),
    transferMs: least(({ p2 }) => p2),
    afterHeadMs: senders.length === allowed.length ? afterHeadMs : 0,
    afterTransferMs: least(({ p3 = 0 }) => rttMs + p3),
  };
}

/** The floors of each stage when it is free at c1, c2, c3, and another job is to be sent. */
export function floorsOf(ends: Ends, rttMs: number, c1: number, c2: number, c3: number): Floors {
  return [
    c1 + ends.afterHeadMs,
    Math.max(c2, c1 + ends.headMs) + ends.afterTransferMs,
    Math.max(c3, c2 + ends.transferMs + rttMs / 2, c1 + ends.sentMs + rttMs / 2) + rttMs / 2,
  ];
}

/** What the bound and the searches of one problem begin with. */
export interface Root {
  readonly ends: Ends;
  /** The floors before any job has started. */
  readonly floors: Floors;
  readonly caps: Caps;
  /** The linear relaxation, made when it is first read. */
  readonly relaxation: Relaxation;
}

export function rootOf(problem: Problem): Root {
  const { rttMs, busy } = problem;
  const ends = endsOf(problem);
  const floors = floorsOf(ends, rttMs, busy.vehicleMs, busy.uplinkMs, busy.cloudMs);
  const caps = capsOf(problem);
  let relaxation: Relaxation | undefined;
  return {
    ends,
    floors,
    caps,
    get relaxation() {
      relaxation ??= relax(problem, floors, caps);
      return relaxation;
    },
  };
}

/**
 * The greatest of several bounds, each of which holds for every plan; local jobs go last, which costs nothing.
 * - Vehicle and uplink: the first job's head lies before all transfers, the last job's later stages behind all heads.
 *   For each pair of a first and a last job the n − 2 between are relaxed to any mixture on the convex hull, and the
 *   least of all pairs holds. On two stages this is the tight one.
 * - Vehicle and cloud, uplink and cloud: n times the height of their hull, and the least of what lies before or behind.
 * - All stages: the linear relaxation of all stages and caps together, where there are tails or caps.
 * Plans that send nothing stand beside all of these. One job is tried at every cut. O(k² log k) for k cuts.
 */
export function boundOf(problem: Problem, root = rootOf(problem)): Bound {
  const { jobs, allowed, n, rttMs, busy, twoStages } = problem;
  const alone = (cut: number): number => {
    const { p1, p2, p3 = 0, local } = jobs[cut]!;
    const headEnd = busy.vehicleMs + p1;
    if (local) return headEnd;
    return Math.max(Math.max(headEnd, busy.uplinkMs) + p2 + rttMs / 2, busy.cloudMs) + p3 + rttMs / 2;
  };
  if (n === 1) {
    const capable = allowed.filter((cut) => {
      const counts = jobs.map((_, index) => (index === cut ? 1 : 0));
      return meetsCaps(problem, counts, alone(cut));
    });
    return { ms: Math.min(...(capable.length > 0 ? capable : allowed).map(alone)), by: 'search' };
  }

  const locals = allowed.map((cut) => jobs[cut]!).filter(({ local }) => local);
  const allLocalMs = busy.vehicleMs + n * Math.min(...locals.map(({ p1 }) => p1));
  if (locals.length === allowed.length) return { ms: allLocalMs, by: 'vehicle and uplink' };

  const { ends, floors, caps } = root;
  const [onVehicle, onUplink, inCloud] = floors;
  const times = allowed.map((cut) => jobs[cut]!);
  const bounds: Bound[] = [{ ms: vehicleAndUplink(problem, ends), by: 'vehicle and uplink' }];
  if (!twoStages) {
    const height = (of: 'p1' | 'p2', a: number): number => {
      const points = times.map((job) => ({ p1: job[of], p2: job.p3 ?? 0 }));
      return hullHeight(points, hull(points), n, a, inCloud);
    };
    bounds.push(
      { ms: height('p1', onVehicle), by: 'vehicle and cloud' },
      { ms: height('p2', onUplink), by: 'uplink and cloud' },
    );
  }
  if (
    !twoStages ||
    caps.maxEnergyJ < Number.POSITIVE_INFINITY ||
    caps.maxLossSum < Number.POSITIVE_INFINITY
  ) {
    const weighed = weigh(problem, root.relaxation, caps);
    bounds.push({ ms: weighed.boundMs(...floors, n, 0, 0), by: 'all stages' });
  }
  const best = bounds.reduce((a, b) => (b.ms > a.ms * (1 + 1e-12) ? b : a));
  return best.ms <= allLocalMs ? best : { ms: allLocalMs, by: best.by };
}

function vehicleAndUplink({ jobs, allowed, n, rttMs, busy }: Problem, { afterTransferMs }: Ends): number {
  const points = allowed.map((cut) => jobs[cut]!);
  const line = hull(points);
  let least = Number.POSITIVE_INFINITY;
  for (const f of points) {
    if (f.local) continue;
    const uplinkStart = Math.max(busy.uplinkMs, busy.vehicleMs + f.p1);
    for (const l of points) {
      const after = l.local ? 0 : l.p2 + rttMs + (l.p3 ?? 0);
      const onUplink = uplinkStart + f.p2 + l.p2 + afterTransferMs;
      const onVehicle = busy.vehicleMs + f.p1 + l.p1 + after;
      least = Math.min(least, hullHeight(points, line, n - 2, onVehicle, onUplink));
    }
  }
  return least;
}
