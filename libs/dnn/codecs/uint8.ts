/**
 * Eight bits a number, spread over the range of the tensor, or of each of its channels: see `affine.ts`.
 *
 * The runtime's own DynamicQuantizeLinear is faster for large tensors and slower for small ones (`npm run bench:codecs`).
 * It needs a session of its own and a thread that it may block; loops take at most 3 % of the transfer that they save at
 * 54 Mbit/s as it is.
 *
 * Bytes: the first byte; for each range three bytes of its scale and one of its zero point; one for each number.
 */
import { AFFINE_BYTES, affineOf, dequantise, quantise, readAffine, writeAffine } from './affine.ts';
import {
  CodecError,
  checkBytes,
  checkTensor,
  elementsOf,
  FIRST_BYTE,
  type TensorCodec,
} from './tensor-codec.ts';
import { rangeOf, type ValueRange } from './value-range.ts';

export interface ClipOptions {
  /** So many per cent of the values at either end may be clipped; 0, from the least to the greatest, unless given. */
  readonly clipPercent?: number;
}

export interface Uint8Options extends ClipOptions {
  /** A range measured before, in place of the tensor's own; what lies outside is clipped to it. */
  readonly range?: ValueRange;
}

/** Planes with fewer pixels have no range of their own: it would weigh a quarter of their bytes, or more. */
const LEAST_PLANE = 16;

/** One range for the whole tensor, of any shape. @throws RangeError for options without sense. */
export function uint8(options: Uint8Options = {}): TensorCodec {
  const { range } = options;
  if (
    range &&
    !(range[0] <= range[1] && range.every((end) => Math.abs(Math.fround(end)) < Number.POSITIVE_INFINITY))
  )
    throw new RangeError(`range ${range.join(' … ')}: must be two finite numbers, the lower first`);
  return affineCodec('uint8', () => 1, clipOf(options), range);
}

/**
 * A range for every plane of a tensor [N,C,H,W], at batch 1 for every channel; one for the whole of any other tensor,
 * and of one with planes under 16 pixels. Its steps are never greater than those of `uint8`.
 * @throws RangeError for options without sense.
 */
export function uint8Channel(options: ClipOptions = {}): TensorCodec {
  return affineCodec('uint8-channel', planesOf, clipOf(options));
}

function planesOf(dims: readonly number[]): number {
  const [batch = 0, channels = 0, height = 0, width = 0] = dims;
  return dims.length === 4 && height * width >= LEAST_PLANE ? batch * channels : 1;
}

function clipOf({ clipPercent = 0 }: ClipOptions): number {
  if (!(clipPercent >= 0 && clipPercent < 50))
    throw new RangeError(`clipPercent ${clipPercent}: must be from 0 to under 50`);
  return clipPercent;
}

function affineCodec(
  id: 'uint8' | 'uint8-channel',
  groupsOf: (dims: readonly number[]) => number,
  clipPercent: number,
  range?: ValueRange,
): TensorCodec {
  const bodyAt = (dims: readonly number[]): number => 1 + AFFINE_BYTES * groupsOf(dims);
  const fixed = range && affineOf(Math.min(0, range[0]), Math.max(0, range[1]));
  return {
    id,
    lossless: false,
    maxBytes: (dims) => bodyAt(dims) + elementsOf(dims),
    encode(tensor, dims) {
      checkTensor(tensor, dims);
      const groups = groupsOf(dims);
      const size = groups === 0 ? 0 : tensor.length / groups;
      const body = bodyAt(dims);
      const bytes = new Uint8Array(body + tensor.length);
      bytes[0] = FIRST_BYTE[id];
      for (let group = 0; group < groups; group++) {
        const [from, to] = [group * size, (group + 1) * size];
        const affine = fixed ?? affineOf(...rangeOf(tensor, from, to, clipPercent));
        writeAffine(affine, bytes, 1 + AFFINE_BYTES * group);
        quantise(tensor, from, to, affine, bytes, body + from);
      }
      return bytes;
    },
    decode(bytes, dims) {
      const elements = elementsOf(dims);
      const groups = groupsOf(dims);
      const size = groups === 0 ? 0 : elements / groups;
      const body = bodyAt(dims);
      checkBytes(id, bytes, body + elements, FIRST_BYTE[id]);
      const tensor = new Float32Array(elements);
      for (let group = 0; group < groups; group++) {
        const [from, to] = [group * size, (group + 1) * size];
        dequantise(bytes, body + from, affineAt(id, bytes, group), tensor, from, to);
      }
      return tensor;
    },
  };
}

function affineAt(id: string, bytes: Uint8Array, group: number): ReturnType<typeof readAffine> {
  try {
    return readAffine(bytes, 1 + AFFINE_BYTES * group);
  } catch (error) {
    throw new CodecError(`${id}: ${(error as CodecError).message}`);
  }
}
