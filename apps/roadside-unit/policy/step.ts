/**
 * The heart of the roadside unit, without I/O, clock or chance. It lets nodes in, has them measure one
 * after another, plans, and leads all vehicles through the rounds of a campaign: everyone captures, and
 * when the last is ready, everyone goes.
 */
import {
  type Codec,
  type Hello,
  PROTOCOL_VERSION,
  type Profile,
  type Report,
  type Round,
  STRIKES,
  type TransferReport,
} from '@splitlane/proto';
import type { CodedPoint, PolicyName } from '../config.ts';
import { type Planned, type PlannedCloud, planWithout } from './cloud-pool.ts';
import type { CoordinatorEffect, CoordinatorEvent } from './events.ts';
import {
  asks,
  type GrantState,
  type GrantStep,
  gone,
  initialGrants,
  planned as plannedOnChannel,
  sent,
  woken,
} from './grants.ts';
import { estimateOf, hasChanged, type RateSample, withSample } from './link-rate.ts';
import { median } from './median.ts';
import { type PlannedVehicle, planVehicles } from './planning.ts';

export interface CoordinatorSetup {
  readonly modelHash?: string | undefined;
  readonly keepFramesOnBoard: boolean;
  /** The codecs that policies choose among. */
  readonly codecs: readonly Codec[];
  readonly codedPoints: readonly CodedPoint[];
  readonly maxLoss: number;
  /** Rates of the channels that vehicles share, in bit/s, by name. */
  readonly channels?: Readonly<Record<string, number>> | undefined;
  /** The campaign begins with so many vehicles and cloud workers; with one worker unless given. */
  readonly vehicles: number;
  readonly clouds?: number | undefined;
  readonly campaign: {
    readonly policies: readonly PolicyName[];
    readonly warmUpRounds: number;
    readonly rounds: number;
    readonly streams?: { readonly fps: number; readonly ticks: number } | undefined;
    readonly deadlineMs?: number | undefined;
    readonly repeat: boolean;
  };
}

interface Node {
  readonly hello: Hello;
  readonly profile?: Profile;
  /** The cameras that delivered a frame when they were last asked. */
  readonly cameras: readonly string[];
  /** Heartbeats since it was heard. */
  readonly strikes: number;
}

interface Seen {
  readonly tailMs: readonly number[];
  readonly fixedMs: readonly number[];
}

interface OpenRound {
  readonly round: Round;
  /** Vehicles whose answer is awaited. */
  readonly waiting: readonly string[];
  /** Vehicles that take part and have not gone. */
  readonly vehicles: readonly string[];
  /** The plans that it runs on once they have gone. */
  readonly plans: readonly Planned[];
}

export interface CoordinatorState {
  readonly setup: CoordinatorSetup;
  readonly modelHash?: string | undefined;
  readonly nodes: Readonly<Record<string, Node>>;
  /** Measured segment times of each emulated kind of vehicle: vehicles of one kind share one profile. */
  readonly kinds: Readonly<Record<string, readonly number[]>>;
  readonly measuring?: string | undefined;
  /** How many measurements have begun. */
  readonly measurements: number;
  readonly begun: boolean;
  readonly done: boolean;
  readonly policy: number;
  /** Rounds done under this policy. */
  readonly rounds: number;
  readonly lastRound: number;
  readonly open?: OpenRound | undefined;
  readonly epoch: number;
  /** Something that the plan stands on has changed. */
  readonly stale: boolean;
  readonly makespanMs: number;
  /** The newest plans of whole rounds. */
  readonly plans: readonly Planned[];
  /** Who has each channel that vehicles share. */
  readonly grants: Readonly<Record<string, GrantState>>;
  /** What is seen of the links under this policy, by vehicle: the latest transfers, and the rate that is planned with. */
  readonly links: Readonly<
    Record<string, { readonly samples: readonly RateSample[]; readonly bps?: number }>
  >;
  /** What this policy's warm-up rounds saw of tails and results, by worker, cut and codec. */
  readonly seen: Readonly<Record<string, Seen>>;
  /** The fixed cost of a result by worker, as the last policy under which it had a tail saw it. */
  readonly fixedMs: Readonly<Record<string, number>>;
}

export interface Step {
  readonly state: CoordinatorState;
  readonly effects: readonly CoordinatorEffect[];
}

