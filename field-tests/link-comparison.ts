/**
 * What it is worth to plan for the link as it is: one vehicle's rounds on a recorded link, once through, under `fixed`
 * and `adaptive`, by the same steps as live, and under an oracle that knows what the link will do.
 */
import type { VehiclePlan } from '@splitlane/proto';
import type { CoordinatorEffect } from '@splitlane/roadside-unit/policy/events';
import { planVehicles } from '@splitlane/roadside-unit/policy/planning';
import { initialState, step } from '@splitlane/roadside-unit/policy/step';
import { quantile } from './quantile.ts';
import { CLOUD, cameraNames, type Lead, type LinkScenario, VEHICLE, VirtualNodes } from './virtual-nodes.ts';

export interface LinkResult {
  readonly policy: LinkPolicy;
  /** Measured rounds. */
  readonly rounds: number;
  /** Of their makespans, in ms. */
  readonly meanMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly longestMs: number;
  /** Frames of all rounds that were to go through the cloud, and were finished on the vehicle. */
  readonly local: number;
  readonly plans: number;
}

export const LINK_POLICIES = ['fixed', 'adaptive', 'oracle'] as const;
export type LinkPolicy = (typeof LINK_POLICIES)[number];

/** Before the measured rounds, as in the demo. */
const WARM_UP_ROUNDS = 3;
const RULES = {
  keepFramesOnBoard: false,
  codecs: ['float32' as const],
  codedPoints: [],
  maxLoss: 0,
};
/** The oracle looks so far ahead, and as far as the round of its plan will last. */
const WINDOWS_MS = [125, 250, 500, 1000, 2000, 4000, 8000];
const TRIES = 4;

/** Rounds under one policy, those that begin before the trace does so again, or so many measured ones. */
export function playLink(policy: LinkPolicy, scenario: LinkScenario, rounds?: number): LinkResult {
  const lead = policy === 'oracle' ? oracle(scenario) : roadsideUnit(policy);
  const nodes = new VirtualNodes(scenario, lead);
  const measured = () => nodes.rounds.filter((round) => round.measured);
  nodes.lead(() => {
    const last = nodes.rounds.at(-1);
    if (!last) return false;
    if (rounds === undefined) return last.startMs >= scenario.trace.lengthMs;
    return nodes.rounds.length === WARM_UP_ROUNDS + rounds;
  });
  const counted =
    rounds === undefined ? measured().filter(({ startMs }) => startMs < scenario.trace.lengthMs) : measured();
  const local = nodes.rounds.reduce((sum, round) => sum + round.local, 0);
  return { policy, ...spreadOf(counted.map(({ makespanMs }) => makespanMs)), local, plans: nodes.plans };
}

/** What some makespans say together; the 95th percentile is the least that is not shorter than 95 % of them. */
export function spreadOf(
  makespansMs: readonly number[],
): Pick<LinkResult, 'rounds' | 'meanMs' | 'medianMs' | 'p95Ms' | 'longestMs'> {
  const rounds = makespansMs.length;
  const at = (share: number): number => quantile(makespansMs, share);
  const meanMs = makespansMs.reduce((sum, ms) => sum + ms, 0) / rounds;
  return { rounds, meanMs, medianMs: at(0.5), p95Ms: at(0.95), longestMs: at(1) };
}

function roadsideUnit(policy: 'fixed' | 'adaptive'): Lead {
  const rounds = Number.MAX_SAFE_INTEGER;
  const campaign = { policies: [policy], warmUpRounds: WARM_UP_ROUNDS, rounds, repeat: false };
  let state = initialState({ ...RULES, vehicles: 1, campaign });
  return (event) => {
    const next = step(state, event);
    state = next.state;
    return next.effects;
  };
}

/** Plans when the frames of a round are ready, of all plans that it thinks of the one that will be done the soonest. */
function oracle(scenario: LinkScenario): Lead {
  let epoch = 0;
  let round = 0;
  const ask = (phase: 'capture' | 'go'): CoordinatorEffect => {
    const measured = round > WARM_UP_ROUNDS;
    return { kind: 'round', vehicle: VEHICLE, round: { round, phase, frameIndex: round, measured } };
  };
  const next = (): CoordinatorEffect[] => {
    round++;
    return [ask('capture')];
  };
  return (event) => {
    if (event.kind === 'hello') return event.node === VEHICLE ? next() : [];
    if (event.kind === 'report') return next();
    if (event.kind !== 'ready') return [];
    const plan = bestPlan(scenario, event.atMs, ++epoch);
    return [{ kind: 'plan', vehicle: VEHICLE, plan }, ask('go')];
  };
}

function bestPlan(scenario: LinkScenario, atMs: number, epoch: number): VehiclePlan {
  const { trace } = scenario;
  let best: { readonly plan: VehiclePlan; readonly makespanMs: number } | undefined;
  const tried = new Map<string, number>();
  const tryRate = (uplinkBps: number): number => {
    const plan = planFor(scenario, uplinkBps, epoch);
    const key = plan.streams.map(({ camera, cut }) => `${camera} ${cut}`).join();
    const known = tried.get(key);
    if (known !== undefined) return known;
    const { makespanMs } = new VirtualNodes({ ...scenario, captureMs: 0 }, () => [], atMs).playRound(plan);
    tried.set(key, makespanMs);
    if (!best || makespanMs < best.makespanMs) best = { plan, makespanMs };
    return makespanMs;
  };
  for (const windowMs of WINDOWS_MS) {
    let aheadMs = windowMs;
    for (let tries = 0; tries < TRIES; tries++) aheadMs = tryRate(trace.meanBetween(atMs, atMs + aheadMs));
  }
  return best!.plan;
}

/** The plan that the roadside unit would make for a rate, and nothing sent only to see what the link does. */
function planFor(
  { profile, vehicleMs, cameras, rttMs, ...scenario }: LinkScenario,
  bps: number,
  epoch: number,
) {
  const { cloudSegmentMs, cloudWorkers } = scenario;
  const wholeMs = profile.segmentMs.reduce((sum, ms) => sum + ms, 0);
  const slowdown = vehicleMs / wholeMs;
  const vehicle = {
    node: VEHICLE,
    cameras: cameraNames(cameras),
    // Where nothing goes through at all a plan for hardly anything is the same.
    uplinkBps: Math.max(1, bps),
    rttMs,
    segmentMs: profile.segmentMs.map((ms) => ms * slowdown),
    slowdown,
    ...{ cuts: profile.cuts, jpegBytes: profile.jpegBytes, busy: { vehicleMs: 0, uplinkMs: 0 } },
  };
  const cloud = {
    ...{ node: CLOUD, workers: cloudWorkers, firstCut: 0, fixedMs: rttMs },
    tailMs: (cut: number) => cloudSegmentMs.slice(cut).reduce((sum, ms) => sum + ms, 0),
  };
  return planVehicles('adaptive', [vehicle], [cloud], RULES, epoch).plans[0]!.plan;
}
