/** What `splitlane profile` works out: the times of a model, and what each cut would cost on a link. */
import { type ModelProfile, prepareModel, profileModel } from '@splitlane/dnn';
import { hull, jobAt } from '@splitlane/sched';
import { linkBps, milliseconds, whole } from '../options.ts';
import { ProgressLine } from '../progress.ts';

const MAX_THREADS = 256;

/** What commander hands over. */
export interface ProfileWords {
  readonly threads: string;
  readonly vehicleMs?: string;
  readonly link: string;
  readonly fresh?: boolean;
  readonly out?: string;
  readonly svg?: string;
  readonly json?: boolean;
}

export interface ProfilingOptions {
  readonly threads: number;
  readonly vehicleMs?: number;
  readonly uplinkBps: number;
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
}

/** @throws UsageError that names the option, what it was, and what it may be. */
export function parseProfile(words: ProfileWords): ProfilingOptions {
  return {
    threads: whole('--threads', words.threads, MAX_THREADS),
    ...(words.vehicleMs === undefined
      ? {}
      : { vehicleMs: milliseconds('--vehicle-ms', words.vehicleMs, Number.MIN_VALUE) }),
    uplinkBps: linkBps(words.link),
    fresh: words.fresh === true,
  };
}

/**
 * Prepares and measures a model.
 * @param source a built-in name, or the path of an ONNX file.
 * @param interrupt ends the measurement.
 * @param onMeasuring told when that begins (true) and ends (false).
 * @throws ModelError where the model cannot be used, the reason of `interrupt`.
 */
export async function makeProfiling(
  source: string,
  { threads, vehicleMs, uplinkBps, fresh }: ProfilingOptions,
  interrupt: AbortSignal,
  onMeasuring: (begun: boolean) => void,
): Promise<Profiling> {
  const progress = new ProgressLine();
  try {
    const model = await prepareModel(source, {
      onProgress: (what, fraction) => progress.show(`preparing the model: ${what}`, fraction),
    });
    onMeasuring(true);
    const profile = await profileModel(model, {
      threads,
      fresh,
      signal: interrupt,
      onProgress: (what, fraction) => progress.show(what, fraction),
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
    };
  } finally {
    onMeasuring(false);
    progress.clear();
  }
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
