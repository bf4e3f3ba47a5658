import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutBytes, cutShape, keptCuts } from '../../../libs/dnn/cuts.ts';
import type { Place } from '../../../libs/dnn/network.ts';
import type { TensorShape } from '../../../libs/dnn/tensors.ts';

/**
 * The kept tensors of an outer line, written as `tensor operators elements`: several operators of a block are
 * joined by `+`; `*` behind the elements marks what is not float32, `?` what has another shape each time.
 */
function kept(line: readonly string[], changing: readonly number[] = []): string[] {
  const parsed = line.map((text) => text.split(' ') as [string, string, string]);
  const places = parsed.map(([tensor, operators], end): Place => {
    const nodes = operators === '-' ? [] : operators.split('+');
    return {
      tensors: [tensor],
      nodes: nodes.map((opType) => ({ name: tensor, opType, input: [], output: [tensor], attribute: [] })),
      end,
    };
  });
  const shapes = parsed.map(([, , elements]): TensorShape[] => [
    {
      dims: [1, Number.parseInt(elements, 10)],
      type: elements.endsWith('*') ? 'int32' : 'float32',
      varies: elements.endsWith('?'),
    },
  ]);
  return keptCuts(places, shapes, new Set(changing)).map((index) => places[index]!.tensors[0]!);
}

test('The input, every place that sends less than all before it, and local-only are kept.', () => {
  assert.deepEqual(
    kept([
      'input - 100',
      'conv1 Conv 400',
      'pool1 MaxPool 90',
      'conv2 Conv 95',
      'pool2 MaxPool 50',
      'fc Gemm 10',
    ]),
    ['input', 'pool1', 'pool2', 'fc'],
  );
});

test('No cut stands in front of an operator that works element by element: the last of such a run is kept.', () => {
  assert.deepEqual(
    kept([
      'input - 100',
      'conv Conv 50',
      'bn BatchNormalization 50',
      'relu Relu 50',
      'drop Dropout 50',
      'fc Gemm 10',
    ]),
    ['input', 'drop', 'fc'],
  );
  assert.deepEqual(kept(['input - 9', 'mm MatMul 5', 'add Add 5', 'fc Gemm 2']), ['input', 'add', 'fc']);
});

test('Of equal places that something else joins the first is kept: a reshape moves nothing.', () => {
  assert.deepEqual(kept(['input - 100', 'pool MaxPool 50', 'flat Flatten 50', 'fc Gemm 10']), [
    'input',
    'pool',
    'fc',
  ]);
});

test('A cheap operator that changes the size may have a cut in front of it.', () => {
  assert.deepEqual(kept(['input - 100', 'small Conv 20', 'wide Add 40', 'fc Gemm 10']), [
    'input',
    'small',
    'fc',
  ]);
});

test('The input is kept although an element-wise operator follows it.', () => {
  assert.deepEqual(kept(['input - 100', 'scaled Mul 100', 'conv Conv 50', 'fc Gemm 10']), [
    'input',
    'conv',
    'fc',
  ]);
});

test('Local-only is kept even where the output is larger than every tensor inside.', () => {
  assert.deepEqual(kept(['input - 100', 'pool MaxPool 20', 'mask Resize 500']), ['input', 'pool', 'mask']);
});

test('The scores before a softmax are no cut of their own.', () => {
  assert.deepEqual(kept(['input - 100', 'fc Gemm 10', 'softmax Softmax 10']), ['input', 'softmax']);
});

test('A tensor that is not float32 is no cut.', () => {
  assert.deepEqual(kept(['input - 100', 'quantised QuantizeLinear 20*', 'conv Conv 30', 'fc Gemm 10']), [
    'input',
    'conv',
    'fc',
  ]);
});

test('A block of operators that all work element by element is like one of them; any other block parts cuts.', () => {
  assert.deepEqual(kept(['input - 100', 'conv Conv 50', 'silu Sigmoid+Mul 50', 'fc Gemm 10']), [
    'input',
    'silu',
    'fc',
  ]);
  assert.deepEqual(kept(['input - 100', 'conv Conv 50', 'block Conv+Add 50', 'fc Gemm 10']), [
    'input',
    'conv',
    'fc',
  ]);
});

test('A place where a cut changes the output is left out, and one that it had dominated takes its place.', () => {
  const line = ['input - 100', 'pool MaxPool 40', 'conv Conv 45', 'pool2 MaxPool 20', 'fc Gemm 10'];
  assert.deepEqual(kept(line), ['input', 'pool', 'pool2', 'fc']);
  assert.deepEqual(kept(line, [1]), ['input', 'conv', 'pool2', 'fc']);
});

test('A tensor whose shape depends on the picture is no cut.', () => {
  assert.deepEqual(kept(['input - 100', 'boxes Compress 20?', 'conv Conv 30', 'fc Gemm 10']), [
    'input',
    'conv',
    'fc',
  ]);
});

test('A cut is told by its tensor’s name, dimensions and bytes; several tensors add up.', () => {
  const shape = { dims: [1, 64, 27, 27], type: 'float32' };
  assert.deepEqual(cutShape({ tensors: ['pool1'], nodes: [], end: 1 }, [shape]), {
    id: 'pool1',
    dims: [1, 64, 27, 27],
    bytes: 186_624,
  });
  assert.equal(cutBytes([shape, { dims: [], type: 'float32' }, { dims: [3], type: 'int64' }]), 186_652);
});
