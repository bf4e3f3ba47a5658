/** What codecs do to the tensors of some frames: bytes, times, and how much of the network's answer is lost. */
import {
  BUILT_IN,
  type Card,
  type Fidelity,
  fidelity,
  InferenceThread,
  type PreparedModel,
  sameTopClass,
} from '@splitlane/dnn';
import { median } from '@splitlane/field-tests';
import { type Codec, isLossless } from '@splitlane/proto';
import type { Frame } from '@splitlane/vehicle-node';

/** Each frame is coded and decoded so often; the first time of all does not count. */
const REPETITIONS = 3;

/** A codec at a kept cut, as it was measured on some frames. */
export interface CodecMeasurement {
  /** Index of the cut. */
  readonly cut: number;
  readonly codec: Codec;
  /** Mean of the coded bytes. */
  readonly bytes: number;
  /** Medians, on this machine. A JPEG is made by the camera; its decoding is the preparation of the picture. */
  readonly encodeMs: number;
  readonly decodeMs: number;
  readonly lossless: boolean;
  /** Share of the frames whose output has its greatest number at the same place. */
  readonly top1Agreement: number;
  /** Mean cosine of the angle between the outputs. */
  readonly cosine: number;
  /** Greatest difference of two numbers of the outputs. */
  readonly maxDifference: number;
  /** 1 − the agreement, or 1 − the cosine where the classes mean nothing; 0 for a codec without loss. */
  readonly loss: number;
}

/**
 * Whether the loss of a network is judged by the cosine similarity of its outputs. With seeded weights the first class
 * means nothing, and what is no classifier has none.
 * @param source a built-in name, or the path of an ONNX file.
 */
export function judgedByCosine(source: string, { read = 'classify' }: Card): boolean {
  return Object.hasOwn(BUILT_IN, source) || read !== 'classify';
}

/**
 * How far an answer is from the whole model's, from 0 on: 1 − the cosine of the outputs' angle; where classes mean
 * something, whether the first one is another.
 */
export function lossOf(reference: Float32Array, output: Float32Array, byCosine: boolean): number {
  if (byCosine) return Math.max(0, 1 - fidelity(reference, output).cosine);
  return sameTopClass(reference, output) ? 0 : 1;
}

/** The tensors of a frame at all kept cuts, the output last. */
interface FrameTensors {
  readonly jpeg: Uint8Array;
  readonly tensors: readonly Tensor[];
}
type Tensor = Float32Array<ArrayBuffer>;

/** What one codec did to one frame. */
interface Coded {
  readonly bytes: number;
  readonly encodeMs: readonly number[];
  readonly decodeMs: readonly number[];
  readonly sameTop: boolean;
  readonly fidelity: Fidelity;
}

/**
 * Measures codecs at each kept cut but local-only, in a thread of its own: `raw-uint8` and `jpeg` at the first one.
 * @param onProgress told after each codec at each cut of each frame; what it throws ends the work.
 */
export async function calibrate(
  model: PreparedModel,
  frames: readonly Frame[],
  codecs: readonly Codec[],
  byCosine: boolean,
  onProgress: (fraction: number) => void,
): Promise<CodecMeasurement[]> {
  const atInput = (codec: Codec): boolean => codec === 'raw-uint8' || codec === 'jpeg';
  const points = model.segments.flatMap((_, cut) =>
    codecs.filter((codec) => cut === 0 || !atInput(codec)).map((codec) => ({ cut, codec })),
  );
  const seen = new Map(points.filter(({ codec }) => codec !== 'float32').map((point): Seen => [point, []]));
  if (seen.size > 0) await measureAll(model, frames, seen, onProgress);
  return points.map((point) => {
    const coded = seen.get(point);
    return coded ? summary(point, coded, byCosine) : plain(point.cut, model.cuts[point.cut]!.bytes);
  });
}

interface Point {
  readonly cut: number;
  readonly codec: Codec;
}
type Seen = [point: Point, coded: Coded[]];

/** Adds what each codec did to each frame to what was seen of it. */
async function measureAll(
  model: PreparedModel,
  frames: readonly Frame[],
  seen: ReadonlyMap<Point, Coded[]>,
  onProgress: (fraction: number) => void,
): Promise<void> {
  const thread = new InferenceThread(model);
  try {
    await thread.ready();
    let done = 0;
    for (const [nth, frame] of frames.entries()) {
      const all = await tensorsOf(thread, model, frame);
      const outputs = new KnownOutputs(thread, all.tensors);
      for (const [point, coded] of seen) {
        if (nth === 0) await codeOnce(thread, all, point);
        coded.push(await measure(thread, all, outputs, point));
        onProgress(++done / (frames.length * seen.size));
      }
    }
  } finally {
    await thread.stop();
  }
}