const FIRST_FIXED_MS = 3;
/** What was seen of the fixed cost of two workers' results scatters by so much, or by this part, where they are alike. */
const FIXED_NOISE_MS = 3;
const FIXED_NOISE = 0.5;
const FORGET_LINK_MS = 10_000;
/** On a local network: a message's way, and from a grant's arrival to the first byte. Longer ways are seen in what comes back. */
const GRANT_TIMES = { delayMs: 1, reactionMs: 1 };
const FIRST_PREPARE_MS = 10;
/** A VGG-16 on a slow machine takes a minute; whoever takes longer is taken for gone. */
const MEASURE_TIMEOUT_MS = 300_000;
const CAPTURE_TIMEOUT_MS = 60_000;
const ROUND_TIMEOUT_FACTOR = 10;
/** Frames of each camera in a round of steady streams that is not measured. */
const WARM_UP_TICKS = 5;
/** Channels in the reason of a refusal. */
const MOST_NAMED = 6;
/** Epochs and rounds rise by a few a second at most: more than this is no truth, and would leave too few numbers. */
const MOST_SEEN = 2 ** 31;

export function initialState(setup: CoordinatorSetup): CoordinatorState {
  return {
    setup,
    modelHash: setup.modelHash,
    nodes: {},
    kinds: {},
    measurements: 0,
    begun: false,
    done: false,
    policy: 0,
    rounds: 0,
    lastRound: 0,
    epoch: 0,
    stale: true,
    makespanMs: 0,
    plans: [],
    grants: Object.fromEntries(
      Object.entries(setup.channels ?? {}).map(([name, bps]) => [
        name,
        initialGrants({ bps, ...GRANT_TIMES }),
      ]),
    ),
    links: {},
    seen: {},
    fixedMs: {},
  };
}

export function step(state: CoordinatorState, event: CoordinatorEvent): Step {
  const effects: CoordinatorEffect[] = [];
  const next = proceed(react(state, event, effects), effects);
  return { state: next, effects };
}

const vehiclesOf = (state: CoordinatorState): string[] =>
  Object.keys(state.nodes)
    .filter((node) => state.nodes[node]!.hello.role === 'vehicle' && state.nodes[node]!.profile)
    .sort();
const cloudsOf = (state: CoordinatorState): string[] =>
  Object.keys(state.nodes)
    .filter((node) => state.nodes[node]!.hello.role === 'cloud' && state.nodes[node]!.profile)
    .sort();

function react(
  state: CoordinatorState,
  event: CoordinatorEvent,
  effects: CoordinatorEffect[],
): CoordinatorState {
  switch (event.kind) {
    case 'started-again':
      return { ...state, epoch: Math.max(state.epoch, event.epoch) };
    case 'hello':
      return admit(state, event.node, event.hello, event.atMs, effects);
    case 'gone':
      return lose(state, event.node, event.atMs, effects);
    case 'heartbeat':
      return countStrikes(state, event.heard, event.atMs, effects);
    case 'profile':
      return learnProfile(state, event.node, event.profile, effects);
    case 'ready': {
      const { ready, node } = event;
      const known = state.nodes[node];
      if (!known || !awaits(state, node, ready.round, 'capture')) return state;
      const changed = ready.cameras.join() !== known.cameras.join();
      const nodes = { ...state.nodes, [node]: { ...known, cameras: ready.cameras } };
      return answered({ ...state, nodes, stale: state.stale || changed }, node);
    }
    case 'report':
      if (!awaits(state, event.node, event.report.round, 'go')) return state;
      return answered(
        learnTails(forgetLink(state, event.node, event.atMs), event.node, event.report),
        event.node,
      );
    case 'channel-asked':
      return onChannel(state, channelOf(state, event.node), effects, (grants) =>
        asks(grants, event.atMs, { vehicle: event.node, ...event.ask }),
      );
    case 'channel-ended':
      return onChannel(state, channelOf(state, event.node), effects, (grants) =>
        sent(grants, event.atMs, { vehicle: event.node, ...event.end }),
      );
    case 'channel-due':
      return onChannel(state, event.channel, effects, (grants) => woken(grants, event.atMs));
    case 'transfer':
      return learnLink(state, event.node, event.transfer, event.atMs, effects);
    case 'measure-timeout':
      if (state.measuring !== event.node || state.measurements !== event.measurement) return state;
      effects.push({ kind: 'fault', fault: 'measure-timeout', detail: event.node });
      return lose(state, event.node, event.atMs, effects);
    case 'timeout': {
      const { open } = state;
      if (open?.round.round !== event.round || open.round.phase !== event.phase) return state;
      for (const node of open.waiting)
        effects.push({ kind: 'fault', fault: 'round-timeout', detail: `${node}: round ${event.round}` });
      return { ...state, open: { ...open, waiting: [] } };
    }
  }
}

