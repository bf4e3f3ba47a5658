/** The tensor's bytes as they are, little-endian like every machine that the runtime runs on. */
import { checkBytes, checkTensor, elementsOf, type TensorCodec } from './tensor-codec.ts';

export const float32: TensorCodec = {
  id: 'float32',
  lossless: true,
  maxBytes: (dims) => 4 * elementsOf(dims),
  encode(tensor, dims) {
    checkTensor(tensor, dims);
    return new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength);
  },
  decode(bytes, dims) {
    const elements = elementsOf(dims);
    checkBytes(this.id, bytes, 4 * elements);
    // Received bytes lie at any offset, float32 only at multiples of 4. Copied as bytes, NaN keeps its payload.
    const tensor = new Float32Array(elements);
    new Uint8Array(tensor.buffer).set(bytes);
    return tensor;
  },
};
