import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type PreparedModel, prepareModel } from '../../../libs/dnn/index.ts';
import { onnx } from '../../../libs/dnn/onnx.ts';
import { readOnnx } from '../../../libs/dnn/weights.ts';
import { TINY, writeTinyModel } from '../../tiny-model.ts';
import { folder, isModelError, type Loose, weight, write } from './models.ts';

interface Places {
  readonly place: string;
  readonly cacheDir: string;
}

function places(context: TestContext): Places {
  const place = folder(context);
  return { place, cacheDir: path.join(place, 'a', 'cache') };
}

/** Every file of a cache with the time of its last change. */
function filesOf(cacheDir: string): string[] {
  return readdirSync(cacheDir, { recursive: true })
    .map(String)
    .sort()
    .map((name) => `${name} ${statSync(path.join(cacheDir, name)).mtimeMs}`);
}

const operators = (file: string): string[] => readOnnx(file).graph.node.map(({ opType }) => opType!);

async function refused(context: TestContext, name: string, change: (model: Loose) => void, message: RegExp) {
  const { place, cacheDir } = places(context);
  const file = write(place, name, change);
  await assert.rejects(prepareModel(file, { cacheDir }), (error) => isModelError(error, file, message));
}

test('A network is cut at its kept cuts, and each segment has its own operators and weights only.', async (context) => {
  const { place, cacheDir } = places(context);
  const model = await prepareModel(writeTinyModel(place), { cacheDir });
  assert.deepEqual(model.cuts, [
    { id: 'input', dims: [1, 3, 32, 32], bytes: 12_288 },
    { id: 'pool1', dims: [1, 8, 16, 16], bytes: 8192 },
    { id: 'pool2', dims: [1, 8, 8, 8], bytes: 2048 },
    { id: 'fc3', dims: [1, 64], bytes: 256 },
    { id: 'fc4', dims: [1, 10], bytes: 40 },
  ]);
  assert.equal(model.name, 'tiny.onnx');
  assert.equal(model.first, 0);
  assert.deepEqual(model.segments.map(operators), [
    ['Conv', 'Relu', 'MaxPool'],
    ['Conv', 'Relu', 'MaxPool'],
    ['Flatten', 'Gemm', 'Relu'],
    ['Gemm'],
  ]);
  assert.deepEqual(
    model.segments.map((file) => readOnnx(file).graph.initializer.map(({ name }) => name)),
    [
      ['conv1.weight', 'conv1.bias'],
      ['conv2.weight', 'conv2.bias'],
      ['fc3.weight', 'fc3.bias'],
      ['fc4.weight', 'fc4.bias'],
    ],
  );
  for (const [index, file] of model.segments.entries()) {
    const { graph } = readOnnx(file);
    assert.deepEqual(
      [graph.input[0]!.name, graph.output[0]!.name],
      [model.cuts[index]!.id, model.cuts[index + 1]!.id],
    );
  }
});

test('A second preparation finds all there: it makes no file, changes none and tells of no progress.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = writeTinyModel(place);
  const told: [string, number][] = [];
  const first = await prepareModel(file, {
    cacheDir,
    onProgress: (what, fraction) => told.push([what, fraction]),
  });
  assert.deepEqual(told[0], ['cutting tiny.onnx', 0]);
  assert.deepEqual(told.at(-1), ['cutting tiny.onnx', 1]);
  const before = filesOf(cacheDir);
  assert.equal(before.filter((name) => /partial/.test(name)).length, 0);
  const second = await prepareModel(file, {
    cacheDir,
    onProgress: () => assert.fail('nothing is to be made'),
  });
  assert.deepEqual(second, first);
  assert.deepEqual(filesOf(cacheDir), before);
});

test('A preparation that was interrupted is done again.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = writeTinyModel(place);
  const first = await prepareModel(file, { cacheDir });
  const manifest = path.join(path.dirname(first.segments[0]!), 'manifest.json');
  const whole = readFileSync(manifest, 'utf8');
  for (const spoiled of ['', whole.slice(0, 40), '{}', '{"version": 0}']) {
    writeFileSync(manifest, spoiled);
    assert.deepEqual(await prepareModel(file, { cacheDir }), first);
    assert.equal(readFileSync(manifest, 'utf8'), whole);
  }
});

async function hashOf(context: TestContext, seed: number, card?: string): Promise<PreparedModel> {
  const { place, cacheDir } = places(context);
  const file = writeTinyModel(place, { ...TINY, seed });
  if (card) writeFileSync(path.join(place, 'tiny.yaml'), card);
  return prepareModel(file, { cacheDir });
}

