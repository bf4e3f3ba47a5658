/** What `splitlane plan --fps` works out: what every policy's plan does when it is repeated frame after frame. */
import {
  delaysOf,
  gantt,
  type Job,
  type JobSchedule,
  jobAt,
  judgeSteady,
  type Plan,
  POLICIES,
  planLoss,
  planSteady,
  ScheduleError,
  type SteadyTimes,
} from '@splitlane/sched';
import { frameRate, milliseconds } from '../options.ts';
import {
  type Asked,
  askedOf,
  type ListedCut,
  type Planning,
  type PlanPolicy,
  type PlanWords,
  plansOf,
} from './planning.ts';

/** A policy's plan, repeated; its `loads` are parts of the period that was asked for. */
export interface StreamPlan
  extends Pick<Plan, 'policy' | 'counts' | 'jobCuts' | 'order'>,
    Pick<SteadyTimes, 'holds' | 'loads' | 'sustainableFps'> {
  /** The rate that was asked for where the plan holds it, else the one that it holds: the other frames are shed. */
  readonly plannedFps: number;
  /** The longest time from a frame's release to its result, at the planned rate. */
  readonly worstLatencyMs: number;
  /** True where it is proved that no plan that holds the planned rate has a lower worst latency. */
  readonly optimal: boolean;
  /** Whether each frame of the planned rate has its result in time; absent without a deadline. */
  readonly keepsDeadline?: boolean;
  /** Energy of the vehicle in one period of the planned rate, in joules; absent where it is unknown. */
  readonly energyJ?: number;
  /** Mean loss of the frames; absent where no cut has a loss. */
  readonly loss?: number;
}

export interface StreamLimits {
  /** The greatest rate that was found to be held by any choice of cuts. */
  readonly sustainableFps: number;
  /** Whether none holds more. */
  readonly sustainableProved: boolean;
  /** The rate that `exact` is planned for, and the worst latency below which no plan is that holds it. */
  readonly plannedFps: number;
  readonly lowerBoundMs: number;
}

export interface StreamPlanning {
  readonly cuts: readonly ListedCut[];
  readonly n: number;
  readonly fps: number;
  readonly deadlineMs?: number;
  readonly plans: readonly StreamPlan[];
  readonly leftOut: Planning['leftOut'];
  /** What holds for all plans; absent where `exact` was not asked for. */
  readonly limits?: StreamLimits;
  readonly chosen: StreamPlan;
  /** The schedule of one period of the chosen plan alone. */
  readonly schedule: readonly JobSchedule[];
  /** False where energy is that of the heads alone. */
  readonly hasPower: boolean;
  readonly maxLoss?: number;
}

/** What is known of a policy's plan before it is repeated. */
type Repeated = Pick<Plan, 'counts' | 'jobCuts' | 'order'> & {
  readonly optimal: boolean;
  /** Energy in joules of a period of this length; undefined where it is unknown. */
  readonly energyJ: (periodMs: number) => number | undefined;
};

/** @throws UsageError for words that mean nothing, ScheduleError where a policy cannot be used. */
export function makeStreamPlanning(words: PlanWords & { readonly fps: string }): StreamPlanning {
  const fps = frameRate('--fps', words.fps);
  const deadlineMs =
    words.deadline === undefined ? undefined : milliseconds('--deadline', words.deadline, Number.MIN_VALUE);
  const asked = askedOf(words);
  const { cuts, n, conditions } = asked;
  let limits: StreamLimits | undefined;
  const { plans: own, leftOut } = plansOf(asked, (policy): StreamPlan => {
    if (policy !== 'exact') return streamPlan(asked, policy, fps, deadlineMs, repeated(asked, policy));
    const steady = planSteady(cuts, n, conditions, 1000 / fps);
    const { sustainableFps, sustainableProved, lowerBoundMs, energyJ } = steady;
    const plan = streamPlan(asked, policy, fps, deadlineMs, { ...steady, energyJ: () => energyJ });
    limits = { sustainableFps, sustainableProved, plannedFps: plan.plannedFps, lowerBoundMs };
    return plan;
  });
  const plans = own.map((plan) => ({ ...plan, optimal: plan.optimal || isLeast(plan, limits) }));
  const chosen = plans.find(({ policy }) => policy === 'exact') ?? plans.reduce(better);
  const jobs = jobsOf(asked, chosen.jobCuts);
  return {
    ...{ cuts, n, fps, plans, leftOut, chosen },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(limits ? { limits } : {}),
    schedule: gantt(jobs, chosen.order, delaysOf(conditions)),
    hasPower: conditions.power !== undefined,
    ...(conditions.maxLoss === undefined ? {} : { maxLoss: conditions.maxLoss }),
  };
}

