import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import type { Layer, LineSpec } from '../../../libs/dnn/architectures/line-spec.ts';
import type { DetectCard } from '../../../libs/dnn/card.ts';
import { detectBoxes } from '../../../libs/dnn/detect.ts';
import {
  type Assignment,
  InferenceThread,
  type PreparedModel,
  pictureToTensor,
  prepareModel,
} from '../../../libs/dnn/index.ts';
import { readOnnx } from '../../../libs/dnn/weights.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { Graph, save, value } from './graphs.ts';
import { folder, inputOf, int64, type Loose, weight, wholeDigest, write } from './models.ts';

const INPUT = [1, 3, 32, 32];

function thread(context: TestContext, assignment: Assignment): InferenceThread {
  const made = new InferenceThread(assignment);
  context.after(() => made.stop());
  return made;
}

async function tiny(context: TestContext): Promise<PreparedModel> {
  const place = folder(context);
  return prepareModel(writeTinyModel(place), { cacheDir: path.join(place, 'cache') });
}

/** Runs a head up to every cut and its tail behind it; all of them must answer what the whole model does. */
async function everyComposition(model: PreparedModel, runner: InferenceThread, seed = 1): Promise<void> {
  const last = model.cuts.length - 1;
  const { dims } = model.cuts[0]!;
  const expected = await wholeDigest(model.file, inputOf(dims, seed), dims);
  for (let cut = 0; cut <= last; cut++) {
    const data = inputOf(dims, seed);
    const head = await runner.run({ from: 0, to: cut, input: { kind: 'float32', data } });
    if (cut === last) {
      assert.equal(head.answer!.digest, expected, 'local-only');
      assert.equal(head.tensor, undefined);
      continue;
    }
    assert.equal(head.answer, undefined);
    assert.equal(head.tensor!.byteLength, model.cuts[cut]!.bytes);
    const tail = await runner.run({ from: cut, to: last, input: { kind: 'float32', data: head.tensor! } });
    assert.equal(tail.answer!.digest, expected, `cut ${cut} (${model.cuts[cut]!.id}) of ${last}`);
  }
}

test('A head and its tail answer bit for bit what the whole model answers, at every cut.', async (context) => {
  const model = await tiny(context);
  const runner = thread(context, model);
  for (const seed of [1, 2, 3]) await everyComposition(model, runner, seed);
});

/** Line networks of any form that leaves a picture to the last layer. */
const architecture: fc.Arbitrary<LineSpec> = fc
  .record({
    depth: fc.constantFrom(1, 3),
    side: fc.integer({ min: 12, max: 40 }),
    wider: fc.integer({ min: 0, max: 8 }),
    layers: fc.array(
      fc.record({
        pool: fc.boolean(),
        channels: fc.integer({ min: 1, max: 24 }),
        kernel: fc.integer({ min: 1, max: 5 }),
        stride: fc.integer({ min: 1, max: 2 }),
        pad: fc.integer({ min: 0, max: 2 }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    dense: fc.array(fc.record({ channels: fc.integer({ min: 1, max: 70 }), relu: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    }),
    seed: fc.nat(10_000),
  })
  .map(({ depth, side, wider, layers, dense, seed }) => {
    let least = side;
    const chain: Layer[] = [];
    layers.forEach(({ pool, channels, kernel, stride, pad }, i) => {
      const padded = pool ? 0 : pad;
      const left = Math.floor((least + 2 * padded - kernel) / stride) + 1;
      if (left < 2) return;
      least = left;
      if (pool) chain.push({ kind: 'max-pool', name: `pool${i}`, kernel, stride });
      else chain.push({ kind: 'conv', name: `conv${i}`, channels, kernel, stride, pad });
    });
    dense.forEach(({ channels, relu }, i) => {
      chain.push({ kind: 'fully-connected', name: `fc${i}`, channels, relu });
    });
    return { name: 'random', input: [depth, side, side + wider], layers: chain, seed };
  });

test('Whatever the architecture, every head and tail answer bit for bit what the whole model answers.', async (context) => {
  await fc.assert(
    fc.asyncProperty(architecture, async (spec) => {
      const place = folder(context);
      const model = await prepareModel(writeTinyModel(place, spec), { cacheDir: path.join(place, 'cache') });
      const runner = new InferenceThread(model);
      try {
        await everyComposition(model, runner);
      } finally {
        await runner.stop();
      }
    }),
    { numRuns: 12 },
  );
});

async function changed(context: TestContext, change: (model: Loose) => void): Promise<PreparedModel> {
  const place = folder(context);
  return prepareModel(write(place, 'changed', change), { cacheDir: path.join(place, 'cache') });
}

test('A model of an old exporter, with its weights among the inputs, is cut and runs like others.', async (context) => {
  const model = await changed(context, (old) => {
    old.irVersion = 3;
    old.opsetImport[0].version = 9;
    old.graph.input.push(
      ...old.graph.initializer.map(({ name, dims }: Loose) => ({
        name,
        type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue: number) => ({ dimValue })) } } },
      })),
    );
  });
  assert.equal(model.cuts.length, 5);
  assert.deepEqual(
    model.segments.map((file) => readOnnx(file).graph.input.map(({ name }) => name)),
    [
      ['input', 'conv1.weight', 'conv1.bias'],
      ['pool1', 'conv2.weight', 'conv2.bias'],
      ['pool2', 'fc3.weight', 'fc3.bias'],
      ['fc3', 'fc4.weight', 'fc4.bias'],
    ],
  );
  await everyComposition(model, thread(context, model));
});

