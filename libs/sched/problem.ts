import { checkTimes, isAmount, noAmount } from './check-jobs.ts';
import { checkUplink, jobOf } from './transfer.ts';
import { type Busy, type Conditions, type Cut, type Job, ScheduleError } from './types.ts';

/** n jobs over a table of cuts, checked: what policies, bound and searches work on. */
export interface Problem {
  readonly cuts: readonly Cut[];
  readonly n: number;
  readonly conditions: Conditions;
  /** The job that each cut makes of a frame. */
  readonly jobs: readonly Job[];
  /** Indices of the cuts that every job may take; the caps on the whole plan are not in it. */
  readonly allowed: readonly number[];
  /** Round-trip time in ms. */
  readonly rttMs: number;
  readonly busy: Required<Busy>;
  /** Nothing passes behind the uplink: neither tails, nor a round trip, nor a cloud that is busy. */
  readonly twoStages: boolean;
}

/**
 * @throws ScheduleError unless there is a cut, every figure is a number ≥ 0, n is whole and ≥ 1, and the constraints
 * leave something; it names the item.
 */
export function problemOf(cuts: readonly Cut[], n: number, conditions: Conditions): Problem {
  if (cuts.length === 0) throw new ScheduleError('there is no cut to choose from');
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ScheduleError(`the number of jobs must be a whole number ≥ 1, not ${n}`);
  checkUplink(conditions);
  for (const cut of cuts) checkCut(cut);
  const { minCut, maxBytes, maxHeadMs, maxEnergyJ, maxLoss, busy, power, rttMs = 0 } = conditions;
  if (busy) checkTimes('busy', { ...busy });
  if (power) checkTimes('power', { ...power });
  checkTimes('constraint', { minCut, maxBytes, maxHeadMs, maxEnergyJ, maxLoss });
  const allowed = allowedCuts(cuts, conditions);
  if (
    maxEnergyJ !== undefined &&
    power === undefined &&
    allowed.some((cut) => cuts[cut]!.headJ === undefined)
  )
    throw new ScheduleError('maxEnergyJ needs a power model, or the headJ of every cut');
  const jobs = cuts.map((cut) => jobOf(cut, conditions));
  return {
    cuts,
    n,
    conditions,
    jobs,
    allowed,
    rttMs,
    busy: { vehicleMs: 0, uplinkMs: 0, cloudMs: 0, ...busy },
    twoStages: rttMs === 0 && !busy?.cloudMs && allowed.every((cut) => !jobs[cut]!.p3),
  };
}

function checkCut({ id, p1, bytes, p3 = 0, loss = 0, headJ = 0 }: Cut): void {
  if (!isAmount(p1)) throw noAmount(`cut '${id}'`, 'p1', p1);
  if (!isAmount(bytes)) throw noAmount(`cut '${id}'`, 'bytes', bytes);
  if (!isAmount(p3)) throw noAmount(`cut '${id}'`, 'p3', p3);
  if (!isAmount(loss)) throw noAmount(`cut '${id}'`, 'loss', loss);
  if (!isAmount(headJ)) throw noAmount(`cut '${id}'`, 'headJ', headJ);
}

/** A constraint on what one job alone may take; one that is left out allows every cut. */
interface CutLimit {
  readonly name: 'minCut' | 'maxBytes' | 'maxHeadMs';
  readonly allows: (cut: Cut, index: number, conditions: Conditions) => boolean;
}

const NO_LIMIT = Number.POSITIVE_INFINITY;
export const CUT_LIMITS: readonly CutLimit[] = [
  { name: 'minCut', allows: ({ local }, index, { minCut = 0 }) => local === true || index >= minCut },
  {
    name: 'maxBytes',
    allows: ({ local, bytes }, _, { maxBytes = NO_LIMIT }) => local === true || bytes <= maxBytes,
  },
  { name: 'maxHeadMs', allows: ({ p1 }, _, { maxHeadMs = NO_LIMIT }) => p1 <= maxHeadMs },
];

/** @throws ScheduleError that names the constraint which leaves nothing. */
function allowedCuts(cuts: readonly Cut[], conditions: Conditions): number[] {
  let left = cuts.map((_, index) => index);
  for (const { name, allows } of CUT_LIMITS) {
    if (conditions[name] === undefined) continue;
    left = left.filter((index) => allows(cuts[index]!, index, conditions));
    if (left.length === 0)
      throw new ScheduleError(`${name} ${conditions[name]} leaves no cut to choose from`);
  }
  return left;
}
