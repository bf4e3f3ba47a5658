import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fidelity, sameTopClass } from '../../../../libs/dnn/codecs/index.ts';

const of = (...values: number[]): Float32Array => Float32Array.of(...values);

test('A tensor is as near to itself as can be.', () => {
  assert.deepEqual(fidelity(of(1, -2, 3), of(1, -2, 3)), {
    cosine: 1,
    maxDifference: 0,
    maxRelativeDifference: 0,
  });
  assert.deepEqual(fidelity(of(0, 0), of(0, 0)), { cosine: 1, maxDifference: 0, maxRelativeDifference: 0 });
});

test('The cosine tells the direction, the difference is the greatest, and relative to the greatest magnitude.', () => {
  assert.deepEqual(fidelity(of(4, 0), of(0, 1)), { cosine: 0, maxDifference: 4, maxRelativeDifference: 1 });
  assert.deepEqual(fidelity(of(-4, 0), of(4, 0)), { cosine: -1, maxDifference: 8, maxRelativeDifference: 2 });
  assert.equal(fidelity(of(1, 0), of(1, 1)).cosine, 1 / Math.sqrt(2));
  assert.equal(fidelity(of(1, 0), of(0, 0)).cosine, 0);
});

test('NaN is near to nothing, and tensors of two lengths cannot be compared.', () => {
  assert.ok(Object.values(fidelity(of(1, Number.NaN), of(1, 0))).every(Number.isNaN));
  assert.throws(() => fidelity(of(1), of(1, 2)), RangeError);
});

test('Outputs agree where they name the same class first, and not where there is none.', () => {
  assert.ok(sameTopClass(of(1, 5, 2), of(0, 0.3, 0.2)));
  assert.ok(!sameTopClass(of(1, 5, 2), of(0, 0.1, 0.2)));
  assert.ok(!sameTopClass(of(Number.NaN), of(Number.NaN)));
  assert.ok(!sameTopClass(of(), of()));
});
