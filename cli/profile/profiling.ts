/** What `splitlane profile` works out: the times of a model, and what each cut would cost on a link, in each codec. */
import {
  BUILT_IN,
  layersWithWork,
  ModelError,
  type ModelProfile,
  type OperatorWork,
  type Prediction,
  type PreparedModel,
  predictProfile,
  prepareModel,
  profileModel,
  type ReferenceProfile,
  type WorkedLayer,
  workOf,
} from '@splitlane/dnn';
import { Codec } from '@splitlane/proto';
import { hull, jobAt } from '@splitlane/sched';
import { judgedByCosine } from '../calibration.ts';
import { UsageError } from '../exit-codes.ts';
import { drawnFrames, framesDirs, type SpreadFrames, spreadFrames } from '../frames.ts';
import { linkBps, milliseconds, namesOf, whole } from '../options.ts';
import { ProgressLine } from '../progress.ts';
import { type CodecProfile, profileCodecs } from './codec-profile.ts';
import { readReference } from './reference-file.ts';

const MAX_THREADS = 256;
/** As nodes run them. */
const TAIL_THREADS = 1;

/** What commander hands over. */
export interface ProfileWords {
  readonly threads?: string;
  readonly like?: string;
  readonly vehicleMs?: string;
  readonly link: string;
  readonly codecs?: string;
  readonly calibrate?: string;
  readonly fresh?: boolean;
  readonly out?: string;
  readonly svg?: string;
  readonly json?: boolean;
}

export interface ProfilingOptions {
  readonly threads: number;
  /** Whose times the model's are predicted by; absent: they are measured here. */
  readonly like?: { readonly file: string; readonly reference: ReferenceProfile };
  /** Whether a table for `splitlane plan` is made: its tails are this machine's, whatever the heads are. */
  readonly wantsTable: boolean;
  readonly vehicleMs?: number;
  readonly uplinkBps: number;
  /** `float32` first: every other is measured against it. */
  readonly codecs: readonly Codec[];
  /** Where the frames come from that codecs are measured on; absent: the drawn road. */
  readonly calibrate?: { readonly named: string; readonly folders: readonly string[] };
  readonly fresh: boolean;
}

/** A kept cut, and what a frame that is cut there takes; times in ms. */
export interface ProfiledCut {
  readonly cut: string;
  /** Median and quartiles of the head, on the vehicle. */
  readonly headMs: number;
  readonly headLowMs: number;
  readonly headHighMs: number;
  readonly bytes: number;
  /** Median of the tail, on the machine of the profile. */
  readonly tailMs: number;
  /** On the uplink; 0 at the last cut, where nothing is sent. */
  readonly p2Ms: number;
  /** On the lower-left hull of (head, uplink). */
  readonly onHull: boolean;
}

/** Where the head becomes longer than the transfer, both taken as straight from cut to cut. */
export interface Crossing {
  /** Names of the cuts that it lies between. */
  readonly after: string;
  readonly before: string;
  /** How far it is from the one to the other, in (0, 1]. */
  readonly fraction: number;
  /** Time of both there. */
  readonly ms: number;
}

/** Codecs at the cuts, and what they were measured on. */
export interface ProfiledCodecs extends CodecProfile {
  /** Where the frames come from: `the drawn road scene`, or a folder. */
  readonly source: string;
  readonly frames: number;
  /** Pictures that could not be read, and are not among the frames. */
  readonly unreadable: readonly string[];
  /** Why the loss is 1 − the cosine of the outputs; absent where it is 1 − the agreement of the first class. */
  readonly byCosine?: 'seeded weights' | 'no classes';
}

/** The times of a model on a machine, its operators with their work where that is known. */
export interface ProfiledTimes
  extends Pick<ModelProfile, 'machine' | 'threads' | 'measuredAt' | 'segments' | 'heads' | 'tails'> {
  readonly layers: readonly WorkedLayer[];
}

/** How a profile came about: on this machine, or by a profile from another one. */
export type Origin =
  | {
      readonly kind: 'measured';
      readonly fromCache: boolean;
      readonly notKept?: string;
      /** Why the work of the operators is not known. */
      readonly uncounted?: string;
    }
  | {
      readonly kind: 'like';
      readonly file: string;
      readonly prediction: Omit<Prediction, keyof ProfiledTimes>;
      /** The model on this machine, where a table of cuts is wanted. */
      readonly here?: Pick<ModelProfile, 'heads' | 'tails'>;
    };

