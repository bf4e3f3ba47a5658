/** How near a decoded tensor, or the answer made from it, is to the one without a codec. */
import { topClasses } from '../top-classes.ts';

export interface Fidelity {
  /** Cosine of the angle between both, 1 where they point the same way; 1 of two that are all zeros. */
  readonly cosine: number;
  /** The greatest difference of two numbers at the same place. */
  readonly maxDifference: number;
  /** The same over the greatest magnitude in the reference; 0 where nothing differs. */
  readonly maxRelativeDifference: number;
}

/**
 * Compares two tensors of the same length. NaN in either makes figures NaN, so that none passes for good.
 * @throws RangeError where the lengths differ.
 */
export function fidelity(reference: Float32Array, decoded: Float32Array): Fidelity {
  if (reference.length !== decoded.length)
    throw new RangeError(`${decoded.length} numbers beside ${reference.length}`);
  let [product, ofReference, ofDecoded, maxDifference, magnitude] = [0, 0, 0, 0, 0];
  for (let i = 0; i < reference.length; i++) {
    const a = reference[i]!;
    const b = decoded[i]!;
    product += a * b;
    ofReference += a * a;
    ofDecoded += b * b;
    maxDifference = Math.max(maxDifference, Math.abs(a - b));
    magnitude = Math.max(magnitude, Math.abs(a));
  }
  const norms = Math.sqrt(ofReference) * Math.sqrt(ofDecoded);
  const bothZero = ofReference === 0 && ofDecoded === 0;
  return {
    cosine: bothZero ? 1 : norms === 0 ? 0 : Math.max(-1, Math.min(1, product / norms)),
    maxDifference,
    maxRelativeDifference: maxDifference === 0 ? 0 : maxDifference / magnitude,
  };
}

/** Whether both outputs of a network name the same class first; false where either names none. */
export function sameTopClass(reference: Float32Array, decoded: Float32Array): boolean {
  const [first, second] = [reference, decoded].map((scores) => topClasses(scores, [], 1)[0]?.index);
  return first !== undefined && first === second;
}