function admit(
  state: CoordinatorState,
  node: string,
  hello: Hello,
  atMs: number,
  effects: CoordinatorEffect[],
): CoordinatorState {
  const modelHash = state.modelHash ?? hello.modelHash;
  const reason = refusal(hello, modelHash, state.grants) ?? '';
  effects.push({ kind: 'verdict', node, accepted: reason === '', reason });
  if (reason !== '') {
    effects.push({ kind: 'fault', fault: 'node-refused', detail: `${node}: ${reason}` });
    // Whoever had this name before is not there any more.
    return lose(state, node, atMs, effects);
  }
  const before = dismiss(state, node, atMs, []);
  return {
    ...before,
    modelHash,
    nodes: { ...before.nodes, [node]: { hello, cameras: hello.cameras, strikes: 0 } },
    // What it has seen of a roadside unit before this one is not repeated.
    epoch: Math.max(before.epoch, hello.epoch),
    lastRound: Math.max(before.lastRound, hello.round),
    stale: true,
  };
}

/** Why a node is not wanted; undefined if it is. */
function refusal(hello: Hello, modelHash: string, channels: CoordinatorState['grants']): string | undefined {
  if (hello.protocol !== PROTOCOL_VERSION)
    return `it speaks protocol ${hello.protocol}, this roadside unit ${PROTOCOL_VERSION}`;
  if (hello.modelHash !== modelHash)
    return `its model is ${hello.modelHash.slice(0, 12)}…, the others have ${modelHash.slice(0, 12)}…: give all nodes the same model and card`;
  if (Math.max(hello.epoch, hello.round) > MOST_SEEN)
    return `it says that it has seen epoch ${hello.epoch} and round ${hello.round}: nobody comes as far as that`;
  if (hello.role === 'vehicle') {
    if (hello.cameras.length === 0) return 'it has no camera';
    if (hello.uplinkBps === 0) return 'its uplink has no rate';
    if (hello.channel && !Object.hasOwn(channels, hello.channel))
      return `it is on channel '${hello.channel}', this roadside unit has ${namesOf(channels)}`;
    return undefined;
  }
  return hello.workers === 0 ? 'it has no worker' : undefined;
}

/** As many as a verdict has room for. */
function namesOf(channels: CoordinatorState['grants']): string {
  const names = Object.keys(channels);
  const more = names.length > MOST_NAMED ? ['…'] : [];
  return [...names.slice(0, MOST_NAMED), ...more].join(', ') || 'none';
}

/** Whoever is not heard for so many heartbeats is gone, even where its connection still stands. */
function countStrikes(
  state: CoordinatorState,
  heard: readonly string[],
  atMs: number,
  effects: CoordinatorEffect[],
): CoordinatorState {
  const counted = Object.entries(state.nodes).map(([name, node]): [string, Node] => {
    return [name, { ...node, strikes: heard.includes(name) ? 0 : node.strikes + 1 }];
  });
  const silent = counted.filter(([, { strikes }]) => strikes >= STRIKES).map(([name]) => name);
  for (const node of silent)
    effects.push({ kind: 'fault', fault: 'node-silent', detail: node }, { kind: 'disconnect', node });
  const heardOf = { ...state, nodes: Object.fromEntries(counted) };
  const left = silent.reduce((before, node) => dismiss(before, node, atMs, effects), heardOf);
  return silent.reduce((before, node) => giveToOthers(before, node, effects), left);
}

/** A node is gone: what it was to do in a running round goes to others. */
function lose(
  state: CoordinatorState,
  node: string,
  atMs: number,
  effects: CoordinatorEffect[],
): CoordinatorState {
  return giveToOthers(dismiss(state, node, atMs, effects), node, effects);
}

