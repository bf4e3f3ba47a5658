/** What `splitlane plan` works out: which cuts are worth a look, and every policy's plan over them. */
import {
  type BoundBy,
  type Conditions,
  type Cut,
  delaysOf,
  gantt,
  hull,
  type Job,
  type JobSchedule,
  jobAt,
  type Plan,
  POLICIES,
  paretoFront,
  planLoss,
  ScheduleError,
} from '@splitlane/sched';
import { UsageError } from '../exit-codes.ts';
import { amount, linkBps, milliseconds, namesOf, powerModel, whole } from '../options.ts';
import { readCutTable } from './cut-table.ts';

const MAX_CAMERAS = 1000;

/** What commander hands over. */
export interface PlanWords {
  readonly cuts: string;
  readonly cameras: string;
  readonly link: string;
  readonly rtt?: string;
  readonly fps?: string;
  readonly deadline?: string;
  readonly policy?: string;
  readonly keepFramesOnBoard?: boolean;
  readonly maxLoss?: string;
  readonly maxEnergy?: string;
  readonly power?: string;
  readonly json?: boolean;
  readonly svg?: string;
}

/** A cut of the table, as the planner sees it. */
export interface ListedCut extends Cut {
  readonly p2: number;
  /** Energy of the head in joules, as measured or by the power model; absent where neither is given. */
  readonly headEnergyJ?: number;
  /** On the lower-left hull of (p1, p2). */
  readonly onHull: boolean;
  /** False where another cut is at least as good in every stage, in loss and in the head's energy. */
  readonly kept: boolean;
  /** It loses something, where nothing may be lost: neither on the hull nor kept. */
  readonly tooLossy: boolean;
}

/** A policy's plan; its bound and its proof are those of all plans together. */
export interface PolicyPlan extends Plan {
  /** Mean loss of the frames; absent where no cut has a loss. */
  readonly loss?: number;
}

/** A plan of the front of makespan and energy. */
export type FrontPlan = Required<Pick<Plan, 'makespanMs' | 'energyJ' | 'counts'>>;

export interface Planning {
  /** From the network's input to local-only, by rising head time. */
  readonly cuts: readonly ListedCut[];
  /** Of how many frames. */
  readonly n: number;
  /** Their `counts` and `jobCuts` refer to `cuts`. */
  readonly plans: readonly PolicyPlan[];
  readonly leftOut: readonly { readonly policy: string; readonly why: string }[];
  /** No plan of any policy can end before this. */
  readonly lowerBoundMs: number;
  readonly boundBy: BoundBy;
  readonly chosen: Plan;
  /** The schedule of the chosen plan. */
  readonly schedule: readonly JobSchedule[];
  /** Absent where the energy of some cut is unknown. */
  readonly front?: { readonly plans: readonly FrontPlan[]; readonly complete: boolean };
  /** False where energy is that of the heads alone. */
  readonly hasPower: boolean;
  /** Absent where nothing limits it. */
  readonly maxLoss?: number;
}

/** What the words ask, the table read. */
export interface Asked {
  /** From the network's input to local-only, by rising head time. */
  readonly cuts: readonly ListedCut[];
  /** Of how many frames. */
  readonly n: number;
  readonly conditions: Conditions;
  /** The policies that were asked for; undefined where all are that can be. */
  readonly named: readonly PlanPolicy[] | undefined;
  readonly keepFrames: boolean;
}

/** @throws UsageError for words that mean nothing. */
export function askedOf(words: PlanWords): Asked {
  const n = whole('--cameras', words.cameras, MAX_CAMERAS);
  const asked = conditionsOf(words);
  const keepFrames = words.keepFramesOnBoard === true;
  const named = policyNames(words.policy, keepFrames);
  const table = readCutTable(words.cuts);
  const allowed = table.filter(({ id, local }) => !keepFrames || local || id !== table[0]!.id);
  if (allowed.length === 0) throw new UsageError(`${words.cuts}: no cut is left with --keep-frames-on-board`);
  // Whoever does not say what may be lost does not want to lose anything.
  const losesNothing = allowed.every(({ loss = 0 }) => loss === 0);
  const conditions = losesNothing ? asked : { maxLoss: 0, ...asked };
  return { cuts: list(fromInputToLocal(allowed), conditions), n, conditions, named, keepFrames };
}

