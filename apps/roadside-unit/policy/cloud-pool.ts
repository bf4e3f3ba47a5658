/**
 * Several cloud workers as one pool: which of them runs each tail. A tail goes to the thread that will finish it first,
 * in order of arrival. For threads alike that is what the judge of libs/sched says; here workers may differ in speed.
 */
import type { Codec, StreamPlan, VehiclePlan } from '@splitlane/proto';

/** A cloud worker as planning sees it. */
export interface PlannedCloud {
  readonly node: string;
  /** Tails that it runs side by side. */
  readonly workers: number;
  readonly firstCut: number;
  /** Time of a tail, by cut and codec. */
  readonly tailMs: (cut: number, codec: Codec) => number;
  /** From a tensor's last byte on the uplink to its result at the vehicle, without queue and tail. */
  readonly fixedMs: number;
}

/** A vehicle's plan. */
export interface Planned {
  readonly vehicle: string;
  readonly plan: VehiclePlan;
}

/** Where two would finish within this, or a tenth of the tail, they are as good as each other: measurements scatter more. */
const ALIKE_MS = 1;
const ALIKE_SHARE = 0.1;

/** All workers as one, on average, by which cuts are chosen; its name is the longest of theirs. */
export function poolOf(clouds: readonly PlannedCloud[]): PlannedCloud | undefined {
  if (clouds.length < 2) return clouds[0];
  const workers = clouds.reduce((sum, cloud) => sum + cloud.workers, 0);
  const mean = (of: (cloud: PlannedCloud) => number): number =>
    clouds.reduce((sum, cloud) => sum + cloud.workers * of(cloud), 0) / workers;
  return {
    node: clouds.reduce((longest, { node }) => (node.length > longest.length ? node : longest), ''),
    workers,
    firstCut: Math.max(...clouds.map(({ firstCut }) => firstCut)),
    tailMs: (cut, codec) => mean(({ tailMs }) => tailMs(cut, codec)),
    fixedMs: mean(({ fixedMs }) => fixedMs),
  };
}

/** Workers of one kind take about as long for a tail, and for the way to it and back. */
const KIND_SHARE = 0.5;

/**
 * What cuts may be chosen by: all workers on average, and, where they differ much, each kind of them as if there were no
 * other. An average of a slow worker and a fast one, or of a near one and a far one, is like neither.
 */
export function poolsOf(clouds: readonly PlannedCloud[]): readonly (PlannedCloud | undefined)[] {
  const cut = Math.max(0, ...clouds.map(({ firstCut }) => firstCut));
  const times = ({ tailMs, fixedMs }: PlannedCloud): number[] => [tailMs(cut, 'float32'), fixedMs];
  const kinds: PlannedCloud[][] = [];
  for (const cloud of clouds) {
    const own = times(cloud);
    const kind = kinds.find(([first]) => {
      const others = times(first!);
      const leastMs = Math.max(ALIKE_MS, KIND_SHARE * Math.max(own[0]!, others[0]!));
      return own.every((ms, index) => Math.abs(ms - others[index]!) <= leastMs);
    });
    if (kind) kind.push(cloud);
    else kinds.push([cloud]);
  }
  return kinds.length < 2 ? [poolOf(clouds)] : [clouds, ...kinds].map(poolOf);
}

/** One vehicle's streams, and the number of its local-only cut. */
export interface VehicleStreams {
  readonly streams: readonly StreamPlan[];
  readonly lastCut: number;
}

interface Thread {
  readonly cloud: PlannedCloud;
  freeMs: number;
}

/**
 * The streams of several vehicles, each in its plan's order, with the worker of each tail and the times that follow.
 * A stream that names a worker of these keeps it; of workers that finish at about the same time the one takes it that
 * has been idle the longest. Local streams, and cuts that no worker serves, stay as they are.
 * @param rttMs of the links: half of it passes before a tail.
 */
