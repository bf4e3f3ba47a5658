import { checkTimes } from './check-jobs.ts';
import { checkUplink, jobAt } from './transfer.ts';
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
  const jobs = cuts.map((cut) => jobAt(cut, conditions));
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

function checkCut(cut: Cut): void {
  checkNumber(cut, 'p1', cut.p1);
  checkNumber(cut, 'bytes', cut.bytes);
  if (cut.p3 !== undefined) checkNumber(cut, 'p3', cut.p3);
  if (cut.loss !== undefined) checkNumber(cut, 'loss', cut.loss);
  if (cut.headJ !== undefined) checkNumber(cut, 'headJ', cut.headJ);
}

function checkNumber(cut: Cut, name: string, value: number): void {
  if (!(value >= 0) || !Number.isFinite(value))
    throw new ScheduleError(`cut '${cut.id}': ${name} must be a finite number ≥ 0, not ${value}`);
}

/** What one job alone may take. @throws ScheduleError that names the constraint which leaves nothing. */
function allowedCuts(cuts: readonly Cut[], { minCut, maxBytes, maxHeadMs }: Conditions): number[] {
  let left = cuts.map((_, index) => index);
  const narrow = (
    name: string,
    most: number | undefined,
    may: (cut: Cut, index: number) => boolean,
  ): void => {
    if (most === undefined) return;
    left = left.filter((index) => may(cuts[index]!, index));
    if (left.length === 0) throw new ScheduleError(`${name} ${most} leaves no cut to choose from`);
  };
  narrow('minCut', minCut, (cut, index) => cut.local === true || index >= minCut!);
  narrow('maxBytes', maxBytes, (cut) => cut.local === true || cut.bytes <= maxBytes!);
  narrow('maxHeadMs', maxHeadMs, (cut) => cut.p1 <= maxHeadMs!);
  return left;
}
