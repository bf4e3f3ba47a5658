import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, cutShape, keptCuts } from '../../../libs/dnn/cuts.ts';
import type { Place } from '../../../libs/dnn/line.ts';

/** The kept tensors of a line, written as `tensor operator elements`; a `*` behind marks what is not float32. */
function kept(...line: readonly string[]): string[] {
  const parsed = line.map((text) => text.split(' ') as [string, string, string]);
  const places = parsed.map(([tensor, opType]): Place => {
    const node = { name: tensor, opType, input: [], output: [tensor], attribute: [] };
    return opType === '-' ? { tensor } : { tensor, node };
  });
  const shapes = parsed.map(([, , elements]) => ({
    dims: [1, Number.parseInt(elements, 10)],
    float32: !elements.endsWith('*'),
  }));
  return keptCuts(places, shapes).map((index) => places[index]!.tensor);
}

test('The input, every place that sends less than all before it, and local-only are kept.', () => {
  assert.deepEqual(
    kept(
      'input - 100',
      'conv1 Conv 400',
      'pool1 MaxPool 90',
      'conv2 Conv 95',
      'pool2 MaxPool 50',
      'fc Gemm 10',
    ),
    ['input', 'pool1', 'pool2', 'fc'],
  );
});

test('No cut stands in front of an operator that works element by element: the last of such a run is kept.', () => {
  assert.deepEqual(
    kept(
      'input - 100',
      'conv Conv 50',
      'bn BatchNormalization 50',
      'relu Relu 50',
      'drop Dropout 50',
      'fc Gemm 10',
    ),
    ['input', 'drop', 'fc'],
  );
  assert.deepEqual(kept('input - 9', 'mm MatMul 5', 'add Add 5', 'fc Gemm 2'), ['input', 'add', 'fc']);
});

test('Of equal places that something else joins the first is kept: a reshape moves nothing.', () => {
  assert.deepEqual(kept('input - 100', 'pool MaxPool 50', 'flat Flatten 50', 'fc Gemm 10'), [
    'input',
    'pool',
    'fc',
  ]);
});

test('A cheap operator that changes the size may have a cut in front of it.', () => {
  assert.deepEqual(kept('input - 100', 'small Conv 20', 'wide Add 40', 'fc Gemm 10'), [
    'input',
    'small',
    'fc',
  ]);
});

test('The input is kept although an element-wise operator follows it.', () => {
  assert.deepEqual(kept('input - 100', 'scaled Mul 100', 'conv Conv 50', 'fc Gemm 10'), [
    'input',
    'conv',
    'fc',
  ]);
});

test('Local-only is kept even where the output is larger than every tensor inside.', () => {
  assert.deepEqual(kept('input - 100', 'pool MaxPool 20', 'mask Resize 500'), ['input', 'pool', 'mask']);
});

test('The scores before a softmax are no cut of their own.', () => {
  assert.deepEqual(kept('input - 100', 'fc Gemm 10', 'softmax Softmax 10'), ['input', 'softmax']);
});

test('A tensor that is not float32 is no cut.', () => {
  assert.deepEqual(kept('input - 100', 'quantised QuantizeLinear 20*', 'conv Conv 30', 'fc Gemm 10'), [
    'input',
    'conv',
    'fc',
  ]);
});

test('A cut is told by its tensor’s name, dimensions and float32 bytes.', () => {
  const shape = { dims: [1, 64, 27, 27], float32: true };
  assert.deepEqual(cutShape({ tensor: 'pool1' }, shape), {
    id: 'pool1',
    dims: [1, 64, 27, 27],
    bytes: 186_624,
  });
  assert.equal(bytesOf([]), 4);
});
