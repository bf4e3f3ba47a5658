/** Who has the processor and the uplink next: in the plan's order, of steady streams fairly, and nobody who would be too late. */
import { cloudOf, isCoded, type VehiclePlan } from '@splitlane/proto';
import type { VehicleEffect } from './events.ts';
import {
  finish,
  hasWorker,
  isOnProcessor,
  isSteady,
  type Job,
  leaveChannel,
  NO_CLOUD,
  type RunningRound,
} from './job.ts';

export interface VehicleSetup {
  /** Number of the local-only cut: so many segments has the network. */
  readonly lastCut: number;
  /** Runs take the time of the plan's profile, not their own. */
  readonly emulated: boolean;
}

/** Frames of steady streams may be late by this part of a period before the next one of their camera waits for them. */
const LATENESS = 0.5;
const TOO_LATE_THERE = 'the cloud could not answer it before its deadline';
const TOO_LATE = 'it could not be answered before its deadline any more';

/** Gives the processor and the uplink their next job. */
export function advance(
  running: RunningRound,
  setup: VehicleSetup,
  atMs: number,
  effects: VehicleEffect[],
): RunningRound {
  // In a round heads come first, then what can be sent, and what the cloud leaves to its vehicle after that. Steady
  // streams have no after: what is begun there is finished first.
  const [first, then] = isSteady(running.round) ? ([leftOf, headOf] as const) : ([headOf, leftOf] as const);
  const busy = fillProcessor(running, first, setup, atMs, effects);
  const sending = fillUplink(
    isSteady(running.round) ? fillProcessor(busy, then, setup, atMs, effects) : busy,
    setup,
    atMs,
    effects,
  );
  const next = fillProcessor(sending, then, setup, atMs, effects);
  const isSettled = next.jobs.every((job, index) => job === running.jobs[index]);
  return isSettled ? running : advance(next, setup, atMs, effects);
}

function fillProcessor(
  from: RunningRound,
  nextOf: (running: RunningRound) => Job | undefined,
  setup: VehicleSetup,
  atMs: number,
  effects: VehicleEffect[],
): RunningRound {
  let running = from;
  const { plan } = running;
  const isSent = ({ cut }: Pick<Job, 'cut'>): boolean => cut < setup.lastCut;
  // Where other workers are there, a plan for this round may still give them what a lost one was to have.
  const planned = plan?.streams.map((stream) => ({ cut: stream.cut, cloud: cloudOf(stream, plan) })) ?? [];
  const someWorker = [...running.jobs, ...planned].some((job) => isSent(job) && hasWorker(running, job));
  /** Returns when it is to be done. */
  const run = (job: Job, from: number, to: number, stage: 'head' | 'local'): number => {
    const codes = stage === 'head' && isCoded(job.codec);
    const encodeAs = codes ? { encodeAs: job.codec } : {};
    const plannedMs = plannedRunMs(plan, from, to) + (codes ? job.encodeMs : 0);
    const emulated = setup.emulated && plan ? { emulatedMs: plannedMs } : {};
    effects.push({ kind: 'run', frame: job.frame, from, to, stage, ...encodeAs, ...emulated });
    return atMs + plannedMs;
  };
  const localMs = ({ at }: Job): number => plannedRunMs(plan, at, setup.lastCut);
  const start = (job: Job): Job => {
    if (job.stage !== 'waiting') {
      if (isLate(job, localMs(job), running, atMs)) return tooLate(job, effects);
      const { reason = NO_CLOUD } = job;
      return { ...job, stage: 'finishing', reason, runEndMs: run(job, job.at, setup.lastCut, 'local') };
    }
    const staysHere = isSent(job) && !someWorker;
    const needsMs = staysHere || !isSent(job) ? localMs(job) : wholeWayMs(job, running, atMs);
    if (isLate(job, needsMs, running, atMs)) return tooLate(job, effects);
    if (staysHere) {
      const reason = job.reason ?? NO_CLOUD;
      const runEndMs = run(job, 0, setup.lastCut, 'local');
      return { ...job, stage: 'running', cut: setup.lastCut, reason, runEndMs };
    }
    if (job.cut === 0 && !isCoded(job.codec)) return { ...job, stage: 'to-send' };
    return { ...job, stage: 'running', runEndMs: run(job, 0, job.cut, 'head') };
  };
  while (!running.jobs.some(isOnProcessor)) {
    const job = nextOf(running);
    if (!job) break;
    const started = start(job);
    const others = running.jobs.filter((other) => other !== job);
    const begun = others.filter(({ stage }) => stage !== 'waiting');
    const waiting = others.filter(({ stage }) => stage === 'waiting');
    if (job.stage === 'waiting') {
      const counts = started.stage === 'done' ? running.begun : withBegun(running, job);
      running = { ...running, begun: counts, jobs: [...begun, started, ...waiting] };
    } else running = { ...running, jobs: running.jobs.map((other) => (other === job ? started : other)) };
  }
  return running;
}

function plannedRunMs(plan: VehiclePlan | undefined, from: number, to: number): number {
  return plan?.segmentMs.slice(from, to).reduce((sum, ms) => sum + ms, 0) ?? 0;
}