const jobsOf = ({ cuts, conditions }: Asked, jobCuts: readonly number[]): Job[] =>
  jobCuts.map((cut) => jobAt(cuts[cut]!, conditions));

/** What is proved of one plan is proved of another that is as good. */
function isLeast({ plannedFps, worstLatencyMs }: StreamPlan, limits: StreamLimits | undefined): boolean {
  return plannedFps === limits?.plannedFps && worstLatencyMs <= limits.lowerBoundMs * (1 + 1e-12);
}

/** More frames first, then a lower latency. */
function better(a: StreamPlan, b: StreamPlan): StreamPlan {
  const gain = b.plannedFps - a.plannedFps || a.worstLatencyMs - b.worstLatencyMs;
  return gain > 0 ? b : a;
}

/** The policy's plan of one period; a cap on energy is one on a period's, which depends on the rate. */
function repeated({ cuts, n, conditions }: Asked, policy: PlanPolicy): Repeated {
  const { maxEnergyJ: _, ...others } = conditions;
  const { counts, jobCuts, order, energyJ, makespanMs } = POLICIES[policy](cuts, n, others);
  const idleW = conditions.power?.idleW ?? 0;
  return {
    ...{ counts, jobCuts, order, optimal: false },
    energyJ: (periodMs) => energyJ && energyJ + (idleW * (periodMs - makespanMs)) / 1000,
  };
}

/** @throws ScheduleError where the plan takes more energy in a period than is allowed. */
function streamPlan(
  asked: Asked,
  policy: PlanPolicy,
  fps: number,
  deadlineMs: number | undefined,
  { counts, jobCuts, order, optimal, energyJ }: Repeated,
): StreamPlan {
  const { cuts, n, conditions } = asked;
  const jobs = jobsOf(asked, jobCuts);
  const judged = judgeSteady(jobs, order, 1000 / fps, delaysOf(conditions));
  const { holds, loads, sustainableFps, sustainablePeriodMs } = judged;
  const plannedPeriodMs = holds ? 1000 / fps : sustainablePeriodMs;
  const { worstLatencyMs } = holds
    ? judged
    : judgeSteady(jobs, order, sustainablePeriodMs, delaysOf(conditions));
  const joules = energyJ(plannedPeriodMs);
  const { maxEnergyJ = Number.POSITIVE_INFINITY } = conditions;
  if (joules !== undefined && joules > maxEnergyJ * (1 + 1e-9))
    throw new ScheduleError(
      `policy '${policy}' takes ${joules.toPrecision(4)} J in a period, which maxEnergyJ ${maxEnergyJ} forbids`,
    );
  return {
    ...{ policy, counts, jobCuts, order, optimal, holds, loads, sustainableFps, worstLatencyMs },
    plannedFps: holds ? fps : sustainableFps,
    ...(deadlineMs === undefined ? {} : { keepsDeadline: worstLatencyMs <= deadlineMs }),
    ...(joules === undefined ? {} : { energyJ: joules }),
    ...(cuts.some(({ loss }) => loss !== undefined) ? { loss: planLoss({ cuts, n }, counts) } : {}),
  };
}
