/** What exporters and other tools write that our own networks do not have. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { cutInTwo, listCuts } from '../../../libs/dnn/index.ts';
import { decodeOnnx, onnx } from '../../../libs/dnn/onnx.ts';
import { SESSION_OPTIONS } from '../../../libs/dnn/session-options.ts';
import { blocks, Graph, int, save, value } from './graphs.ts';
import { folder, inputOf, isModelError, type Loose } from './models.ts';

/** The bytes of a string field. */
function text(field: number, content: string): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.of((field << 3) | 2, bytes.length), bytes]);
}

/** A field that holds a pair of words, as `metadata_props` do. */
function pair(field: number, key: string, content: string): Uint8Array {
  const inner = Buffer.concat([text(1, key), text(2, content)]);
  return Buffer.concat([
    Buffer.of(((field & 15) << 3) | 2 | (field > 15 ? 128 : 0)),
    ...(field > 15 ? [Buffer.of(field >> 4)] : []),
    Buffer.of(inner.length),
    inner,
  ]);
}

const OVERLOAD_OF_NODE = 8;
const METADATA_OF_NODE = 9;
const OVERLOAD_OF_FUNCTION = 13;
const METADATA_OF_TENSOR = 16;
const METADATA_OF_GRAPH = 16;

async function run(file: string, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(file, SESSION_OPTIONS);
  try {
    const taken = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
    return (await session.run(Object.fromEntries(taken))) as Record<string, Tensor>;
  } finally {
    await session.release();
  }
}

/** Cuts a model at every kept cut inside it; each pair must give what the user's own file gives. Returns how many. */
async function composes(context: TestContext, file: string, dims: readonly number[]): Promise<number> {
  const place = folder(context);
  const cacheDir = path.join(place, 'cache');
  const { cuts } = await listCuts(file, 1, { cacheDir });
  const kept = cuts.slice(1, -1).filter((cut) => cut.kept);
  const input = { input: new Tensor('float32', inputOf(dims, 5), dims) };
  const whole = await run(file, input);
  for (const [index, { id }] of kept.entries()) {
    const { head, tail, difference } = await cutInTwo(file, id, path.join(place, `${index}`), { cacheDir });
    assert.ok(difference.identical, id);
    const parts = await run(tail, { ...input, ...(await run(head, input)) });
    for (const [name, { data }] of Object.entries(whole)) assert.deepEqual(parts[name]!.data, data, id);
  }
  return kept.length;
}

const dimsOf = (each: Loose): unknown[] =>
  each.type.tensorType.shape.dim.map(({ dimParam, dimValue }: Loose) => dimParam || Number(dimValue));

test('Functions of one name that differ by their overload stay what they are.', async (context) => {
  const graph = new Graph(2);
  const pooled = graph.pool(graph.conv('input', 3, 6));
  const call = (input: string, overload: string): string => {
    const output = graph.add('Act', [input]);
    Object.assign(graph.node.at(-1)!, { domain: 'own', $newer: [text(OVERLOAD_OF_NODE, overload)] });
    return output;
  };
  const inner = call(graph.conv(call(pooled, 'tanh'), 6, 3), 'relu');
  const model = graph.model([value('input', [1, 3, 16, 16])], [graph.classes(graph.pool(inner), 3, 10)], 21);
  model.irVersion = 10;
  model.opsetImport.push({ domain: 'own', version: 1 });
  model.functions = ['Tanh', 'Relu'].map((opType) => ({
    ...{ name: 'Act', domain: 'own', input: ['x'], output: ['y'] },
    ...{ opsetImport: [{ domain: '', version: 21 }], node: [{ opType, input: ['x'], output: ['y'] }] },
    $newer: [text(OVERLOAD_OF_FUNCTION, opType.toLowerCase())],
  }));
  assert.ok((await composes(context, save(folder(context), 'overloads', model), [1, 3, 16, 16])) > 0);
});

test('Metadata of nodes, tensors and graphs goes into the parts.', async (context) => {
  const place = folder(context);
  const model = blocks([{ kind: 'conv', channels: 4, relu: true }, { kind: 'max-pool' }], 16, 1);
  const note = (each: Loose, field: number, word: string): void =>
    Object.assign(each, { $newer: [pair(field, 'note', word)] });
  note(model.graph, METADATA_OF_GRAPH, 'graph');
  for (const node of model.graph.node) note(node, METADATA_OF_NODE, node.name);
  for (const tensor of model.graph.initializer) note(tensor, METADATA_OF_TENSOR, tensor.name);
  const file = save(place, 'notes', model);
  const cut = model.graph.node.find(({ opType }: Loose) => opType === 'MaxPool').output[0];
  const { head } = await cutInTwo(file, cut, path.join(place, 'parts'), {
    cacheDir: path.join(place, 'cache'),
  });
  const words = (each: Loose): string[] =>
    each.$newer.map((bytes: Uint8Array) => Buffer.from(bytes).toString());
  const { graph } = decodeOnnx(head).model as Loose;
  assert.match(words(graph)[0]!, /note.*graph/);
  for (const node of graph.node) assert.ok(words(node)[0]!.includes(node.name));
  for (const tensor of graph.initializer) assert.ok(words(tensor)[0]!.includes(tensor.name));
});

