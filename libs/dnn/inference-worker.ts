/**
 * The inference thread. `run` and `create` of ONNX Runtime block the thread that calls them for their
 * whole length, so they are called in here only, one run at a time.
 */
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock as clock } from '@splitlane/clock';
import type { Codec } from '@splitlane/proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { timeChain } from './chain-times.ts';
import { rawUint8, TENSOR_CODECS, type TensorCodec } from './codecs/index.ts';
import { detectBoxes } from './detect.ts';
import type {
  Answer,
  Input,
  MeasureReply,
  MeasureRequest,
  RunReply,
  RunRequest,
  StopRequest,
  ThreadData,
} from './inference-messages.ts';
import { type FrameSize, pictureToTensor } from './picture.ts';
import { SESSION_OPTIONS } from './session-options.ts';
import { topClasses } from './top-classes.ts';

const { assignment, stopped } = workerData as ThreadData;
const { segments, cuts, first, card } = assignment;
const port = parentPort!;
const pixels = rawUint8(card);
const sessions: InferenceSession[] = [];

/** Sleeps this thread until `atMs`; precise to about 0.1 ms, where a timer is to a millisecond. */
function sleepUntil(atMs: number): void {
  const restMs = atMs - clock.now();
  if (restMs > 0) Atomics.wait(stopped, 0, 0, restMs);
  if (Atomics.load(stopped, 0) !== 0) process.exit();
}

async function runSegment(index: number, data: Float32Array): Promise<Float32Array> {
  const session = sessions[index - first]!;
  const feeds = { [cuts[index]!.id]: new Tensor('float32', data, cuts[index]!.dims) };
  const output = (await session.run(feeds))[cuts[index + 1]!.id]!;
  return output.data as Float32Array;
}

function answerOf(output: Float32Array, frameSize: FrameSize | undefined): Answer {
  const bytes = new Uint8Array(output.buffer, output.byteOffset, output.byteLength);
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const classifies = card.read === undefined || card.read === 'classify';
  return {
    top: classifies ? topClasses(output, card.labels) : [],
    boxes: card.read === 'detect' && frameSize ? detectBoxes(output, cuts.at(-1)!.dims, card, frameSize) : [],
    digest,
  };
}

function codecOf(id: Codec): TensorCodec {
  if (id === 'raw-uint8') return pixels;
  if (id === 'jpeg') throw new Error('a JPEG is made by the camera');
  return TENSOR_CODECS[id];
}

async function tensorOf(input: Input, cut: number): Promise<Float32Array> {
  if (input.kind === 'jpeg') return pictureToTensor(input.data, card);
  return input.kind === 'coded' ? codecOf(input.codec).decode(input.data, cuts[cut]!.dims) : input.data;
}

async function run(request: RunRequest): Promise<RunReply> {
  const { id, from, to, input, frameSize, emulatedMs, encodeAs, wantsOutput } = request;
  const startMs = clock.now();
  let data = await tensorOf(input, from);
  let codecMs = input.kind === 'coded' ? clock.now() - startMs : 0;
  for (let index = from; index < to; index++) data = await runSegment(index, data);
  let coded: Uint8Array<ArrayBuffer> | undefined;
  if (encodeAs !== undefined) {
    const encodeMs = clock.now();
    coded = new Uint8Array(codecOf(encodeAs).encode(data, cuts[to]!.dims));
    codecMs += clock.now() - encodeMs;
  }
  const ended = to === cuts.length - 1;
  const answer = ended ? answerOf(data, frameSize) : undefined;
  const realMs = clock.now() - startMs;
  const overrun = emulatedMs !== undefined && realMs > emulatedMs;
  if (emulatedMs !== undefined) sleepUntil(startMs + emulatedMs);
  const times = { id, startMs, endMs: clock.now(), realMs, overrun, codecMs };
  return {
    ...times,
    ...(answer ? { answer } : {}),
    ...(ended && !wantsOutput ? {} : { tensor: new Float32Array(data) }),
    ...(coded ? { coded } : {}),
  };
}

async function measure({ id, repetitions, warmUps, gapMs }: MeasureRequest): Promise<MeasureReply> {
  const rest = (): void => sleepUntil(clock.now() + gapMs);
  const times = await timeChain({ sessions, first, cuts, card, repetitions, warmUps, rest });
  return { id, segmentRuns: times };
}

async function load(): Promise<void> {
  for (const file of segments.slice(first))
    sessions.push(await InferenceSession.create(file, SESSION_OPTIONS));
  port.postMessage('ready');
}

async function answer(request: RunRequest | MeasureRequest): Promise<void> {
  try {
    if (request.kind === 'measure') return port.postMessage(await measure(request));
    const reply = await run(request);
    const { tensor, coded } = reply;
    port.postMessage(reply, [...(tensor ? [tensor.buffer] : []), ...(coded ? [coded.buffer] : [])]);
  } catch (error) {
    port.postMessage({ id: request.id, error: (error as Error).message });
  }
}

const loaded = load();
let turn = loaded;
port.on('message', (request: RunRequest | MeasureRequest | StopRequest) => {
  if (request.kind === 'stop') process.exit();
  turn = turn.then(() => answer(request));
});
await loaded;
