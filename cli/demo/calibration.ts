/** What codecs do to the tensors of some frames: bytes, times, and how much of the network's answer is lost. */
import { fidelity, InferenceThread, type PreparedModel, sameTopClass } from '@splitlane/dnn';
import { median } from '@splitlane/field-tests';
import { type Codec, isCoded, isLossless } from '@splitlane/proto';
import type { CodedPoint } from '@splitlane/roadside-unit';
import type { Camera } from '@splitlane/vehicle-node';

const FRAMES = 4;

/**
 * How far an answer is from the whole model's, from 0 on: 1 − the cosine of the outputs' angle. Where the weights mean
 * something, whether the first class is another one.
 */
export function lossOf(reference: Float32Array, output: Float32Array, seededWeights: boolean): number {
  if (seededWeights) return Math.max(0, 1 - fidelity(reference, output).cosine);
  return sameTopClass(reference, output) ? 0 : 1;
}

/**
 * Measures each codec at each kept cut but local-only, on a few frames of each camera in turn, in a thread of its own.
 * Bytes and losses are means, times medians.
 * @param onProgress told after each frame; what it throws ends the work.
 */
export async function calibrate(
  model: PreparedModel,
  cameras: readonly Camera[],
  codecs: readonly Codec[],
  seededWeights: boolean,
  onProgress: (fraction: number) => void,
): Promise<CodedPoint[]> {
  const coded = codecs.filter(isCoded);
  const last = model.cuts.length - 1;
  const wanted = Array.from({ length: last }, (_, cut) => cut).flatMap((cut) =>
    coded.filter((codec) => codec !== 'raw-uint8' || cut === 0).map((codec) => ({ cut, codec })),
  );
  if (wanted.length === 0) return [];
  const seen = wanted.map(() => ({
    bytes: [] as number[],
    encodeMs: [] as number[],
    decodeMs: [] as number[],
    loss: [] as number[],
  }));
  const thread = new InferenceThread(model);
  try {
    await thread.ready();
    for (let frame = 0; frame < FRAMES; frame++) {
      const camera = cameras[frame % cameras.length]!;
      let { tensor } = await camera.capture(Math.floor(frame / cameras.length));
      const tensors = [tensor];
      for (let cut = 1; cut <= last; cut++) {
        const input = { kind: 'float32' as const, data: tensor };
        tensor = (await thread.run({ from: cut - 1, to: cut, input, wantsOutput: true }, true)).tensor!;
        tensors.push(tensor);
      }
      const whole = tensors[last]!;
      for (const [index, { cut, codec }] of wanted.entries()) {
        const plain = { kind: 'float32' as const, data: tensors[cut]! };
        const encoded = await thread.run({ from: cut, to: cut, input: plain, encodeAs: codec }, true);
        const input = { kind: 'coded' as const, codec, data: encoded.coded! };
        const to = isLossless(codec) ? cut : last;
        const decoded = await thread.run({ from: cut, to, input, wantsOutput: true }, true);
        const of = seen[index]!;
        of.bytes.push(encoded.coded!.length);
        of.encodeMs.push(encoded.codecMs);
        of.decodeMs.push(decoded.codecMs);
        of.loss.push(isLossless(codec) ? 0 : lossOf(whole, decoded.tensor!, seededWeights));
      }
      onProgress((frame + 1) / FRAMES);
    }
  } finally {
    await thread.stop();
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return wanted.map(({ cut, codec }, index): CodedPoint => {
    const { bytes, encodeMs, decodeMs, loss } = seen[index]!;
    return {
      ...{ cut, codec, bytes: mean(bytes), loss: mean(loss) },
      ...{ encodeMs: median(encodeMs), decodeMs: median(decodeMs) },
    };
  });
}
