/** Whatever network it is: the segments of its kept cuts give what the whole gives, bit for bit. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../libs/clock/index.ts';
import { InferenceThread, listCuts, type PreparedModel, prepareModel } from '../../../libs/dnn/index.ts';
import { onnx } from '../../../libs/dnn/onnx.ts';
import { readOnnx, writeModel } from '../../../libs/dnn/weights.ts';
import { type Block, blocks, Graph, ints, save, value } from './graphs.ts';
import { folder, inputOf, isModelError, type Loose, wholeDigest, write } from './models.ts';

/** Runs a head up to every kept cut and its tail behind it; all must answer what the whole model does. */
async function composes(model: PreparedModel, whole = model.file): Promise<void> {
  const { dims } = model.cuts[0]!;
  const last = model.cuts.length - 1;
  const runner = new InferenceThread(model);
  try {
    for (const seed of [11, 12]) {
      const expected = await wholeDigest(whole, inputOf(dims, seed), dims);
      for (let cut = 0; cut < last; cut++) {
        const data = inputOf(dims, seed);
        const head = await runner.run({ from: 0, to: cut, input: { kind: 'float32', data } });
        const tail = await runner.run({
          ...{ from: cut, to: last },
          input: { kind: 'float32', data: head.tensor! },
        });
        assert.equal(tail.answer!.digest, expected, `cut ${model.cuts[cut]!.id}`);
      }
    }
  } finally {
    await runner.stop();
  }
}

function prepare(context: TestContext, name: string, model: Loose): Promise<PreparedModel> {
  const place = folder(context);
  return prepareModel(save(place, name, model), { cacheDir: path.join(place, 'cache') });
}

const channels = fc.integer({ min: 1, max: 20 });
const wide = (kind: 'conv' | 'residual' | 'inception'): fc.Arbitrary<Block> =>
  fc.record({ kind: fc.constant(kind), channels, relu: fc.boolean() });
const narrow = (kind: 'max-pool' | 'average-pool' | 'gate' | 'normal'): fc.Arbitrary<Block> =>
  fc.record({ kind: fc.constant(kind) });
const block = fc.oneof(
  wide('conv'),
  wide('residual'),
  wide('inception'),
  narrow('max-pool'),
  narrow('average-pool'),
  narrow('gate'),
  narrow('normal'),
);

test('Lines, branches and residual blocks in any order compose bit for bit at every kept cut.', async (context) => {
  let inner = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(block, { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 8, max: 40 }),
      fc.nat(1000),
      async (chain, side, seed) => {
        const model = await prepare(context, 'random', blocks(chain, side, seed));
        inner += model.cuts.length - 2;
        await composes(model);
      },
    ),
    { numRuns: 25 },
  );
  assert.ok(inner > 10, `${inner} cuts inside`);
});

/** The network with every weight, input and output in float16. */
function narrowed(model: Loose): Loose {
  const { FLOAT16 } = onnx.TensorProto.DataType;
  for (const tensor of model.graph.initializer) {
    if (tensor.dataType !== 1) continue;
    const wideValues = new Float32Array(tensor.rawData.buffer);
    tensor.dataType = FLOAT16;
    tensor.rawData = new Uint8Array(Float16Array.from(wideValues).buffer);
  }
  for (const each of [...model.graph.input, ...model.graph.output])
    if (each.type) each.type.tensorType.elemType = FLOAT16;
  return model;
}

const SOME: readonly Block[] = [
  { kind: 'conv', channels: 9, relu: true },
  { kind: 'max-pool' },
  { kind: 'residual', channels: 5, relu: true },
  { kind: 'max-pool' },
];