/** What was begun, and the cloud will not finish. */
function leftOf(running: RunningRound): Job | undefined {
  return running.jobs.find(
    (job) => job.stage === 'to-finish' || (job.stage === 'to-send' && !hasWorker(running, job)),
  );
}

/** The first frame that may begin of the cameras that have had the fewest begun: none goes ahead while another waits. */
function headOf(running: RunningRound): Job | undefined {
  const waiting = running.jobs.filter(({ stage }) => stage === 'waiting');
  const fewest = Math.min(...waiting.map((job) => begunOf(running, job)));
  return waiting.find((job) => begunOf(running, job) === fewest && mayBegin(job, running));
}

/** A camera that was away is not ahead of the others by all that it has missed. */
function begunOf({ begun }: RunningRound, { camera }: Job): number {
  const most = Math.max(0, ...Object.values(begun));
  return Math.max(begun[camera] ?? 0, most - 1);
}

function withBegun(running: RunningRound, job: Job): RunningRound['begun'] {
  return { ...running.begun, [job.camera]: begunOf(running, job) + 1 };
}

/**
 * Of steady streams a camera's frame waits until the one before it is on the uplink, and until no more of them are under way
 * than its plan has at a time: what would queue behind them waits here, where a newer frame may take its place.
 */
function mayBegin({ camera }: Job, { jobs, plan, round }: RunningRound): boolean {
  if (!isSteady(round)) return true;
  const begun = jobs.filter(
    (job) => job.camera === camera && job.stage !== 'waiting' && job.stage !== 'done',
  );
  if (begun.some(({ stage }) => stage === 'to-send' || stage === 'asking' || stage === 'granted'))
    return false;
  return begun.length < Math.ceil((plan?.makespanMs ?? 0) / (plan?.periodMs || round.periodMs!) + LATENESS);
}

/** What a frame needs that has not begun, if nobody but the tensors before it is in its way. */
function wholeWayMs({ headMs, uplinkMs, restMs }: Job, { jobs }: RunningRound, atMs: number): number {
  const queueMs = jobs.reduce((sum, job) => sum + unsentMs(job, atMs), 0);
  return Math.max(headMs, queueMs) + uplinkMs + restMs;
}

function unsentMs({ stage, uplinkMs, sendStartMs = 0 }: Job, atMs: number): number {
  if (stage === 'sending') return Math.max(0, sendStartMs + uplinkMs - atMs);
  return stage === 'to-send' || stage === 'asking' || stage === 'granted' ? uplinkMs : 0;
}

function deadlineOf({ releaseMs }: Job, { round: { deadlineMs = 0 } }: RunningRound): number {
  return deadlineMs > 0 ? releaseMs + deadlineMs : Number.POSITIVE_INFINITY;
}

function isLate(job: Job, needsMs: number, running: RunningRound, atMs: number): boolean {
  return atMs + needsMs > deadlineOf(job, running);
}

function tooLate(job: Job, effects: VehicleEffect[]): Job {
  return finish(job, { outcome: 'deadline', reason: TOO_LATE }, effects);
}

function fillUplink(
  running: RunningRound,
  setup: VehicleSetup,
  atMs: number,
  effects: VehicleEffect[],
): RunningRound {
  const { plan } = running;
  let isFree = !running.jobs.some(({ stage }) => stage === 'sending');
  const jobs = running.jobs.map((job): Job => {
    if ((job.stage !== 'to-send' && job.stage !== 'granted') || !hasWorker(running, job)) return job;
    const { frame, camera, epoch, cut, codec, cloud } = job;
    const tensor = { frame, camera, epoch, cut, codec, cloud };
    const asks = job.stage === 'to-send' && plan?.granted === true;
    if (!asks && !isFree) return job;
    const localMs = plannedRunMs(plan, job.at, setup.lastCut);
    if (isLate(job, job.uplinkMs + job.restMs, running, atMs)) {
      if (job.stage === 'granted') leaveChannel(job, false, effects);
      return isLate(job, localMs, running, atMs)
        ? tooLate(job, effects)
        : { ...job, stage: 'to-finish', reason: TOO_LATE_THERE };
    }
    const wake = { kind: 'wake' as const, frame, afterMs: patienceMs(job, localMs, running, atMs) };
    if (asks) {
      effects.push({ kind: 'ask-channel', ...tensor }, wake);
      return { ...job, stage: 'asking' };
    }
    isFree = false;
    effects.push({ kind: 'send', ...tensor });
    if (job.stage === 'to-send') effects.push(wake);
    return { ...job, stage: 'sending', sendStartMs: atMs };
  });
  return { ...running, jobs };
}

/** How long a tensor's result is waited for: until the vehicle can just finish it by its deadline, where the plan leaves time for that. */
function patienceMs(job: Job, localMs: number, running: RunningRound, atMs: number): number {
  const leftMs = deadlineOf(job, running) - atMs;
  const canFinish = leftMs - localMs > job.answerMs;
  return Math.min(job.giveUpMs, canFinish ? leftMs - localMs : leftMs);
}
