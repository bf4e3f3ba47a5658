/** Which places of a line are worth cutting at. */
import type { CutShape } from '@splitlane/proto';
import { virtualBlocks } from '@splitlane/sched';
import type { Place } from './line.ts';

/**
 * Operators that work element by element and cost next to nothing: the runtime fuses them with what is
 * before them, so that a cut in front of one would change the last bits of the result.
 */
const CHEAP = new Set([
  ...['Add', 'BatchNormalization', 'Clip', 'Div', 'Dropout', 'Elu', 'HardSigmoid', 'HardSwish', 'Identity'],
  ...[
    'LeakyRelu',
    'LogSoftmax',
    'Mul',
    'PRelu',
    'Relu',
    'Selu',
    'Sigmoid',
    'Softmax',
    'Softplus',
    'Sub',
    'Tanh',
  ],
]);

/** Shape of the tensor at a place; `float32` is false for what cannot be sent yet. */
export interface PlaceShape {
  readonly dims: readonly number[];
  readonly float32: boolean;
}

/**
 * Indices of the kept cuts among the places of a line, from the input to local-only: of places with
 * equal bytes that cheap operators join the last, and of those the strict minima of bytes.
 */
export function keptCuts(places: readonly Place[], shapes: readonly PlaceShape[]): number[] {
  const last = places.length - 1;
  const candidates = places.flatMap((_, index) => {
    if (index === 0 || index === last) return [index];
    const next = places[index + 1]!.node!.opType!;
    const fused = CHEAP.has(next) && bytesOf(shapes[index + 1]!.dims) === bytesOf(shapes[index]!.dims);
    return shapes[index]!.float32 && !fused ? [index] : [];
  });
  const kept = virtualBlocks(
    candidates.map((index) => ({ bytes: bytesOf(shapes[index]!.dims), local: index === last })),
  );
  return kept.map((index) => candidates[index]!);
}

/** Bytes of a float32 tensor. */
export function bytesOf(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 4);
}

/** A kept cut as it is told to the other nodes. */
export function cutShape(place: Place, shape: PlaceShape): CutShape {
  return { id: place.tensor, dims: [...shape.dims], bytes: bytesOf(shape.dims) };
}
