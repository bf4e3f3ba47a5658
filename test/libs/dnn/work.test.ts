import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { ARCHITECTURES, describe, macsOf } from '../../../libs/dnn/architectures/index.ts';
import { ModelError, prepareModel } from '../../../libs/dnn/index.ts';
import { onnx } from '../../../libs/dnn/onnx.ts';
import { type OperatorWork, workOf } from '../../../libs/dnn/work.ts';
import { Graph, int, ints, save, value } from './graphs.ts';
import { folder, type Loose } from './models.ts';

const { TENSOR, GRAPH } = onnx.AttributeProto.AttributeType;

const PICTURE = [1, 3, 16, 16];
const FLOAT_BYTES = 4;

/** The work of a network over a picture of 16 × 16 pixels. */
async function worksOf(
  context: TestContext,
  build: (graph: Graph) => string,
  change: (model: Loose) => void = () => {},
): Promise<OperatorWork[]> {
  const place = folder(context);
  const graph = new Graph();
  const model = graph.model([value('input', PICTURE)], [build(graph)]);
  change(model);
  return workOf(await prepareModel(save(place, 'model', model), { cacheDir: place }));
}

/** A work in a line: operator, kind, multiply-adds, elements of weights, elements of activations. */
const shown = ({ operator, kind, macs, weightBytes, activationBytes }: OperatorWork): string =>
  `${operator} ${kind} ${macs} ${weightBytes / FLOAT_BYTES} ${activationBytes / FLOAT_BYTES}`;

test('The work of a line of operators is what their shapes say, and each has its segment.', async (context) => {
  const works = await worksOf(context, (graph) =>
    graph.classes(graph.pool(graph.relu(graph.conv('input', 3, 4))), 4, 10),
  );
  assert.deepEqual(works.map(shown), [
    `Conv convolution ${4 * 256 * 27} ${4 * 27 + 4} ${3 * 256 + 4 * 256}`,
    `Relu free 0 0 ${2 * 4 * 256}`,
    `MaxPool other 0 0 ${4 * 256 + 4 * 64}`,
    `GlobalAveragePool other 0 0 ${4 * 64 + 4}`,
    'Flatten free 0 0 8',
    `Gemm fully-connected 40 ${40 + 10} 14`,
  ]);
  assert.deepEqual(
    works.map(({ segment }) => segment),
    works.map(({ segment }) => segment).toSorted((a, b) => a - b),
  );
  assert.ok(works.at(-1)!.segment > works[0]!.segment);
  assert.equal(works[0]!.node, 'conv1/node');
});

test('Convolutions in groups, with strides, and transposed ones are told apart and counted.', async (context) => {
  const works = await worksOf(context, (graph) => {
    const square = (side: number): object => ints('kernel_shape', [side, side]);
    const strided = graph.add(
      'Conv',
      ['input', graph.weight([8, 3, 2, 2])],
      [square(2), ints('strides', [2, 2])],
    );
    const grouped = graph.add('Conv', [strided, graph.weight([8, 1, 3, 3])], [square(3), int('group', 8)]);
    const back = graph.add(
      'ConvTranspose',
      [grouped, graph.weight([8, 5, 2, 2])],
      [square(2), ints('strides', [2, 2])],
    );
    return graph.add('GlobalAveragePool', [back]);
  });
  assert.deepEqual(works.map(shown).slice(0, 3), [
    `Conv convolution ${8 * 64 * 12} ${8 * 12} ${768 + 512}`,
    `Conv grouped-convolution ${8 * 36 * 9} 72 ${512 + 288}`,
    `ConvTranspose convolution ${288 * 20} 160 ${288 + 5 * 144}`,
  ]);
});

test('A product of two activations, and one with weights for many rows, are not bound by memory.', async (context) => {
  const works = await worksOf(context, (graph) => {
    const rows = graph.add('Reshape', ['input', graph.constant([1, 48, 16])]);
    const keys = graph.add('MatMul', [rows, graph.weight([16, 8])]);
    const turned = graph.add('Transpose', [keys], [ints('perm', [0, 2, 1])]);
    const scores = graph.add('MatMul', [keys, turned]);
    const pooled = graph.add('ReduceMean', [scores], [ints('axes', [1]), int('keepdims', 0)]);
    return graph.add(
      'Gemm',
      [graph.weight([5, 48]), pooled],
      [{ name: 'transB', type: onnx.AttributeProto.AttributeType.INT, i: 1 }],
    );
  });
  assert.deepEqual(works.map(shown), [
    `Reshape free 0 ${2 * 3} ${2 * 768}`,
    `MatMul matrix-product ${48 * 8 * 16} 128 ${768 + 384}`,
    'Transpose other 0 0 768',
    `MatMul matrix-product ${48 * 48 * 8} 0 ${2 * 384 + 2304}`,
    `ReduceMean other 0 0 ${2304 + 48}`,
    'Gemm fully-connected 240 240 53',
  ]);
});