/** Tails that a lost worker was to run in the open round, and that are not sent yet, go to those that are left. */
function giveToOthers(state: CoordinatorState, lost: string, effects: CoordinatorEffect[]): CoordinatorState {
  const { open } = state;
  if (open?.round.phase !== 'go') return state;
  const plans = open.plans.filter(({ vehicle }) => open.waiting.includes(vehicle));
  const rttMs = Math.max(0, ...plans.map(({ vehicle }) => state.nodes[vehicle]!.hello.rttMs));
  const epoch = state.epoch + 1;
  const given = planWithout(lost, plans, plannedClouds(state), rttMs, epoch, open.round.round);
  if (given.length === 0) return state;
  for (const { vehicle, plan } of given) effects.push({ kind: 'plan', vehicle, plan });
  return given.reduce(inOpenRound, { ...state, epoch });
}

/** A plan for the open round has been made: its streams take the place of those before. */
function inOpenRound(state: CoordinatorState, { vehicle, plan: { streams } }: Planned): CoordinatorState {
  const open = state.open!;
  const newer = new Map(streams.map((stream) => [stream.camera, stream]));
  const plans = open.plans.map((planned): Planned => {
    if (planned.vehicle !== vehicle) return planned;
    const merged = planned.plan.streams.map((stream) => newer.get(stream.camera) ?? stream);
    return { vehicle, plan: { ...planned.plan, streams: merged } };
  });
  return { ...state, open: { ...open, plans } };
}

function dismiss(
  from: CoordinatorState,
  node: string,
  atMs: number,
  effects: CoordinatorEffect[],
): CoordinatorState {
  const { [node]: left, ...nodes } = from.nodes;
  if (!left) return from;
  const state = onChannel(from, channelOf(from, node), effects, (grants) => gone(grants, atMs, node));
  effects.push({ kind: 'fault', fault: 'node-gone', detail: node });
  const measuring = state.measuring === node ? undefined : state.measuring;
  const without = (names: readonly string[]): string[] => names.filter((name) => name !== node);
  // Even if it is back before the round is over: it knows nothing of it.
  const open = state.open && {
    ...state.open,
    waiting: without(state.open.waiting),
    vehicles: without(state.open.vehicles),
  };
  return { ...state, nodes, measuring, open, stale: true };
}

function learnProfile(
  state: CoordinatorState,
  node: string,
  profile: Profile,
  effects: CoordinatorEffect[],
): CoordinatorState {
  const known = state.nodes[node];
  if (!known || state.measuring !== node) return state;
  const { vehicleMs } = known.hello;
  const wholeMs = profile.segmentMs.reduce((sum, ms) => sum + ms, 0);
  const kind = kindOf(known.hello, profile);
  const shared = state.kinds[kind];
  // What disturbs the machine while one vehicle measures only makes times longer: of those that measure before
  // the first round, each segment's least time counts. Later the shared profile stands.
  const least = shared?.map((ms, index) => Math.min(ms, profile.segmentMs[index]!)) ?? profile.segmentMs;
  // The least of times that contradict each other may be 0 throughout, which nothing can be scaled by.
  const learns = vehicleMs > 0 && least.some((ms) => ms > 0) && !(shared && state.begun);
  const kinds = learns ? { ...state.kinds, [kind]: least } : state.kinds;
  if (wholeMs <= 0) effects.push({ kind: 'fault', fault: 'profile', detail: `${node}: all times are 0` });
  const nodes = { ...state.nodes, [node]: { ...known, profile } };
  return { ...state, nodes, kinds, measuring: undefined, stale: true };
}

/** Vehicles of one kind have the same speed and the same segments. */
function kindOf({ vehicleMs }: Hello, { segmentMs }: Profile): string {
  return `${vehicleMs} ms, ${segmentMs.length} segments`;
}

/**
 * Tails and results are taken from warm-up rounds, where the machine is as loaded as it will be; from the
 * first of them only if there is no other, because there everything is done for the first time.
 */
function learnTails(state: CoordinatorState, node: string, report: Report): CoordinatorState {
  const { warmUpRounds } = state.setup.campaign;
  if (state.rounds >= warmUpRounds || (state.rounds === 0 && warmUpRounds > 1)) return state;
  const seen: Record<string, Seen> = { ...state.seen };
  for (const { cut, codec, cloud = '', outcome, tailMs, fixedMs } of report.jobs) {
    if (outcome !== 'cloud') continue;
    const key = keyOf(cloud, cut, codec);
    const before = seen[key] ?? { tailMs: [], fixedMs: [] };
    const fixed = seesWay(state, node) ? [fixedMs] : [];
    seen[key] = { tailMs: [...before.tailMs, tailMs], fixedMs: [...before.fixedMs, ...fixed] };
  }
  return { ...state, seen };
}

