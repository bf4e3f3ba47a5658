/**
 * The heart of a vehicle node, without I/O, clock or chance: `step(state, event)` gives the next state and
 * the effects. A round's jobs go through three places, the processor, the uplink and the cloud, each in
 * the plan's order; what cannot be finished in the cloud is finished here, so that every captured frame
 * ends in exactly one `finish`.
 */
import {
  type Codec,
  cloudOf,
  isCoded,
  type Outcome,
  type Round,
  type StreamPlan,
  type TransferReport,
  type VehiclePlan,
} from '@splitlane/proto';
import type { Answer, VehicleEffect, VehicleEvent } from './events.ts';

export interface VehicleSetup {
  /** Number of the local-only cut: so many segments has the network. */
  readonly lastCut: number;
  /** Runs take the time of the plan's profile, not their own. */
  readonly emulated: boolean;
}

type Stage =
  | 'waiting' // for the processor, with its head to run
  | 'running' // its head, or the whole network of a local job
  | 'to-send'
  | 'asking' // for the channel that vehicles share
  | 'granted'
  | 'sending'
  | 'in-cloud'
  | 'to-finish' // here, because the cloud will not
  | 'finishing'
  | 'done';

interface Job {
  readonly frame: number;
  readonly camera: string;
  /** Of the plan that its cut is from. */
  readonly epoch: number;
  readonly cut: number;
  readonly codec: Codec;
  /** The worker that is to run its tail; empty where none is there. */
  readonly cloud: string;
  /** What coding its tensor is to take on the vehicle that is emulated. */
  readonly encodeMs: number;
  /** What its tensor is planned to have on the wire. */
  readonly plannedBytes: number;
  /** After so long in transfer and cloud it is finished here. */
  readonly giveUpMs: number;
  readonly stage: Stage;
  /** The cut that its tensor stands at. */
  readonly at: number;
  /** When the processor is to be done with it. */
  readonly runEndMs?: number;
  /** Its tensor has, or had, the channel that vehicles share. */
  readonly wasGranted?: boolean;
  readonly sendStartMs?: number;
  readonly sentMs?: number;
  /** What its tensor took on the wire. */
  readonly wire?: Pick<TransferReport, 'wireBytes' | 'wireMs'>;
  readonly reason?: string;
  readonly outcome?: Outcome;
  readonly tailMs?: number;
  readonly fixedMs?: number;
}

interface RunningRound {
  readonly round: Round;
  readonly plan: VehiclePlan | undefined;
  readonly startMs: number;
  /** The connection was lost before or in this round: its jobs stay here even if it is back. */
  readonly alone: boolean;
  /** Workers that were lost before or in this round: they are not used even if they are back, unless a plan says so. */
  readonly lost: readonly string[];
  /** In the plan's order. */
  readonly jobs: readonly Job[];
}

export interface VehicleState {
  readonly setup: VehicleSetup;
  readonly connected: boolean;
  readonly accepted: boolean;
  /** The plan of whole rounds. */
  readonly plan?: VehiclePlan | undefined;
  /** The newest of all plans, those for a running round too. */
  readonly epoch: number;
  /** Workers of this plan that were lost since it came. */
  readonly lost: readonly string[];
  /** A round that was asked for, and its frames once they are captured. */
  readonly next?:
    | {
        readonly round: Round;
        readonly go: boolean;
        readonly frames?: readonly { readonly frame: number; readonly camera: string }[];
      }
    | undefined;
  readonly running?: RunningRound | undefined;
}

export interface Step {
  readonly state: VehicleState;
  readonly effects: readonly VehicleEffect[];
}

/** Stages in which a job waits for what others do, no longer than until it is given up. */
const AWAITED: ReadonlySet<Stage> = new Set(['asking', 'granted', 'sending', 'in-cloud']);
const NO_CLOUD = 'no cloud worker is there';
const NEWER_ROUND = 'a newer round was asked for';
const STOPPED = 'the vehicle was stopped';

export function initialState(setup: VehicleSetup): VehicleState {
  return { setup, connected: false, accepted: false, epoch: 0, lost: [] };
}

export function step(state: VehicleState, event: VehicleEvent): Step {
  const effects: VehicleEffect[] = [];
  const next = proceed(react(state, event, effects), event.atMs, effects);
  return { state: next, effects };
}