/** @throws UsageError for words that mean nothing, ScheduleError where a policy cannot be used. */
export function makePlanning(words: PlanWords): Planning {
  if (words.deadline !== undefined) throw new UsageError(`--deadline ${words.deadline}: needs --fps`);
  const asked = askedOf(words);
  const { cuts, n, conditions } = asked;
  const { plans: own, leftOut } = plansOf(asked, (policy) => POLICIES[policy](cuts, n, conditions));
  // Each plan's bound holds for all: they solve the same problem.
  const { lowerBoundMs, boundBy } = own.reduce((a, b) =>
    b.lowerBoundMs > a.lowerBoundMs * (1 + 1e-12) ? b : a,
  );
  const hasLoss = cuts.some(({ loss }) => loss !== undefined);
  const plans = own.map(
    (plan): PolicyPlan => ({
      ...plan,
      lowerBoundMs,
      optimal: plan.optimal || plan.makespanMs <= lowerBoundMs * (1 + 1e-12),
      ...(hasLoss ? { loss: planLoss({ cuts, n }, plan.counts) } : {}),
    }),
  );
  const chosen =
    plans.find(({ policy }) => policy === 'exact') ??
    plans.reduce((best, plan) => (plan.makespanMs < best.makespanMs ? plan : best));
  const jobs = chosen.jobCuts.map((cut): Job => jobAt(cuts[cut]!, conditions));
  const hasPower = conditions.power !== undefined;
  const energyIsKnown = hasPower || cuts.every(({ headJ }) => headJ !== undefined);
  return {
    cuts,
    n,
    plans,
    leftOut,
    lowerBoundMs,
    boundBy,
    chosen,
    schedule: gantt(jobs, chosen.order, delaysOf(conditions)),
    ...(energyIsKnown ? { front: frontOf(cuts, n, conditions, plans) } : {}),
    hasPower,
    ...(conditions.maxLoss === undefined ? {} : { maxLoss: conditions.maxLoss }),
  };
}

function conditionsOf(words: PlanWords): Conditions {
  return {
    uplinkBps: linkBps(words.link),
    ...(words.rtt === undefined ? {} : { rttMs: milliseconds('--rtt', words.rtt, 0) }),
    ...(words.maxLoss === undefined ? {} : { maxLoss: amount('--max-loss', words.maxLoss, 'a mean loss') }),
    ...(words.maxEnergy === undefined
      ? {}
      : { maxEnergyJ: amount('--max-energy', words.maxEnergy, 'an energy in J') }),
    ...(words.power === undefined ? {} : { power: powerModel('--power', words.power) }),
  };
}

export type PlanPolicy = keyof typeof POLICIES;
const NAMES = Object.keys(POLICIES) as PlanPolicy[];
const SENDS_FRAMES = 'it sends frames, which --keep-frames-on-board forbids';

/** The policies that were asked for; undefined where all are that can be. */
function policyNames(words: string | undefined, keepFrames: boolean): PlanPolicy[] | undefined {
  const named = words === undefined ? undefined : namesOf('--policy', words, NAMES);
  if (keepFrames && named?.includes('ro')) throw new UsageError(`--policy ro: ${SENDS_FRAMES}`);
  return named;
}

