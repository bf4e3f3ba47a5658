/**
 * The heart of a vehicle node, without I/O, clock or chance: `step(state, event)` gives the next state and
 * the effects. A round's jobs go through three places, the processor, the uplink and the cloud, each in
 * the plan's order; what cannot be finished in the cloud is finished here, so that every captured frame
 * ends in exactly one `finish`.
 */
import {
  cloudOf,
  type JobReport,
  MAX_REPORTED_JOBS,
  type Round,
  type StreamPlan,
  type TransferReport,
  type VehiclePlan,
} from '@splitlane/proto';
import { advance, type VehicleSetup } from './dispatch.ts';
import type { Answer, VehicleEffect, VehicleEvent } from './events.ts';
import {
  type CapturedFrame,
  type Ending,
  finish,
  hasWorker,
  inPlannedOrder,
  isOnProcessor,
  isSteady,
  type Job,
  jobsOf,
  leaveChannel,
  type RunningRound,
  type Stage,
  wayOf,
} from './job.ts';

export interface VehicleState {
  readonly setup: VehicleSetup;
  readonly connected: boolean;
  readonly accepted: boolean;
  /** The plan of whole rounds. */
  readonly plan?: VehiclePlan | undefined;
  /** When it said hello last. */
  readonly helloMs: number;
  /** The newest of all plans, those for a running round too: older ones are not obeyed, whoever makes them. */
  readonly epoch: number;
  /** The newest round that was asked for. */
  readonly round: number;
  /** Workers of this plan that were lost since it came. */
  readonly lost: readonly string[];
  /** A round that was asked for, and its frames once they are captured. */
  readonly next?:
    | {
        readonly round: Round;
        readonly go: boolean;
        readonly frames?: readonly CapturedFrame[];
      }
    | undefined;
  readonly running?: RunningRound | undefined;
  /** The steady streams that ran last: a vehicle that is alone goes on with them. */
  readonly streams?: Round | undefined;
}

export interface Step {
  readonly state: VehicleState;
  readonly effects: readonly VehicleEffect[];
}

/** Stages in which a job waits for what others do, no longer than until it is given up. */
const AWAITED: ReadonlySet<Stage> = new Set(['asking', 'granted', 'sending', 'in-cloud']);
const NEWER_ROUND = 'a newer round was asked for';
const STOPPED = 'the vehicle was stopped';
const NEWER_FRAME = 'a newer frame of its camera came';
export function initialState(setup: VehicleSetup): VehicleState {
  return { setup, connected: false, accepted: false, helloMs: 0, epoch: 0, round: 0, lost: [] };
}

export function step(state: VehicleState, event: VehicleEvent): Step {
  const effects: VehicleEffect[] = [];
  const next = proceed(react(state, event, effects), event.atMs, effects);
  return { state: next, effects };
}

function proceed(state: VehicleState, atMs: number, effects: VehicleEffect[]): VehicleState {
  const begun = begin(state, atMs, effects);
  const busy = begun.running && advance(begun.running, begun.setup, atMs, effects);
  const next = conclude(withoutEnded({ ...begun, running: busy }), atMs, effects);
  // The round that waited for the end of this one begins now: no event may come to begin it later.
  return begun.running && !next.running ? proceed(next, atMs, effects) : next;
}