test('The hash is the model’s and its card’s: equal ones agree wherever they lie, others differ.', async (context) => {
  const { hash } = await hashOf(context, 1);
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.equal((await hashOf(context, 1)).hash, hash);
  // A card that only says what holds anyway changes nothing.
  assert.equal((await hashOf(context, 1, 'channels: rgb\nfit: stretch\n')).hash, hash);
  const others = await Promise.all([
    hashOf(context, 2),
    hashOf(context, 1, 'channels: bgr\n'),
    hashOf(context, 1, 'fit: letterbox\n'),
    hashOf(context, 1, 'mean: [0, 0, 0]\n'),
    hashOf(context, 1, 'labels: [car]\n'),
  ]);
  assert.equal(new Set([hash, ...others.map((other) => other.hash)]).size, 6);
});

test('A card that is changed takes effect although the segments are there.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = writeTinyModel(place);
  const before = await prepareModel(file, { cacheDir });
  writeFileSync(path.join(place, 'tiny.yaml'), 'channels: bgr\nlabels: [car, bus]\n');
  const after = await prepareModel(file, { cacheDir });
  assert.deepEqual([before.card.channels, after.card.channels], ['rgb', 'bgr']);
  assert.deepEqual(after.card.labels, ['car', 'bus']);
  assert.notEqual(after.hash, before.hash);
});

/** A network for pictures of any size and depth: every dimension of its input is open. */
function anyPicture(model: Loose): void {
  model.graph.node = [
    { opType: 'MaxPool', name: 'pool', input: ['input'], output: ['pool'], attribute: [kernel(2)] },
    { opType: 'GlobalAveragePool', name: 'mean', input: ['pool'], output: ['mean'] },
  ];
  model.graph.initializer = [];
  model.graph.input[0].type.tensorType.shape.dim = ['N', 'C', 'H', 'W'].map((dimParam) => ({ dimParam }));
  model.graph.output = [{ name: 'mean' }];
}

const kernel = (side: number): object => ({
  name: 'kernel_shape',
  type: onnx.AttributeProto.AttributeType.INTS,
  ints: [side, side],
});

test('A card that answers what the model leaves open decides the cuts, again when it changes.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = write(place, 'any', anyPicture);
  await assert.rejects(prepareModel(file, { cacheDir }), (error) =>
    isModelError(error, file, /write 'size: \[H, W\]'/),
  );
  const dims = async (card: string): Promise<readonly number[]> => {
    writeFileSync(path.join(place, 'any.yaml'), card);
    return (await prepareModel(file, { cacheDir })).cuts[0]!.dims;
  };
  assert.deepEqual(await dims('size: [10, 12]\n'), [1, 3, 10, 12]);
  assert.deepEqual(await dims('size: [8, 8]\n'), [1, 3, 8, 8]);
  assert.deepEqual(await dims('size: [8, 8]\nchannels: grey\n'), [1, 1, 8, 8]);
  assert.deepEqual(await dims('size: [8, 8]\nlayout: nhwc\n'), [1, 8, 8, 3]);
});

test('A batch that the model leaves open is 1.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = write(place, 'open-batch', ({ graph }) => {
    graph.input[0].type.tensorType.shape.dim[0] = { dimParam: 'batch' };
    graph.output[0].type.tensorType.shape.dim[0] = { dimParam: 'batch' };
  });
  const { cuts } = await prepareModel(file, { cacheDir });
  assert.deepEqual(
    cuts.map(({ dims }) => dims),
    [
      [1, 3, 32, 32],
      [1, 8, 16, 16],
      [1, 8, 8, 8],
      [1, 64],
      [1, 10],
    ],
  );
});

test('A source that is neither a built-in name nor a file is refused with the names there are.', async (context) => {
  const { cacheDir } = places(context);
  for (const source of ['lenet', 'missing.onnx', 'constructor'])
    await assert.rejects(prepareModel(source, { cacheDir }), (error) =>
      isModelError(
        error,
        source,
        /neither a built-in network \(alexnet, vgg16, .*mobilenet-v2\) nor a file$/,
      ),
    );
});

test('A file that is no ONNX, or a folder, is refused, and nothing of it is kept.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = path.join(place, 'picture.onnx');
  writeFileSync(file, Buffer.from('ffd8ffe000104a464946', 'hex'));
  await assert.rejects(prepareModel(file, { cacheDir }), (error) =>
    isModelError(error, file, /this is not an ONNX file/),
  );
  await assert.rejects(prepareModel(place, { cacheDir }), (error) => isModelError(error, place, /EISDIR/));
  assert.deepEqual(readdirSync(cacheDir), []);
});

test('A batch that is fixed to 4 is refused.', async (context) => {
  await refused(
    context,
    'batch',
    ({ graph }) => {
      graph.input[0].type.tensorType.shape.dim[0].dimValue = 4;
    },
    /its batch size is fixed to 4; export it with 1/,
  );
});

test('An input that is not float32 is refused.', async (context) => {
  await refused(
    context,
    'bytes',
    ({ graph }) => {
      graph.input[0].type.tensorType.elemType = onnx.TensorProto.DataType.UINT8;
    },
    /its input is not float32; other types are not supported yet/,
  );
});