test('Weights that a new file lists among its inputs are no constants to the runtime, nor in the parts.', async (context) => {
  const model = blocks(
    [
      ...([{ kind: 'conv', channels: 8, relu: false }, { kind: 'normal' }, { kind: 'max-pool' }] as const),
      ...([{ kind: 'residual', channels: 8, relu: true }, { kind: 'normal' }, { kind: 'max-pool' }] as const),
    ],
    32,
    4,
  );
  for (const { name, dims } of model.graph.initializer) model.graph.input.push(value(name, dims));
  assert.ok((await composes(context, save(folder(context), 'listed', model), [1, 3, 32, 32])) > 0);
});

test('Parts leave open what the file leaves open, and give its bits.', async (context) => {
  const place = folder(context);
  const model = blocks(
    [{ kind: 'conv', channels: 8, relu: true }, { kind: 'gate' }, { kind: 'max-pool' }, { kind: 'max-pool' }],
    24,
    5,
  );
  model.graph.input = [value('input', ['batch', 3, 24, 24])];
  const file = save(place, 'open', model);
  assert.ok((await composes(context, file, [1, 3, 24, 24])) > 0);
  const cut = model.graph.node.findLast(({ opType }: Loose) => opType === 'MaxPool').output[0];
  const options = { cacheDir: path.join(place, 'cache') };
  const { head, tail } = await cutInTwo(file, cut, path.join(place, 'parts'), options);
  const [first, second] = [head, tail].map((part): Loose => decodeOnnx(part).model.graph);
  assert.deepEqual(dimsOf(first.input[0]), ['batch', 3, 24, 24]);
  assert.deepEqual(dimsOf(first.output[0]), ['batch', 8, 6, 6]);
  assert.deepEqual(dimsOf(second.input[0]), ['batch', 8, 6, 6]);
  const two = { input: new Tensor('float32', inputOf([2, 3, 24, 24], 1), [2, 3, 24, 24]) };
  const [answer] = Object.values(await run(tail, await run(head, two)));
  assert.deepEqual(answer!.dims, [2, 10]);
});

test('A dimension of -1 is an open one, and an input without a shape is refused.', async (context) => {
  const place = folder(context);
  const options = { cacheDir: path.join(place, 'cache') };
  const model = blocks([{ kind: 'conv', channels: 4, relu: true }], 16, 1);
  model.graph.input = [value('input', [-1, 3, 16, 16])];
  const { cuts } = await listCuts(save(place, 'minus', model), 1, options);
  assert.deepEqual(cuts[0]!.shapes, [[1, 3, 16, 16]]);
  model.graph.input = [value('input', [1, 3, 16, -1])];
  const minus = save(place, 'minus-width', model);
  await assert.rejects(listCuts(minus, 1, options), (error) =>
    isModelError(error, minus, /does not fix height and width: write 'size: \[H, W\]'/),
  );
  model.graph.input = [{ name: 'input', type: { tensorType: { elemType: 1 } } }];
  const bare = save(place, 'bare', model);
  await assert.rejects(listCuts(bare, 1, options), (error) =>
    isModelError(error, bare, /its input input has no shape: export it with one/),
  );
  model.graph.input = [value('input', [1, 'length', 16])];
  const open = save(place, 'open', model);
  await assert.rejects(listCuts(open, 1, options), (error) =>
    isModelError(error, open, /leaves dimension 1 \(length\) of 3 open: .*make_dynamic_shape_fixed/),
  );
});

test('A network with a bfloat16 tensor inside is listed, and not cut at it.', async (context) => {
  const place = folder(context);
  const options = { cacheDir: path.join(place, 'cache') };
  const graph = new Graph(3);
  const { BFLOAT16, FLOAT } = onnx.TensorProto.DataType;
  const pooled = graph.pool(graph.relu(graph.conv('input', 3, 2)));
  const short = graph.add('Cast', [pooled], [int('to', BFLOAT16)], 'short');
  const again = graph.add('Cast', [short], [int('to', FLOAT)]);
  const file = save(
    place,
    'bfloat16',
    graph.model([value('input', [1, 3, 16, 16])], [graph.classes(again, 2, 10)]),
  );
  const { cuts } = await listCuts(file, 1, options);
  assert.equal(cuts.find(({ id }) => id === 'short')!.types[0], 'bfloat16');
  assert.ok((await composes(context, file, [1, 3, 16, 16])) > 0);
  await assert.rejects(cutInTwo(file, 'short', path.join(place, 'parts'), options), (error) =>
    isModelError(error, file, /tensor short is not numeric \(bfloat16\): it cannot be cut at/),
  );
});

test('What a float16 output rounds away is part of how far the widened network is from its own.', async (context) => {
  const place = folder(context);
  const { FLOAT16 } = onnx.TensorProto.DataType;
  const model = blocks([{ kind: 'conv', channels: 4, relu: true }, { kind: 'max-pool' }], 16, 6);
  for (const tensor of model.graph.initializer) {
    tensor.dataType = FLOAT16;
    tensor.rawData = new Uint8Array(Float16Array.from(new Float32Array(tensor.rawData.buffer)).buffer);
  }
  model.graph.input[0].type.tensorType.elemType = FLOAT16;
  model.graph.output = [value(model.graph.output[0].name, [1, 10], FLOAT16)];
  const file = save(place, 'half', model);
  const { widened } = await listCuts(file, 1, { cacheDir: path.join(place, 'cache') });
  assert.ok(widened!.max > 0 && widened!.max < 0.01, `${widened!.max}`);
  assert.ok(widened!.share > 0.5, `${widened!.share}`);
});
