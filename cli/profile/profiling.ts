/** What `splitlane profile` works out: the times of a model, and what each cut would cost on a link, in each codec. */
import { BUILT_IN, type ModelProfile, type PreparedModel, prepareModel, profileModel } from '@splitlane/dnn';
import { Codec } from '@splitlane/proto';
import { hull, jobAt } from '@splitlane/sched';
import { judgedByCosine } from '../calibration.ts';
import { drawnFrames, framesDirs, type SpreadFrames, spreadFrames } from '../frames.ts';
import { linkBps, milliseconds, namesOf, whole } from '../options.ts';
import { ProgressLine } from '../progress.ts';
import { type CodecProfile, profileCodecs } from './codec-profile.ts';

const MAX_THREADS = 256;

/** What commander hands over. */
export interface ProfileWords {
  readonly threads: string;
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
  /** Median of the tail, on this machine. */
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

export interface Profiling {
  readonly model: string;
  readonly hash: string;
  readonly profile: ModelProfile;
  /** Time of the whole network on this machine. */
  readonly wholeMs: number;
  /** Absent where the vehicle is this machine. */
  readonly vehicleMs?: number;
  readonly uplinkBps: number;
  /** From the network's input to local-only. */
  readonly cuts: readonly ProfiledCut[];
  readonly crossing: Crossing;
  readonly codecs: ProfiledCodecs;
}

/** @throws UsageError that names the option, what it was, and what it may be. */
export function parseProfile(words: ProfileWords): ProfilingOptions {
  return {
    threads: whole('--threads', words.threads, MAX_THREADS),
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
 * Prepares and measures a model.
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
  const { threads, vehicleMs, uplinkBps, fresh } = options;
  const progress = new ProgressLine();
  try {
    const model = await prepareModel(source, {
      onProgress: (what, fraction) => progress.show(`preparing the model: ${what}`, fraction),
    });
    const frames = await framesOf(options, model);
    onMeasuring(true);
    const profile = await profileModel(model, {
      threads,
      fresh,
      signal: interrupt,
      onProgress: (what, fraction) => progress.show(what, fraction),
    });
    const codecs = await codecsAt(source, model, frames, options, (fraction) => {
      interrupt.throwIfAborted();
      progress.show('measuring the codecs', fraction);
    });
    const wholeMs = profile.heads.at(-1)!.medianMs;
    const scale = vehicleMs === undefined ? 1 : vehicleMs / wholeMs;
    const jobs = model.cuts.map(({ id, bytes }, index) =>
      jobAt(
        { id, p1: profile.heads[index]!.medianMs * scale, bytes, local: index === model.cuts.length - 1 },
        { uplinkBps },
      ),
    );
    const onHull = new Set(hull(jobs));
    const cuts = model.cuts.map(({ id, bytes }, index): ProfiledCut => {
      const { medianMs, lowMs, highMs } = profile.heads[index]!;
      return {
        cut: id,
        headMs: medianMs * scale,
        headLowMs: lowMs * scale,
        headHighMs: highMs * scale,
        bytes,
        tailMs: profile.tails[index]!.medianMs,
        p2Ms: jobs[index]!.p2,
        onHull: onHull.has(index),
      };
    });
    return {
      model: model.name,
      hash: model.hash,
      profile,
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
