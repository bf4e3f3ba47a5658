import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../libs/clock/index.ts';

const take = (seed: number, n: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: n }, random);
};

test('The same seed gives the same numbers, each at least 0 and below 1.', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const numbers = take(seed, 50);
      assert.deepEqual(take(seed, 50), numbers);
      for (const number of numbers) assert.ok(number >= 0 && number < 1);
    }),
  );
});

test('The numbers of a seed are these on every machine.', () => {
  const golden = take(42, 4).map((number) => number * 2 ** 32);
  assert.deepEqual(golden, [2_887_583_565, 2_293_090_523, 2_716_497_665, 1_424_808_046]);
});

test('Neighbouring seeds give numbers that have nothing in common.', () => {
  for (const seed of [0, 1, 2, 41, -1]) {
    const [one, other] = [take(seed, 200), take(seed + 1, 200)];
    assert.ok(one.every((number, i) => number !== other[i]));
    const mean = one.reduce((sum, number, i) => sum + Math.abs(number - other[i]!), 0) / 200;
    assert.ok(Math.abs(mean - 1 / 3) < 0.08, `seed ${seed}: mean distance ${mean}`);
  }
});

test('The numbers are uniform: each tenth of them has about its share, whatever came before.', () => {
  for (const seed of [0, 7, 123_456_789]) {
    const numbers = take(seed, 100_000);
    const bins = new Array<number>(10).fill(0);
    const pairs = new Array<number>(100).fill(0);
    numbers.forEach((number, i) => {
      bins[Math.floor(number * 10)]!++;
      if (i > 0) pairs[10 * Math.floor(numbers[i - 1]! * 10) + Math.floor(number * 10)]!++;
    });
    // Six standard deviations of a binomial count.
    for (const bin of bins) assert.ok(Math.abs(bin - 10_000) < 6 * Math.sqrt(9000), `${bin}`);
    for (const pair of pairs) assert.ok(Math.abs(pair - 1000) < 6 * Math.sqrt(990), `${pair}`);
  }
});
