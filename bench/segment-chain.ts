/**
 * The chain of segments against the whole model: what cutting costs where nothing is sent.
 * Runs of both alternate, so that the machine's noise hits both alike. Goal: at most 1.05.
 *
 *   node bench/segment-chain.ts [alexnet|vgg16|FILE.onnx …]
 */
import { type Assignment, InferenceThread, prepareModel } from '@splitlane/dnn';
import { median } from '../field-tests/quantile.ts';

const RUNS = 60;

for (const source of process.argv.length > 2 ? process.argv.slice(2) : ['alexnet', 'vgg16']) {
  const model = await prepareModel(source);
  const uncut: Assignment = { ...model, segments: [model.file], cuts: [model.cuts[0]!, model.cuts.at(-1)!] };
  const chain = new InferenceThread(model);
  const whole = new InferenceThread(uncut);
  await Promise.all([chain.ready(), whole.ready()]);
  const data = new Float32Array(model.cuts[0]!.bytes / 4).map((_, index) => Math.sin(index));
  const timeOf = async (thread: InferenceThread, to: number): Promise<number> =>
    (await thread.run({ from: 0, to, input: { kind: 'float32', data } }, true)).realMs;

  const times: { chain: number; whole: number }[] = [];
  for (let run = 0; run < RUNS; run++) {
    const chainFirst = run % 2 === 0;
    const first = await (chainFirst ? timeOf(chain, model.segments.length) : timeOf(whole, 1));
    const second = await (chainFirst ? timeOf(whole, 1) : timeOf(chain, model.segments.length));
    times.push(chainFirst ? { chain: first, whole: second } : { chain: second, whole: first });
  }
  await Promise.all([chain.stop(), whole.stop()]);
  const warm = times.slice(5);
  const wholeMs = median(warm.map((run) => run.whole));
  const chainMs = median(warm.map((run) => run.chain));
  const ratio = median(warm.map((run) => run.chain / run.whole));
  console.log(
    `${model.name}: chain of ${model.segments.length} segments ÷ whole model = ${ratio.toFixed(3)}` +
      ` (medians of ${warm.length} runs: ${chainMs.toFixed(1)} ms, ${wholeMs.toFixed(1)} ms)`,
  );
}