/**
 * Where all send at once on a shared channel a tensor has left its vehicle long before it has left the channel: what
 * then passes until its result is mostly the others' tensors, and not its own way.
 */
function seesWay(state: CoordinatorState, node: string): boolean {
  const { setup, policy } = state;
  return channelOf(state, node) === undefined || setup.campaign.policies[policy] === 'exact';
}

/** Under which what was seen of a tail is kept. */
function keyOf(cloud: string, cut: number, codec: Codec): string {
  return `${cloud}/${cut}/${codec}`;
}

function workerOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

/** The channel that a vehicle is on; undefined where its link is its own, or it is not there. */
function channelOf({ nodes }: CoordinatorState, node: string): string | undefined {
  return (Object.hasOwn(nodes, node) && nodes[node]!.hello.channel) || undefined;
}

/** Does something about a channel, where it is one. */
function onChannel(
  state: CoordinatorState,
  channel: string | undefined,
  effects: CoordinatorEffect[],
  act: (grants: GrantState) => GrantStep,
): CoordinatorState {
  if (channel === undefined || !Object.hasOwn(state.grants, channel)) return state;
  const { state: grants, effects: done } = act(state.grants[channel]!);
  for (const effect of done) {
    if (effect.kind === 'grant') {
      const { vehicle, frame, epoch } = effect;
      effects.push({ kind: 'grant-channel', vehicle, grant: { frame, epoch } });
    } else if (effect.kind === 'wake')
      effects.push({ kind: 'wake-channel', channel, afterMs: effect.afterMs });
    else effects.push(effect);
  }
  return { ...state, grants: { ...state.grants, [channel]: grants } };
}

/** Adds a confirmed transfer; where the link has changed, plans what is left of the round, and whole rounds anew. */
function learnLink(
  state: CoordinatorState,
  node: string,
  transfer: TransferReport,
  atMs: number,
  effects: CoordinatorEffect[],
): CoordinatorState {
  if (!state.nodes[node]?.profile || transfer.wireMs <= 0) return state;
  const link = state.links[node];
  const bps = (transfer.wireBytes * 8000) / transfer.wireMs;
  const samples = withSample(link?.samples ?? [], { atMs, bps });
  const next = { ...state, links: { ...state.links, [node]: { ...link, samples } } };
  if (!isAdaptive(next) || !hasChanged(rateOf(next, node), samples)) return next;
  const known = { samples, bps: estimateOf(samples)!.bps };
  return {
    ...reviseRound({ ...next, links: { ...next.links, [node]: known } }, node, transfer, effects),
    stale: true,
  };
}

/** A vehicle that sends nothing any more learns nothing: after a while its link is taken for what it is said to be. */
function forgetLink(state: CoordinatorState, node: string, atMs: number): CoordinatorState {
  const link = state.links[node];
  if (link?.bps === undefined || atMs - link.samples.at(-1)!.atMs < FORGET_LINK_MS) return state;
  const { [node]: _, ...links } = state.links;
  return { ...state, links, stale: true };
}

function isAdaptive({ setup, policy }: CoordinatorState): boolean {
  return setup.campaign.policies[policy] === 'adaptive';
}

/** The rate that a vehicle's link is planned with. */
function rateOf(state: CoordinatorState, node: string): number {
  return (isAdaptive(state) ? state.links[node]?.bps : undefined) ?? state.nodes[node]!.hello.uplinkBps;
}

/** Plans the frames of the open round that have not begun on their vehicle, from what its stages are busy with. */
function reviseRound(
  state: CoordinatorState,
  node: string,
  { round, waiting, unsentBytes, vehicleMs }: TransferReport,
  effects: CoordinatorEffect[],
): CoordinatorState {
  if (waiting.length === 0 || !awaits(state, node, round, 'go')) return state;
  const vehicle = plannedVehicle(state, node);
  const busy = { vehicleMs, uplinkMs: (unsentBytes * 8000) / vehicle.uplinkBps };
  const epoch = state.epoch + 1;
  const { plans } = planVehicles(
    'adaptive',
    [{ ...vehicle, cameras: waiting, busy }],
    plannedClouds(state),
    state.setup,
    epoch,
    round,
  );
  effects.push({ kind: 'plan', vehicle: node, plan: plans[0]!.plan });
  return inOpenRound({ ...state, epoch }, plans[0]!);
}