function proceed(state: VehicleState, atMs: number, effects: VehicleEffect[]): VehicleState {
  const begun = begin(state, atMs);
  const next = conclude(advance(begun, atMs, effects), atMs, effects);
  // The round that waited for the end of this one begins now: no event may come to begin it later.
  return begun.running && !next.running ? proceed(next, atMs, effects) : next;
}

function react(state: VehicleState, event: VehicleEvent, effects: VehicleEffect[]): VehicleState {
  switch (event.kind) {
    case 'connected':
      effects.push({ kind: 'hello' });
      return { ...state, connected: true, plan: undefined, epoch: 0, lost: [] };
    case 'hello-due':
      if (state.connected && !state.accepted) effects.push({ kind: 'hello' });
      return state;
    case 'disconnected':
      return withoutConnection({ ...state, connected: false, accepted: false }, event.reason, effects);
    case 'verdict':
      if (!event.accepted) effects.push({ kind: 'refused', reason: event.reason });
      return { ...state, accepted: event.accepted };
    case 'measure-asked':
      effects.push({ kind: 'measure' });
      return state;
    case 'plan':
      return takePlan(state, event.plan, effects);
    case 'round':
      return takeRound(state, event.round, effects);
    case 'captured': {
      if (state.next?.round.round !== event.round)
        return dropFrames(state, event.frames, NEWER_ROUND, effects);
      if (state.next.frames)
        return dropFrames(state, event.frames, 'the round has its frames already', effects);
      const cameras = event.frames.map(({ camera }) => camera);
      effects.push({ kind: 'ready', round: event.round, cameras });
      return { ...state, next: { ...state.next, frames: event.frames } };
    }
    case 'run-done':
      if (event.overrun)
        effects.push({
          kind: 'fault',
          fault: 'overrun',
          detail: `frame ${event.frame} took longer than emulated`,
        });
      return withJob(state, event.frame, (job) => {
        if (!isOnProcessor(job)) return job;
        if (event.answer) return finish(job, localOutcome(event.answer, job), effects);
        return { ...job, at: job.cut, stage: 'to-send' };
      });
    case 'run-failed':
      effects.push({ kind: 'fault', fault: 'inference', detail: event.reason });
      return withJob(state, event.frame, (job) =>
        isOnProcessor(job)
          ? finish(job, { outcome: 'dropped', reason: `inference failed: ${event.reason}` }, effects)
          : job,
      );
    case 'sent': {
      const { endMs: sentMs, wireBytes, wireMs } = event;
      return withJob(state, event.frame, (job) => {
        if (job.stage !== 'sending') return job;
        leaveChannel(job, true, effects);
        return { ...job, stage: 'in-cloud', sentMs, wire: { wireBytes, wireMs } };
      });
    }
    case 'send-failed':
      return withJob(state, event.frame, (job) => {
        if (job.stage !== 'sending') return job;
        leaveChannel(job, false, effects);
        return { ...job, stage: 'to-finish', reason: event.reason };
      });
    case 'granted':
      return takeGrant(state, event, effects);
    case 'result':
      return takeResult(state, event, effects);
    case 'cloud-lost':
      return withoutWorker(state, event.cloud, effects);
    case 'timeout':
      return giveUp(state, event.frame, event.atMs, effects);
    case 'stopping':
      return dropAll(state, effects);
  }
}

function takePlan(state: VehicleState, plan: VehiclePlan, effects: VehicleEffect[]): VehicleState {
  const { lastCut } = state.setup;
  const { epoch } = state;
  const wrong =
    plan.epoch <= epoch
      ? `epoch ${plan.epoch} is not after ${epoch}`
      : plan.segmentMs.length !== lastCut
        ? `${plan.segmentMs.length} segments where the model has ${lastCut}`
        : undefined;
  if (wrong) {
    effects.push({ kind: 'fault', fault: 'plan-refused', detail: wrong });
    return state;
  }
  if (plan.round !== 0) return revise({ ...state, epoch: plan.epoch }, plan);
  return { ...state, plan, epoch: plan.epoch, lost: state.lost.filter((cloud) => !names(plan, cloud)) };
}

function names(plan: VehiclePlan, cloud: string): boolean {
  return plan.streams.some((stream) => cloudOf(stream, plan) === cloud);
}

