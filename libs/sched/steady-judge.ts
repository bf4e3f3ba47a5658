/** The judge of streams: what one period's jobs, in one order, take when they come again and again. */
import { checkJobs, checkOrder, checkTimes, checkWorkers, isAmount } from './check-jobs.ts';
import { type FlowShopOptions, makespanOf } from './flowshop.ts';
import { type Job, ScheduleError } from './types.ts';

/** What lies between the stages of a stream; its initial state is an empty system. */
export type SteadyOptions = Omit<FlowShopOptions, 'busy'>;

/** The stages' work of one period as parts of it; all the cloud's workers together are one stage. */
export interface StageLoads {
  readonly vehicle: number;
  readonly uplink: number;
  readonly cloud: number;
}

/** What a plan does when it is repeated each period. */
export interface SteadyTimes {
  /** No stage has more work in a period than it can do in one: no queue grows for ever. */
  readonly holds: boolean;
  readonly loads: StageLoads;
  /** The least period that this plan holds. */
  readonly sustainablePeriodMs: number;
  /** The greatest rate that this plan holds: infinite where it has no work at all. */
  readonly sustainableFps: number;
  /** The longest time from a frame's release to its result, in any period; infinite where the plan does not hold. */
  readonly worstLatencyMs: number;
}

/** Room for the rounding of sums, as a part of what is summed up. */
export const ROUNDING = 1e-9;

/** A change of state from one period to the next that is no more than rounding makes, as a part of the period. */
const SETTLED = 4 * ROUNDING;

/** Where the cloud's workers have not settled after so many periods, they are judged by these. */
const MOST_PERIODS = 10_000;

/**
 * Jobs whose frames all come at the start of each period, for ever; periods may overlap.
 *
 * A plan *holds* if each stage's work fits into the period. The vehicle then is free whenever a period begins. From the
 * second period on the uplink begins with what the first left over, a = max(0, A − T) for a first period whose last
 * tensor ends at A: its tensors end at max(A, a + Σp2), which is A, as Σp2 ≤ T. So the tensors of all periods but the
 * first arrive at the same times after its start. For one worker the same argument holds once more: what it has left
 * over delays nobody's last tail, and one more walk of the judge from a busy uplink is enough. The state of several
 * workers, sorted, is a monotone function of the state one period earlier, of maxima and minima of sums. From an empty
 * system it can only rise. It is bounded: a worker is idle only when none has more than one tail left, and while none is
 * idle the work left over does not grow. Near the limit each worker is late by what some worker was late by a period
 * earlier, or not at all, so that the limit is reached after finitely many periods. They are walked through until
 * the state is that of the period before, or 10,000 of them have gone by.
 * Derived for this project: docs/theory.md.
 *
 * @param order indices of jobs, in the order in which they start in every period.
 * @param periodMs time between two frames of a camera.
 * @throws ScheduleError for a time, an order, a period or a number of workers that is none.
 */
export function judgeSteady(
  jobs: readonly Job[],
  order: readonly number[],
  periodMs: number,
  options: SteadyOptions = {},
): SteadyTimes {
  const { cloudWorkers = 1, uplinkDelayMs, returnMs } = options;
  checkPeriod(periodMs);
  checkWorkers(cloudWorkers);
  checkTimes('delays', { uplinkDelayMs, returnMs });
  checkJobs(jobs);
  checkOrder(order, jobs.length);
  return steadyTimes(jobs, order, periodMs, options);
}

/** @throws ScheduleError unless the period is a finite number above 0. */
export function checkPeriod(periodMs: number): void {
  if (!isAmount(periodMs) || periodMs === 0)
    throw new ScheduleError(`periodMs must be a finite number above 0, not ${periodMs}`);
}