test('An output that is not float32 is refused.', async (context) => {
  await refused(
    context,
    'classes',
    ({ graph }) => {
      graph.node.push({ opType: 'ArgMax', name: 'best', input: ['fc4'], output: ['best'] });
      graph.output = [{ name: 'best' }];
    },
    /its output is not float32/,
  );
});

test('A network with two inputs or two outputs is refused for the nodes, and they are named.', async (context) => {
  const value = (name: string, dims: number[]) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  await refused(
    context,
    'mask',
    ({ graph }) => graph.input.push(value('mask', [1])),
    /it has 2 inputs \(input, mask\); nodes run networks with one of each, 'splitlane cut' cuts others too/,
  );
  await refused(
    context,
    'heads',
    ({ graph }) => graph.output.push({ name: 'pool2' }),
    /it has 2 outputs \(fc4, pool2\); nodes run networks with one of each/,
  );
});

test('What the runtime does not take is refused in one line with the runtime’s reason.', async (context) => {
  const spoils: [string, (model: Loose) => void, RegExp][] = [
    [
      'operator',
      ({ graph }) => Object.assign(graph.node[1], { opType: 'Unheard' }),
      /No Op registered for Unheard/,
    ],
    ['domain', ({ graph }) => Object.assign(graph.node[1], { domain: 'com.example' }), /com\.example/],
    [
      'opset',
      ({ opsetImport }) => Object.assign(opsetImport[0], { version: 99 }),
      /Opset 99 is under development/,
    ],
    ['ir', (model) => Object.assign(model, { irVersion: 99 }), /Unsupported model IR version: 99/],
    ['shape', ({ graph }) => Object.assign(graph.initializer[0], { dims: [8, 27] }), /num_dims/],
    [
      'size',
      ({ graph }) => Object.assign(graph.initializer[0], { dims: [9, 3, 3, 3] }),
      /does not match expected size/,
    ],
  ];
  for (const [name, change, message] of spoils) {
    await refused(context, name, change, /ONNX Runtime does not take it: \S/);
    await refused(context, name, change, message);
  }
});

test('A card of the wrong depth is refused although the model is fine.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = writeTinyModel(place);
  writeFileSync(path.join(place, 'tiny.yaml'), 'mean: [0.5]\n');
  await assert.rejects(prepareModel(file, { cacheDir }), (error) =>
    isModelError(error, path.join(place, 'tiny.yaml'), /mean has 1 values for 3 channels$/),
  );
  writeFileSync(path.join(place, 'tiny.yaml'), 'colour: red\n');
  await assert.rejects(prepareModel(file, { cacheDir }), (error) =>
    isModelError(error, path.join(place, 'tiny.yaml'), /colour/),
  );
});

test('A cache that cannot be made or written is refused in one line that names it.', async (context) => {
  const { place } = places(context);
  const file = writeTinyModel(place);
  const inFile = path.join(place, 'file');
  writeFileSync(inFile, '');
  for (const cacheDir of [inFile, path.join(inFile, 'cache'), '/proc/splitlane'])
    await assert.rejects(prepareModel(file, { cacheDir }), (error) =>
      isModelError(error, cacheDir, /^cache .*: cannot be written \((ENOTDIR|EEXIST|ENOENT|EACCES)\)$/),
    );
  const readOnly = path.join(place, 'read-only');
  mkdirSync(readOnly);
  chmodSync(readOnly, 0o555);
  // Root may write there all the same.
  if (process.getuid?.() !== 0)
    await assert.rejects(prepareModel(file, { cacheDir: readOnly }), (error) =>
      isModelError(error, readOnly, /cannot be written \(EACCES\)/),
    );
});

test('A model of many weights keeps in each segment what that one needs, constant operators too.', async (context) => {
  const { place, cacheDir } = places(context);
  const file = write(place, 'constants', ({ graph }) => {
    const index = graph.initializer.findIndex((tensor: Loose) => tensor.name === 'fc4.weight');
    graph.initializer.splice(index, 1, weight('fc4.flat', [640]), weight('unused', [5]));
    graph.node.unshift(
      {
        opType: 'Constant',
        name: 'shape',
        output: ['shape'],
        attribute: [{ name: 'value_ints', type: onnx.AttributeProto.AttributeType.INTS, ints: [10, 64] }],
      },
      { opType: 'Reshape', name: 'reshape', input: ['fc4.flat', 'shape'], output: ['fc4.weight'] },
    );
  });
  const { segments } = await prepareModel(file, { cacheDir });
  assert.deepEqual(segments.map(operators), [
    ['Conv', 'Relu', 'MaxPool'],
    ['Conv', 'Relu', 'MaxPool'],
    ['Flatten', 'Gemm', 'Relu'],
    ['Constant', 'Reshape', 'Gemm'],
  ]);
  const kept = readOnnx(segments[3]!).graph.initializer.map(({ name }) => name);
  assert.deepEqual(kept.sort(), ['fc4.bias', 'fc4.flat']);
});
