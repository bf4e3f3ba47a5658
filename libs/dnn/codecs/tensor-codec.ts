/** What every codec of tensors is, and what they share: the error, the first byte, and the checks of lengths. */

/**
 * Turns a float32 tensor at a cut into bytes for the uplink, and back. Pure: nothing is kept between calls.
 *
 * NaN stays NaN and Infinity stays Infinity where the codec has numbers for them (`float32`, `float16`); in 8 bits
 * NaN becomes 0, and Infinity the end of the range of the finite values. A finite tensor decodes to finite values.
 */
export interface TensorCodec {
  readonly id: string;
  /** What is decoded has the same bits as what was encoded. */
  readonly lossless: boolean;
  /** The most bytes that a tensor of these dims takes; without zstd it takes exactly these. */
  maxBytes(dims: readonly number[]): number;
  /**
   * The coded tensor; for `float32` that is a view of the tensor's own memory.
   * @throws CodecError where the dims do not give the tensor's length, or the codec has no bytes for it.
   */
  encode(tensor: Float32Array, dims: readonly number[]): Uint8Array;
  /**
   * The tensor, in memory of its own. `bytes` may be anything, and lie at any offset: no more memory is taken than a
   * small multiple of the tensor's own.
   * @throws CodecError where the bytes are no tensor of these dims in this codec.
   */
  decode(bytes: Uint8Array, dims: readonly number[]): Float32Array<ArrayBuffer>;
}

/** Bytes are no tensor of this codec and these dims, or a tensor cannot be coded. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/**
 * The first byte of a coded tensor: the version in the high four bits, the codec in the low ones. A tensor in plain
 * `float32` has none, it is the bytes as they are.
 */
export const FIRST_BYTE = {
  float16: 0x11,
  uint8: 0x12,
  'uint8-channel': 0x13,
  'raw-uint8': 0x14,
  zstd: 0x15,
  stored: 0x16,
} as const;

/** How many numbers a tensor of these dims has. @throws CodecError for dims of no tensor. */
export function elementsOf(dims: readonly number[]): number {
  let elements = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0)
      throw new CodecError(`dims ${dims.join(' × ')} are of no tensor`);
    elements *= dim;
  }
  if (!Number.isSafeInteger(elements)) throw new CodecError(`dims ${dims.join(' × ')} are too many numbers`);
  return elements;
}

/** @throws CodecError where the tensor has another length than its dims say. */
export function checkTensor(tensor: Float32Array, dims: readonly number[]): void {
  const elements = elementsOf(dims);
  if (tensor.length !== elements)
    throw new CodecError(`a tensor of ${tensor.length} numbers, where its dims say ${elements}`);
}

/** @throws CodecError where coded bytes have another length than they must, or begin otherwise. */
export function checkBytes(id: string, bytes: Uint8Array, length: number, first?: number): void {
  if (bytes.length !== length)
    throw new CodecError(`${id}: ${bytes.length} bytes, where a tensor of these dims takes ${length}`);
  if (first !== undefined && bytes[0] !== first)
    throw new CodecError(`${id}: begins with ${bytes[0]}, where ${first} was expected`);
}