test('A float16 network is cut in float32, and how far that is from its own output is told.', async (context) => {
  const place = folder(context);
  const model = narrowed(blocks(SOME, 24, 3));
  model.graph.output[0] = { name: model.graph.output[0].name, type: { tensorType: { elemType: 10 } } };
  // A constant, a cast and a scale in int32 words are float16 too.
  const first = model.graph.node.find((node: Loose) => node.opType === 'Conv');
  model.graph.initializer.push({ name: 'half', dims: [1], dataType: 10, int32Data: [0x3800] });
  model.graph.node.unshift(
    {
      ...{ opType: 'Constant', name: 'two', output: ['two'] },
      attribute: [
        {
          ...{ name: 'value', type: onnx.AttributeProto.AttributeType.TENSOR },
          t: { dims: [1], dataType: 10, rawData: new Uint8Array(Float16Array.of(2).buffer) },
        },
      ],
    },
    {
      ...{ opType: 'Cast', name: 'cast', input: ['input'], output: ['cast'] },
      attribute: [{ name: 'to', type: onnx.AttributeProto.AttributeType.INT, i: 10 }],
    },
    { opType: 'Mul', name: 'doubled', input: ['cast', 'two'], output: ['doubled'] },
    { opType: 'Mul', name: 'halved', input: ['doubled', 'half'], output: ['halved'] },
  );
  first.input[0] = 'halved';
  const file = save(place, 'half', model);
  const options = { cacheDir: path.join(place, 'cache') };
  const prepared = await prepareModel(file, options);
  assert.notEqual(prepared.file, file);
  assert.ok(prepared.cuts.length > 2);
  const wideModel = onnx.ModelProto.decode(readFileSync(prepared.file));
  const types = wideModel.graph!.initializer!.map(({ dataType }) => dataType);
  assert.ok(!types.includes(10), `${types}`);
  await composes(prepared);
  const { widened } = await listCuts(file, 1, options);
  // The runtime may compute float16 in float32, without rounding: then there is no difference.
  assert.ok(widened!.max >= 0 && widened!.max < 0.1, `${widened!.max}`);
  assert.deepEqual(await prepareModel(file, options), prepared);
});

/** Moves the weights of a model to a file beside it, each at a place of its own. */
function external(model: Loose, place: string, location = 'weights.bin'): Loose {
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of model.graph.initializer) {
    const bytes: Uint8Array = tensor.rawData;
    const entries = { location, offset, length: bytes.length };
    tensor.externalData = Object.entries(entries).map(([key, text]) => ({ key, value: String(text) }));
    tensor.dataLocation = 1;
    delete tensor.rawData;
    parts.push(bytes, new Uint8Array(3));
    offset += bytes.length + 3;
  }
  writeFileSync(path.join(place, location), Buffer.concat(parts));
  return model;
}

test('A network with its weights in another file is cut like one that has them inside.', async (context) => {
  const place = folder(context);
  const options = { cacheDir: path.join(place, 'cache') };
  const inside = save(place, 'inside', blocks(SOME, 24, 3));
  const outside = save(place, 'outside', external(blocks(SOME, 24, 3), place));
  const prepared = await prepareModel(outside, options);
  await composes(prepared, inside);
  await composes(prepared);

  // Other weights are another model, and it is cut again.
  const bytes = readFileSync(path.join(place, 'weights.bin'));
  bytes.writeFloatLE(bytes.readFloatLE(0) + 1, 0);
  writeFileSync(path.join(place, 'weights.bin'), bytes);
  const changed = await prepareModel(outside, options);
  assert.notEqual(changed.hash, prepared.hash);
  await composes(changed);
});

test('A float16 network with its weights in another file is cut too.', async (context) => {
  const place = folder(context);
  const model = external(narrowed(blocks(SOME, 24, 3)), place);
  await composes(await prepareModel(save(place, 'both', model), { cacheDir: path.join(place, 'cache') }));
});

test('A model whose weights are too many for one file is written with data beside it, and reads as before.', async (context) => {
  const place = folder(context);
  const file = write(place, 'tiny');
  const target = path.join(place, 'large.onnx');
  const model = readOnnx(file);
  writeModel(model as Loose, place, target, 10_000);
  assert.ok(existsSync(`${target}.data`));
  assert.ok(readFileSync(target).length < 10_000);
  const dims = [1, 3, 32, 32];
  const input = inputOf(dims, 1);
  assert.equal(await wholeDigest(target, input, dims), await wholeDigest(file, input, dims));
  const again = path.join(place, 'again.onnx');
  writeModel(readOnnx(target) as Loose, place, again);
  assert.equal(await wholeDigest(again, input, dims), await wholeDigest(file, input, dims));
});