export interface Profiling {
  readonly model: string;
  readonly hash: string;
  readonly profile: ProfiledTimes;
  readonly origin: Origin;
  /** Time of the whole network on the machine of the profile. */
  readonly wholeMs: number;
  /** Absent where the vehicle is the machine of the profile. */
  readonly vehicleMs?: number;
  readonly uplinkBps: number;
  /** From the network's input to local-only. */
  readonly cuts: readonly ProfiledCut[];
  readonly crossing: Crossing;
  readonly codecs: ProfiledCodecs;
}

/** @throws UsageError that names the option, what it was, and what it may be. */
export function parseProfile(words: ProfileWords): ProfilingOptions {
  if (words.like !== undefined && words.threads !== undefined)
    throw new UsageError(
      `--threads ${words.threads}: not with --like, whose profile was measured with threads of its own`,
    );
  return {
    threads: whole('--threads', words.threads ?? '1', MAX_THREADS),
    ...(words.like === undefined
      ? {}
      : { like: { file: words.like, reference: readReference('--like', words.like) } }),
    wantsTable: words.out !== undefined,
    ...(words.vehicleMs === undefined
      ? {}
      : { vehicleMs: milliseconds('--vehicle-ms', words.vehicleMs, Number.MIN_VALUE) }),
    uplinkBps: linkBps(words.link),
    codecs: codecsOf(words.codecs),
    ...(words.calibrate === undefined
      ? {}
      : { calibrate: { named: words.calibrate, folders: framesDirs('--calibrate', words.calibrate) } }),
    fresh: words.fresh === true,
  };
}

function codecsOf(words: string | undefined): Codec[] {
  const named = words === undefined ? Codec.options : namesOf('--codecs', words, Codec.options);
  return [...new Set<Codec>(['float32', ...named])];
}

/**
 * Prepares a model, and measures it or predicts its times.
 * @param source a built-in name, or the path of an ONNX file.
 * @param interrupt ends the measurement.
 * @param onMeasuring told when that begins (true) and ends (false).
 * @throws ModelError where the model cannot be used, CameraError where no picture can, the reason of `interrupt`.
 */
export async function makeProfiling(
  source: string,
  options: ProfilingOptions,
  interrupt: AbortSignal,
  onMeasuring: (begun: boolean) => void,
): Promise<Profiling> {
  const { vehicleMs, uplinkBps } = options;
  const progress = new ProgressLine();
  try {
    const model = await prepareModel(source, {
      onProgress: (what, fraction) => progress.show(`preparing the model: ${what}`, fraction),
    });
    const frames = await framesOf(options, model);
    onMeasuring(true);
    const { profile, origin } = await timesOf(model, options, interrupt, progress);
    const codecs = await codecsAt(source, model, frames, options, (fraction) => {
      interrupt.throwIfAborted();
      progress.show('measuring the codecs', fraction);
    });
    const wholeMs = profile.heads.at(-1)!.medianMs;
    const cuts = cutsOf(model, profile, vehicleMs === undefined ? 1 : vehicleMs / wholeMs, uplinkBps);
    return {
      model: model.name,
      hash: model.hash,
      profile,
      origin,
      wholeMs,
      ...(vehicleMs === undefined ? {} : { vehicleMs }),
      uplinkBps,
      cuts,
      crossing: crossingOf(cuts),
      codecs,
    };
  } finally {
    onMeasuring(false);
    progress.clear();
  }
}

/** The times, measured here or predicted, and the work of the operators. */
async function timesOf(
  model: PreparedModel,
  options: ProfilingOptions,
  interrupt: AbortSignal,
  progress: ProgressLine,
): Promise<Pick<Profiling, 'profile' | 'origin'>> {
  const { threads, fresh, like, wantsTable } = options;
  const measured = (threads: number): Promise<ModelProfile> =>
    profileModel(model, {
      ...{ threads, fresh, signal: interrupt },
      onProgress: (what, fraction) => progress.show(what, fraction),
    });
  const counted = (): Promise<OperatorWork[]> =>
    workOf(model, (fraction) => {
      interrupt.throwIfAborted();
      progress.show("counting the operators' work", fraction);
    });
  if (like) {
    const { profile, prediction } = predictedBy(like.reference, model, await counted());
    if (profile.heads.at(-1)!.medianMs === 0)
      throw new ModelError(`model ${model.name}: nothing in it is predicted to take any time`);
    const here = wantsTable ? { here: await measured(TAIL_THREADS) } : {};
    return { profile, origin: { kind: 'like', file: like.file, prediction, ...here } };
  }
  const { fromCache, notKept, ...profile } = await measured(threads);
  const origin = { kind: 'measured' as const, fromCache, ...(notKept === undefined ? {} : { notKept }) };
  try {
    return {
      profile: { ...profile, layers: layersWithWork(profile.layers, await counted()).layers },
      origin,
    };
  } catch (error) {
    // Times are good without it.
    if (!(error instanceof ModelError)) throw error;
    return { profile, origin: { ...origin, uncounted: error.message } };
  }
}

