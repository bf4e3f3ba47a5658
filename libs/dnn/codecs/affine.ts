/**
 * Affine quantisation to 8 bits: value = scale · (q − zeroPoint), q in 0 … 255 [Jacob18, eq. 1]. 0 has a q of its own
 * and stays exactly 0, so the zeros that a ReLU makes stay alike, and compress well.
 *
 * [Jacob18] Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
 * Inference, CVPR 2018.
 */
import { CodecError } from './tensor-codec.ts';

/** The value of a step, and the q that stands for 0. A scale of 0: all values are 0. */
export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Bytes that an affine map takes: three of the scale, one of the zero point. */
export const AFFINE_BYTES = 4;

const STEPS = 255;
const LEAST_SCALE = 2 ** -126;
const GREATEST_FLOAT32 = 2 ** 128 - 2 ** 104;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The next lower float32 of 16 significant bits: times a whole number up to 255 it is exact in float32. */
function shortened(scale: number): number {
  float[0] = scale;
  // Rounded to nearest on its way into float32, so perhaps up.
  if (float[0] > scale) bits[0]!--;
  bits[0]! &= 0xffffff00;
  return float[0]!;
}

/**
 * The map for values from `lowest` ≤ 0 to `highest` ≥ 0, both finite. A value between them decodes at most half a step
 * away, plus 1/128 of a step since the scale is shortened downwards: the ends are then always 0 and 255, and what was
 * decoded once is coded and decoded to the very same. A range under 3 · 10⁻³⁶ is taken for 0; within a step of the
 * greatest float32 the error is a step and a half.
 */
export function affineOf(lowest: number, highest: number): Affine {
  const scale = shortened((highest - lowest) / STEPS);
  if (scale < LEAST_SCALE) return { scale: 0, zeroPoint: 0 };
  // Ties downwards: `lowest` becomes 0 and not 1.
  const zeroPoint = Math.min(STEPS, Math.max(0, Math.ceil(-lowest / scale - 0.5)));
  // Neither end may decode to Infinity.
  const limit = shortened(GREATEST_FLOAT32 / Math.max(zeroPoint, STEPS - zeroPoint));
  return { scale: Math.min(scale, limit), zeroPoint };
}

/** Quantises `values[from]` … `values[to − 1]` into `target` from `at` on. NaN becomes the zero point. */
export function quantise(
  values: Float32Array,
  from: number,
  to: number,
  { scale, zeroPoint }: Affine,
  target: Uint8Array,
  at: number,
): void {
  if (scale === 0) {
    target.fill(zeroPoint, at, at + to - from);
    return;
  }
  const offset = zeroPoint + 0.5;
  const shift = at - from;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    // Divided, not multiplied by the inverse: a tie must come out as one. The array cuts the fraction off. Written
    // with min and max it takes half the time that it takes with branches.
    const q = (Number.isNaN(value) ? 0 : value) / scale + offset;
    target[i + shift] = Math.max(0, Math.min(q, STEPS));
  }
}

/** The values of `bytes` from `at` on into `values[from]` … `values[to − 1]`. */
export function dequantise(
  bytes: Uint8Array,
  at: number,
  { scale, zeroPoint }: Affine,
  values: Float32Array,
  from: number,
  to: number,
): void {
  const shift = at - from;
  for (let i = from; i < to; i++) values[i] = (bytes[i + shift]! - zeroPoint) * scale;
}

/** Writes four bytes: those of the scale as float32 but for its last, which is 0, highest first; the zero point. */
export function writeAffine({ scale, zeroPoint }: Affine, target: Uint8Array, at: number): void {
  float[0] = scale;
  const high = bits[0]! >>> 8;
  target[at] = high >>> 16;
  target[at + 1] = high >>> 8;
  target[at + 2] = high;
  target[at + 3] = zeroPoint;
}

/** What `writeAffine` wrote. @throws CodecError where a value would be no finite number. */
export function readAffine(bytes: Uint8Array, at: number): Affine {
  bits[0] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8);
  const scale = float[0]!;
  const zeroPoint = bytes[at + 3]!;
  const greatest = scale * Math.max(zeroPoint, STEPS - zeroPoint);
  if (!(scale >= 0 && greatest <= GREATEST_FLOAT32))
    throw new CodecError(`a scale of ${scale} with zero point ${zeroPoint} gives no finite numbers`);
  return { scale, zeroPoint };
}