function awaits(state: CoordinatorState, node: string, round: number, phase: Round['phase']): boolean {
  const { open } = state;
  return open?.round.round === round && open.round.phase === phase && open.waiting.includes(node);
}

/** What was awaited of a node has come. */
function answered(state: CoordinatorState, node: string): CoordinatorState {
  const open = state.open!;
  return { ...state, open: { ...open, waiting: open.waiting.filter((other) => other !== node) } };
}

/** Does whatever can be done next: measure, plan, go, begin the next round. */
function proceed(state: CoordinatorState, effects: CoordinatorEffect[]): CoordinatorState {
  if (state.done) return state;
  let next = state;
  if (!next.open) {
    next = measureNext(next, effects);
    if (next.measuring !== undefined || !isComplete(next)) return next;
    next = { ...next, begun: true };
  }
  // With no camera left there is nothing to plan; the next capture asks for them again.
  if (next.begun && next.stale && vehiclesOf(next).length > 0) next = plan(next, effects);
  if (!next.open) return openRound(next, effects);
  // A round that all have left does not count.
  if (next.open.vehicles.length === 0) return proceed({ ...next, open: undefined }, effects);
  if (next.open.waiting.length > 0) return next;
  if (next.open.round.phase === 'capture') return go(next, effects);
  return proceed(closeRound(next, effects), effects);
}

function measureNext(state: CoordinatorState, effects: CoordinatorEffect[]): CoordinatorState {
  if (state.measuring !== undefined) return state;
  const node = Object.keys(state.nodes)
    .sort()
    .find((name) => !state.nodes[name]!.profile);
  if (node === undefined) return state;
  const measurement = state.measurements + 1;
  effects.push({ kind: 'measure', node, measurement, timeoutMs: MEASURE_TIMEOUT_MS });
  return { ...state, measuring: node, measurements: measurement };
}

/** The campaign begins with all vehicles and cloud workers, and goes on with whoever is there. */
function isComplete(state: CoordinatorState): boolean {
  const vehicles = vehiclesOf(state).length;
  if (state.begun) return vehicles > 0;
  const { setup } = state;
  return vehicles >= setup.vehicles && cloudsOf(state).length >= (setup.clouds ?? 1);
}

function plan(state: CoordinatorState, effects: CoordinatorEffect[]): CoordinatorState {
  const policy = state.setup.campaign.policies[state.policy]!;
  const vehicles = vehiclesOf(state)
    .map((node) => plannedVehicle(state, node))
    .filter(({ cameras }) => cameras.length > 0);
  if (vehicles.length === 0) return state;
  const epoch = state.epoch + 1;
  const rules = { ...state.setup, periodMs: periodOf(state) };
  const { plans, channelOrder } = planVehicles(policy, vehicles, plannedClouds(state), rules, epoch);
  if (state.begun) tellOfRates(state, plans, effects);
  for (const { vehicle, plan: vehiclePlan } of plans)
    effects.push({ kind: 'plan', vehicle, plan: vehiclePlan });
  const makespanMs = Math.max(0, ...plans.map(({ plan: { makespanMs } }) => makespanMs));
  const grants = Object.fromEntries(
    Object.entries(state.grants).map(([name, known]) => [name, plannedOnChannel(known, channelOrder)]),
  );
  return { ...state, epoch, stale: false, makespanMs, plans, grants };
}

/** Time between two frames of a camera of steady streams. */
function periodOf({ setup: { campaign } }: CoordinatorState): number | undefined {
  return campaign.streams && 1000 / campaign.streams.fps;
}

/** How many frames each camera takes in a round of steady streams. */
function ticksOf({ setup: { campaign } }: CoordinatorState, round: number): number {
  const { ticks = 0 } = campaign.streams ?? {};
  return round < campaign.warmUpRounds ? Math.min(ticks, WARM_UP_TICKS) : ticks;
}

function streamsMs(state: CoordinatorState, round: number): number {
  return ticksOf(state, round) * (periodOf(state) ?? 0);
}