/**
 * Frames of the running round that have not begun get another cut, and run in the new plan's order; those that keep
 * their cut and are not sent yet may get another worker.
 */
function revise(state: VehicleState, plan: VehiclePlan): VehicleState {
  const { running } = state;
  if (running?.round.round !== plan.round) return state;
  const streams = new Map(plan.streams.map((stream, place) => [stream.camera, { stream, place }]));
  const isRevised = ({ stage, camera }: Job): boolean => stage === 'waiting' && streams.has(camera);
  const revised = running.jobs
    .filter(isRevised)
    .toSorted((a, b) => streams.get(a.camera)!.place - streams.get(b.camera)!.place)
    .map((job): Job => {
      const { stream } = streams.get(job.camera)!;
      return { ...job, epoch: plan.epoch, ...wayOf(stream, plan) };
    });
  const begun = running.jobs.filter((job) => !isRevised(job));
  const jobs = [...begun.map((job) => redirected(job, streams.get(job.camera)?.stream, plan)), ...revised];
  const lost = running.lost.filter((cloud) => !names(plan, cloud));
  return { ...state, running: { ...running, lost, jobs } };
}

/** A job whose head runs or has run, and whose tensor nobody has asked for, goes to the worker that the plan names. */
function redirected(job: Job, stream: StreamPlan | undefined, plan: VehiclePlan): Job {
  const isUnsent = job.stage === 'running' || job.stage === 'to-send';
  if (!isUnsent || stream?.cut !== job.cut || stream.codec !== job.codec) return job;
  const { cloud, giveUpMs } = wayOf(stream, plan);
  const { reason: _, ...unharmed } = job;
  return { ...unharmed, epoch: plan.epoch, cloud, giveUpMs };
}

function takeRound(state: VehicleState, round: Round, effects: VehicleEffect[]): VehicleState {
  if (round.phase === 'go')
    return state.next?.round.round === round.round ? { ...state, next: { ...state.next, go: true } } : state;
  if (state.next?.frames) dropFrames(state, state.next.frames, NEWER_ROUND, effects);
  effects.push({ kind: 'capture', round });
  return { ...state, next: { round, go: false } };
}

function dropFrames(
  state: VehicleState,
  frames: readonly { readonly frame: number; readonly camera: string }[],
  reason: string,
  effects: VehicleEffect[],
): VehicleState {
  for (const { frame, camera } of frames)
    effects.push({ kind: 'finish', frame, camera, outcome: 'dropped', reason });
  return state;
}

/** Ends every frame that has not ended; a round that is broken off is none to report. */
function dropAll(state: VehicleState, effects: VehicleEffect[]): VehicleState {
  if (state.next?.frames) dropFrames(state, state.next.frames, STOPPED, effects);
  for (const job of state.running?.jobs ?? []) finish(job, { outcome: 'dropped', reason: STOPPED }, effects);
  return { ...state, next: undefined, running: undefined };
}

function takeResult(
  state: VehicleState,
  event: VehicleEvent & { kind: 'result' },
  effects: VehicleEffect[],
): VehicleState {
  const { result } = event;
  const job = state.running?.jobs.find(({ frame }) => frame === result.frame);
  const awaited = job?.stage === 'in-cloud' || job?.stage === 'sending';
  if (!awaited || result.epoch !== job.epoch) {
    effects.push({
      kind: 'fault',
      fault: 'result-ignored',
      detail: `frame ${result.frame}: nobody waits for it`,
    });
    return state;
  }
  const next = withJob(state, result.frame, (waiting) => {
    if (waiting.stage === 'sending') stopSending(waiting, effects);
    const fixedMs = event.atMs - (waiting.sentMs ?? event.atMs) - result.queueMs - result.tailMs;
    const measured = { ...waiting, tailMs: result.tailMs, fixedMs: Math.max(0, fixedMs) };
    const { top, boxes, digest } = result;
    const answer = { top, boxes, digest };
    const { epoch, cut, codec } = waiting;
    return finish(measured, { outcome: 'cloud', answer, through: { epoch, cut, codec } }, effects);
  });
  if (job.wire && job.wire.wireMs > 0)
    effects.push({ kind: 'transferred', report: transferReport(next.running!, job.wire, event.atMs) });
  return next;
}

