/** What `splitlane plan` works out: the cuts worth a look, and every policy's plan over them. */
import {
  type Cut,
  gantt,
  hull,
  type Job,
  type JobSchedule,
  jobAt,
  type Plan,
  POLICIES,
  type Uplink,
  virtualBlocks,
} from '@splitlane/sched';
import { UsageError } from '../exit-codes.ts';
import { linkBps, milliseconds, namesOf, whole } from '../options.ts';
import { readCutTable } from './cut-table.ts';

const MAX_CAMERAS = 1000;

/** What commander hands over. */
export interface PlanWords {
  readonly cuts: string;
  readonly cameras: string;
  readonly link: string;
  readonly rtt?: string;
  readonly policy?: string;
  readonly keepFramesOnBoard?: boolean;
  readonly json?: boolean;
  readonly svg?: string;
}

/** A cut of the table, as the planner sees it. */
export interface ListedCut extends Cut {
  readonly p2: number;
  /** On the lower-left hull of (p1, p2). */
  readonly onHull: boolean;
  /** False where another cut is at least as good in every stage: no policy is given it. */
  readonly kept: boolean;
}

export interface Planning {
  /** From the network's input to local-only, by rising head time. */
  readonly cuts: readonly ListedCut[];
  /** Their `counts` and `jobCuts` refer to `cuts`. */
  readonly plans: readonly Plan[];
  readonly chosen: Plan;
  /** The schedule of the chosen plan. */
  readonly schedule: readonly JobSchedule[];
}

/** @throws UsageError for words that mean nothing, ScheduleError where a policy cannot be used. */
export function makePlanning(words: PlanWords): Planning {
  const n = whole('--cameras', words.cameras, MAX_CAMERAS);
  const uplink: Uplink = {
    uplinkBps: linkBps(words.link),
    ...(words.rtt === undefined ? {} : { rttMs: milliseconds('--rtt', words.rtt, 0) }),
  };
  const keepFrames = words.keepFramesOnBoard === true;
  const table = readCutTable(words.cuts);
  const allowed = table.filter(({ id, local }) => !keepFrames || local || id !== table[0]!.id);
  if (allowed.length === 0) throw new UsageError(`${words.cuts}: no cut is left with --keep-frames-on-board`);
  const names = policyNames(words.policy, keepFrames, allowed);

  const cuts = list(fromInputToLocal(allowed), uplink);
  const keptIndices = cuts.flatMap(({ kept }, index) => (kept ? [index] : []));
  const keptCuts = keptIndices.map((index) => cuts[index]!);
  const plans = names.map((name): Plan => {
    const plan = POLICIES[name](keptCuts, n, uplink);
    return {
      policy: name,
      makespanMs: plan.makespanMs,
      lowerBoundMs: plan.lowerBoundMs,
      boundBy: plan.boundBy,
      optimal: plan.optimal,
      counts: cuts.map((_, index) => plan.counts[keptIndices.indexOf(index)] ?? 0),
      jobCuts: plan.jobCuts.map((cut) => keptIndices[cut]!),
      order: plan.order,
    };
  });
  const chosen =
    plans.find(({ policy }) => policy === 'exact') ??
    plans.reduce((best, plan) => (plan.makespanMs < best.makespanMs ? plan : best));
  const jobs = chosen.jobCuts.map((cut): Job => jobAt(cuts[cut]!, uplink));
  const halfMs = (uplink.rttMs ?? 0) / 2;
  return {
    cuts,
    plans,
    chosen,
    schedule: gantt(jobs, chosen.order, { uplinkDelayMs: halfMs, returnMs: halfMs }),
  };
}

type Name = keyof typeof POLICIES;

function policyNames(words: string | undefined, keepFrames: boolean, cuts: readonly Cut[]): Name[] {
  const all = Object.keys(POLICIES) as Name[];
  if (words === undefined) {
    const hasLocal = cuts.some(({ local }) => local);
    return all.filter((name) => !(name === 'ro' && keepFrames) && !(name === 'lo' && !hasLocal));
  }
  const named = namesOf('--policy', words, all);
  if (keepFrames && named.includes('ro'))
    throw new UsageError('--policy ro: it sends frames, which --keep-frames-on-board forbids');
  return named;
}

/** The input first, local-only last, and what lies between by rising head time. */
function fromInputToLocal(cuts: readonly Cut[]): Cut[] {
  const rank = (cut: Cut): number => (cut.local ? 2 : cut === cuts[0] ? 0 : 1);
  return cuts.toSorted((a, b) => rank(a) - rank(b) || a.p1 - b.p1);
}

function list(cuts: readonly Cut[], uplink: Uplink): ListedCut[] {
  const jobs = cuts.map((cut) => jobAt(cut, uplink));
  const onHull = new Set(hull(jobs));
  const kept = keptOf(cuts);
  return cuts.map((cut, index) => ({
    ...cut,
    p2: jobs[index]!.p2,
    onHull: onHull.has(index),
    kept: kept.has(index),
  }));
}

/** With tails, a cut that sends more may still be the better one: then all are kept. */
function keptOf(cuts: readonly Cut[]): Set<number> {
  const indices = cuts.map((_, index) => index);
  if (cuts.some(({ local, p3 = 0 }) => !local && p3 > 0)) return new Set(indices);
  const byHead = indices.toSorted((a, b) => cuts[a]!.p1 - cuts[b]!.p1 || cuts[a]!.bytes - cuts[b]!.bytes);
  const kept = virtualBlocks(byHead.map((index) => cuts[index]!)).map((place) => byHead[place]!);
  return new Set([0, ...kept]);
}
