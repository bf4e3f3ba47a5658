import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  ARCHITECTURES,
  type Description,
  describe,
  macsOf,
  parametersOf,
  writeNetwork,
} from '../../../../libs/dnn/architectures/index.ts';
import { line } from '../../../../libs/dnn/architectures/line-spec.ts';
import { resolveCard } from '../../../../libs/dnn/card.ts';
import { detectBoxes } from '../../../../libs/dnn/detect.ts';
import { floatValue, onnx } from '../../../../libs/dnn/onnx.ts';
import { SESSION_OPTIONS } from '../../../../libs/dnn/session-options.ts';
import { TINY } from '../../../tiny-model.ts';
import type { Loose } from '../models.ts';

const network = (name: string): Description => describe(ARCHITECTURES[name]!);
const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');
const elements = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** How many operators of each kind. */
function operators(name: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { opType } of network(name).operators) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}

/** Two pictures, as values from 0 to 1: waves, and a bright disc before a dusky street. */
const PICTURES: readonly ((x: number, y: number, channel: number) => number)[] = [
  (x, y, channel) => 0.5 + (Math.sin(x / 17 + channel) + Math.cos(y / 9)) / 4,
  (x, y, channel) => ((x - 120) ** 2 + (y - 100) ** 2 < 3000 ? 0.9 - 0.2 * channel : 0.3 + y / 2000),
];

/** What every layer gives for both pictures, by ONNX Runtime. */
async function activations(name: string): Promise<readonly (readonly Tensor[])[]> {
  const architecture = ARCHITECTURES[name]!;
  const { input, layers } = describe(architecture);
  const model: Loose = writeNetwork(architecture);
  model.graph.output = layers.map(({ output }) => floatValue(output.name, output.dims));
  const session = await InferenceSession.create(onnx.ModelProto.encode(model).finish(), SESSION_OPTIONS);
  const { mean, std } = resolveCard(architecture.card ?? {}, input.dims, name);
  const [, , height, width] = input.dims as [number, number, number, number];
  const given: Tensor[][] = [];
  for (const picture of PICTURES) {
    const data = Float32Array.from({ length: elements(input.dims) }, (_, i) => {
      const channel = Math.floor(i / (height * width));
      const value = picture(i % width, Math.floor(i / width) % height, channel);
      return (value - mean[channel]!) / std[channel]!;
    });
    const results = await session.run({ input: new Tensor('float32', data, input.dims) });
    given.push(layers.map(({ output }) => results[output.name]! as Tensor));
  }
  await session.release();
  return given;
}

const valuesOf = (tensor: Tensor): Float32Array => tensor.data as Float32Array;
const rms = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

test('Every architecture stands in the registry under its own name, with seeds of its own.', () => {
  assert.deepEqual(Object.keys(ARCHITECTURES), [
    ...['alexnet', 'vgg16', 'tiny-yolov2', 'googlenet', 'resnet18', 'mobilenet-v2'],
  ]);
  for (const [name, architecture] of Object.entries(ARCHITECTURES)) assert.equal(architecture.name, name);
  const seeds = Object.values(ARCHITECTURES).map(({ seed }) => seed);
  assert.equal(new Set(seeds).size, seeds.length);
});

test('The architectures have the published parameters and multiply-adds.', () => {
  const published = {
    alexnet: [61_100_840, 714_188_480],
    vgg16: [138_357_544, 15_470_264_320],
    'tiny-yolov2': [15_861_773, 3_485_520_896],
    googlenet: [6_998_552, 1_582_671_872],
    resnet18: [11_689_512, 1_814_073_344],
    'mobilenet-v2': [3_504_872, 300_774_272],
  };
  for (const [name, figures] of Object.entries(published))
    assert.deepEqual([parametersOf(network(name)), macsOf(network(name))], figures, name);
});

test('Tiny YOLOv2 has 15,867,885 parameters with the running means and variances.', () => {
  const weights = network('tiny-yolov2').layers.flatMap((layer) => layer.weights);
  assert.equal(
    weights.reduce((sum, { dims }) => sum + elements(dims), 0),
    15_867_885,
  );
});

test('The architectures have the operators that they are published with.', () => {
  assert.deepEqual(operators('tiny-yolov2'), {
    ...{ Conv: 9, BatchNormalization: 8, LeakyRelu: 8, MaxPool: 6 },
  });
  assert.deepEqual(operators('googlenet'), {
    ...{ Conv: 57, Relu: 57, MaxPool: 13, Concat: 9, GlobalAveragePool: 1, Flatten: 1, Gemm: 1 },
  });
  assert.deepEqual(operators('resnet18'), {
    ...{ Conv: 20, BatchNormalization: 20, Relu: 17, MaxPool: 1, Add: 8 },
    ...{ GlobalAveragePool: 1, Flatten: 1, Gemm: 1 },
  });
  assert.deepEqual(operators('mobilenet-v2'), {
    ...{ Conv: 52, BatchNormalization: 52, Clip: 35, Add: 10, GlobalAveragePool: 1, Flatten: 1, Gemm: 1 },
  });
});

