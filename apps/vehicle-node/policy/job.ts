/** A frame on its way through a vehicle, the round that it is of, and what a plan says of it. Times in ms. */
import {
  type Codec,
  cloudOf,
  isCoded,
  type JobReport,
  type Outcome,
  type Round,
  type StreamPlan,
  type TransferReport,
  type VehiclePlan,
} from '@splitlane/proto';
import type { Answer, VehicleEffect } from './events.ts';

export type Stage =
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

/** How a plan has a camera's frame go. */
export interface Way {
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
  /** What it takes of the processor, of the uplink, and then until its answer is here if nothing else is in its way. */
  readonly headMs: number;
  readonly uplinkMs: number;
  readonly restMs: number;
  /** From the start of its transfer to its answer, with what it is planned to wait for on the way. */
  readonly answerMs: number;
}

export interface Job extends Way {
  readonly frame: number;
  readonly camera: string;
  /** Of the plan that its cut is from. */
  readonly epoch: number;
  /** When its time began: its deadline counts from there. */
  readonly releaseMs: number;
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

export interface CapturedFrame {
  readonly frame: number;
  readonly camera: string;
}

/** A round whose jobs run: one frame of each camera, or a stretch of steady streams. */
export interface RunningRound {
  readonly round: Round;
  readonly plan: VehiclePlan | undefined;
  readonly startMs: number;
  /** The connection was lost before or in this round: its jobs stay here, of steady streams until a new plan is there. */
  readonly alone: boolean;
  /** Workers that were lost before or in this round: they are not used even if they are back, unless a plan says so. */
  readonly lost: readonly string[];
  /** Those that have not ended: which the processor has begun in that order, then the others in the plan's. */
  readonly jobs: readonly Job[];
  /** The latest that have ended. */
  readonly ended: readonly JobReport[];
  /** Of steady streams: how many times the cameras' time has come, and whether they are busy. */
  readonly ticks: number;
  readonly capturing: boolean;
  /** Another round was asked for: no frame comes any more. */
  readonly isLast: boolean;
  /** How many frames of each camera were begun: none is more than one behind. */
  readonly begun: Readonly<Record<string, number>>;
}

export const NO_CLOUD = 'no cloud worker is there';
const LOCAL: Omit<Way, 'cut'> = {
  ...{ codec: 'float32', cloud: '', encodeMs: 0, plannedBytes: 0, giveUpMs: 0 },
  ...{ headMs: 0, uplinkMs: 0, restMs: 0, answerMs: 0 },
};

/**
 * The jobs of frames that were taken together, in the plan's order; whatever no plan knows of stays here.
 * @param lastCut of the network: local-only.
 */
export function jobsOf(
  frames: readonly CapturedFrame[],
  plan: VehiclePlan | undefined,
  lastCut: number,
  releaseMs: number,
): Job[] {
  const left = plan?.cloud === '' && plan.policy !== 'lo' ? { reason: NO_CLOUD } : {};
  return inPlannedOrder(frames, plan).map(({ frame, camera }): Job => {
    const stream = plan?.streams.find((planned) => planned.camera === camera);
    const way = stream && plan ? wayOf(stream, plan) : { ...LOCAL, cut: lastCut };
    return { frame, camera, epoch: plan?.epoch ?? 0, ...way, releaseMs, stage: 'waiting', at: 0, ...left };
  });
}

/** Cameras that no plan knows come last. */
export function inPlannedOrder<Of extends CapturedFrame>(
  frames: readonly Of[],
  plan: VehiclePlan | undefined,
): Of[] {
  const order = plan?.streams.map(({ camera }) => camera) ?? [];
  const place = ({ camera }: Of): number => (order.indexOf(camera) + order.length + 1) % (order.length + 1);
  return frames.toSorted((a, b) => place(a) - place(b));
}

export function wayOf(stream: StreamPlan, plan: VehiclePlan): Way {
  const { cut, codec, headStartMs, headEndMs, uplinkStartMs, uplinkEndMs, tailStartMs, endMs } = stream;
  const { giveUpMs = 0 } = stream;
  const uplinkMs = uplinkEndMs - uplinkStartMs;
  return {
    cut,
    codec,
    cloud: cloudOf(stream, plan),
    encodeMs: encodeMsOf(stream, plan),
    plannedBytes: (uplinkMs * plan.uplinkBps) / 8000,
    giveUpMs: giveUpMs > 0 ? giveUpMs : plan.jobTimeoutMs,
    headMs: headEndMs - headStartMs,
    uplinkMs,
    restMs: cut === plan.segmentMs.length ? 0 : endMs - tailStartMs,
    answerMs: endMs - uplinkStartMs + overlapMs(plan),
  };
}

/** So much longer a frame may take where periods of steady streams overlap. */
function overlapMs({ makespanMs, streams }: VehiclePlan): number {
  return Math.max(0, makespanMs - Math.max(...streams.map(({ endMs }) => endMs)));
}

/** What a planned head takes besides its segments: the coding of its tensor. */
function encodeMsOf(stream: StreamPlan, plan: VehiclePlan): number {
  if (!isCoded(stream.codec)) return 0;
  const segmentsMs = plan.segmentMs.slice(0, stream.cut).reduce((sum, ms) => sum + ms, 0);
  return Math.max(0, stream.headEndMs - stream.headStartMs - segmentsMs);
}

export function isSteady({ periodMs = 0 }: Round): boolean {
  return periodMs > 0;
}

export function isOnProcessor({ stage }: Job): boolean {
  return stage === 'running' || stage === 'finishing';
}

/** Whether the worker that is to run a job's tail is there, as far as known. */
export function hasWorker({ alone, lost }: RunningRound, { cloud }: Pick<Job, 'cloud'>): boolean {
  return !alone && cloud !== '' && !lost.includes(cloud);
}

/** The channel that was granted to a job's tensor is free again. */
export function leaveChannel({ frame, wasGranted }: Job, whole: boolean, effects: VehicleEffect[]): void {
  if (wasGranted) effects.push({ kind: 'end-channel', frame, whole });
}

export interface Ending extends Pick<VehicleEffect & { kind: 'finish' }, 'through'> {
  readonly outcome: Outcome;
  readonly answer?: Answer;
  readonly reason?: string;
}

/** Ends a job, once. */
export function finish(job: Job, ending: Ending, effects: VehicleEffect[]): Job {
  if (job.stage === 'done') return job;
  const { frame, camera, releaseMs: startMs } = job;
  effects.push({ kind: 'finish', frame, camera, startMs, ...ending });
  return { ...job, stage: 'done', outcome: ending.outcome };
}
