/** Plans for streams: cameras that deliver a frame each, at the same moment, again and again. */
import { planEnergyJ } from './energy.ts';
import { exact } from './exact.ts';
import { boundOf } from './lower-bound.ts';
import { checkPeriod, ROUNDING, type SteadyTimes, steadyTimes } from './steady-judge.ts';
import { EVERY_ORDER } from './steady-orders.ts';
import {
  leastLatency,
  leastPeriod,
  type SteadyConditions,
  type Streams,
  streamsOf,
} from './steady-search.ts';
import type { Cut, Plan } from './types.ts';

/** The cuts and the order that every period repeats; its times are those in the period that it is planned for. */
export interface SteadyPlan
  extends Pick<Plan, 'policy' | 'counts' | 'jobCuts' | 'order'>,
    Pick<SteadyTimes, 'loads' | 'worstLatencyMs'> {
  /** The period that was asked for. */
  readonly periodMs: number;
  /** Whether this plan, and so any, holds the period that was asked for. */
  readonly holds: boolean;
  /** The period that was asked for where it holds, else the least sustainable one: frames are to be shed to its rate. */
  readonly plannedPeriodMs: number;
  /** The least period that was found to be held by any choice of cuts. */
  readonly sustainablePeriodMs: number;
  readonly sustainableFps: number;
  /** True where it is proved that no choice of cuts holds a shorter one. */
  readonly sustainableProved: boolean;
  /** No plan that holds the planned period has a lower worst latency. */
  readonly lowerBoundMs: number;
  /** True where the worst latency is proved to be the least of all plans that hold the planned period. */
  readonly optimal: boolean;
  /** Energy of the vehicle in one planned period, in joules; absent without a power model or measured heads. */
  readonly energyJ?: number;
}

/** Up to so many jobs the shortest plan of one period alone is asked for, which takes a few milliseconds. */
const FEW_JOBS = 8;

/**
 * The cuts and the order for n cameras that deliver a frame each at the start of every period. Of the choices of cuts that
 * hold the period it is the one of least worst-case latency, of equal ones that of the least load; where none was found
 * that does, the one of the least sustainable period, judged in that. Up to 20,000 choices of cuts are all accounted for;
 * of more those that the weights of a linear program leave, as far as a budget goes. On two stages the order is the best
 * one, and with tails or a round trip for up to four cameras; for more it is the best of three rules, improved by
 * exchanges of neighbours.
 * Derived for this project: docs/theory.md.
 * @param periodMs time between two frames of a camera.
 * @throws ScheduleError for a period that is no number above 0, where the problem is none, and where no plan meets the
 * caps; a cap on energy is one on each period's.
 */
export function planSteady(
  cuts: readonly Cut[],
  n: number,
  conditions: SteadyConditions,
  periodMs: number,
): SteadyPlan {
  checkPeriod(periodMs);
  const streams = streamsOf(cuts, n, conditions, periodMs);
  const { problem, options } = streams;
  const period = leastPeriod(streams);
  const holds = period.periodMs <= periodMs * (1 + ROUNDING);
  const plannedPeriodMs = holds ? periodMs : period.periodMs;
  const alone = periodAlone(streams);
  const { counts, sequence, latencyMs, complete } = leastLatency(
    streams,
    plannedPeriodMs,
    period.counts,
    alone?.sequence,
  );
  const energyJ = planEnergyJ(problem, counts, plannedPeriodMs);
  let boundMs: number | undefined;
  return {
    policy: 'steady',
    ...{ counts, jobCuts: sequence, order: sequence.map((_, place) => place) },
    loads: steadyTimes(problem.jobs, sequence, plannedPeriodMs, options).loads,
    worstLatencyMs: latencyMs,
    ...{ periodMs, holds, plannedPeriodMs },
    sustainablePeriodMs: period.periodMs,
    sustainableFps: 1000 / period.periodMs,
    sustainableProved: period.proved,
    get lowerBoundMs() {
      boundMs ??= complete ? latencyMs : Math.min(latencyMs, alone?.lowerBoundMs ?? latencyBound(streams));
      return boundMs;
    },
    get optimal() {
      return latencyMs <= this.lowerBoundMs * (1 + ROUNDING);
    },
    ...(Number.isNaN(energyJ) ? {} : { energyJ }),
  };
}

/**
 * The shortest plan of one period alone, apart from a cap on energy: a bound, and a good sequence where the period is long.
 * Undefined where that would take long, or says nothing new.
 */
function periodAlone({
  problem,
  candidates,
  options,
  few,
}: Streams): { readonly sequence: number[]; readonly lowerBoundMs: number } | undefined {
  const { cuts, n, conditions, twoStages } = problem;
  if (twoStages || (few && n <= EVERY_ORDER) || n > FEW_JOBS || options.cloudWorkers !== 1) return undefined;
  // The candidates keep the limits on one cut.
  const { maxEnergyJ: _, minCut: __, ...others } = conditions;
  const among = candidates.map((cut) => cuts[cut]!);
  const { jobCuts, lowerBoundMs } = exact(among, n, others);
  return { sequence: jobCuts.map((index) => candidates[index]!), lowerBoundMs };
}

/** No plan has a lower worst latency: it is at least that of one frame alone, and at least the makespan of one period. */
function latencyBound({ problem, shared }: Streams): number {
  const { jobs, allowed, rttMs, n } = problem;
  const frames = allowed.map((cut) => {
    const { p1, p2, p3 = 0, local } = jobs[cut]!;
    return local ? p1 : p1 + p2 + p3 + rttMs;
  });
  // A period takes another energy than a makespan does, and several workers end no earlier than one as fast as all.
  const { maxEnergyJ: _, ...conditions } = shared.conditions;
  return Math.max(Math.min(...frames), n === 1 ? 0 : boundOf({ ...shared, conditions }).ms);
}
