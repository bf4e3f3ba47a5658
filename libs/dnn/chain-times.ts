/** How long the segments of a chain take, for nodes and for profiles alike; called in threads that do nothing else. */
import { systemClock as clock, seededRandom } from '@splitlane/clock';
import type { CutShape } from '@splitlane/proto';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { Card } from './card.ts';
import { inputChannels } from './normalisation.ts';

const INPUT_SEED = 1;

export interface ChainRuns {
  /** One for each segment, in order. */
  readonly sessions: readonly InferenceSession[];
  /** The cut that the first of them begins at. */
  readonly first: number;
  readonly cuts: readonly CutShape[];
  readonly card: Card;
  /** Runs that count, and runs before them that do not. */
  readonly repetitions: number;
  readonly warmUps: number;
  /** Before each run: a machine that runs back to back is warmer than one that waits for frames. */
  readonly rest: () => void;
  readonly onRun?: (fraction: number) => void;
}

/** Runs the chain on a picture that is not one. Returns for each segment its time in ms in each run that counts. */
export async function timeChain(runs: ChainRuns): Promise<number[][]> {
  const { sessions, first, cuts, card, repetitions, warmUps, rest, onRun } = runs;
  const input = first === 0 ? pictureLike(card) : featureLike(cuts[first]!);
  const times: number[][] = sessions.map(() => []);
  for (let run = -warmUps; run < repetitions; run++) {
    rest();
    let data = input;
    for (const [index, session] of sessions.entries()) {
      const [from, to] = [cuts[first + index]!, cuts[first + index + 1]!];
      const startMs = clock.now();
      const outputs = await session.run({ [from.id]: new Tensor('float32', data, from.dims) });
      data = outputs[to.id]!.data as Float32Array;
      if (run >= 0) times[index]!.push(clock.now() - startMs);
    }
    onRun?.((run + 1 + warmUps) / (repetitions + warmUps));
  }
  return times;
}

/** Some operators take another time for zeros or for a single colour. */
function pictureLike(card: Card): Float32Array {
  const { height, width, range, mean, std } = card;
  const random = seededRandom(INPUT_SEED);
  const channels = inputChannels(card);
  const pixels = height * width;
  const tensor = new Float32Array(channels.length * pixels);
  channels.forEach(({ start, stride }, c) => {
    const [phase, waves] = [6 * random(), 2 + 4 * random()];
    for (let pixel = 0; pixel < pixels; pixel++) {
      const y = Math.floor(pixel / width) / height;
      const x = (pixel % width) / width;
      const smooth = 0.5 + 0.3 * Math.sin(phase + waves * (x + 2 * y)) + 0.2 * (random() - 0.5);
      tensor[start + pixel * stride] = (range[0] + (range[1] - range[0]) * smooth - mean[c]!) / std[c]!;
    }
  });
  return tensor;
}

/** As behind a ReLU: half of it zeros. */
function featureLike({ bytes }: CutShape): Float32Array {
  const random = seededRandom(INPUT_SEED);
  return Float32Array.from({ length: bytes / Float32Array.BYTES_PER_ELEMENT }, () =>
    Math.max(0, 2 * random() - 1),
  );
}
