/**
 * The thread that measures a model: its segments as nodes run them, then the operators in them. ONNX Runtime
 * blocks the thread that calls it, and times are only worth something where nothing else runs in it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock as clock, seededRandom } from '@splitlane/clock';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Card } from './card.ts';
import type { Assignment } from './inference-messages.ts';
import { inputChannels } from './normalisation.ts';
import { SESSION_OPTIONS } from './session-options.ts';

/** What the thread is started with. */
export interface ProfileTask extends Assignment {
  readonly threads: number;
  /** Runs of the chain whose segments are timed, and those whose operators are. */
  readonly repetitions: number;
  readonly layerRepetitions: number;
  /** Runs before them that do not count. */
  readonly warmUps: number;
  /** Rest before each run. */
  readonly gapMs: number;
  /** An empty folder for the runtime's own profiles. */
  readonly folder: string;
  /** Its one element is not 0 once the thread is to end. */
  readonly stopped: Int32Array<SharedArrayBuffer>;
}

/** The times of an operator in ms, one for each run. */
export interface LayerRuns {
  readonly node: string;
  readonly operator: string;
  /** Index of the segment that it is in. */
  readonly segment: number;
  readonly runs: readonly number[];
}

/** What was measured, or how much of it is, from 0 to 1. */
export type ProfileMessage =
  | { readonly kind: 'progress'; readonly what: string; readonly fraction: number }
  | {
      readonly kind: 'measured';
      /** For each segment its time in ms in each run. */
      readonly segmentRuns: readonly (readonly number[])[];
      readonly layers: readonly LayerRuns[];
    }
  | { readonly kind: 'error'; readonly error: string };

const task = workerData as ProfileTask;
const { segments, cuts, card, folder, stopped } = task;
const port = parentPort!;
const tell = (message: ProfileMessage): void => port.postMessage(message);

const PICTURE_SEED = 1;
const LOADING = 'loading the segments';
const SEGMENTS = 'measuring the segments';
const LAYERS = 'measuring the operators';

/** What the network is fed: some operators take another time for zeros or for a single colour. */
function pictureLike(card: Card): Float32Array {
  const { height, width, range, mean, std } = card;
  const random = seededRandom(PICTURE_SEED);
  const channels = inputChannels(card);
  const pixels = height * width;
  const tensor = new Float32Array(channels.length * pixels);
  channels.forEach(({ start, stride }, c) => {
    const [phase, waves] = [6 * random(), 2 + 4 * random()];
    for (let pixel = 0; pixel < pixels; pixel++) {
      const y = Math.floor(pixel / width) / height;
      const x = (pixel % width) / width;
      const smooth = 0.5 + 0.3 * Math.sin(phase + waves * (x + 2 * y)) + 0.2 * (random() - 0.5);
      tensor[start + pixel * stride] = (range[0] + (range[1] - range[0]) * smooth - mean[c]!) / std[c]!;
    }
  });
  return tensor;
}

function rest(): void {
  if (Atomics.load(stopped, 0) === 0) Atomics.wait(stopped, 0, 0, task.gapMs);
  if (Atomics.load(stopped, 0) !== 0) process.exit();
}

async function load(options: InferenceSession.SessionOptions): Promise<InferenceSession[]> {
  const sessions: InferenceSession[] = [];
  for (const [index, file] of segments.entries()) {
    if (Atomics.load(stopped, 0) !== 0) process.exit();
    // A profile is named by the second in which it was begun: a prefix of its own keeps them apart.
    const own = options.enableProfiling ? { profileFilePrefix: path.join(folder, `segment-${index}`) } : {};
    sessions.push(await InferenceSession.create(file, { ...options, ...own }));
  }
  return sessions;
}

/** Runs the chain with a rest before each run. Returns each segment's time in each run that counts. */
async function runChain(
  sessions: readonly InferenceSession[],
  input: Float32Array,
  repetitions: number,
  onRun: (fraction: number) => void,
): Promise<number[][]> {
  const times: number[][] = sessions.map(() => []);
  for (let run = -task.warmUps; run < repetitions; run++) {
    rest();
    let data = input;
    for (const [index, session] of sessions.entries()) {
      const startMs = clock.now();
      const feeds = { [cuts[index]!.id]: new Tensor('float32', data, cuts[index]!.dims) };
      data = (await session.run(feeds))[cuts[index + 1]!.id]!.data as Float32Array;
      if (run >= 0) times[index]!.push(clock.now() - startMs);
    }
    onRun((run + 1 + task.warmUps) / (repetitions + task.warmUps));
  }
  return times;
}

