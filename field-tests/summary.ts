/**
 * What a run's logs say, as one table: the field test and, later, its replay print the same. Nothing is
 * taken from anywhere but the logs and the whole model's own answers.
 */
import type { LogReader, Row } from '@splitlane/journal';
import { type Box, type Class, type Codec, isLossless } from '@splitlane/proto';
import type { PowerModel } from '@splitlane/sched';
import { RASPBERRY_PI_CLASS } from './power-model.ts';
import { median } from './quantile.ts';
import { type StreamSummary, streamSummary } from './stream-summary.ts';

export interface PolicySummary {
  readonly name: string;
  /** Measured rounds, of all vehicles. */
  readonly rounds: number;
  /**
   * Medians over vehicles and rounds, in ms. Vehicles that share a channel are one: their round is as long as the longest of
   * them, so that with several channels it is the median over groups and rounds, a vehicle with its own link being a group.
   */
  readonly makespanMs: number;
  readonly predictedMs: number;
  readonly lowerBoundMs: number;
  /** Measured ÷ predicted. */
  readonly ratio: number;
  /** How many times faster than that policy; absent where it was not run. */
  readonly speedUp: { readonly lo?: number; readonly ro?: number; readonly 'ro-jpeg'?: number };
  /** Part of the rounds' time in which the uplink was sending. */
  readonly uplinkShare: number;
  /** A vehicle's energy in joules by the power model, for each of its answered frames: median over vehicles and rounds. */
  readonly energyPerFrameJ: number;
  /** The cuts that its frames took, by name, with the codec unless it is float32; the most frequent first. */
  readonly cuts: readonly string[];
  /** Of steady streams what became of them; `makespanMs` is then the time of all their frames. */
  readonly streams?: StreamSummary;
}

export interface RunSummary {
  readonly policies: readonly PolicySummary[];
  /** What the energy stands on. */
  readonly power: PowerModel;
  /** Frames that were captured, those of warm-up rounds included. */
  readonly jobs: number;
  /** Results whose every bit equals the whole model's; those of lossy codecs do not count. */
  readonly identical: number;
  /** Results of tensors that lost something by their codec. */
  readonly lossy: number;
  /** Those of them that are what their codec makes of the frame, and lost no more than was allowed. */
  readonly withinLoss: number;
  /** Frames that were to go through the cloud, and were finished by their vehicle. */
  readonly local: number;
  /** Frames of steady streams that were left out for a newer one of their camera. */
  readonly shed: number;
  /** Frames that were left out because they could not make their deadline any more. */
  readonly deadline: number;
  /** Frames that were dropped, with the reason in the log. */
  readonly dropped: number;
  /** Captured frames without an end that their vehicle has named after a restart. */
  readonly lostInCrash: number;
  /** Captured frames of which no log has an end. */
  readonly lost: number;
  /** How many tails each cloud worker has run. */
  readonly byWorker: readonly { readonly node: string; readonly tails: number }[];
  /** Heads that took longer than the time they were to be emulated in. */
  readonly overruns: number;
  /** Pictures that could not be read, by name. */
  readonly brokenPictures: readonly string[];
  /** Messages and tensors that were turned away. */
  readonly rejected: number;
  /** 99th percentile of the event loop's delay after start-up, of the process that had the largest. */
  readonly eventLoopP99Ms: number;
  readonly eventLoops: readonly { readonly node: string; readonly p99Ms: number; readonly maxMs: number }[];
}

/** A frame that ended with an answer. */
export interface AnsweredFrame {
  readonly vehicle: string;
  readonly camera: string;
  readonly frameIndex: number;
  readonly jpegDigest: string;
  /** Of its round; absent where that was broken off. */
  readonly policy?: string;
  readonly measured: boolean;
  /** What was answered, and the digest of the whole output. */
  readonly top: readonly Class[];
  readonly boxes: readonly Box[];
  readonly digest: string;
  /** The cut and the codec of the tensor that the cloud had, where something was lost by it. */
  readonly lossy?: { readonly cut: number; readonly codec: Codec };
}

/** What a lossy codec makes of a frame: the digest of the answer, and how far it is from the whole model's. */
export interface LossyAnswer {
  readonly digest: string;
  readonly loss: number;
}

/** The name of what a frame's tensor at this cut in this codec comes to. */
export function lossyKey(jpegDigest: string, { cut, codec }: NonNullable<AnsweredFrame['lossy']>): string {
  return `${jpegDigest}/${cut}/${codec}`;
}

