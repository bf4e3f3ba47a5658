/**
 * Head and tail against the whole model at every kept cut, on frames of the drawn road: how many bits of the output
 * differ. Goal: none, for every built-in network.
 *
 *   node bench/composed-is-whole.ts [NETWORK|FILE.onnx …]
 */
import { type Assignment, BUILT_IN, InferenceThread, type PreparedModel, prepareModel } from '@splitlane/dnn';
import { drawnFrames } from '../cli/frames.ts';

const FRAMES = 3;

function differingBits(a: Float32Array, b: Float32Array): number {
  const [left, right] = [new Uint32Array(a.buffer), new Uint32Array(b.buffer)];
  let bits = 0;
  for (let index = 0; index < left.length; index++)
    for (let rest = left[index]! ^ right[index]!; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

async function outputOf(
  thread: InferenceThread,
  from: number,
  to: number,
  data: Float32Array<ArrayBuffer>,
): Promise<Float32Array<ArrayBuffer>> {
  const input = { kind: 'float32' as const, data };
  return (await thread.run({ from, to, input, wantsOutput: true }, true)).tensor!;
}

async function compare(model: PreparedModel): Promise<string[]> {
  const uncut: Assignment = { ...model, segments: [model.file], cuts: [model.cuts[0]!, model.cuts.at(-1)!] };
  const [whole, parts] = [new InferenceThread(uncut), new InferenceThread(model)];
  try {
    const frames = (await drawnFrames(model.card)).slice(0, FRAMES);
    const last = model.segments.length;
    const bits = model.cuts.map(() => 0);
    for (const { tensor } of frames) {
      const expected = await outputOf(whole, 0, 1, tensor);
      for (let cut = 0; cut <= last; cut++) {
        const head = cut === 0 ? tensor : await outputOf(parts, 0, cut, tensor);
        const composed = cut === last ? head : await outputOf(parts, cut, last, head);
        bits[cut]! += differingBits(expected, composed);
      }
    }
    return model.cuts.map(({ id }, cut) => `${id} ${bits[cut]}`);
  } finally {
    await Promise.all([whole.stop(), parts.stop()]);
  }
}

const named = process.argv.slice(2);
for (const source of named.length > 0 ? named : Object.keys(BUILT_IN)) {
  const model = await prepareModel(source);
  console.log(
    `${model.name}: differing bits in ${FRAMES} frames by cut: ${(await compare(model)).join(', ')}`,
  );
}