test('What runs within the operator before it is free; where another takes that tensor it is not.', async (context) => {
  const works = await worksOf(context, (graph) => {
    const names = [0, 1, 2].map(() => graph.weight([4]));
    const normal = graph.add('BatchNormalization', [
      graph.conv('input', 3, 4),
      ...names,
      graph.add('Exp', [graph.weight([4])]),
    ]);
    const first = graph.relu(normal);
    const inner = graph.conv(first, 4, 4);
    const sum = graph.add('Add', [inner, first]);
    return graph.add('GlobalAveragePool', [graph.relu(graph.add('Mul', [sum, graph.add('Sigmoid', [sum])]))]);
  });
  assert.deepEqual(
    works.map(({ operator, kind }) => `${operator} ${kind}`),
    [
      ...['Conv convolution', 'BatchNormalization free', 'Relu free', 'Conv convolution', 'Add other'],
      ...['Sigmoid other', 'Mul other', 'Relu other', 'GlobalAveragePool other'],
    ],
  );
  assert.equal(works[1]!.weightBytes, 4 * 4 * FLOAT_BYTES, 'a weight that is worked out is one too');
});

test('Weights in Constant nodes count as those in the list, and nodes need no names.', async (context) => {
  const build = (graph: Graph): string => graph.classes(graph.relu(graph.conv('input', 3, 4)), 4, 10);
  const usual = await worksOf(context, build);
  const constant = await worksOf(context, build, ({ graph }) => {
    graph.node.unshift(
      ...graph.initializer.map((tensor: Loose) => ({
        ...{ opType: 'Constant', name: '', input: [], output: [tensor.name] },
        attribute: [{ name: 'value', type: TENSOR, t: tensor }],
      })),
    );
    graph.initializer = [];
  });
  const nameless = (works: readonly OperatorWork[]): object[] =>
    works.map(({ node: _, segment: __, ...work }) => work);
  assert.deepEqual(nameless(constant), nameless(usual));
  const unnamed = await worksOf(context, build, ({ graph }) => {
    for (const node of graph.node) node.name = '';
  });
  assert.deepEqual(
    unnamed,
    usual.map((work) => ({ ...work, node: '' })),
  );
});

test('Weights among the inputs, of an old exporter, and weights in float16 are weights all the same.', async (context) => {
  const build = (graph: Graph): string => graph.classes(graph.relu(graph.conv('input', 3, 4)), 4, 10);
  const usual = await worksOf(context, build);
  const old = await worksOf(context, build, (model) => {
    model.irVersion = 3;
    model.graph.input.push(...model.graph.initializer.map(({ name, dims }: Loose) => value(name, dims)));
  });
  assert.deepEqual(old, usual);
  const narrow = await worksOf(context, build, ({ graph }) => {
    const { FLOAT16 } = onnx.TensorProto.DataType;
    graph.input = [value('input', PICTURE)];
    for (const tensor of graph.initializer) {
      const values = new Float32Array(tensor.rawData.buffer);
      tensor.rawData = new Uint8Array(Float16Array.from(values).buffer);
      tensor.dataType = FLOAT16;
    }
    const cast = (input: string, output: string, to: number): object => ({
      ...{ opType: 'Cast', name: output, input: [input], output: [output], attribute: [int('to', to)] },
    });
    const [first] = graph.node;
    first.input[0] = 'narrow';
    const { name } = graph.output[0];
    graph.node = [cast('input', 'narrow', FLOAT16), ...graph.node, cast(name, 'wide', 1)];
    graph.output = [{ name: 'wide' }];
  });
  const summed = narrow.filter(({ operator }) => operator !== 'Cast');
  assert.deepEqual(summed.map(shown), usual.map(shown), 'it is run in float32');
});

test('A convolution between dequantised tensors has the bytes of what is dequantised.', async (context) => {
  const works = await worksOf(context, (graph) => {
    const scale = graph.weight([]);
    graph.initializer.push({
      ...{ name: 'filter/q', dims: [4, 3, 1, 1], dataType: onnx.TensorProto.DataType.UINT8 },
      rawData: Uint8Array.from({ length: 12 }, (_, index) => index),
    });
    const filter = graph.add('DequantizeLinear', ['filter/q', scale]);
    const bytes = graph.add('QuantizeLinear', ['input', scale]);
    const pixels = graph.add('DequantizeLinear', [bytes, scale]);
    const convolved = graph.add('Conv', [pixels, filter], [ints('kernel_shape', [1, 1])]);
    return graph.classes(convolved, 4, 10);
  });
  const [quantise, dequantise, conv] = works as [OperatorWork, OperatorWork, OperatorWork];
  assert.deepEqual([quantise.activationBytes, dequantise.activationBytes], [768 * 5, 768 * 5]);
  assert.equal(shown(conv), `Conv convolution ${4 * 256 * 3} 12 ${768 + 4 * 256}`);
});