/** Where the cameras' rate is more than a plan holds, or their deadline less than it needs, that is said once a policy. */
function tellOfRates(
  { setup: { campaign }, plans: before }: CoordinatorState,
  plans: readonly Planned[],
  effects: CoordinatorEffect[],
): void {
  const { streams, deadlineMs = Number.POSITIVE_INFINITY } = campaign;
  const tooFast = ({ plan }: Planned): boolean =>
    streams !== undefined && 1000 / plan.periodMs! < streams.fps * (1 - 1e-9);
  const tooSlow = ({ plan }: Planned): boolean => plan.makespanMs > deadlineMs;
  for (const planned of plans) {
    const { vehicle, plan } = planned;
    const last = before.find((one) => one.vehicle === vehicle && one.plan.policy === plan.policy);
    const isNew = (is: (one: Planned) => boolean): boolean => is(planned) && !(last && is(last));
    if (isNew(tooFast)) {
      const held = (1000 / plan.periodMs!).toPrecision(3);
      const detail = `${vehicle}: ${streams!.fps} frames a second are too many under ${plan.policy}, ${held} would hold`;
      effects.push({ kind: 'fault', fault: 'rate-not-held', detail });
    }
    if (isNew(tooSlow)) {
      const detail = `${vehicle}: a frame may take ${plan.makespanMs.toFixed(0)} ms under ${plan.policy}, the deadline is ${deadlineMs} ms`;
      effects.push({ kind: 'fault', fault: 'deadline-not-held', detail });
    }
  }
}

function plannedVehicle(state: CoordinatorState, node: string): PlannedVehicle {
  const { hello, profile, cameras } = state.nodes[node]!;
  const shared = state.kinds[kindOf(hello, profile!)];
  const sharedMs = shared?.reduce((sum, ms) => sum + ms, 0) ?? 0;
  const segmentMs = shared?.map((ms) => (ms * hello.vehicleMs) / sharedMs) ?? profile!.segmentMs;
  const { cuts, jpegBytes } = profile!;
  const slowdown = sharedMs > 0 ? hello.vehicleMs / sharedMs : 1;
  const { rttMs } = hello;
  const name = channelOf(state, node);
  const channel = name === undefined ? {} : { channel: { name, bps: state.setup.channels![name]! } };
  const uplinkBps = rateOf(state, node);
  return { node, cameras, uplinkBps, ...channel, rttMs, segmentMs, slowdown, cuts, jpegBytes };
}

function plannedClouds(state: CoordinatorState): PlannedCloud[] {
  return cloudsOf(state).map((node) => plannedCloud(state, node));
}

/** A worker as its profile has it, and as this policy's warm-up rounds saw its own tails and results. */
function plannedCloud(state: CoordinatorState, node: string): PlannedCloud {
  const { hello, profile } = state.nodes[node]!;
  const own = Object.entries(state.seen).filter(([key]) => key.startsWith(`${node}/`));
  const aloneMs = (cut: number, codec: Codec): number =>
    profile!.segmentMs.slice(cut).reduce((sum, ms) => sum + ms, 0) +
    (codec === 'jpeg' ? FIRST_PREPARE_MS : 0) +
    (state.setup.codedPoints.find((point) => point.cut === cut && point.codec === codec)?.decodeMs ?? 0);
  const loads = own.flatMap(([key, { tailMs }]) => {
    const [, cut, codec] = key.split('/') as [string, string, Codec];
    const alone = aloneMs(Number(cut), codec);
    return alone > 0 ? [clippedMean(tailMs)! / alone] : [];
  });
  const load = Math.max(1, median(loads) ?? 1);
  const known = new Map<string, number>();
  // A tail that nobody has seen is as much longer than alone as those that were: unseen is not unloaded.
  const tailMs = (cut: number, codec: Codec): number => {
    const key = keyOf(node, cut, codec);
    const ms = known.get(key) ?? clippedMean(state.seen[key]?.tailMs ?? []) ?? load * aloneMs(cut, codec);
    known.set(key, ms);
    return ms;
  };
  return {
    node,
    workers: hello.workers,
    firstCut: hello.firstCut,
    tailMs,
    fixedMs: fixedMsOf(state, node),
  };
}

/**
 * The fixed cost of a worker's results: its own where that is clearly another than its fellows', else what they have in
 * common. One that nobody has tried is taken for no worse than the best of them, its own round trip apart: it will be tried.
 */
function fixedMsOf(state: CoordinatorState, node: string): number {
  const known = knownFixedMs(state);
  const rttMs = (worker: string): number => state.nodes[worker]?.hello.rttMs ?? 0;
  // A worker may be called what every object has, such as `constructor`.
  if (!Object.hasOwn(known, node)) {
    const others = Object.entries(known).map(([worker, ms]) => Math.max(0, ms - rttMs(worker)));
    return rttMs(node) + Math.min(FIRST_FIXED_MS, ...others);
  }
  const common = median(Object.values(known))!;
  const own = known[node]!;
  return Math.abs(own - common) > Math.max(FIXED_NOISE_MS, FIXED_NOISE * common) ? own : common;
}