function transferReport(running: RunningRound, wire: NonNullable<Job['wire']>, atMs: number): TransferReport {
  const { round, jobs } = running;
  const runEndMs = jobs.find(isOnProcessor)?.runEndMs ?? atMs;
  return {
    round: round.round,
    ...wire,
    waiting: jobs.filter(({ stage }) => stage === 'waiting').map(({ camera }) => camera),
    unsentBytes: Math.round(jobs.reduce((sum, job) => sum + unsentShare(job, running) * job.plannedBytes, 0)),
    vehicleMs: Math.max(0, runEndMs - atMs),
  };
}

/** On average half of the tensor that is on the wire has left; for a worker that is lost none will. */
function unsentShare(job: Job, running: RunningRound): number {
  const { stage } = job;
  if (stage === 'sending') return 0.5;
  if (!hasWorker(running, job)) return 0;
  return stage === 'running' || stage === 'to-send' || stage === 'asking' || stage === 'granted' ? 1 : 0;
}

function takeGrant(
  state: VehicleState,
  { frame, epoch }: VehicleEvent & { kind: 'granted' },
  effects: VehicleEffect[],
): VehicleState {
  const job = state.running?.jobs.find((one) => one.frame === frame);
  if (job?.stage === 'asking' && job.epoch === epoch)
    return withJob(state, frame, (asking) => ({ ...asking, stage: 'granted', wasGranted: true }));
  // A grant that comes twice is no other one.
  if (job?.stage !== 'granted' && job?.stage !== 'sending')
    effects.push({ kind: 'end-channel', frame, whole: false });
  return state;
}

/** The channel that was granted to a job's tensor is free again. */
function leaveChannel({ frame, wasGranted }: Job, whole: boolean, effects: VehicleEffect[]): void {
  if (wasGranted) effects.push({ kind: 'end-channel', frame, whole });
}

/** Breaks a transfer off. */
function stopSending(job: Job, effects: VehicleEffect[]): void {
  effects.push({ kind: 'stop-send', frame: job.frame });
  leaveChannel(job, false, effects);
}

/** A job that waits for its result is finished here; if it is not even sent, that is told of its link. */
function giveUp(state: VehicleState, frame: number, atMs: number, effects: VehicleEffect[]): VehicleState {
  const job = state.running?.jobs.find((one) => one.frame === frame);
  if (!job || !AWAITED.has(job.stage)) return state;
  const next = withJob(state, frame, (late) => ({
    ...late,
    stage: 'to-finish',
    reason: 'no result in time',
  }));
  if (job.stage === 'granted') leaveChannel(job, false, effects);
  if (job.stage !== 'sending') return next;
  stopSending(job, effects);
  const wire = { wireBytes: Math.round(job.plannedBytes), wireMs: atMs - job.sendStartMs! };
  effects.push({ kind: 'transferred', report: transferReport(next.running!, wire, atMs) });
  return next;
}

/** What was to go through the cloud is finished here, from the cut that it has reached. */
function withoutConnection(state: VehicleState, reason: string, effects: VehicleEffect[]): VehicleState {
  if (!state.running) return state;
  const jobs = state.running.jobs.map((job) => withheld(job, reason, effects));
  return { ...state, running: { ...state.running, alone: true, jobs } };
}

/** What this worker has, or is being sent, is finished here; what is not sent yet too, unless a plan gives it to another. */
function withoutWorker(from: VehicleState, cloud: string, effects: VehicleEffect[]): VehicleState {
  const isPlanned = from.plan !== undefined && names(from.plan, cloud);
  const state = isPlanned ? { ...from, lost: withName(from.lost, cloud) } : from;
  const { running } = state;
  if (!running?.jobs.some((job) => job.cloud === cloud)) return state;
  const reason = `cloud worker ${cloud} was lost`;
  const jobs = running.jobs.map((job) => (job.cloud === cloud ? withheld(job, reason, effects) : job));
  return { ...state, running: { ...running, lost: withName(running.lost, cloud), jobs } };
}

