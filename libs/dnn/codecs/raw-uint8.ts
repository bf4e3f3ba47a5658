/**
 * The network's input as the 8-bit pixels that it was made from: a quarter of its bytes, and nothing lost. Cut 0 only.
 *
 * Bytes: the first byte, then one for each number of the input, in the input's own layout.
 */
import type { Card } from '../card.ts';
import { inputChannels } from '../normalisation.ts';
import {
  CodecError,
  checkBytes,
  checkTensor,
  elementsOf,
  FIRST_BYTE,
  type TensorCodec,
} from './tensor-codec.ts';

const LEVELS = 256;

/** The codec for inputs that `pictureToTensor` makes with this card; it refuses to encode any other tensor. */
export function rawUint8(card: Card): TensorCodec {
  const channels = inputChannels(card).map((channel) => {
    // As pictureToTensor makes them: each level then has the bits that it has there.
    const { scale, offset } = channel;
    const levels = Float32Array.from({ length: LEVELS }, (_, level) => level * scale + offset);
    return { ...channel, levels, levelBits: new Uint32Array(levels.buffer) };
  });
  const depth = channels.length;
  const pixels = card.height * card.width;
  const checkDims = (dims: readonly number[]): void => {
    if (elementsOf(dims) !== depth * pixels)
      throw new CodecError(`raw-uint8: dims ${dims.join(' × ')} are not those of the input`);
  };
  return {
    id: 'raw-uint8',
    lossless: true,
    maxBytes: (dims) => 1 + elementsOf(dims),
    encode(tensor, dims) {
      checkTensor(tensor, dims);
      checkDims(dims);
      const bytes = new Uint8Array(1 + tensor.length);
      bytes[0] = FIRST_BYTE['raw-uint8'];
      const bits = new Uint32Array(tensor.buffer, tensor.byteOffset, tensor.length);
      channels.forEach(({ start, stride, scale, offset, levelBits }) => {
        const inverse = scale === 0 ? 0 : 1 / scale;
        for (let i = 0; i < pixels; i++) {
          const at = start + i * stride;
          bytes[1 + at] = (tensor[at]! - offset) * inverse + 0.5;
          if (levelBits[bytes[1 + at]!] !== bits[at]) bytes[1 + at] = levelOf(bits[at]!, levelBits);
        }
      });
      return bytes;
    },
    decode(bytes, dims) {
      checkDims(dims);
      checkBytes(this.id, bytes, 1 + depth * pixels, FIRST_BYTE['raw-uint8']);
      const tensor = new Float32Array(depth * pixels);
      channels.forEach(({ start, stride, levels }) => {
        for (let i = 0; i < pixels; i++) {
          const at = start + i * stride;
          tensor[at] = levels[bytes[1 + at]!]!;
        }
      });
      return tensor;
    },
  };
}

/** The level with these bits, where rounding led beside it. @throws CodecError where there is none. */
function levelOf(bits: number, levelBits: Uint32Array): number {
  const level = levelBits.indexOf(bits);
  if (level < 0) throw new CodecError('raw-uint8: the tensor is not made from 8-bit pixels');
  return level;
}
