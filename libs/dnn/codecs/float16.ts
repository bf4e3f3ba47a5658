/**
 * IEEE 754 binary16, rounded to nearest, ties to even, with one exception: what is finite stays so. A value beyond
 * ±65,504 becomes ±65,504, since one Infinity in a tensor is enough to make the whole answer NaN.
 *
 * Bytes: the first byte, then two for each number, little-endian.
 */
import { checkBytes, checkTensor, elementsOf, FIRST_BYTE, type TensorCodec } from './tensor-codec.ts';

const INFINITY = 0x7c00;
const GREATEST_FINITE = 0x7bff;
const MAGNITUDE = 0x7fff;

export const float16: TensorCodec = {
  id: 'float16',
  lossless: false,
  maxBytes: (dims) => 1 + 2 * elementsOf(dims),
  encode(tensor, dims) {
    checkTensor(tensor, dims);
    // The first byte stands at 1, so that the numbers behind it lie at a multiple of 2.
    const buffer = new ArrayBuffer(2 + 2 * tensor.length);
    const halves = new Float16Array(buffer, 2);
    halves.set(tensor);
    const bits = new Uint16Array(buffer, 2);
    for (let i = 0; i < bits.length; i++)
      if ((bits[i]! & MAGNITUDE) === INFINITY && Number.isFinite(tensor[i]))
        bits[i] = (bits[i]! & ~MAGNITUDE) | GREATEST_FINITE;
    const bytes = new Uint8Array(buffer, 1);
    bytes[0] = FIRST_BYTE.float16;
    return bytes;
  },
  decode(bytes, dims) {
    const elements = elementsOf(dims);
    checkBytes(this.id, bytes, 1 + 2 * elements, FIRST_BYTE.float16);
    const start = bytes.byteOffset + 1;
    const halves =
      start % 2 === 0
        ? new Float16Array(bytes.buffer, start, elements)
        : new Float16Array(new Uint8Array(bytes.subarray(1)).buffer);
    const tensor = new Float32Array(elements);
    // A loop is faster here than set().
    for (let i = 0; i < elements; i++) tensor[i] = halves[i]!;
    return tensor;
  },
};