function react(state: VehicleState, event: VehicleEvent, effects: VehicleEffect[]): VehicleState {
  switch (event.kind) {
    case 'connected':
      return greet({ ...state, connected: true, plan: undefined, lost: [] }, event.atMs, effects);
    case 'hello-due':
      return state.connected && !state.accepted ? greet(state, event.atMs, effects) : state;
    case 'unknown':
      // What was sent before the hello says nothing of it.
      if (!state.connected || event.sentMs <= state.helloMs) return state;
      return greet({ ...state, accepted: false }, event.atMs, effects);
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
    case 'tick':
      return tick(state, event.round, event.atMs, effects);
    case 'captured': {
      if (state.running?.capturing && state.running.round.round === event.round)
        return takeFrames(state, event.frames, event.atMs, effects);
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

function greet(state: VehicleState, atMs: number, effects: VehicleEffect[]): VehicleState {
  const { epoch, round } = state;
  effects.push({ kind: 'hello', epoch, round });
  return { ...state, helloMs: atMs };
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
  const running = state.running && isSteady(state.running.round) ? replanned(state, plan) : state.running;
  return {
    ...state,
    running,
    plan,
    epoch: plan.epoch,
    lost: state.lost.filter((cloud) => !names(plan, cloud)),
  };
}

/** Frames of steady streams that have not begun go the way of the new plan, and whoever is in it is there again. */
function replanned({ running, setup }: VehicleState, plan: VehiclePlan): RunningRound {
  const { lost, jobs } = running!;
  const waiting = jobs.filter(({ stage }) => stage === 'waiting');
  const anew = waiting.flatMap((job) => jobsOf([job], plan, setup.lastCut, job.releaseMs));
  return {
    ...running!,
    plan,
    alone: false,
    lost: lost.filter((cloud) => !names(plan, cloud)),
    jobs: inOrder([...jobs.filter(({ stage }) => stage !== 'waiting'), ...anew], plan),
  };
}

/** Those that wait come last, in the plan's order. */
function inOrder(jobs: readonly Job[], plan: VehiclePlan | undefined): Job[] {
  const begun = jobs.filter(({ stage }) => stage !== 'waiting');
  const waiting = jobs.filter(({ stage }) => stage === 'waiting');
  return [...begun, ...inPlannedOrder(waiting, plan)];
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
  // Asked for twice, or late.
  if (round.round <= state.round) return state;
  if (state.next?.frames) dropFrames(state, state.next.frames, NEWER_ROUND, effects);
  effects.push({ kind: 'capture', round });
  const running = state.running && { ...state.running, isLast: true };
  return { ...state, running, round: round.round, next: { round, go: false } };
}

/** It is time for the next frame of every camera. */
function tick(state: VehicleState, number: number, atMs: number, effects: VehicleEffect[]): VehicleState {
  const { running } = state;
  if (running?.round.round !== number || !isSteady(running.round) || !goesOn(running, state)) return state;
  const { round, capturing, ticks } = running;
  awaitTick(running, ticks + 1, atMs, effects);
  const next = { ...state, running: { ...running, ticks: ticks + 1, capturing: true } };
  if (!capturing)
    effects.push({ kind: 'capture', round: { ...round, frameIndex: round.frameIndex + ticks } });
  else
    effects.push({
      kind: 'fault',
      fault: 'tick-missed',
      detail: `frame ${ticks}: the cameras are not ready`,
    });
  return next;
}

/** Whether its cameras have frames to come: a vehicle that is alone does not stop seeing. */
function goesOn({ round, ticks, isLast }: RunningRound, { connected }: VehicleState): boolean {
  return !isLast && (ticks < (round.ticks ?? 0) || !connected);
}

function awaitTick(
  { round, startMs }: Pick<RunningRound, 'round' | 'startMs'>,
  ticks: number,
  atMs: number,
  effects: VehicleEffect[],
): void {
  const afterMs = Math.max(0, startMs + ticks * round.periodMs! - atMs);
  effects.push({ kind: 'await-tick', round: round.round, afterMs });
}

/** New frames of steady streams: of a camera the newest waits, and none besides. */
function takeFrames(
  state: VehicleState,
  frames: readonly CapturedFrame[],
  atMs: number,
  effects: VehicleEffect[],
): VehicleState {
  const running = state.running!;
  const isNewer = new Set(frames.map(({ camera }) => camera));
  const kept = running.jobs.map((job) => {
    if (job.stage !== 'waiting' || !isNewer.has(job.camera)) return job;
    return finish(job, { outcome: 'shed', reason: NEWER_FRAME }, effects);
  });
  const jobs = inOrder([...kept, ...jobsOf(frames, state.plan, state.setup.lastCut, atMs)], state.plan);
  return { ...state, running: { ...running, capturing: false, jobs } };
}

function dropFrames(
  state: VehicleState,
  frames: readonly CapturedFrame[],
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
  const { running, next, streams } = state;
  if (!running && !next && streams) {
    effects.push({ kind: 'capture', round: streams });
    return { ...state, next: { round: streams, go: false } };
  }
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

/** Starts the captured round when it is told to, or when nobody is there to tell. */
function begin(state: VehicleState, startMs: number, effects: VehicleEffect[]): VehicleState {
  const { next, plan, setup, connected, lost } = state;
  if (state.running || !next?.frames || !(next.go || !connected)) return state;
  const { round } = next;
  const running: RunningRound = {
    ...{ round, plan, startMs, alone: !connected, lost },
    jobs: jobsOf(next.frames, plan, setup.lastCut, startMs),
    ...{ ended: [], ticks: 1, capturing: false, isLast: false, begun: {} },
  };
  if (!isSteady(round)) return { ...state, next: undefined, running };
  awaitTick(running, 1, startMs, effects);
  return { ...state, next: undefined, running, streams: round };
}

/** What has ended leaves the round. */
function withoutEnded(state: VehicleState): VehicleState {
  const { running } = state;
  const done = running?.jobs.filter(({ stage }) => stage === 'done') ?? [];
  if (!running || done.length === 0) return state;
  const reports = done.map(({ camera, cut, codec, cloud, outcome, tailMs = 0, fixedMs = 0 }): JobReport => {
    return { camera, cloud, cut, codec, outcome: outcome!, tailMs, fixedMs };
  });
  const jobs = running.jobs.filter(({ stage }) => stage !== 'done');
  const ended = [...running.ended, ...reports].slice(-MAX_REPORTED_JOBS);
  return { ...state, running: { ...running, jobs, ended } };
}

/** Ends the round when its last job has ended. */
function conclude(state: VehicleState, atMs: number, effects: VehicleEffect[]): VehicleState {
  const { running } = state;
  if (!running || running.jobs.length > 0) return state;
  if (isSteady(running.round) && (running.capturing || goesOn(running, state))) return state;
  const { round, plan, startMs } = running;
  const makespanMs = atMs - startMs;
  effects.push({
    kind: 'round-done',
    summary: {
      round: round.round,
      epoch: plan?.epoch ?? 0,
      policy: plan?.policy ?? 'lo',
      measured: round.measured,
      periodMs: round.periodMs ?? 0,
      plannedPeriodMs: plan?.periodMs ?? 0,
      deadlineMs: round.deadlineMs ?? 0,
      startMs,
      makespanMs,
      predictedMs: plan?.makespanMs ?? 0,
      lowerBoundMs: plan?.lowerBoundMs ?? 0,
    },
    report: {
      round: round.round,
      makespanMs,
      uplinkBps: plan?.uplinkBps ?? 0,
      jobs: [...running.ended],
    },
  });
  return { ...state, running: undefined };
}

function withJob(state: VehicleState, frame: number, change: (job: Job) => Job): VehicleState {
  if (!state.running) return state;
  const jobs = state.running.jobs.map((job) => (job.frame === frame ? change(job) : job));
  return { ...state, running: { ...state.running, jobs } };
}

function localOutcome(answer: Answer, job: Job): Ending {
  return { outcome: 'local', answer, ...(job.reason === undefined ? {} : { reason: job.reason }) };
}
