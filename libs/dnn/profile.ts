/** How long a model takes on this machine, segment by segment and operator by operator; kept in the cache. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import {
  keepMeasurement,
  Machine,
  measurementFile,
  readMeasurement,
  thisMachine,
  wallTime,
} from './kept-measurement.ts';
import { ModelError } from './onnx.ts';
import type { PreparedModel } from './prepared-model.ts';
import type { LayerRuns, ProfileMessage, ProfileTask } from './profile-worker.ts';
import { SESSION_OPTIONS } from './session-options.ts';
import { startRuntimeThread } from './start-thread.ts';

const WARM_UPS = 3;
const REPETITIONS = 21;
const LAYER_REPETITIONS = 15;
const GAP_MS = 30;
/** Raised when something is measured or kept differently. */
const PROFILE_VERSION = 1;
const LAYER_OPTIMISATION = 'basic';

const times = z.array(z.number().min(0)).min(1).readonly();
const Measurement = z.strictObject({
  machine: Machine,
  /** Intra-op threads of each session. */
  threads: z.number().int().min(1),
  /** Wall time as in ISO 8601. */
  measuredAt: z.iso.datetime(),
  segmentRuns: z.array(times).readonly(),
  layers: z
    .array(
      z.strictObject({
        node: z.string(),
        operator: z.string(),
        segment: z.number().int().min(0),
        runs: times,
      }),
    )
    .readonly(),
});

/** What was measured, when and where: for each segment, and each operator in it, its time in ms in each run. */
export type Measurement = z.infer<typeof Measurement>;

/** Median and quartiles of a time over all runs, in ms. */
export interface Spread {
  readonly medianMs: number;
  readonly lowMs: number;
  readonly highMs: number;
}

/** An operator of the network. */
export interface Layer {
  readonly node: string;
  readonly operator: string;
  /** Index of the segment that it is in. */
  readonly segment: number;
  readonly medianMs: number;
  /** Its part of the time of all operators, from 0 to 1. */
  readonly share: number;
}

export interface ModelProfile extends Pick<Measurement, 'machine' | 'threads' | 'measuredAt'> {
  readonly segments: readonly Spread[];
  /** Up to each cut, the first of them 0. Quartiles of sums are not sums of quartiles. */
  readonly heads: readonly Spread[];
  /** From each cut on, the last of them 0. */
  readonly tails: readonly Spread[];
  readonly layers: readonly Layer[];
  /** It was measured before, and has been taken from the cache. */
  readonly fromCache: boolean;
  /** Why it could not be put into the cache: the system's error code. */
  readonly notKept?: string;
}

export interface ProfileOptions {
  /** Intra-op threads of each session; 1 unless given, as nodes have them. */
  readonly threads?: number;
  /** Measures again, whatever the cache has. */
  readonly fresh?: boolean;
  /** Told what is being done, and how much of it is, from 0 to 1. Not called where the cache has it. */
  readonly onProgress?: (what: string, fraction: number) => void;
  /** Ends the work as soon as the runtime lets go of its thread. */
  readonly signal?: AbortSignal;
}

/**
 * The profile of a model on this machine, from the cache where it has been measured alike.
 * @throws ModelError where the runtime does not take a segment, the signal's reason where it is aborted.
 */
export async function profileModel(
  model: PreparedModel,
  options: ProfileOptions = {},
): Promise<ModelProfile> {
  const { threads = 1, fresh = false, onProgress = () => {}, signal } = options;
  const machine = thisMachine();
  const settings = [WARM_UPS, REPETITIONS, LAYER_REPETITIONS, GAP_MS, LAYER_OPTIMISATION, SESSION_OPTIONS];
  const file = measurementFile(model, machine, 'profile', PROFILE_VERSION, threads, settings);
  const known = fresh ? undefined : readMeasurement(file, Measurement);
  if (known && isWhole(known, model)) return { ...profileOf(known), fromCache: true };
  const measured = await measure(model, threads, onProgress, signal);
  const measurement: Measurement = { machine, threads, measuredAt: wallTime(), ...measured };
  const notKept = keepMeasurement(file, measurement);
  return { ...profileOf(measurement), fromCache: false, ...(notKept === undefined ? {} : { notKept }) };
}

function isWhole({ segmentRuns }: Measurement, { segments }: PreparedModel): boolean {
  const runs = segmentRuns[0]?.length;
  return segmentRuns.length === segments.length && segmentRuns.every(({ length }) => length === runs);
}

async function measure(
  model: PreparedModel,
  threads: number,
  onProgress: (what: string, fraction: number) => void,
  signal: AbortSignal | undefined,
): Promise<Pick<Measurement, 'segmentRuns' | 'layers'>> {
  signal?.throwIfAborted();
  const folder = mkdtempSync(path.join(tmpdir(), 'splitlane-profile-'));
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const { segments, cuts, first, card } = model;
  const workerData: ProfileTask = {
    ...{ segments, cuts, first, card, threads, folder, stopped },
    ...{ repetitions: REPETITIONS, layerRepetitions: LAYER_REPETITIONS, warmUps: WARM_UPS, gapMs: GAP_MS },
  };
  const stop = (): void => {
    Atomics.store(stopped, 0, 1);
    Atomics.notify(stopped, 0);
  };
  signal?.addEventListener('abort', stop);
  try {
    const worker = startRuntimeThread('./profile-worker.ts', { workerData });
    let reply: ProfileMessage | undefined;
    worker.on('message', (message: ProfileMessage) => {
      if (message.kind === 'progress') onProgress(message.what, message.fraction);
      else reply = message;
    });
    // The thread ends by itself: ONNX Runtime aborts the whole process where it is interrupted.
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => resolve());
    });
    signal?.throwIfAborted();
    if (reply?.kind !== 'measured') {
      const why = reply?.kind === 'error' ? reply.error.replace(/\s+/g, ' ').trim() : 'its thread has ended';
      throw new ModelError(`model ${model.file}: cannot be measured: ${why}`);
    }
    return { segmentRuns: reply.segmentRuns, layers: reply.layers };
  } finally {
    signal?.removeEventListener('abort', stop);
    rmSync(folder, { recursive: true, force: true });
  }
}

function profileOf({ machine, threads, measuredAt, segmentRuns, layers }: Measurement): ModelProfile {
  const sums = (segments: readonly (readonly number[])[]): number[] =>
    segmentRuns[0]!.map((_, run) => segments.reduce((sum, runs) => sum + runs[run]!, 0));
  const cuts = Array.from({ length: segmentRuns.length + 1 }, (_, cut) => cut);
  const medians = layers.map(({ runs }: LayerRuns) => spreadOf(runs).medianMs);
  const wholeMs = medians.reduce((sum, ms) => sum + ms, 0);
  return {
    machine,
    threads,
    measuredAt,
    segments: segmentRuns.map(spreadOf),
    heads: cuts.map((cut) => spreadOf(sums(segmentRuns.slice(0, cut)))),
    tails: cuts.map((cut) => spreadOf(sums(segmentRuns.slice(cut)))),
    layers: layers.map(({ node, operator, segment }, index) => ({
      ...{ node, operator, segment },
      medianMs: medians[index]!,
      share: wholeMs > 0 ? medians[index]! / wholeMs : 0,
    })),
    fromCache: false,
  };
}

/** Median and quartiles, by linear interpolation between neighbours. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const low = sorted[Math.floor(place)]!;
    return low + (place - Math.floor(place)) * (sorted[Math.ceil(place)]! - low);
  };
  return { medianMs: at(0.5), lowMs: at(0.25), highMs: at(0.75) };
}