/** How a result came from the cloud; undefined where the frame was finished on its vehicle. */
function throughOf({ cut, codec }: Partial<Row<'result'>>): AnsweredFrame['lossy'] {
  return typeof cut === 'number' && codec ? { cut, codec: codec as Codec } : undefined;
}

/** What was done of a vehicle's round, by its frames and their spans. */
interface Work {
  frames: number;
  processorMs: number;
  uplinkMs: number;
}

/** Stages that keep a vehicle's processor busy: a frame that the cloud left to its vehicle was computed there too. */
const ON_PROCESSOR = new Set(['head', 'local']);
const NO_WORK: Work = { frames: 0, processorMs: 0, uplinkMs: 0 };
const NOTHING_LOST = { answers: new Map<string, LossyAnswer>(), maxLoss: 0 };
const REJECTED = new Set([
  'message-rejected',
  'tensor-refused',
  'result-ignored',
  'plan-refused',
  'door',
  'publish-refused',
  'subscribe-refused',
  'name-taken',
  'log-batch-refused',
]);

/** Every frame of a run that ended with an answer. */
export function answeredFrames(logs: readonly LogReader[]): AnsweredFrame[] {
  return vehicleLogs(logs).flatMap(({ run, log }) => {
    const results = new Map(log.rows('result').map((row) => [row.frame, row]));
    const rounds = new Map(log.rows('round').map((row) => [row.round, row]));
    return log
      .rows('frame')
      .flatMap(({ frame, round, camera, frame_index, jpeg_digest, measured }): AnsweredFrame[] => {
        const { digest, top, boxes, ...result } = results.get(frame) ?? {};
        if (!digest) return [];
        const { policy } = rounds.get(round) ?? {};
        // What a vehicle finished itself it finished from the tensor as it was.
        const through = throughOf(result);
        const answered = {
          vehicle: run.node,
          camera,
          frameIndex: frame_index,
          jpegDigest: jpeg_digest,
          ...(policy === undefined ? {} : { policy }),
          measured: measured === 1,
          top: JSON.parse(top ?? '[]') as Class[],
          boxes: JSON.parse(boxes ?? '[]') as Box[],
          digest,
        };
        return [through && !isLossless(through.codec) ? { ...answered, lossy: through } : answered];
      });
  });
}

/**
 * @param expected digest of the whole model's answer to a frame, by the digest of its JPEG.
 * @param cutNames names of the model's cuts.
 * @param power the vehicles' power, by which their spans become energy.
 * @param lossy what lossy codecs make of frames, by `lossyKey`, and how much may be lost.
 */
