/** Whether it is worth it to leave the greatest values out of the range that 8 bits are spread over. */
import { fidelity, uint8, uint8Channel } from '../../libs/dnn/codecs/index.ts';
import type { Frame, SegmentedNetwork } from './network.ts';

/** Per cent of the values at either end that are clipped. */
export const CLIPS = [0, 0.01, 0.1, 1];

export interface ClipRow {
  readonly network: string;
  readonly id: string;
  readonly codec: string;
  /** Mean over the frames of 1 − the cosine similarity of the outputs, for each of `CLIPS`. */
  readonly losses: readonly number[];
}

export async function clippedLosses(frames: readonly Frame[], network: SegmentedNetwork): Promise<ClipRow[]> {
  const { model } = network;
  const rows: ClipRow[] = [];
  for (const cut of model.segments.keys()) {
    const { id, dims } = model.cuts[cut]!;
    for (const make of [uint8, uint8Channel]) {
      const losses: number[] = [];
      for (const clipPercent of CLIPS) {
        const codec = make({ clipPercent });
        let sum = 0;
        for (const { tensors } of frames) {
          const decoded = codec.decode(codec.encode(tensors[cut]!, dims), dims);
          sum += 1 - fidelity(tensors.at(-1)!, (await network.run(cut, decoded)).at(-1)!).cosine;
        }
        losses.push(sum / frames.length);
      }
      rows.push({ network: model.name, id, codec: make({}).id, losses });
    }
  }
  return rows;
}
