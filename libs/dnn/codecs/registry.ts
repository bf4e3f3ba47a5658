/** The codecs for the tensor of any cut, by id. At cut 0 there are also `rawUint8(card)` and the camera's own JPEG. */
import { float16 } from './float16.ts';
import { float32 } from './float32.ts';
import type { TensorCodec } from './tensor-codec.ts';
import { uint8, uint8Channel } from './uint8.ts';
import { zstd } from './zstd.ts';

export const TENSOR_CODECS = {
  float32,
  float16,
  uint8: uint8(),
  'uint8-channel': uint8Channel(),
  'float32-zstd': zstd(float32),
  'float16-zstd': zstd(float16),
  'uint8-zstd': zstd(uint8()),
  'uint8-channel-zstd': zstd(uint8Channel()),
} as const satisfies Readonly<Record<string, TensorCodec>>;

export type TensorCodecId = keyof typeof TENSOR_CODECS;
