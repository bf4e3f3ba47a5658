import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { topClasses } from '../../../libs/dnn/top-classes.ts';

const top = (scores: number[], labels: string[] = [], k?: number) =>
  topClasses(Float32Array.from(scores), labels, k);

test('The five classes with the highest scores come best first, by label or else by number.', () => {
  assert.deepEqual(top([0.5, 3, -1, 2, 7, 1, 0.25], ['a', 'b', 'c', 'd']), [
    { index: 4, label: 'class 4', score: 7 },
    { index: 1, label: 'b', score: 3 },
    { index: 3, label: 'd', score: 2 },
    { index: 5, label: 'class 5', score: 1 },
    { index: 0, label: 'a', score: 0.5 },
  ]);
});

test('Of equal scores the class with the lower number comes first.', () => {
  assert.deepEqual(
    top([1, 2, 2, 1, 2, 1]).map(({ index }) => index),
    [1, 2, 4, 0, 3],
  );
});

test('The top classes are those of a stable sort by falling score.', () => {
  const scores = fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 30 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 8 }), (values, k) => {
      const sorted = values
        .map((score, index) => ({ index, score }))
        .sort((a, b) => b.score - a.score || a.index - b.index);
      assert.deepEqual(
        top(values, [], k).map(({ index, score }) => ({ index, score })),
        sorted.slice(0, k),
      );
    }),
  );
});

test('A network with fewer classes has fewer to tell.', () => {
  assert.equal(top([1, 2]).length, 2);
  assert.deepEqual(top([]), []);
});

test('A score that is no finite number is left out: it could not be sent.', () => {
  const scores = [Number.NaN, 1, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY, 2, Number.NaN];
  assert.deepEqual(
    top(scores).map(({ index }) => index),
    [3, 5, 1],
  );
});
