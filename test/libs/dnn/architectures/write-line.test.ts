import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { seededRandom } from '../../../../libs/clock/index.ts';
import type { LineSpec } from '../../../../libs/dnn/architectures/line-spec.ts';
import { writeLine } from '../../../../libs/dnn/architectures/write-line.ts';
import { onnx } from '../../../../libs/dnn/onnx.ts';
import { TINY } from '../../../tiny-model.ts';
import { inputOf, type Loose } from '../models.ts';

const bytes = (spec: LineSpec): Uint8Array => onnx.ModelProto.encode(writeLine(spec)).finish();
const decoded = (spec: LineSpec): Loose => onnx.ModelProto.decode(bytes(spec));

/** The values of a weight, copied to aligned memory. */
function valuesOf(tensor: Loose): Float32Array {
  return new Float32Array(Uint8Array.from(tensor.rawData).buffer);
}

test('The same architecture and seed give the same bytes, another seed gives others.', () => {
  assert.deepEqual(bytes(TINY), bytes({ ...TINY }));
  assert.notDeepEqual(bytes(TINY), bytes({ ...TINY, seed: 2 }));
});

test('A written model names its operator set, and its tensors after the layer that they leave.', () => {
  const model = decoded(TINY);
  assert.equal(Number(model.opsetImport[0].version), 13);
  assert.deepEqual(
    model.graph.node.map((node: Loose) => `${node.opType} ${node.output}`),
    [
      ...[
        'Conv conv1/linear',
        'Relu conv1',
        'MaxPool pool1',
        'Conv conv2/linear',
        'Relu conv2',
        'MaxPool pool2',
      ],
      ...['Flatten fc3/flat', 'Gemm fc3/linear', 'Relu fc3', 'Gemm fc4'],
    ],
  );
  assert.equal(model.graph.output[0].name, 'fc4');
});

test('Weights are uniform with the variance 2 / fan-in, from the one seeded generator.', () => {
  const { initializer } = decoded(TINY).graph;
  const named = (name: string): Loose => initializer.find((tensor: Loose) => tensor.name === name);
  const random = seededRandom(TINY.seed * 1000);
  const spread = Math.sqrt(6 / 27);
  const values = valuesOf(named('conv1.weight'));
  assert.equal(values.length, 8 * 3 * 3 * 3);
  for (const value of values) assert.ok(Math.abs(value - (2 * random() - 1) * spread) < 1e-6);

  const large = valuesOf(named('fc3.weight'));
  assert.deepEqual(named('fc3.weight').dims.map(Number), [64, 512]);
  const variance = large.reduce((sum, value) => sum + value ** 2, 0) / large.length;
  assert.ok(Math.abs(variance * (512 / 2) - 1) < 0.03, `${variance}`);
  const mean = large.reduce((sum, value) => sum + value, 0) / large.length;
  assert.ok(Math.abs(mean) < 3 * Math.sqrt(variance / large.length));
});

test('No two weights of a model have the same values.', () => {
  const seen = decoded(TINY).graph.initializer.map((tensor: Loose) => valuesOf(tensor).slice(0, 8).join());
  assert.equal(new Set(seen).size, seen.length);
});

test('Progress is told layer by layer, up to all of it.', () => {
  const told: number[] = [];
  writeLine(TINY, (fraction) => told.push(fraction));
  assert.equal(told.length, TINY.layers.length);
  assert.ok(told.at(-1)! > 0.99 && told.at(-1)! <= 1);
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  );
});

test('Activations keep a natural spread through a deep network, and tell pictures apart.', async () => {
  const layers: LineSpec['layers'] = [
    ...Array.from({ length: 12 }, (_, i) => ({
      ...{ kind: 'conv' as const, name: `conv${i}`, channels: 16, kernel: 3, stride: 1, pad: 1 },
    })),
    { kind: 'fully-connected', name: 'fc', channels: 50, relu: false },
  ];
  const spec: LineSpec = { name: 'deep', input: [3, 16, 16], layers, seed: 4 };
  const session = await InferenceSession.create(bytes(spec));
  const scores: Float32Array[] = [];
  for (const seed of [1, 2, 3]) {
    const input = new Tensor('float32', inputOf([1, 3, 16, 16], seed), [1, 3, 16, 16]);
    scores.push((await session.run({ input })).fc!.data as Float32Array);
  }
  await session.release();
  for (const score of scores) {
    const mean = score.reduce((a, b) => a + b, 0) / score.length;
    const spread = Math.sqrt(score.reduce((sum, value) => sum + (value - mean) ** 2, 0) / score.length);
    assert.ok(spread > 0.1 && spread < 20, `spread ${spread}`);
  }
  const distance = Math.max(...scores[0]!.map((value, i) => Math.abs(value - scores[1]![i]!)));
  assert.ok(distance > 0.05, `distance ${distance}`);
});