/** An event of the runtime's profile; times in µs. */
interface RuntimeEvent {
  readonly category: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: string;
}

const KERNEL = '_kernel_time';
/** It looks like JSON, but the runtime writes names as they are: a quotation mark in one breaks it. */
const EVENT = /^\{"cat" : "(\w+)",.*?"dur" :(\d+),"ts" :(\d+),"ph" : "X","name" :"(.*?)","args" : (\{.*)$/s;

function eventsOf(file: string): RuntimeEvent[] {
  return readFileSync(file, 'utf8')
    .split(/\n(?=\{"cat" : ")/)
    .flatMap((text) => {
      const [, category, dur, ts, name, args] = EVENT.exec(text) ?? [];
      return category === undefined
        ? []
        : [{ category, name: name!, ts: Number(ts), dur: Number(dur), args: args! }];
    });
}

/** The operators of a segment, from the profile of its session; runs that do not count are left out. */
function layersOf(segment: number): LayerRuns[] {
  const file = readdirSync(folder).find((name) => name.startsWith(`segment-${segment}_`))!;
  const events = eventsOf(path.join(folder, file));
  const byStart = (a: RuntimeEvent, b: RuntimeEvent): number => a.ts - b.ts || b.dur - a.dur;
  const runs = events
    .filter(({ category, name }) => category === 'Session' && name === 'model_run')
    .sort(byStart);
  const nodes = events
    .filter(({ category, name }) => category === 'Node' && name.endsWith(KERNEL))
    .sort(byStart);
  const layers = new Map<string, LayerRuns & { readonly runs: number[] }>();
  const counted = runs.slice(task.warmUps);
  let run = -1;
  let endUs = 0;
  for (const { name, ts, dur, args } of nodes) {
    // Operators of a graph inside an operator (a loop's) are part of its time.
    if (ts < endUs) continue;
    endUs = ts + dur;
    while (counted[run + 1] && counted[run + 1]!.ts <= ts) run++;
    if (run < 0) continue;
    // Names need not be unique.
    const key = `${wordOf(args, 'node_index')} ${name}`;
    const layer = layers.get(key) ?? {
      node: name.slice(0, -KERNEL.length),
      operator: wordOf(args, 'op_name'),
      segment,
      runs: new Array<number>(counted.length).fill(0),
    };
    layer.runs[run]! += dur / 1000;
    layers.set(key, layer);
  }
  return [...layers.values()];
}

const wordOf = (args: string, key: string): string =>
  new RegExp(`"${key}" : "([^"]*)"`).exec(args)?.[1] ?? '';

async function measure(): Promise<void> {
  const input = pictureLike(card);
  const options: InferenceSession.SessionOptions = { ...SESSION_OPTIONS, intraOpNumThreads: task.threads };
  tell({ kind: 'progress', what: LOADING, fraction: 0 });
  const sessions = await load(options);
  const segmentRuns = await runChain(sessions, input, task.repetitions, (fraction) =>
    tell({ kind: 'progress', what: SEGMENTS, fraction }),
  );
  // Two sets of sessions would take twice the memory.
  for (const session of sessions) await session.release();

  tell({ kind: 'progress', what: LAYERS, fraction: 0 });
  const watched = await load({ ...options, graphOptimizationLevel: 'basic', enableProfiling: true });
  await runChain(watched, input, task.layerRepetitions, (fraction) =>
    tell({ kind: 'progress', what: LAYERS, fraction }),
  );
  for (const session of watched) {
    session.endProfiling();
    await session.release();
  }
  tell({ kind: 'measured', segmentRuns, layers: segments.flatMap((_, index) => layersOf(index)) });
}

try {
  await measure();
} catch (error) {
  tell({ kind: 'error', error: (error as Error).message });
}
