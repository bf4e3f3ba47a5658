import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  estimateOf,
  hasChanged,
  type RateSample,
  withSample,
} from '../../../../apps/roadside-unit/policy/link-rate.ts';

const MBIT = 1e6;

const samplesOf = (rates: readonly number[], everyMs = 500): readonly RateSample[] =>
  rates.reduce<readonly RateSample[]>(
    (samples, mbit, index) => withSample(samples, { atMs: index * everyMs, bps: mbit * MBIT }),
    [],
  );
const near = (actual: number, expected: number): void =>
  assert.ok(
    Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)),
    `${actual}, not ${expected}`,
  );

test('Nothing is known of a link before its first transfer, and all of a steady one after it.', () => {
  assert.equal(estimateOf([]), undefined);
  const one = estimateOf(samplesOf([2]))!;
  near(one.bps, 2 * MBIT);
  assert.deepEqual([one.trendPerS, one.spread], [0, 0]);
  const steady = estimateOf(samplesOf([2, 2, 2, 2]))!;
  near(steady.bps, 2 * MBIT);
  assert.deepEqual([steady.trendPerS, steady.spread], [0, 0]);
});

test('One slow transfer does not move the rate, two do.', () => {
  for (const rates of [
    [2, 2, 0.1],
    [2, 0.1, 2],
    [2, 2, 0.1, 2, 2],
  ])
    near(estimateOf(samplesOf(rates))!.bps, 2 * MBIT);
  near(estimateOf(samplesOf([2, 2, 0.1, 0.1]))!.bps, 0.1 * MBIT);
});

test('Old transfers are forgotten.', () => {
  near(estimateOf(samplesOf([9, 9, 9, 9, 9, 1, 1, 1, 1, 1]))!.bps, 1 * MBIT);
});

test('A rate that doubles each second has a trend of 1, one that is halved of −0.5.', () => {
  near(estimateOf(samplesOf([1, 2, 4, 8], 1000))!.trendPerS, 1);
  near(estimateOf(samplesOf([8, 4, 2, 1], 1000))!.trendPerS, -0.5);
});

test('A link that drops to a third is planned anew, once; one that flaps between the two is not.', () => {
  assert.equal(hasChanged(3 * MBIT, samplesOf([3, 3, 3, 1, 1])), false);
  assert.equal(hasChanged(3 * MBIT, samplesOf([3, 3, 1, 1, 1])), true);
  assert.equal(hasChanged(1 * MBIT, samplesOf([3, 3, 1, 1, 1])), false);
  assert.equal(hasChanged(1 * MBIT, samplesOf([1, 1, 3, 3, 3])), true);
  let samples: readonly RateSample[] = [];
  for (let index = 0; index < 200; index++) {
    samples = withSample(samples, { atMs: index * 300, bps: (index % 2 === 0 ? 3 : 1.4) * MBIT });
    assert.equal(hasChanged(2 * MBIT, samples), false);
  }
});

test('Three transfers an eighth slower than planned for, or faster, are a change; a twentieth is none.', () => {
  for (const mbit of [0.875, 1.125]) assert.equal(hasChanged(MBIT, samplesOf([mbit, mbit, mbit])), true);
  for (const mbit of [0.95, 1.05]) assert.equal(hasChanged(MBIT, samplesOf([mbit, mbit, mbit])), false);
});

test('The estimate lies between the slowest and the fastest transfer, and a plan made on it is not stale.', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 12 }),
      (rates) => {
        const samples = samplesOf(rates);
        const estimate = estimateOf(samples)!;
        const bps = samples.map((sample) => sample.bps);
        assert.ok(
          estimate.bps >= Math.min(...bps) * (1 - 1e-9) && estimate.bps <= Math.max(...bps) * (1 + 1e-9),
        );
        assert.ok(estimate.spread >= 0 && Number.isFinite(estimate.trendPerS));
        assert.equal(hasChanged(estimate.bps, samples), false);
      },
    ),
  );
});
