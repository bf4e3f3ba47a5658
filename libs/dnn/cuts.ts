/** Which places of the outer line are worth cutting at. */
import type { CutShape } from '@splitlane/proto';
import { virtualBlocks } from '@splitlane/sched';
import { CHEAP } from './cheap-operators.ts';
import type { Place } from './network.ts';
import { bytesOf, type TensorShape } from './tensors.ts';

/** What goes over the wire, in `libs/proto`: names, dimensions, bytes. */
const MOST_NAME = 500;
const MOST_DIMS = 8;
const MOST_BYTES = 256 * 1024 * 1024;

/** Bytes of all tensors of a cut. */
export function cutBytes(shapes: readonly TensorShape[]): number {
  return shapes.reduce((sum, shape) => sum + bytesOf(shape), 0);
}

/** Whether a cut inside the network can be sent: one float32 tensor whose shape is always the same. */
function canBeSent({ tensors }: Place, shapes: readonly TensorShape[]): boolean {
  const [shape, ...others] = shapes;
  if (shape === undefined || others.length > 0) return false;
  const { type, dims, varies } = shape;
  const fits = dims.length > 0 && dims.length <= MOST_DIMS && bytesOf(shape) <= MOST_BYTES;
  return type === 'float32' && !varies && fits && bytesOf(shape) > 0 && tensors[0]!.length <= MOST_NAME;
}

/**
 * Indices of the kept cuts among the places of an outer line, from the input to local-only: of places with
 * equal bytes that cheap operators join the last, and of those the strict minima of bytes.
 * @param shapes of each place's tensors.
 * @param changing indices of places where a cut was seen to change the output; they are not kept.
 */
export function keptCuts(
  places: readonly Place[],
  shapes: readonly (readonly TensorShape[])[],
  changing: ReadonlySet<number> = new Set(),
): number[] {
  const last = places.length - 1;
  const candidates = places.flatMap((place, index) => {
    if (index === 0 || index === last) return [index];
    const isCheap = places[index + 1]!.nodes.every((node) => CHEAP.has(node.opType!));
    const fused = isCheap && cutBytes(shapes[index + 1]!) === cutBytes(shapes[index]!);
    return canBeSent(place, shapes[index]!) && !fused && !changing.has(index) ? [index] : [];
  });
  const kept = virtualBlocks(
    candidates.map((index) => ({ bytes: cutBytes(shapes[index]!), local: index === last })),
  );
  return kept.map((index) => candidates[index]!);
}

/** A kept cut as it is told to the other nodes. */
export function cutShape({ tensors }: Place, [shape]: readonly TensorShape[]): CutShape {
  return { id: tensors[0]!, dims: [...shape!.dims], bytes: bytesOf(shape!) };
}
