/** What further levels of zstd would save in bytes, and take in time. */
import { constants, zstdCompressSync } from 'node:zlib';
import { TENSOR_CODECS } from '../../libs/dnn/codecs/index.ts';
import { figure, mediansMs, printRows } from '../schedulers/timing.ts';
import type { Frame, SegmentedNetwork } from './network.ts';

/** −5 finds repeats only, as LZ4 does, but for its own coding of literals. */
export const LEVELS = [-5, 1, 3, 6, 9, 19];

export interface LevelRow {
  readonly id: string;
  /** Float32 bytes over the bytes of `uint8` at each level, of all frames together. */
  readonly ratios: readonly number[];
}

const packed = (plain: Uint8Array, level: number): Uint8Array =>
  zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    pledgedSrcSize: plain.length,
    chunkSize: Math.max(64, plain.length),
  });

export function zstdLevels(frames: readonly Frame[], { model }: SegmentedNetwork): LevelRow[] {
  return model.cuts.slice(0, -1).map(({ id, dims, bytes }, cut) => {
    const plain = frames.map(({ tensors }) => TENSOR_CODECS.uint8.encode(tensors[cut]!, dims));
    return {
      id,
      ratios: LEVELS.map(
        (level) => (bytes * frames.length) / plain.reduce((sum, each) => sum + packed(each, level).length, 0),
      ),
    };
  });
}

/** To stdout: ms to compress, and with the transfer at a rate, by level. */
export function printLevelTimes(frame: Frame, { model }: SegmentedNetwork, bps: number): void {
  console.log(`\nzstd levels on uint8: ms to compress (ms with the transfer at ${bps / 1e6} Mbit/s)`);
  const rows = model.cuts.slice(0, -1).map(({ id, dims }, cut) => {
    const plain = TENSOR_CODECS.uint8.encode(frame.tensors[cut]!, dims);
    const times = mediansMs(LEVELS.map((level) => () => packed(plain, level)));
    const cells = LEVELS.map((level, index) => {
      const ms = times[index]!;
      return `${figure(ms)} (${figure(ms + (packed(plain, level).length * 8000) / bps)})`;
    });
    return [id, ...cells];
  });
  printRows([['cut', ...LEVELS.map((level) => `level ${level}`)], ...rows]);
}