test('A model with an open batch, constant operators and fused layers is cut and runs like others.', async (context) => {
  const model = await changed(context, ({ graph }) => {
    graph.input[0].type.tensorType.shape.dim[0] = { dimParam: 'batch' };
    graph.output[0].type.tensorType.shape.dim[0] = { dimParam: 'batch' };
    const at = (name: string): number => graph.node.findIndex((node: Loose) => node.output.includes(name));
    // Weights of fc4 are reshaped from a flat list.
    const index = graph.initializer.findIndex((tensor: Loose) => tensor.name === 'fc4.weight');
    graph.initializer.splice(index, 1, weight('fc4.flat', [640]), int64('fc4.shape', [10, 64]));
    graph.node.unshift({
      opType: 'Reshape',
      name: 'reshape',
      input: ['fc4.flat', 'fc4.shape'],
      output: ['fc4.weight'],
    });
    // A batch normalisation between the convolution and its ReLU, which the runtime melts into one.
    graph.initializer.push(...['scale', 'b', 'mean'].map((name, i) => weight(`bn.${name}`, [8], i + 1)));
    graph.initializer.push({
      ...weight('bn.var', [8]),
      rawData: new Uint8Array(new Float32Array(8).fill(2).buffer),
    });
    graph.node.splice(at('conv2'), 0, {
      ...{ opType: 'BatchNormalization', name: 'bn', output: ['normal'] },
      input: ['conv2/linear', 'bn.scale', 'bn.b', 'bn.mean', 'bn.var'],
    });
    graph.node[at('conv2')].input = ['normal'];
    graph.node.push({ opType: 'Softmax', name: 'softmax', input: ['fc4'], output: ['softmax'] });
    graph.output[0].name = 'softmax';
  });
  assert.deepEqual(
    model.cuts.map(({ id }) => id),
    ['input', 'pool1', 'pool2', 'fc3', 'softmax'],
  );
  await everyComposition(model, thread(context, model));
});

test('A model with a sparse weight is cut and runs like others.', async (context) => {
  const model = await changed(context, ({ graph }) => {
    const index = graph.initializer.findIndex((tensor: Loose) => tensor.name === 'fc4.bias');
    graph.initializer.splice(index, 1);
    graph.sparseInitializer = [
      { values: weight('fc4.bias', [3]), indices: int64('fc4.bias.indices', [1, 4, 9]), dims: [10] },
    ];
  });
  await everyComposition(model, thread(context, model));
});