/** A job that nobody in the cloud will finish, as far as it is known now. */
function withheld(job: Job, reason: string, effects: VehicleEffect[]): Job {
  if (job.stage === 'sending') stopSending(job, effects);
  if (job.stage === 'granted') leaveChannel(job, false, effects);
  if (AWAITED.has(job.stage)) return { ...job, stage: 'to-finish', reason };
  return job.stage === 'to-send' ? { ...job, reason } : job;
}

function withName(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names : [...names, name];
}

/** Whether the worker that is to run a job's tail is there, as far as known. */
function hasWorker({ alone, lost }: RunningRound, { cloud }: Job): boolean {
  return !alone && cloud !== '' && !lost.includes(cloud);
}

/** Starts the captured round when it is told to, or when nobody is there to tell. */
function begin(state: VehicleState, atMs: number): VehicleState {
  const { next, plan, setup } = state;
  if (state.running || !next?.frames || !(next.go || !state.connected)) return state;
  const order = plan?.streams.map(({ camera }) => camera) ?? [];
  const place = (camera: string): number => (order.indexOf(camera) + order.length + 1) % (order.length + 1);
  const jobs = next.frames
    .toSorted((a, b) => place(a.camera) - place(b.camera))
    .map(({ frame, camera }): Job => {
      const stream = plan?.streams.find((planned) => planned.camera === camera);
      const way = stream && plan ? wayOf(stream, plan) : { ...LOCAL, cut: setup.lastCut };
      const left = plan?.cloud === '' && plan.policy !== 'lo' ? { reason: NO_CLOUD } : {};
      return {
        frame,
        camera,
        epoch: plan?.epoch ?? 0,
        ...way,
        stage: 'waiting',
        at: 0,
        ...left,
      };
    });
  const { connected, lost } = state;
  const running = { round: next.round, plan, startMs: atMs, alone: !connected, lost, jobs };
  return { ...state, next: undefined, running };
}

type Way = Pick<Job, 'cut' | 'codec' | 'cloud' | 'encodeMs' | 'plannedBytes' | 'giveUpMs'>;
const LOCAL: Omit<Way, 'cut'> = { codec: 'float32', cloud: '', encodeMs: 0, plannedBytes: 0, giveUpMs: 0 };

/** How a plan has a camera's frame go. */
function wayOf(stream: StreamPlan, plan: VehiclePlan): Way {
  const { cut, codec, uplinkStartMs, uplinkEndMs, giveUpMs = 0 } = stream;
  return {
    cut,
    codec,
    cloud: cloudOf(stream, plan),
    encodeMs: encodeMsOf(stream, plan),
    plannedBytes: ((uplinkEndMs - uplinkStartMs) * plan.uplinkBps) / 8000,
    giveUpMs: giveUpMs > 0 ? giveUpMs : plan.jobTimeoutMs,
  };
}

/** What a planned head takes besides its segments: the coding of its tensor. */
function encodeMsOf(stream: StreamPlan, plan: VehiclePlan): number {
  if (!isCoded(stream.codec)) return 0;
  const segmentsMs = plan.segmentMs.slice(0, stream.cut).reduce((sum, ms) => sum + ms, 0);
  return Math.max(0, stream.headEndMs - stream.headStartMs - segmentsMs);
}

