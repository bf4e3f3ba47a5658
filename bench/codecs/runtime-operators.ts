/** The runtime's own operators for 8 bits against the loops of `uint8`: DynamicQuantizeLinear, DequantizeLinear. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { median } from '../../field-tests/quantile.ts';
import { TENSOR_CODECS } from '../../libs/dnn/codecs/index.ts';
import { FLOAT, onnx } from '../../libs/dnn/onnx.ts';
import { SESSION_OPTIONS } from '../../libs/dnn/session-options.ts';
import { figure, printRows } from '../schedulers/timing.ts';
import type { Frame, SegmentedNetwork } from './network.ts';

const RUNS = 200;
const WARM_UP = 50;
const UINT8 = 2;

function operator(opType: string, inputs: [string, number, boolean][], outputs: [string, number, boolean][]) {
  const value = ([name, elemType, isTensor]: [string, number, boolean]) => ({
    name,
    type: { tensorType: { elemType, shape: { dim: isTensor ? [{ dimParam: 'n' }] : [] } } },
  });
  const names = (values: [string, number, boolean][]) => values.map(([name]) => name);
  const model = onnx.ModelProto.fromObject({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: opType,
      node: [{ opType, input: names(inputs), output: names(outputs) }],
      input: inputs.map(value),
      output: outputs.map(value),
    },
  });
  return InferenceSession.create(onnx.ModelProto.encode(model).finish(), SESSION_OPTIONS);
}

/** To stdout: ms to encode and decode a tensor, of the loops and of the operators, called in turns. */
export async function printRuntimeOperators(frame: Frame, { model }: SegmentedNetwork): Promise<void> {
  const quantised: [string, number, boolean][] = [
    ['q', UINT8, true],
    ['scale', FLOAT, false],
    ['zeroPoint', UINT8, false],
  ];
  const quantise = await operator('DynamicQuantizeLinear', [['x', FLOAT, true]], quantised);
  const dequantise = await operator('DequantizeLinear', quantised, [['x', FLOAT, true]]);
  const codec = TENSOR_CODECS.uint8;
  const rows: string[][] = [];
  for (const [cut, { id, dims }] of model.cuts.slice(0, -1).entries()) {
    const tensor = frame.tensors[cut]!;
    const coded = codec.encode(tensor, dims);
    const x = new Tensor('float32', tensor, [tensor.length]);
    const q = await quantise.run({ x });
    const works: (() => unknown)[] = [
      () => codec.encode(tensor, dims),
      () => quantise.run({ x }),
      () => codec.decode(coded, dims),
      () => dequantise.run(q),
    ];
    const times = works.map((): number[] => []);
    for (let run = 0; run < WARM_UP + RUNS; run++)
      for (const [index, work] of works.entries()) {
        const from = performance.now();
        await work();
        if (run >= WARM_UP) times[index]!.push(performance.now() - from);
      }
    rows.push([id, ...times.map((each) => figure(median(each)))]);
  }
  console.log('\nuint8: loops against the operators of ONNX Runtime, ms');
  printRows([['cut', 'encode', 'DynamicQuantizeLinear', 'decode', 'DequantizeLinear'], ...rows]);
}