/** The fixed cost of a result by worker: the median of what this policy has seen, or what one before it saw. */
function knownFixedMs({ seen, fixedMs }: CoordinatorState): Record<string, number> {
  const byWorker = Map.groupBy(Object.entries(seen), ([key]) => workerOf(key));
  const medians = [...byWorker].flatMap(([worker, of]) => {
    const middle = median(of.flatMap(([, { fixedMs: ofWorker }]) => ofWorker));
    return middle === undefined ? [] : [[worker, middle] as const];
  });
  return { ...fixedMs, ...Object.fromEntries(medians) };
}

/**
 * Tails queue for the cloud's threads, and a queue is as long as its jobs are on average, not at the median;
 * a single stall is clipped to three times the median.
 */
function clippedMean(values: readonly number[]): number | undefined {
  const middle = median(values);
  if (middle === undefined) return undefined;
  return values.reduce((sum, value) => sum + Math.min(value, 3 * middle), 0) / values.length;
}

function openRound(state: CoordinatorState, effects: CoordinatorEffect[]): CoordinatorState {
  const { warmUpRounds, streams, deadlineMs = 0 } = state.setup.campaign;
  if (state.rounds === 0) effects.push(progress(state, 0));
  const round: Round = {
    round: state.lastRound + 1,
    phase: 'capture',
    frameIndex: state.rounds * (streams ? WARM_UP_TICKS : 1),
    measured: state.rounds >= warmUpRounds,
    ...(streams ? { periodMs: periodOf(state)!, ticks: ticksOf(state, state.rounds) } : {}),
    deadlineMs: state.rounds >= warmUpRounds ? deadlineMs : 0,
  };
  return ask(state, round, vehiclesOf(state), CAPTURE_TIMEOUT_MS, effects);
}

function go(state: CoordinatorState, effects: CoordinatorEffect[]): CoordinatorState {
  const { round, vehicles } = state.open!;
  const lastMs = (round.ticks ?? 0) * (round.periodMs ?? 0);
  const afterMs = lastMs + ROUND_TIMEOUT_FACTOR * state.makespanMs + CAPTURE_TIMEOUT_MS;
  return ask(state, { ...round, phase: 'go' }, vehicles, afterMs, effects);
}

function ask(
  state: CoordinatorState,
  round: Round,
  vehicles: readonly string[],
  afterMs: number,
  effects: CoordinatorEffect[],
): CoordinatorState {
  for (const vehicle of vehicles) effects.push({ kind: 'round', vehicle, round });
  effects.push({ kind: 'wake', round: round.round, phase: round.phase, afterMs });
  const plans = round.phase === 'go' ? state.plans : [];
  const lastRound = Math.max(state.lastRound, round.round);
  return { ...state, lastRound, open: { round, waiting: vehicles, vehicles, plans } };
}

function progress(state: CoordinatorState, done: number): CoordinatorEffect {
  const { policies, warmUpRounds, rounds } = state.setup.campaign;
  const of = warmUpRounds + rounds;
  const warmUp = Math.max(0, warmUpRounds - done);
  const streams = warmUp * streamsMs(state, 0) + (of - done - warmUp) * streamsMs(state, warmUpRounds);
  const predictedMs = streams + (of - done) * state.makespanMs;
  return { kind: 'progress', policy: policies[state.policy]!, done, of, predictedMs };
}

function closeRound(state: CoordinatorState, effects: CoordinatorEffect[]): CoordinatorState {
  const { policies, warmUpRounds, rounds, repeat } = state.setup.campaign;
  const of = warmUpRounds + rounds;
  const done = state.rounds + 1;
  effects.push(progress(state, done));
  const closed = { ...state, open: undefined, rounds: done };
  if (done === warmUpRounds) return { ...closed, stale: true };
  if (done < of) return closed;

  const last = state.policy === policies.length - 1;
  if (last && !repeat) {
    effects.push({ kind: 'campaign-done' });
    return { ...closed, done: true };
  }
  const fixedMs = knownFixedMs(state);
  const policy = last ? 0 : state.policy + 1;
  return { ...closed, policy, rounds: 0, seen: {}, links: {}, fixedMs, stale: true };
}