test('Quantised convolutions and products are a kind of their own, with weights of a byte.', async (context) => {
  const works = await worksOf(context, (graph) => {
    const bytes = (name: string, dims: readonly number[]): string => {
      const size = dims.reduce((a, b) => a * b, 1);
      graph.initializer.push({
        ...{ name, dims: [...dims], dataType: onnx.TensorProto.DataType.UINT8 },
        rawData: Uint8Array.from({ length: size }, (_, index) => 100 + (index % 50)),
      });
      return name;
    };
    const quantise = (name: string): string => {
      const tensor = `${name}/q`;
      graph.node.push({
        ...{ opType: 'DynamicQuantizeLinear', name: tensor, input: [name], attribute: [] },
        output: [tensor, `${tensor}/scale`, `${tensor}/zero`],
      });
      return tensor;
    };
    const convolved = graph.add('ConvInteger', [quantise('input'), bytes('filter', [4, 3, 3, 3])]);
    const cast = graph.add('Cast', [convolved], [int('to', 1)]);
    const flat = graph.add('Flatten', [graph.add('GlobalAveragePool', [cast])], [int('axis', 1)]);
    const product = graph.add('MatMulInteger', [quantise(flat), bytes('matrix', [4, 10])]);
    return graph.add('Cast', [product], [int('to', 1)]);
  });
  const found = works.filter(({ kind }) => kind === 'quantised');
  assert.deepEqual(
    found.map(({ operator, macs, weightBytes, activationBytes }) => [
      ...[operator, macs, weightBytes, activationBytes],
    ]),
    [
      ['ConvInteger', 4 * 196 * 27, 4 * 27, 768 + 4 * 4 * 196],
      ['MatMulInteger', 40, 40, 4 + 4 * 10],
    ],
  );
});

test('An operator with a graph inside counts by the bytes that it touches, those from outside too.', async (context) => {
  const works = await worksOf(context, (graph) => {
    const pooled = graph.add('GlobalAveragePool', [graph.conv('input', 3, 4)]);
    graph.initializer.push({
      ...{ name: 'yes', dims: [], dataType: onnx.TensorProto.DataType.BOOL },
      rawData: Uint8Array.of(1),
    });
    const branch = (opType: string): object => ({
      name: opType,
      node: [{ opType, name: '', input: [pooled], output: [`${opType}/out`] }],
      output: [value(`${opType}/out`, [1, 4, 1, 1])],
    });
    return graph.add(
      'If',
      ['yes'],
      [
        { name: 'then_branch', type: GRAPH, g: branch('Relu') },
        { name: 'else_branch', type: GRAPH, g: branch('Neg') },
      ],
    );
  });
  const { kind, macs, weightBytes, activationBytes } = works.find(({ operator }) => operator === 'If')!;
  assert.deepEqual([kind, macs, weightBytes, activationBytes], ['other', 0, 1, 2 * 4 * FLOAT_BYTES]);
});

test('Work that was counted is kept beside the segments, and counted again where it is spoilt.', async (context) => {
  const place = folder(context);
  const graph = new Graph();
  const file = save(place, 'model', graph.model([value('input', PICTURE)], [graph.classes('input', 3, 10)]));
  const model = await prepareModel(file, { cacheDir: place });
  const works = await workOf(model);
  const beside = path.dirname(model.segments[0]!);
  const [kept] = readdirSync(beside).filter((name) => name.startsWith('work-')) as [string];
  const lost = { ...model, segments: model.segments.map(() => path.join(beside, 'gone.onnx')) };
  assert.deepEqual(await workOf(lost), works);
  writeFileSync(path.join(beside, kept), 'spoilt');
  await assert.rejects(workOf(lost), ModelError);
  assert.deepEqual(await workOf(model), works);
});

test('MobileNetV2 has the multiply-adds and the weights that it is described with.', async (context) => {
  const described = describe(ARCHITECTURES['mobilenet-v2']!);
  const works = await workOf(await prepareModel('mobilenet-v2', { cacheDir: folder(context) }));
  const sum = (of: (work: OperatorWork) => number): number =>
    works.reduce((total, work) => total + of(work), 0);
  const weights = described.layers.flatMap((layer) => layer.weights);
  const elements = weights.reduce((total, { dims }) => total + dims.reduce((a, b) => a * b, 1), 0);
  const macs = sum((work) => work.macs);
  assert.equal(macs, macsOf(described));
  const weightBytes = sum((work) => work.weightBytes);
  assert.equal(weightBytes, FLOAT_BYTES * elements);
  assert.deepEqual(
    works.map(({ node }) => node),
    described.operators.map(({ name }) => name),
  );
});