test('Where the networks join and shrink, tensors have the published names and shapes.', () => {
  const shapes = {
    'tiny-yolov2': {
      pool1: [16, 208, 208],
      pool5: [256, 13, 13],
      pool6: [512, 13, 13],
      conv9: [125, 13, 13],
    },
    googlenet: {
      ...{ 'conv1/7x7_s2': [64, 112, 112], 'pool1/3x3_s2': [64, 56, 56], 'pool2/3x3_s2': [192, 28, 28] },
      ...{ 'inception_3a/output': [256, 28, 28], 'inception_3b/output': [480, 28, 28] },
      ...{ 'inception_4a/output': [512, 14, 14], 'inception_4d/output': [528, 14, 14] },
      ...{ 'inception_4e/output': [832, 14, 14], 'inception_5b/output': [1024, 7, 7] },
    },
    resnet18: {
      ...{
        conv1: [64, 112, 112],
        maxpool: [64, 56, 56],
        'layer1.0': [64, 56, 56],
        'layer2.0': [128, 28, 28],
      },
      ...{ 'layer3.1': [256, 14, 14], 'layer4.1': [512, 7, 7], avgpool: [512, 1, 1] },
    },
    'mobilenet-v2': {
      ...{ 'features.0': [32, 112, 112], 'features.2.depthwise': [96, 56, 56], 'features.3': [24, 56, 56] },
      ...{ 'features.7.project': [64, 14, 14], 'features.16': [160, 7, 7], 'features.18': [1280, 7, 7] },
    },
  };
  for (const [name, expected] of Object.entries(shapes)) {
    const given = new Map(network(name).layers.map(({ output }) => [output.name, output.dims]));
    for (const [tensor, dims] of Object.entries(expected))
      assert.deepEqual(given.get(tensor), [1, ...dims], `${name} ${tensor}`);
  }
});

for (const name of ['tiny-yolov2', 'googlenet', 'resnet18', 'mobilenet-v2'])
  test(`ONNX Runtime gives the shapes that ${name} says, spreads that neither fade nor explode, and another answer for another picture.`, async () => {
    const [first, second] = (await activations(name)) as [Tensor[], Tensor[]];
    const { layers, output } = network(name);
    layers.forEach((layer, index) => {
      assert.deepEqual(first[index]!.dims, layer.output.dims, layer.output.name);
      for (const tensor of [first[index]!, second[index]!]) {
        const values = valuesOf(tensor);
        assert.ok(values.every(Number.isFinite), `${layer.output.name} is finite`);
        assert.ok(rms(values) > 0.1 && rms(values) < 10, `${layer.output.name} spreads ${rms(values)}`);
      }
    });
    assert.equal(layers.at(-1)!.output, output);
    const [one, other] = [valuesOf(first.at(-1)!), valuesOf(second.at(-1)!)];
    const distance = rms(one.map((value, index) => value - other[index]!));
    assert.ok(distance > 0.05 * rms(one), `distance ${distance} of ${rms(one)}`);
  });

test('Tiny YOLOv2 and its own card give boxes within the frame.', async () => {
  const { card, input } = ARCHITECTURES['tiny-yolov2']!;
  const resolved = resolveCard({ ...card, threshold: 0.05 }, [1, ...input], 'tiny-yolov2');
  assert.ok(resolved.read === 'detect');
  assert.equal(resolved.labels.length, 20);
  const output = (await activations('tiny-yolov2'))[0]!.at(-1)!;
  const boxes = detectBoxes(valuesOf(output), output.dims, resolved, { width: 640, height: 360 });
  assert.ok(boxes.length > 0);
  for (const { left, top, width, height, label } of boxes) {
    assert.ok(left >= 0 && top >= 0 && left + width <= 640.001 && top + height <= 360.001);
    assert.ok(resolved.labels.includes(label));
  }
});

test('Batch normalisation lies close to what changes nothing; variances are above 0.', () => {
  const weights = network('mobilenet-v2').layers.flatMap((layer) => layer.weights);
  const parts = { scale: [0.5, 1], bias: [0], mean: [0], var: [1] };
  for (const [part, centres] of Object.entries(parts)) {
    const found = weights.filter(({ name }) => name.endsWith(`bn.${part}`));
    assert.equal(found.length, 52);
    assert.ok(found.every(({ centre, spread }) => centres.includes(centre) && spread > 0 && spread <= 0.1));
  }
});

test('No two drawn weights of an architecture have one seed, or one name.', () => {
  for (const name of Object.keys(ARCHITECTURES)) {
    const weights = network(name).layers.flatMap((layer) => layer.weights);
    assert.equal(new Set(weights.map((weight) => weight.name)).size, weights.length);
    const seeds = weights.filter(({ spread }) => spread > 0).map(({ seed }) => seed);
    assert.equal(new Set(seeds).size, seeds.length, name);
    const [least, greatest] = [Math.min(...seeds), Math.max(...seeds)];
    assert.ok(greatest - least < 1000, `${name} leaves the seeds of others alone`);
  }
});

test('A network is written to the same bytes as ever: caches and results refer to them.', () => {
  const tiny = onnx.ModelProto.encode(writeNetwork(line(TINY))).finish();
  assert.equal(sha256(tiny), 'fae8ca3e46c304527770b96bdc96cf57e48e7e2cd49d8342295aa5aa5a768837');
  // All but the drawing of the weights, which the tiny network shows.
  const described = (name: string): string => {
    const { layers, operators } = network(name);
    const rows = [
      ...layers.flatMap(({ weights }) =>
        weights.map((weight) => [weight.name, weight.dims, weight.seed, weight.centre, weight.spread]),
      ),
      ...operators.map((node) => [node.opType, node.name, node.input, node.output, node.attributes]),
    ];
    return sha256(JSON.stringify(rows)).slice(0, 32);
  };
  assert.deepEqual(Object.fromEntries(Object.keys(ARCHITECTURES).map((name) => [name, described(name)])), {
    alexnet: '322dadfa52c67a31a213d82bc5fc66e9',
    vgg16: 'bbafbfd5b3249f033a64ef6d8b5103ba',
    'tiny-yolov2': '05555d108e9f444b06c1f20d391c6bcb',
    googlenet: 'c6d535cfae8f29a162cfe33b1f79137a',
    resnet18: '565d9a6becbe9f9a86b6bdcbd99fcc5c',
    'mobilenet-v2': 'bc5596400d27dfd24b2332c285876de1',
  });
});
