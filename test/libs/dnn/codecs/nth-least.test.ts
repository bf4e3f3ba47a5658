import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nthLeast } from '../../../../libs/dnn/codecs/nth-least.ts';

test('The n-th least value stands at n when the values are sorted, and none is lost.', () => {
  const value = fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, 1, 2));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 100 }), fc.nat(), (numbers, place) => {
      const values = Float32Array.from(numbers);
      const sorted = values.toSorted();
      const n = place % values.length;
      assert.ok(nthLeast(values, n) === sorted[n]);
      assert.deepEqual(values.toSorted(), sorted);
    }),
    { numRuns: 1000 },
  );
});