export function summarise(
  logs: readonly LogReader[],
  expected: ReadonlyMap<string, string>,
  cutNames: readonly string[],
  power: PowerModel = RASPBERRY_PI_CLASS,
  lossy: { readonly answers: ReadonlyMap<string, LossyAnswer>; readonly maxLoss: number } = NOTHING_LOST,
): RunSummary {
  const crashLeft = crashLeftIn(logs);
  const vehicles = vehicleLogs(logs).map(({ run, log }) => ({
    node: run.node,
    run: run.id,
    channel: channelOf(run),
    frames: log.rows('frame'),
    results: log.rows('result'),
    rounds: log.rows('round'),
    work: workByRound(log),
    ways: waysByRound(log, cutNames),
  }));
  const rounds = vehicles.flatMap(({ node, channel, work, ways, rounds: own }) =>
    own
      .filter(({ measured }) => measured === 1)
      .map((row) => ({
        ...{ row, work: work.get(row.round) ?? NO_WORK, ways: ways.get(row.round) ?? [] },
        group: `${channel === undefined ? `vehicle ${node}` : `channel ${channel}`} ${row.round}`,
      })),
  );
  const streamsOf = (policy: string): Pick<PolicySummary, 'streams'> => {
    const streams = streamSummary(vehicles, policy);
    return streams ? { streams } : {};
  };
  const byPolicy = Map.groupBy(rounds, ({ row }) => row.policy);
  const measured = [...byPolicy].map(([name, of]) => {
    const rows = [...Map.groupBy(of, ({ group }) => group).values()].map(together);
    const makespanMs = median(rows.map(({ row }) => row.makespan_ms));
    const predictedMs = median(rows.map(({ row }) => row.predicted_ms));
    return {
      name,
      rounds: of.length,
      makespanMs,
      predictedMs,
      lowerBoundMs: median(rows.map(({ row }) => row.lower_bound_ms)),
      ratio: makespanMs / predictedMs,
      uplinkShare: median(rows.map(({ row, work }) => uplinkShare(row, work))),
      // A round in which no camera gave a frame has no energy per frame.
      energyPerFrameJ: median(
        of.filter(({ work }) => work.frames > 0).map(({ row, work }) => energyPerFrameJ(row, work, power)),
      ),
      cuts: byFrequency(of.flatMap(({ ways }) => ways)),
      ...streamsOf(name),
    };
  });
  const speed = (name: string, makespanMs: number): number | undefined => {
    const other = measured.find((policy) => policy.name === name);
    return other && other.makespanMs / makespanMs;
  };

  const answered = answeredFrames(logs);
  const results = vehicles.flatMap((vehicle) => vehicle.results);
  const faults = logs.flatMap((log) => log.rows('fault'));
  const eventLoops = logs.map((log) => ({
    node: log.rows('run')[0]?.node ?? '',
    p99Ms: figure(log, 'event_loop_p99_ms'),
    maxMs: figure(log, 'event_loop_max_ms'),
  }));
  return {
    policies: measured.map((policy) => ({
      ...policy,
      speedUp: Object.fromEntries(
        ['lo', 'ro', 'ro-jpeg'].flatMap((name) => {
          const times = speed(name, policy.makespanMs);
          return times === undefined ? [] : [[name, times]];
        }),
      ),
    })),
    power,
    jobs: vehicles.reduce((sum, { frames }) => sum + frames.length, 0),
    identical: answered.filter(
      ({ jpegDigest, digest, lossy }) => !lossy && expected.get(jpegDigest) === digest,
    ).length,
    lossy: answered.filter((frame) => frame.lossy).length,
    withinLoss: answered.filter((frame) => {
      const answer = frame.lossy && lossy.answers.get(lossyKey(frame.jpegDigest, frame.lossy));
      return answer?.digest === frame.digest && answer.loss <= lossy.maxLoss;
    }).length,
    local: results.filter(({ outcome, reason }) => outcome === 'local' && reason !== null).length,
    shed: results.filter(({ outcome }) => outcome === 'shed').length,
    deadline: results.filter(({ outcome }) => outcome === 'deadline').length,
    dropped: results.filter(({ outcome }) => outcome === 'dropped').length,
    lostInCrash: vehicles.reduce(
      (sum, vehicle) => sum + endless(vehicle, (frame) => crashLeft.has(`${vehicle.run}/${frame}`)),
      0,
    ),
    lost: vehicles.reduce(
      (sum, vehicle) => sum + endless(vehicle, (frame) => !crashLeft.has(`${vehicle.run}/${frame}`)),
      0,
    ),
    byWorker: tailsByWorker(logs),
    overruns: faults.filter(({ kind }) => kind === 'overrun').length,
    brokenPictures: [
      ...new Set(faults.filter(({ kind }) => kind === 'broken-picture').map(({ detail }) => detail)),
    ],
    rejected: faults.reduce((sum, { kind, count }) => sum + (REJECTED.has(kind) ? count : 0), 0),
    eventLoopP99Ms: Math.max(0, ...eventLoops.map(({ p99Ms }) => p99Ms)),
    eventLoops,
  };
}

function vehicleLogs(logs: readonly LogReader[]): { run: Row<'run'>; log: LogReader }[] {
  return logs.flatMap((log) => {
    const run = log.rows('run')[0];
    return run?.role === 'vehicle' ? [{ run, log }] : [];
  });
}

/** What vehicles have named after a restart as left by a crash: the log's run, and the frame. */
function crashLeftIn(logs: readonly LogReader[]): Set<string> {
  const named = logs.flatMap((log) => log.rows('crash_left'));
  return new Set(named.map(({ run, frame }) => `${run}/${frame}`));
}

/** How many of a log's frames of a kind have no end. */
function endless(
  {
    frames,
    results,
  }: { readonly frames: readonly Row<'frame'>[]; readonly results: readonly Row<'result'>[] },
  isOfKind: (frame: number) => boolean,
): number {
  const ended = new Set(results.map(({ frame }) => frame));
  return frames.filter(({ frame }) => !ended.has(frame) && isOfKind(frame)).length;
}