export function assignTails(
  vehicles: readonly VehicleStreams[],
  clouds: readonly PlannedCloud[],
  rttMs: number,
): StreamPlan[][] {
  const threads = clouds.flatMap((cloud) =>
    Array.from({ length: cloud.workers }, (): Thread => ({ cloud, freeMs: 0 })),
  );
  const assigned = vehicles.map(({ streams }) => [...streams]);
  const sent = vehicles.flatMap(({ streams, lastCut }, vehicle) =>
    streams.flatMap((stream, place) => (stream.cut === lastCut ? [] : [{ stream, place, vehicle }])),
  );
  sent.sort(
    (a, b) => a.stream.uplinkEndMs - b.stream.uplinkEndMs || a.place - b.place || a.vehicle - b.vehicle,
  );
  for (const { stream, place, vehicle } of sent)
    assigned[vehicle]![place] = assignTail(stream, threads, rttMs / 2);
  return assigned;
}

function assignTail(stream: StreamPlan, threads: readonly Thread[], delayMs: number): StreamPlan {
  const { cut, codec } = stream;
  const able = ({ cloud }: Thread): boolean => cloud.firstCut <= cut;
  const keeps = threads.some((thread) => able(thread) && thread.cloud.node === stream.cloud);
  const among = threads.filter((thread) => able(thread) && (!keeps || thread.cloud.node === stream.cloud));
  let known: { readonly cloud: PlannedCloud; readonly tailMs: number } | undefined;
  const wayOf = (thread: Thread): { startMs: number; endMs: number; resultMs: number } => {
    const { cloud, freeMs } = thread;
    // Threads of one worker follow each other.
    if (known?.cloud !== cloud) known = { cloud, tailMs: cloud.tailMs(cut, codec) };
    const startMs = Math.max(stream.uplinkEndMs + delayMs, freeMs);
    const endMs = startMs + known.tailMs;
    return { startMs, endMs, resultMs: endMs + Math.max(0, cloud.fixedMs - delayMs) };
  };
  let firstMs = Number.POSITIVE_INFINITY;
  for (const thread of among) firstMs = Math.min(firstMs, wayOf(thread).resultMs);
  let best: Thread | undefined;
  for (const thread of among) {
    if (best && thread.freeMs >= best.freeMs) continue;
    const { startMs, endMs, resultMs } = wayOf(thread);
    if (resultMs <= firstMs + Math.max(ALIKE_MS, ALIKE_SHARE * (endMs - startMs))) best = thread;
  }
  if (!best) return stream;
  const { startMs, endMs, resultMs } = wayOf(best);
  best.freeMs = endMs;
  return {
    ...stream,
    cloud: best.cloud.node,
    ...{ tailStartMs: startMs, tailEndMs: endMs, endMs: resultMs },
  };
}

/**
 * What is left of a round when a worker is lost: the tails that it was to run go to the others, and every stream keeps its
 * cut. A plan of the new epoch for each vehicle that this changes.
 * @param plans those that the round runs on.
 * @param clouds those that are left.
 */
export function planWithout(
  lost: string,
  plans: readonly Planned[],
  clouds: readonly PlannedCloud[],
  rttMs: number,
  epoch: number,
  round: number,
): Planned[] {
  if (clouds.length === 0) return [];
  const vehicles = plans.map(({ plan: { streams, segmentMs } }) => ({ streams, lastCut: segmentMs.length }));
  const assigned = assignTails(vehicles, clouds, rttMs);
  return plans.flatMap(({ vehicle, plan }, index) => {
    if (plan.streams.every(({ cloud }) => cloud !== lost)) return [];
    const later = assigned[index]!.map((stream, place): StreamPlan => {
      const { endMs, giveUpMs = 0 } = plan.streams[place]!;
      return giveUpMs === 0 ? stream : { ...stream, giveUpMs: Math.max(0, giveUpMs + stream.endMs - endMs) };
    });
    const makespanMs = Math.max(0, ...later.map(({ endMs }) => endMs));
    const jobTimeoutMs = plan.jobTimeoutMs * Math.max(1, makespanMs / Math.max(1, plan.makespanMs));
    const lowerBoundMs = Math.min(plan.lowerBoundMs, makespanMs);
    const times = { makespanMs, lowerBoundMs, jobTimeoutMs };
    return [{ vehicle, plan: { ...plan, ...times, epoch, round, cloud: clouds[0]!.node, streams: later } }];
  });
}