test('An answer has the five best classes by their labels, and tells pictures apart.', async (context) => {
  const place = folder(context);
  const model = await prepareModel(writeTinyModel(place), { cacheDir: path.join(place, 'cache') });
  const labels = Array.from({ length: 10 }, (_, i) => `thing ${i}`);
  const runner = thread(context, { ...model, card: { ...model.card, labels } });
  const answers = await Promise.all(
    [1, 2, 3].map((seed) =>
      runner.run({ from: 0, to: 4, input: { kind: 'float32', data: inputOf(INPUT, seed) } }),
    ),
  );
  assert.equal(new Set(answers.map(({ answer }) => answer!.digest)).size, 3);
  for (const { answer } of answers) {
    assert.match(answer!.digest, /^[0-9a-f]{32}$/);
    assert.equal(answer!.top.length, 5);
    for (const { index, label } of answer!.top) assert.equal(label, `thing ${index}`);
  }
});

test('A camera’s JPEG at cut 0 gives what its tensor gives.', async (context) => {
  const model = await tiny(context);
  const runner = thread(context, model);
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 60 };
  const jpeg = await sharp({ create: { width: 96, height: 64, channels: 3, background: 'red', noise } })
    .jpeg()
    .toBuffer();
  const data = await pictureToTensor(jpeg, model.card);
  const expected = await runner.run({ from: 0, to: 4, input: { kind: 'float32', data } });
  const answer = await runner.run({ from: 0, to: 4, input: { kind: 'jpeg', data: jpeg } });
  assert.deepEqual(answer.answer, expected.answer);
});

test('Boxes are told in the frame’s pixels where its size is said, from the input or from a cut, and nowhere else.', async (context) => {
  const place = folder(context);
  const graph = new Graph();
  const output = graph.conv(graph.pool(graph.conv('input', 3, 4)), 4, 7, 1);
  const network = graph.model([value('input', [1, 3, 16, 16])], [output]);
  const file = save(place, 'detector', network);
  const card = 'read: detect\nanchors: [[1, 1]]\nlabels: [car, bus]\nthreshold: 0.1\n';
  writeFileSync(file.replace('.onnx', '.yaml'), card);
  const model = await prepareModel(file, { cacheDir: path.join(place, 'cache') });
  const runner = thread(context, model);
  const last = model.cuts.length - 1;
  const input = { kind: 'float32' as const, data: inputOf([1, 3, 16, 16], 1) };
  const frameSize = { width: 320, height: 160 };

  const whole = await runner.run({ from: 0, to: last, input, frameSize, wantsOutput: true }, true);
  const boxes = detectBoxes(whole.tensor!, model.cuts[last]!.dims, model.card as DetectCard, frameSize);
  assert.ok(boxes.length > 0);
  assert.deepEqual(whole.answer!.boxes, boxes);
  assert.deepEqual(whole.answer!.top, []);
  const head = await runner.run({ from: 0, to: 1, input }, true);
  const tail = await runner.run({
    ...{ from: 1, to: last, frameSize },
    input: { kind: 'float32', data: head.tensor! },
  });
  assert.deepEqual(tail.answer, whole.answer);
  const unsized = await runner.run({ from: 0, to: last, input }, true);
  assert.deepEqual(unsized.answer, { ...whole.answer!, boxes: [] });
});