/** A tensor as it lies in memory is sent without being coded. */
function plain(cut: number, bytes: number): CodecMeasurement {
  return {
    ...{ cut, codec: 'float32', bytes, encodeMs: 0, decodeMs: 0, lossless: true },
    ...{ top1Agreement: 1, cosine: 1, maxDifference: 0, loss: 0 },
  };
}

async function tensorsOf(
  thread: InferenceThread,
  { segments }: PreparedModel,
  { jpeg, tensor }: Frame,
): Promise<FrameTensors> {
  const tensors: Tensor[] = [tensor];
  for (const cut of segments.keys()) {
    const input = { kind: 'float32' as const, data: tensors[cut]! };
    tensors.push((await thread.run({ from: cut, to: cut + 1, input, wantsOutput: true }, true)).tensor!);
  }
  return { jpeg, tensors };
}

/** The outputs that belong to tensors at cuts: tensors of the same bits have the same, so it is worked out once. */
class KnownOutputs {
  readonly #thread: InferenceThread;
  readonly #last: number;
  readonly #known: { readonly tensor: Tensor; readonly output: Tensor }[][];

  constructor(thread: InferenceThread, tensors: readonly Tensor[]) {
    this.#thread = thread;
    this.#last = tensors.length - 1;
    this.#known = tensors.map((tensor) => [{ tensor, output: tensors[this.#last]! }]);
  }

  async of(cut: number, tensor: Tensor): Promise<Tensor> {
    const bytes = new Uint8Array(tensor.buffer);
    const alike = this.#known[cut]!.find(
      (one) => Buffer.compare(new Uint8Array(one.tensor.buffer), bytes) === 0,
    );
    if (alike) return alike.output;
    const input = { kind: 'float32' as const, data: tensor };
    const reply = await this.#thread.run({ from: cut, to: this.#last, input, wantsOutput: true }, true);
    this.#known[cut]!.push({ tensor, output: reply.tensor! });
    return reply.tensor!;
  }
}

async function measure(
  thread: InferenceThread,
  all: FrameTensors,
  outputs: KnownOutputs,
  point: Point,
): Promise<Coded> {
  const { cut, codec } = point;
  const runs = [];
  for (let run = 0; run < REPETITIONS; run++) runs.push(await codeOnce(thread, all, point));
  const whole = all.tensors.at(-1)!;
  const output = isLossless(codec) ? whole : await outputs.of(cut, runs[0]!.decoded);
  return {
    bytes: runs[0]!.bytes,
    encodeMs: runs.map(({ encodeMs }) => encodeMs),
    decodeMs: runs.map(({ decodeMs }) => decodeMs),
    sameTop: output === whole || sameTopClass(whole, output),
    fidelity: output === whole ? SAME : fidelity(whole, output),
  };
}

const SAME: Fidelity = { cosine: 1, maxDifference: 0, maxRelativeDifference: 0 };

/** There and back; a JPEG is sent as the camera made it. */
async function codeOnce(
  thread: InferenceThread,
  { jpeg, tensors }: FrameTensors,
  { cut, codec }: Point,
): Promise<{ bytes: number; encodeMs: number; decodeMs: number; decoded: Tensor }> {
  const at = { from: cut, to: cut };
  if (codec === 'jpeg') {
    const { realMs, tensor: decoded } = await thread.run({ ...at, input: { kind: 'jpeg', data: jpeg } });
    return { bytes: jpeg.length, encodeMs: 0, decodeMs: realMs, decoded: decoded! };
  }
  const tensor = { kind: 'float32' as const, data: tensors[cut]! };
  const { coded, codecMs: encodeMs } = await thread.run({ ...at, input: tensor, encodeAs: codec }, true);
  const input = { kind: 'coded' as const, codec, data: coded! };
  const { tensor: decoded, codecMs: decodeMs } = await thread.run({ ...at, input });
  return { bytes: coded!.length, encodeMs, decodeMs, decoded: decoded! };
}

function summary({ cut, codec }: Point, seen: readonly Coded[], byCosine: boolean): CodecMeasurement {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const top1Agreement = mean(seen.map(({ sameTop }) => Number(sameTop)));
  const cosine = mean(seen.map((one) => one.fidelity.cosine));
  return {
    ...{ cut, codec, lossless: isLossless(codec) },
    bytes: mean(seen.map(({ bytes }) => bytes)),
    encodeMs: median(seen.flatMap(({ encodeMs }) => encodeMs)),
    decodeMs: median(seen.flatMap(({ decodeMs }) => decodeMs)),
    ...{ top1Agreement, cosine },
    maxDifference: Math.max(...seen.map((one) => one.fidelity.maxDifference)),
    loss: Math.max(0, 1 - (byCosine ? cosine : top1Agreement)),
  };
}