/** @throws ScheduleError for a policy that was asked for and cannot be used, or where none can. */
export function plansOf<Made>(
  { named, keepFrames }: Asked,
  make: (policy: PlanPolicy) => Made,
): { readonly plans: Made[]; readonly leftOut: Planning['leftOut'] } {
  const plans: Made[] = [];
  const leftOut: { readonly policy: string; readonly why: string }[] = [];
  let refusal: ScheduleError | undefined;
  for (const policy of named ?? NAMES) {
    if (keepFrames && policy === 'ro') {
      leftOut.push({ policy, why: SENDS_FRAMES });
      continue;
    }
    try {
      plans.push(make(policy));
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      refusal = new ScheduleError(inOptions(error.message));
      if (named !== undefined) throw refusal;
      leftOut.push({ policy, why: refusal.message });
    }
  }
  // The last is `exact`, which knows best why there is none.
  if (plans.length === 0) throw refusal!;
  return { plans, leftOut };
}

/** The library calls a condition by its own name. */
const inOptions = (message: string): string =>
  message
    .replace('maxEnergyJ needs a power model', '--max-energy needs --power')
    .replace('maxEnergyJ', '--max-energy')
    .replace('maxLoss', '--max-loss');

function frontOf(
  cuts: readonly Cut[],
  n: number,
  conditions: Conditions,
  policyPlans: readonly Plan[],
): NonNullable<Planning['front']> {
  const { plans, complete } = paretoFront(cuts, n, conditions);
  // A search that was cut short can miss what a policy has found.
  const points = complete ? plans : [...plans, ...policyPlans];
  const front: FrontPlan[] = [];
  for (const { makespanMs, energyJ, counts } of points.toSorted(
    (a, b) => a.makespanMs - b.makespanMs || a.energyJ! - b.energyJ!,
  )) {
    const last = front.at(-1);
    if (last === undefined || energyJ! < last.energyJ * (1 - 1e-12))
      front.push({ makespanMs, energyJ: energyJ!, counts });
  }
  return { plans: front, complete };
}

/** The input first, local-only last, and what lies between by rising head time. */
function fromInputToLocal(cuts: readonly Cut[]): Cut[] {
  const rank = (cut: Cut): number => (cut.local ? 2 : cut === cuts[0] ? 0 : 1);
  return cuts.toSorted((a, b) => rank(a) - rank(b) || a.p1 - b.p1);
}

function list(cuts: readonly Cut[], conditions: Conditions): ListedCut[] {
  const { power, rttMs = 0, maxLoss } = conditions;
  const jobs = cuts.map((cut) => jobAt(cut, conditions));
  // A mean that is 0 has no part that is not; otherwise a few frames may lose more than the mean.
  const tooLossy = cuts.map(({ loss = 0 }) => maxLoss === 0 && loss > 0);
  const choices = [...cuts.keys()].filter((index) => !tooLossy[index]);
  const onHull = new Set(hull(choices.map((index) => jobs[index]!)).map((corner) => choices[corner]!));
  const energies = cuts.map(({ headJ, p1 }) => headJ ?? (power ? (power.cpuW * p1) / 1000 : undefined));
  const figures = cuts.map(({ loss = 0, local }, index) => {
    const { p1, p2, p3 = 0 } = jobs[index]!;
    // What is sent comes back: after a round trip, which a result of the vehicle does not need.
    return [p1, p2, p3, local ? 0 : rttMs, loss, energies[index] ?? 0];
  });
  const beats = (a: number, b: number): boolean => {
    // An energy that is known does not compare with one that is not.
    if ((energies[a] === undefined) !== (energies[b] === undefined)) return false;
    const ofB = figures[b]!;
    return (
      figures[a]!.every((value, at) => value <= ofB[at]!) &&
      (a < b || figures[a]!.some((value, at) => value < ofB[at]!))
    );
  };
  return cuts.map((cut, index) => ({
    ...cut,
    p2: jobs[index]!.p2,
    ...(energies[index] === undefined ? {} : { headEnergyJ: energies[index] }),
    onHull: onHull.has(index),
    kept: !tooLossy[index] && !choices.some((other) => other !== index && beats(other, index)),
    tooLossy: tooLossy[index]!,
  }));
}