/** A worker that was started again has a log of each start. */
function tailsByWorker(logs: readonly LogReader[]): RunSummary['byWorker'] {
  const counts = new Map<string, number>();
  for (const log of logs) {
    const run = log.rows('run')[0];
    if (run?.role !== 'cloud') continue;
    const tails = log.rows('span').filter(({ stage }) => stage === 'tail').length;
    counts.set(run.node, (counts.get(run.node) ?? 0) + tails);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, tails]) => ({ node, tails }));
}

/** The work of a vehicle's rounds, by their numbers. */
function workByRound(log: LogReader): Map<number, Work> {
  const rounds = new Map<number, Work>();
  const byFrame = new Map<number, Work>();
  const answered = new Set(log.rows('result').flatMap(({ frame, digest }) => (digest ? [frame] : [])));
  for (const { frame, round } of log.rows('frame')) {
    const work = rounds.get(round) ?? { ...NO_WORK };
    if (answered.has(frame)) work.frames++;
    rounds.set(round, work);
    byFrame.set(frame, work);
  }
  for (const { frame, stage, start_ms, end_ms } of log.rows('span')) {
    const work = byFrame.get(frame);
    if (!work) continue;
    if (ON_PROCESSOR.has(stage)) work.processorMs += end_ms - start_ms;
    else if (stage === 'uplink') work.uplinkMs += end_ms - start_ms;
  }
  return rounds;
}

/** How the answered frames of a vehicle's rounds went, by the rounds' numbers. */
function waysByRound(log: LogReader, cutNames: readonly string[]): Map<number, string[]> {
  const results = new Map(log.rows('result').map((row) => [row.frame, row]));
  const ways = new Map<number, string[]>();
  for (const { frame, round } of log.rows('frame')) {
    const result = results.get(frame);
    if (!result?.digest) continue;
    const { cut, codec } = throughOf(result) ?? { cut: cutNames.length - 1, codec: 'float32' };
    const way = wayName(cutNames[cut] ?? String(cut), codec);
    ways.set(round, [...(ways.get(round) ?? []), way]);
  }
  return ways;
}

type Measured = { readonly row: Row<'round'>; readonly work: Work };

/** The channel that a vehicle shares with others, as it was configured. */
function channelOf({ config }: Row<'run'>): string | undefined {
  return (JSON.parse(config) as { link?: { channel?: string } }).link?.channel;
}

/** A round of all vehicles of a group as one. */
function together(of: readonly Measured[]): Measured {
  const most = (value: (row: Row<'round'>) => number): number => Math.max(...of.map(({ row }) => value(row)));
  const sum = (value: (work: Work) => number): number =>
    of.reduce((total, { work }) => total + value(work), 0);
  return {
    row: {
      ...of[0]!.row,
      makespan_ms: most((row) => row.makespan_ms),
      predicted_ms: most((row) => row.predicted_ms),
      lower_bound_ms: most((row) => row.lower_bound_ms),
    },
    work: {
      frames: sum(({ frames }) => frames),
      processorMs: sum(({ processorMs }) => processorMs),
      uplinkMs: sum(({ uplinkMs }) => uplinkMs),
    },
  };
}

function uplinkShare({ makespan_ms }: Row<'round'>, { uplinkMs }: Work): number {
  return makespan_ms > 0 ? uplinkMs / makespan_ms : 0;
}

/**
 * Spans are in the emulated vehicle's time, and so is its energy: the power is that of the vehicle, not of the machine
 * that stands in for it. A transfer that was broken off has no span, and its radio time does not count.
 */
function energyPerFrameJ(
  { makespan_ms }: Row<'round'>,
  { frames, processorMs, uplinkMs }: Work,
  { cpuW, radioW, idleW }: PowerModel,
): number {
  return (cpuW * processorMs + radioW * uplinkMs + idleW * makespan_ms) / 1000 / frames;
}

/** What is sent as it is goes by the cut alone. */
function wayName(cut: string, codec: Codec): string {
  return codec === 'float32' ? cut : `${cut} (${codec})`;
}

function byFrequency(names: readonly string[]): string[] {
  const groups = [...Map.groupBy(names, (name) => name)];
  return groups.sort((a, b) => b[1].length - a[1].length).map(([name]) => name);
}

function figure(log: LogReader, name: string): number {
  return log.rows('figure').find((row) => row.name === name)?.value ?? 0;
}
