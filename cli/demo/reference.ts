/** What is to come of the frames of a run: the measure of every split result. */
import { type Assignment, InferenceThread, type PreparedModel } from '@splitlane/dnn';
import { type AnsweredFrame, type LossyAnswer, lossyKey } from '@splitlane/field-tests';
import { lossOf } from '../calibration.ts';
import type { Recapture } from './recapture.ts';

const THREADS = 2;

export interface ReferenceAnswers {
  /** Digests of the whole, uncut model's answers, by the digest of the frame's JPEG. */
  readonly whole: Map<string, string>;
  /** What lossy codecs make of the frames, by `lossyKey`. */
  readonly lossy: Map<string, LossyAnswer>;
}

/**
 * The frames are captured again; one that comes out different has no entry. Where a lossy codec was used, head, codec and tail are run again.
 * @param onProgress told after each frame; what it throws ends the work.
 */
export async function referenceAnswers(
  model: PreparedModel,
  recapture: Recapture,
  frames: readonly AnsweredFrame[],
  byCosine: boolean,
  onProgress: (fraction: number) => void,
): Promise<ReferenceAnswers> {
  const uncut: Assignment = { ...model, segments: [model.file], cuts: [model.cuts[0]!, model.cuts.at(-1)!] };
  const anyLossy = frames.some(({ lossy }) => lossy);
  const threads = Array.from({ length: THREADS }, () => ({
    whole: new InferenceThread(uncut),
    chain: anyLossy ? new InferenceThread(model) : undefined,
  }));
  const whole = new Map<string, string>();
  const lossy = new Map<string, LossyAnswer>();
  const last = model.cuts.length - 1;
  const byPicture = [...Map.groupBy(frames, ({ jpegDigest }) => jpegDigest).values()];
  const next = byPicture.values();
  let done = 0;
  try {
    await Promise.all(threads.flatMap(({ whole: one, chain }) => [one.ready(), chain?.ready()]));
    await Promise.all(
      threads.map(async ({ whole: one, chain }) => {
        for (const alike of next) {
          const frame = await recapture(alike[0]!);
          if (frame) {
            const input = { kind: 'float32' as const, data: frame.tensor };
            const reference = await one.run({ from: 0, to: 1, input, wantsOutput: true }, true);
            whole.set(alike[0]!.jpegDigest, reference.answer!.digest);
            for (const { jpegDigest, lossy: way } of alike) {
              if (!way || lossy.has(lossyKey(jpegDigest, way))) continue;
              const head = await chain!.run({ from: 0, to: way.cut, input, encodeAs: way.codec }, true);
              const coded = { kind: 'coded' as const, codec: way.codec, data: head.coded! };
              const tail = await chain!.run({ from: way.cut, to: last, input: coded, wantsOutput: true });
              const loss = lossOf(reference.tensor!, tail.tensor!, byCosine);
              lossy.set(lossyKey(jpegDigest, way), { digest: tail.answer!.digest, loss });
            }
          }
          onProgress(++done / byPicture.length);
        }
      }),
    );
  } finally {
    await Promise.all(threads.flatMap(({ whole: one, chain }) => [one.stop(), chain?.stop()]));
  }
  return { whole, lossy };
}