test('A run that fails says why, and those behind it are run all the same, in order.', async (context) => {
  const model = await tiny(context);
  const runner = thread(context, model);
  const run = (data: Float32Array<ArrayBuffer>) =>
    runner.run({ from: 0, to: 4, input: { kind: 'float32', data } });
  const broken = runner.run({ from: 0, to: 4, input: { kind: 'jpeg', data: Buffer.from('no picture') } });
  const short = run(new Float32Array(7));
  const good = run(inputOf(INPUT, 1));
  const last = run(inputOf(INPUT, 2));
  await assert.rejects(broken, /unsupported image format/);
  await assert.rejects(short, /Tensor's size\(3072\) does not match data length\(7\)/);
  const [{ endMs }, { startMs }] = await Promise.all([good, last]);
  assert.ok(endMs <= startMs);
});

test('An input’s memory is handed over to the thread unless it is kept.', async (context) => {
  const model = await tiny(context);
  const runner = thread(context, model);
  const data = inputOf(INPUT, 1);
  const request = { from: 0, to: 4, input: { kind: 'float32', data } } as const;
  const kept = await runner.run(request, true);
  assert.equal(data.length, 3072);
  const given = await runner.run(request);
  assert.equal(data.length, 0);
  assert.equal(given.answer!.digest, kept.answer!.digest);
});

test('A run is held until its emulated time, and counted as an overrun where it takes longer by itself.', async (context) => {
  const model = await tiny(context);
  const runner = thread(context, model);
  const run = (emulatedMs?: number) =>
    runner.run({
      ...{ from: 0, to: 4, input: { kind: 'float32', data: inputOf(INPUT, 1) } },
      ...(emulatedMs === undefined ? {} : { emulatedMs }),
    });
  await run();
  const free = await run();
  assert.equal(free.overrun, false);
  assert.ok(free.realMs > 0 && free.endMs - free.startMs >= free.realMs);
  const hurried = await run(1e-6);
  assert.equal(hurried.overrun, true);
  const held = await run(400);
  assert.equal(held.overrun, false);
  assert.ok(held.endMs - held.startMs >= 399.9, `${held.endMs - held.startMs} ms`);
  assert.ok(held.realMs < 400);
});

test('A node that only runs tails loads their segments only, and answers from its first cut on.', async (context) => {
  const model = await tiny(context);
  const missing = model.segments.map((file, index) => (index < 2 ? `${file}.missing` : file));
  const cloud = thread(context, { ...model, segments: missing, first: 2 });
  await cloud.ready();
  const vehicle = thread(context, model);
  const head = await vehicle.run({ from: 0, to: 2, input: { kind: 'float32', data: inputOf(INPUT, 1) } });
  const whole = await vehicle.run({ from: 0, to: 4, input: { kind: 'float32', data: inputOf(INPUT, 1) } });
  const tail = await cloud.run({ from: 2, to: 4, input: { kind: 'float32', data: head.tensor! } });
  assert.equal(tail.answer!.digest, whole.answer!.digest);
  await assert.rejects(cloud.run({ from: 0, to: 4, input: { kind: 'float32', data: inputOf(INPUT, 1) } }));
});

test('Segments are measured one by one; those that are not loaded take no time.', async (context) => {
  const model = await tiny(context);
  const times = await thread(context, { ...model, first: 1 }).measure();
  assert.equal(times.length, 4);
  assert.equal(times[0], 0);
  for (const ms of times.slice(1)) assert.ok(ms > 0);
});

test('A segment that cannot be loaded is told where the thread is waited for, and every run is refused.', async (context) => {
  const model = await tiny(context);
  const segments = [...model.segments.slice(0, -1), `${model.file}.missing`];
  const runner = thread(context, { ...model, segments });
  await assert.rejects(runner.ready(), /missing/);
  const run = () => runner.run({ from: 0, to: 1, input: { kind: 'float32', data: inputOf(INPUT, 1) } });
  await assert.rejects(run(), /missing|ended/);
});

test('A thread that is stopped refuses what waits for it and what comes later.', async (context) => {
  const model = await tiny(context);
  const runner = thread(context, model);
  await runner.ready();
  const run = () =>
    runner.run({ from: 0, to: 4, input: { kind: 'float32', data: inputOf(INPUT, 1) }, emulatedMs: 60_000 });
  const waiting = assert.rejects(run(), /the inference thread has ended/);
  await runner.stop();
  await waiting;
  await assert.rejects(run(), /the inference thread has ended/);
  await runner.stop();
});

test('Threads that are stopped while they load or run end, and leave the process alone.', async (context) => {
  const model = await tiny(context);
  for (let round = 0; round < 8; round++) {
    const runner = thread(context, model);
    if (round % 2 === 0) await runner.ready();
    const run = (seed: number, emulatedMs: number) =>
      runner.run({ from: 0, to: 4, input: { kind: 'float32', data: inputOf(INPUT, seed) }, emulatedMs });
    // The last is still on its way, however slow this thread is to stop them.
    const runs = Array.from({ length: 50 }, (_, seed) => run(seed, seed === 49 ? 60_000 : 0));
    const settled = Promise.allSettled(runs);
    if (round % 2 === 0) await runs[round];
    await runner.stop();
    const outcomes = (await settled).map(({ status }) => status);
    assert.equal(outcomes.at(-1), 'rejected');
  }
});
