/** Bytes of each codec at each kept cut, and how near the network's answer is to the one from the plain tensor. */
import {
  type Fidelity,
  fidelity,
  rawUint8,
  sameTopClass,
  TENSOR_CODECS,
  type TensorCodec,
  uint8,
  zstd,
} from '../../libs/dnn/codecs/index.ts';
import type { Frame, SegmentedNetwork } from './network.ts';

export interface NamedCodec {
  readonly name: string;
  readonly codec: TensorCodec;
}

export interface Row {
  readonly name: string;
  /** Float32 bytes over coded bytes: of all frames together, and of the worst. */
  readonly ratio: number;
  readonly leastRatio: number;
  readonly meanBytes: number;
  /** Of the network's output, the worst over the frames. */
  readonly worst: Fidelity;
  readonly sameTop: number;
}

export interface CutRows {
  readonly cut: number;
  readonly id: string;
  readonly bytes: number;
  readonly rows: readonly Row[];
}

/** The codecs that a cut can be sent in. */
export function codecsAt(cut: number, network: SegmentedNetwork): NamedCodec[] {
  const named = (codecs: readonly TensorCodec[]): NamedCodec[] =>
    codecs.map((codec) => ({ name: codec.id, codec }));
  const clipped = uint8({ clipPercent: 0.1 });
  const raw = rawUint8(network.model.card);
  return [
    ...named(Object.values(TENSOR_CODECS)),
    { name: 'uint8, 0.1 % clipped', codec: clipped },
    { name: 'uint8-zstd, 0.1 % clipped', codec: zstd(clipped) },
    ...(cut === 0 ? named([raw, zstd(raw)]) : []),
  ];
}

export async function measureCut(
  cut: number,
  frames: readonly Frame[],
  network: SegmentedNetwork,
): Promise<CutRows> {
  const { id, dims, bytes } = network.model.cuts[cut]!;
  const rows: Row[] = [];
  for (const { name, codec } of codecsAt(cut, network)) {
    const sizes: number[] = [];
    const found: Fidelity[] = [];
    let sameTop = 0;
    for (const { tensors } of frames) {
      const coded = codec.encode(tensors[cut]!, dims);
      sizes.push(coded.length);
      const output = (await network.run(cut, codec.decode(coded, dims))).at(-1)!;
      found.push(fidelity(tensors.at(-1)!, output));
      if (sameTopClass(tensors.at(-1)!, output)) sameTop++;
    }
    rows.push({ name, ...ratios(bytes, sizes), worst: worstOf(found), sameTop });
  }
  if (cut === 0)
    rows.push({
      name: 'jpeg of the camera',
      ...ratios(
        bytes,
        frames.map(({ jpeg }) => jpeg.length),
      ),
      worst: { cosine: 1, maxDifference: 0, maxRelativeDifference: 0 },
      sameTop: frames.length,
    });
  return { cut, id, bytes, rows };
}

function ratios(bytes: number, sizes: readonly number[]): Pick<Row, 'ratio' | 'leastRatio' | 'meanBytes'> {
  const meanBytes = sizes.reduce((a, b) => a + b, 0) / sizes.length;
  return { ratio: bytes / meanBytes, leastRatio: bytes / Math.max(...sizes), meanBytes };
}

function worstOf(found: readonly Fidelity[]): Fidelity {
  return {
    cosine: Math.min(...found.map(({ cosine }) => cosine)),
    maxDifference: Math.max(...found.map(({ maxDifference }) => maxDifference)),
    maxRelativeDifference: Math.max(...found.map(({ maxRelativeDifference }) => maxRelativeDifference)),
  };
}