function predictedBy(
  reference: ReferenceProfile,
  model: PreparedModel,
  works: readonly OperatorWork[],
): { readonly profile: ProfiledTimes; readonly prediction: Omit<Prediction, keyof ProfiledTimes> } {
  const { machine, threads, measuredAt, segments, heads, tails, layers, ...prediction } = predictProfile(
    reference,
    { ...model, works },
  );
  const worked = prediction.isMeasured
    ? layersWithWork(layers, works).layers
    : layers.map((layer, index) => {
        const { kind, macs, weightBytes, activationBytes } = works[index]!;
        return { ...layer, kind, macs, weightBytes, activationBytes };
      });
  return {
    profile: { machine, threads, measuredAt, segments, heads, tails, layers: worked },
    prediction,
  };
}

/** @param scale of heads, to those on the vehicle. */
function cutsOf(
  { cuts }: PreparedModel,
  { heads, tails }: ProfiledTimes,
  scale: number,
  uplinkBps: number,
): ProfiledCut[] {
  const jobs = cuts.map(({ id, bytes }, index) =>
    jobAt({ id, p1: heads[index]!.medianMs * scale, bytes, local: index === cuts.length - 1 }, { uplinkBps }),
  );
  const onHull = new Set(hull(jobs));
  return cuts.map(({ id, bytes }, index) => {
    const { medianMs, lowMs, highMs } = heads[index]!;
    return {
      cut: id,
      headMs: medianMs * scale,
      headLowMs: lowMs * scale,
      headHighMs: highMs * scale,
      bytes,
      tailMs: tails[index]!.medianMs,
      p2Ms: jobs[index]!.p2,
      onHull: onHull.has(index),
    };
  });
}

/** The frames that codecs are measured on. */
async function framesOf({ calibrate }: ProfilingOptions, { card }: PreparedModel): Promise<SpreadFrames> {
  if (calibrate) return spreadFrames(calibrate.folders, card);
  return { frames: await drawnFrames(card), unreadable: [] };
}

async function codecsAt(
  source: string,
  model: PreparedModel,
  { frames, unreadable }: SpreadFrames,
  { codecs, calibrate, fresh }: ProfilingOptions,
  onProgress: (fraction: number) => void,
): Promise<ProfiledCodecs> {
  const byCosine = judgedByCosine(source, model.card);
  const measured = await profileCodecs(model, frames, codecs, byCosine, { fresh, onProgress });
  return {
    ...measured,
    source: calibrate?.named ?? 'the drawn road scene',
    frames: frames.length,
    unreadable,
    ...(byCosine ? { byCosine: Object.hasOwn(BUILT_IN, source) ? 'seeded weights' : 'no classes' } : {}),
  };
}

/** There is always one: the first cut has no head, and at the last nothing is sent. */
export function crossingOf(cuts: readonly Pick<ProfiledCut, 'cut' | 'headMs' | 'p2Ms'>[]): Crossing {
  const index = cuts.findIndex(({ headMs, p2Ms }) => headMs >= p2Ms);
  const [before, after] = [cuts[index]!, cuts[index - 1]!];
  const above = after.p2Ms - after.headMs;
  const fraction = above / (above + before.headMs - before.p2Ms);
  return {
    after: after.cut,
    before: before.cut,
    fraction,
    ms: after.headMs + fraction * (before.headMs - after.headMs),
  };
}

/** Where a crossing is, as an index of the cuts with a fraction. */
export function placeOf({ cuts, crossing }: Pick<Profiling, 'cuts' | 'crossing'>): number {
  return cuts.findIndex(({ cut }) => cut === crossing.after) + crossing.fraction;
}
