/** The range that 8 bits are spread over: from the least to the greatest value, or without outliers. */
import { nthLeast } from './nth-least.ts';

/** Lowest and highest value; 0 lies between them. */
export type ValueRange = readonly [number, number];

/**
 * The range of the finite ones of `values[from]` … `values[to − 1]`, widened to hold 0.
 * @param clipPercent so many per cent of the values at either end may lie outside, 0 to 50; values of the tensor
 *   itself, not between two, so that what was clipped once is not clipped further.
 */
export function rangeOf(values: Float32Array, from: number, to: number, clipPercent: number): ValueRange {
  if (clipPercent > 0) return clippedRange(finiteOf(values, from, to), clipPercent);
  let lowest = 0;
  let highest = 0;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    // NaN is neither.
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  if (highest - lowest < Number.POSITIVE_INFINITY) return [lowest, highest];
  const finite = finiteOf(values, from, to);
  return rangeOf(finite, 0, finite.length, 0);
}

/** A copy. In a loop, since `filter` takes ten times as long. */
function finiteOf(values: Float32Array, from: number, to: number): Float32Array {
  const finite = new Float32Array(to - from);
  let length = 0;
  for (let i = from; i < to; i++) if (Number.isFinite(values[i])) finite[length++] = values[i]!;
  return finite.subarray(0, length);
}

/** @param finite is put into another order. */
function clippedRange(finite: Float32Array, clipPercent: number): ValueRange {
  if (finite.length === 0) return [0, 0];
  const outside = Math.floor((clipPercent / 100) * (finite.length - 1));
  const lowest = nthLeast(finite, outside);
  return [Math.min(0, lowest), Math.max(0, nthLeast(finite, finite.length - 1 - outside))];
}
