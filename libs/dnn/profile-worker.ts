/**
 * The thread that measures a model: its segments as nodes run them, then the operators in them. ONNX Runtime
 * blocks the thread that calls it, and times are only worth something where nothing else runs in it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';
import { timeChain } from './chain-times.ts';
import type { Assignment } from './inference-messages.ts';
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

const LOADING = 'loading the segments';
const SEGMENTS = 'measuring the segments';
const LAYERS = 'measuring the operators';

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
  const options: InferenceSession.SessionOptions = { ...SESSION_OPTIONS, intraOpNumThreads: task.threads };
  const runChain = (sessions: readonly InferenceSession[], what: string, repetitions: number) =>
    timeChain({
      ...{ sessions, first: 0, cuts, card, repetitions, warmUps: task.warmUps, rest },
      onRun: (fraction) => tell({ kind: 'progress', what, fraction }),
    });
  tell({ kind: 'progress', what: LOADING, fraction: 0 });
  const sessions = await load(options);
  const segmentRuns = await runChain(sessions, SEGMENTS, task.repetitions);
  // Two sets of sessions would take twice the memory.
  for (const session of sessions) await session.release();

  tell({ kind: 'progress', what: LAYERS, fraction: 0 });
  const watched = await load({ ...options, graphOptimizationLevel: 'basic', enableProfiling: true });
  await runChain(watched, LAYERS, task.layerRepetitions);
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