test('Data files that are missing, too short, or outside the model’s folder are refused, and named.', async (context) => {
  const place = folder(context);
  const tensorOf = (model: Loose): Loose => external(model, place).graph.initializer[0];
  const entry = (tensor: Loose, key: string): Loose =>
    tensor.externalData.find((each: Loose) => each.key === key);
  const spoils: [string, (tensor: Loose) => void, RegExp][] = [
    [
      'missing',
      (tensor) => (entry(tensor, 'location').value = 'no.bin'),
      /lies in no\.bin, and there is no such file/,
    ],
    [
      'short',
      (tensor) => (entry(tensor, 'offset').value = '99999999'),
      /up to byte \d+, but that file has \d+ bytes/,
    ],
    [
      'up',
      (tensor) => (entry(tensor, 'location').value = '../w.bin'),
      /lies in \.\.\/w\.bin, outside the model's folder/,
    ],
    ['away', (tensor) => (entry(tensor, 'location').value = 'a/../../w'), /outside the model's folder/],
    ['root', (tensor) => (entry(tensor, 'location').value = '/etc/passwd'), /outside the model's folder/],
    ['length', (tensor) => (entry(tensor, 'length').value = '7'), /with 7 bytes, but has \d+/],
    ['nowhere', (tensor) => tensor.externalData.shift(), /does not say in which/],
    ['negative', (tensor) => (entry(tensor, 'offset').value = '-4'), /at a place that is no number/],
  ];
  for (const [name, spoil, message] of spoils) {
    const file = write(place, name, (model) => spoil(tensorOf(model)));
    assert.throws(
      () => readOnnx(file),
      (error) => isModelError(error, file, message) && isModelError(error, file, /the weight conv1\.weight /),
    );
  }
});

test('A network of opset 7, its weights among the inputs, is cut like others.', async (context) => {
  const graph = new Graph(5);
  const conv = graph.relu(graph.conv('input', 3, 8));
  const pool = graph.pool(conv);
  const sum = graph.add('Add', [graph.conv(pool, 8, 8), pool]);
  const last = graph.classes(graph.pool(sum), 8, 10);
  const model = graph.model([value('input', [1, 3, 16, 16])], [last], 7);
  model.graph.input.push(...model.graph.initializer.map(({ name, dims }: Loose) => value(name, dims)));
  const prepared = await prepare(context, 'seven', model);
  assert.ok(prepared.cuts.length > 2);
  await composes(prepared);
});

test('A network with a graph inside an operator is cut around it, with what that graph takes from outside.', async (context) => {
  const graph = new Graph(5);
  const pool = graph.pool(graph.relu(graph.conv('input', 3, 4)));
  const scale = graph.weight([1]);
  const mean = graph.add('ReduceMean', [pool], [{ name: 'keepdims', type: 2, i: 0 }]);
  const zero = graph.weight([]);
  const isMore = graph.add('Greater', [mean, zero]);
  const branch = (opType: string): Loose => ({
    name: opType,
    node: [{ opType, name: opType, input: [pool, scale], output: [`${opType}/out`] }],
    output: [value(`${opType}/out`, [1, 4, 8, 8])],
  });
  const chosen = graph.add(
    'If',
    [isMore],
    [
      { name: 'then_branch', type: 5, g: branch('Mul') },
      { name: 'else_branch', type: 5, g: branch('Add') },
    ],
  );
  const model = graph.model([value('input', [1, 3, 16, 16])], [graph.classes(graph.pool(chosen), 4, 10)]);
  const prepared = await prepare(context, 'branching', model);
  assert.deepEqual(
    prepared.cuts.slice(0, 2).map(({ id }) => id),
    ['input', pool],
  );
  assert.ok(prepared.cuts.length > 3);
  await composes(prepared);
});

/** A convolution of 8-bit numbers, as quantisation writes it: the runtime makes one operator of the five. */
function quantised(channels: number): Loose {
  const { UINT8, INT8, INT32 } = onnx.TensorProto.DataType;
  const graph = new Graph(3);
  const random = seededRandom(1);
  const raw = (
    name: string,
    dims: number[],
    dataType: number,
    values: { readonly buffer: ArrayBufferLike },
  ) => {
    graph.initializer.push({ name, dims, dataType, rawData: new Uint8Array(values.buffer) });
    return name;
  };
  const scale = (name: string, factor: number): string => raw(name, [], 1, Float32Array.of(factor));
  const drawn = (length: number, least: number) =>
    Int8Array.from({ length }, () => Math.floor(256 * random()) + least);
  const zero = raw('zero', [], UINT8, Uint8Array.of(120));
  const weightScale = scale('weight.scale', 0.0103);
  const inputScale = scale('input.scale', 0.017);
  const there = (tensor: string, by: string): string =>
    graph.add('DequantizeLinear', [graph.add('QuantizeLinear', [tensor, by, zero]), by, zero]);
  const weights = graph.add('DequantizeLinear', [
    raw('weight', [channels, 3, 3, 3], INT8, drawn(27 * channels, -128)),
    weightScale,
    raw('weight.zero', [], INT8, Int8Array.of(0)),
  ]);
  const bias = graph.add('DequantizeLinear', [
    raw('bias', [channels], INT32, Int32Array.from(drawn(channels, 0))),
    scale('bias.scale', 0.017 * 0.0103),
    raw('bias.zero', [], INT32, Int32Array.of(0)),
  ]);
  const conv = graph.add(
    'Conv',
    [there('input', inputScale), weights, bias],
    [ints('kernel_shape', [3, 3])],
    'conv',
  );
  const back = there(conv, scale('output.scale', 0.041));
  return graph.model([value('input', [1, 3, 20, 20])], [graph.classes(graph.pool(back), channels, 10)]);
}

test('A cut that changes the output is found by running it, left out, and told; others take its place.', async (context) => {
  const place = folder(context);
  const options = { cacheDir: path.join(place, 'cache') };
  let changing = 0;
  for (const channels of [1, 2, 8]) {
    const file = save(place, `quantised-${channels}`, quantised(channels));
    await composes(await prepareModel(file, options));
    const { cuts } = await listCuts(file, 1, options);
    const found = cuts.filter(({ changesBits }) => changesBits);
    changing += found.length;
    assert.ok(found.every(({ kept }) => !kept));
    assert.ok(cuts.filter(({ kept }) => kept).length > 2);
  }
  assert.ok(changing > 0);
});

test('A network whose dimensions are open is measured with them fixed, where the runtime rounds otherwise.', async (context) => {
  const place = folder(context);
  for (const layout of ['nchw', 'nhwc']) {
    const graph = new Graph(5);
    const mean = graph.add('GlobalAveragePool', [graph.pool('input')]);
    const file = save(place, layout, graph.model([value('input', ['N', 'C', 'H', 'W'])], [mean]));
    writeFileSync(path.join(place, `${layout}.yaml`), `size: [8, 8]\nlayout: ${layout}\n`);
    await composes(await prepareModel(file, { cacheDir: path.join(place, 'cache') }));
  }
});

test('Segments keep the functions, the operator sets and the metadata of their model.', async (context) => {
  const graph = new Graph(5);
  const pool = graph.pool(graph.relu(graph.conv('input', 3, 8)));
  graph.node.push({ opType: 'Twice', domain: 'test', name: 'twice', input: [pool], output: ['twice'] });
  const model = graph.model([value('input', [1, 3, 16, 16])], [graph.classes(graph.pool('twice'), 8, 10)]);
  model.opsetImport.push({ domain: 'test', version: 1 });
  model.metadataProps = [{ key: 'author', value: 'nobody' }];
  model.functions = [
    {
      ...{ name: 'Twice', domain: 'test', input: ['a'], output: ['b'] },
      node: [{ opType: 'Add', input: ['a', 'a'], output: ['b'] }],
      opsetImport: [{ domain: '', version: 13 }],
    },
  ];
  const prepared = await prepare(context, 'functions', model);
  await composes(prepared);
  for (const file of prepared.segments) {
    const part = readOnnx(file);
    assert.equal(part.functions[0]!.name, 'Twice');
    assert.deepEqual(
      part.opsetImport.map(({ domain }) => domain),
      ['', 'test'],
    );
    assert.equal(part.metadataProps[0]!.value, 'nobody');
  }
});

test('A network that draws random numbers is refused: no cut of it can be checked.', async (context) => {
  const graph = new Graph(5);
  const noise = graph.add('RandomNormalLike', ['input'], [], 'noise');
  const sum = graph.add('Add', ['input', noise]);
  const model = graph.model([value('input', [1, 3, 16, 16])], [graph.classes(graph.pool(sum), 3, 10)]);
  await assert.rejects(prepare(context, 'random', model), (error) =>
    isModelError(error, 'random.onnx', /operator RandomNormalLike \(noise\/node\) draws random numbers/),
  );
});