/** `judgeSteady` for what is known to be good; an index may come several times in an order. */
export function steadyTimes(
  jobs: readonly Job[],
  order: readonly number[],
  periodMs: number,
  options: SteadyOptions,
): SteadyTimes {
  let [vehicleMs, uplinkMs, cloudMs] = [0, 0, 0];
  for (const index of order) {
    const { p1, p2, p3 = 0, local } = jobs[index]!;
    vehicleMs += p1;
    if (local) continue;
    uplinkMs += p2;
    cloudMs += p3;
  }
  cloudMs /= options.cloudWorkers ?? 1;
  const sustainablePeriodMs = Math.max(vehicleMs, uplinkMs, cloudMs);
  const holds = sustainablePeriodMs <= periodMs * (1 + ROUNDING);
  return {
    holds,
    loads: { vehicle: vehicleMs / periodMs, uplink: uplinkMs / periodMs, cloud: cloudMs / periodMs },
    sustainablePeriodMs,
    sustainableFps: 1000 / sustainablePeriodMs,
    worstLatencyMs: holds ? steadyLatencyMs(jobs, order, periodMs, options) : Number.POSITIVE_INFINITY,
  };
}

/**
 * The worst latency of a plan that holds the period.
 * @param limitMs where it is more than this, any number above the limit will do.
 */
export function steadyLatencyMs(
  jobs: readonly Job[],
  order: readonly number[],
  periodMs: number,
  options: SteadyOptions,
  limitMs = Number.POSITIVE_INFINITY,
): number {
  const uplinkMs = Math.max(0, lastSentMs(jobs, order) - periodMs);
  const { cloudWorkers = 1 } = options;
  return cloudWorkers === 1
    ? makespanOf(jobs, order, { ...options, busy: { uplinkMs } })
    : pooledLatencyMs(jobs, order, periodMs, options, uplinkMs, limitMs);
}

/** When the last tensor of the first period ends; 0 where nothing is sent. */
function lastSentMs(jobs: readonly Job[], order: readonly number[]): number {
  let vehicleFree = 0;
  let uplinkFree = 0;
  for (let place = 0; place < order.length; place++) {
    const { p1, p2, local } = jobs[order[place]!]!;
    vehicleFree += p1;
    if (!local) uplinkFree = Math.max(vehicleFree, uplinkFree) + p2;
  }
  return uplinkFree;
}

/** The worst latency with several workers, which begin idle. @param uplinkMs what a period before has left to the uplink. */
function pooledLatencyMs(
  jobs: readonly Job[],
  order: readonly number[],
  periodMs: number,
  { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0 }: SteadyOptions,
  uplinkMs: number,
  limitMs: number,
): number {
  const arrivalMs = new Float64Array(order.length);
  const tailMs = new Float64Array(order.length);
  let sent = 0;
  let vehicleFree = 0;
  let uplinkFree = uplinkMs;
  let atOnce = 1;
  for (let place = 0; place < order.length; place++) {
    const { p1, p2, p3 = 0, local } = jobs[order[place]!]!;
    vehicleFree += p1;
    if (local) continue;
    uplinkFree = Math.max(vehicleFree, uplinkFree) + p2;
    arrivalMs[sent] = uplinkFree + uplinkDelayMs;
    tailMs[sent++] = p3;
    atOnce += Math.ceil(p3 / periodMs);
  }
  // More workers than tails that run at the same time would never be asked.
  const free = new Float64Array(Math.min(cloudWorkers, atOnce));
  let worst = vehicleFree;
  for (let period = 0; period < MOST_PERIODS; period++) {
    const before = free.slice();
    for (let at = 0; at < sent; at++) {
      const endMs = serve(free, arrivalMs[at]!, tailMs[at]!);
      if (endMs + returnMs > worst) worst = endMs + returnMs;
    }
    let settled = true;
    for (let worker = 0; worker < free.length; worker++) {
      free[worker] = Math.max(0, free[worker]! - periodMs);
      if (free[worker]! - before[worker]! > SETTLED * periodMs) settled = false;
    }
    if (settled || worst > limitMs) break;
  }
  return worst;
}

/** Gives a tail to the worker that is free first. @param free when each worker is, rising. @returns when it ends. */
function serve(free: Float64Array, arrivalMs: number, tailMs: number): number {
  const endMs = Math.max(arrivalMs, free[0]!) + tailMs;
  let place = 1;
  for (; place < free.length && free[place]! < endMs; place++) free[place - 1] = free[place]!;
  free[place - 1] = endMs;
  return endMs;
}