/** Gives the processor and the uplink their next job. */
function advance(state: VehicleState, atMs: number, effects: VehicleEffect[]): VehicleState {
  const { running, setup } = state;
  if (!running) return state;
  const plan = running.plan;
  const isSent = ({ cut }: Job): boolean => cut < setup.lastCut;
  // Where other workers are there, a plan for this round may still give them what a lost one was to have.
  const someWorker = running.jobs.some((job) => isSent(job) && hasWorker(running, job));
  const jobs = [...running.jobs];
  const busy = (...stages: Stage[]): boolean => jobs.some(({ stage }) => stages.includes(stage));
  /** Returns when it is to be done. */
  const run = (job: Job, from: number, to: number, stage: 'head' | 'local'): number => {
    const codes = stage === 'head' && isCoded(job.codec);
    const encodeAs = codes ? { encodeAs: job.codec } : {};
    const segmentMs = plan?.segmentMs.slice(from, to) ?? [];
    const plannedMs = segmentMs.reduce((sum, ms) => sum + ms, codes ? job.encodeMs : 0);
    const emulated = setup.emulated && plan ? { emulatedMs: plannedMs } : {};
    effects.push({ kind: 'run', frame: job.frame, from, to, stage, ...encodeAs, ...emulated });
    return atMs + plannedMs;
  };

  jobs.forEach((job, index) => {
    if (job.stage !== 'waiting' || busy('running', 'finishing')) return;
    if (!someWorker && isSent(job)) {
      const reason = job.reason ?? NO_CLOUD;
      const runEndMs = run(job, 0, setup.lastCut, 'local');
      jobs[index] = { ...job, stage: 'running', cut: setup.lastCut, reason, runEndMs };
    } else if (job.cut === 0 && !isCoded(job.codec)) {
      jobs[index] = { ...job, stage: 'to-send' };
    } else {
      jobs[index] = { ...job, stage: 'running', runEndMs: run(job, 0, job.cut, 'head') };
    }
  });
  jobs.forEach((job, index) => {
    if ((job.stage !== 'to-send' && job.stage !== 'granted') || !hasWorker(running, job)) return;
    const { frame, camera, epoch, cut, codec, cloud } = job;
    const tensor = { frame, camera, epoch, cut, codec, cloud };
    if (job.stage === 'to-send' && plan?.granted) {
      jobs[index] = { ...job, stage: 'asking' };
      effects.push({ kind: 'ask-channel', ...tensor }, { kind: 'wake', frame, afterMs: job.giveUpMs });
    } else if (!busy('sending')) {
      jobs[index] = { ...job, stage: 'sending', sendStartMs: atMs };
      effects.push({ kind: 'send', ...tensor });
      if (job.stage === 'to-send') effects.push({ kind: 'wake', frame, afterMs: job.giveUpMs });
    }
  });
  jobs.forEach((job, index) => {
    const isLeft = job.stage === 'to-finish' || (job.stage === 'to-send' && !hasWorker(running, job));
    if (!isLeft || busy('running', 'finishing')) return;
    const { reason = NO_CLOUD } = job;
    jobs[index] = { ...job, stage: 'finishing', reason, runEndMs: run(job, job.at, setup.lastCut, 'local') };
  });
  return { ...state, running: { ...running, jobs } };
}

/** Ends the round when its last job has ended. */
function conclude(state: VehicleState, atMs: number, effects: VehicleEffect[]): VehicleState {
  const { running } = state;
  if (!running || running.jobs.some(({ stage }) => stage !== 'done')) return state;
  const { round, plan, startMs } = running;
  const makespanMs = atMs - startMs;
  effects.push({
    kind: 'round-done',
    summary: {
      round: round.round,
      epoch: plan?.epoch ?? 0,
      policy: plan?.policy ?? 'lo',
      measured: round.measured,
      startMs,
      makespanMs,
      predictedMs: plan?.makespanMs ?? 0,
      lowerBoundMs: plan?.lowerBoundMs ?? 0,
    },
    report: {
      round: round.round,
      makespanMs,
      uplinkBps: plan?.uplinkBps ?? 0,
      jobs: running.jobs.map(({ camera, cut, codec, cloud, outcome, tailMs = 0, fixedMs = 0 }) => ({
        camera,
        cloud,
        cut,
        codec,
        outcome: outcome!,
        tailMs,
        fixedMs,
      })),
    },
  });
  return { ...state, running: undefined };
}

function withJob(state: VehicleState, frame: number, change: (job: Job) => Job): VehicleState {
  if (!state.running) return state;
  const jobs = state.running.jobs.map((job) => (job.frame === frame ? change(job) : job));
  return { ...state, running: { ...state.running, jobs } };
}

function isOnProcessor({ stage }: Job): boolean {
  return stage === 'running' || stage === 'finishing';
}

interface Ending extends Pick<VehicleEffect & { kind: 'finish' }, 'through'> {
  readonly outcome: Outcome;
  readonly answer?: Answer;
  readonly reason?: string;
}

function localOutcome(answer: Answer, job: Job): Ending {
  return { outcome: 'local', answer, ...(job.reason === undefined ? {} : { reason: job.reason }) };
}

function finish(job: Job, ending: Ending, effects: VehicleEffect[]): Job {
  if (job.stage === 'done') return job;
  effects.push({ kind: 'finish', frame: job.frame, camera: job.camera, ...ending });
  return { ...job, stage: 'done', outcome: ending.outcome };
}
