export { type Fidelity, fidelity, sameTopClass } from './fidelity.ts';
export { rawUint8 } from './raw-uint8.ts';
export { TENSOR_CODECS, type TensorCodecId } from './registry.ts';
export { CodecError, type TensorCodec } from './tensor-codec.ts';
export { type ClipOptions, type Uint8Options, uint8, uint8Channel } from './uint8.ts';
export { zstd } from './zstd.ts';
