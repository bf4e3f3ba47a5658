import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eja } from '../../../libs/sched/eja.ts';
import { type Job, johnson, makespan, ScheduleError } from '../../../libs/sched/index.ts';
import { longestPath, permutations } from './brute-force.ts';

/** Makespan in a given order by the definition of the permutation flow shop, not by the product's judge. */
function length(paths: readonly Job[], order: readonly number[]): number {
  const inOrder = order.map((index) => paths[index]!);
  return longestPath([
    inOrder.map((path) => path.p1),
    inOrder.map((path) => path.p2),
    inOrder.map((path) => path.p3 ?? 0),
  ]);
}

const shortest = (paths: readonly Job[]): number =>
  Math.min(...permutations(paths.length).map((order) => length(paths, order)));

/** Small times: zeros, equal times and ties between sums are frequent. */
const threeStages = fc.record({ p1: fc.nat(9), p2: fc.nat(9), p3: fc.nat(9) });

test('The talk’s example gives the order 1, 3, 4, 2 of makespan 18, and none is shorter.', () => {
  const paths = [
    { p1: 3, p2: 2, p3: 5 },
    { p1: 3, p2: 2, p3: 2 },
    { p1: 4, p2: 3, p3: 3 },
    { p1: 4, p2: 2, p3: 3 },
  ];
  assert.deepEqual(eja(paths), [0, 2, 3, 1]);
  assert.equal(makespan(paths, eja(paths)), 18);
  assert.equal(length(paths, eja(paths)), 18);
  assert.equal(shortest(paths), 18);
});

test('Extended Johnson is optimal where a whole outer stage is no shorter than any transfer.', () => {
  fc.assert(
    fc.property(
      fc.nat(6).chain((most) => {
        const long = fc.integer({ min: most, max: most + 9 });
        const any = fc.nat(15);
        const p2 = fc.nat(most);
        return fc.oneof(
          fc.array(fc.record({ p1: long, p2, p3: any }), { minLength: 1, maxLength: 5 }),
          fc.array(fc.record({ p1: any, p2, p3: long }), { minLength: 1, maxLength: 5 }),
        );
      }),
      (paths) => assert.equal(length(paths, eja(paths)), shortest(paths)),
    ),
    { numRuns: 300 },
  );
});

test('Extended Johnson is optimal where the transfer is no stage’s superior in any path.', () => {
  const path = threeStages.map(({ p1, p2, p3 }) => ({ p1: p1 + p2, p2, p3: p3 + p2 }));
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 5 }), (paths) =>
      assert.equal(length(paths, eja(paths)), shortest(paths)),
    ),
    { numRuns: 300 },
  );
});

/** m − 1 paths that only send, and one with a short head and a long tail, which should go first. */
const sendersAndOneTail = (m: number): Job[] => [
  ...Array.from({ length: m - 1 }, () => ({ p1: 0, p2: 100, p3: 0 })),
  { p1: 1, p2: 100, p3: 100 * (m - 1) },
];

test('Extended Johnson exceeds the published ratio of 5/3 and tends to 2.', () => {
  for (const m of [2, 3, 4, 5, 10, 100, 1000]) {
    const paths = sendersAndOneTail(m);
    const order = eja(paths);
    // The sum p1 + p2 of the last is 1 longer, so it goes behind all of them.
    assert.deepEqual(
      order,
      paths.map((_, index) => index),
    );
    const tailFirst = makespan(paths, order.toReversed());
    assert.equal(makespan(paths, order), 100 * (2 * m - 1));
    assert.equal(tailFirst, 100 * m + 1);
    if (m <= 5) assert.equal(tailFirst, shortest(paths));
    const ratio = makespan(paths, order) / tailFirst;
    // The head of 1 stands for one as short as one likes; with it the ratio is just below 2 − 1/m.
    assert.ok(ratio < 2 - 1 / m && ratio > (2 - 1 / m) * (1 - 0.01 / m));
    assert.equal(ratio > 5 / 3, m >= 4);
  }
});

test('Extended Johnson never takes more than twice the shortest makespan.', () => {
  fc.assert(
    fc.property(fc.array(threeStages, { minLength: 1, maxLength: 5 }), (paths) =>
      assert.ok(length(paths, eja(paths)) <= 2 * shortest(paths)),
    ),
    { numRuns: 300 },
  );
});

test('Without tails extended Johnson forgets the heads, and Johnson’s rule is shorter.', () => {
  const paths = [
    { p1: 1, p2: 5 },
    { p1: 10, p2: 6 },
  ];
  assert.deepEqual(eja(paths), [1, 0]);
  assert.equal(makespan(paths, eja(paths)), 21);
  assert.equal(makespan(paths, johnson(paths)), 17);
});

test('A local path goes behind those that send, whatever its other times say.', () => {
  assert.deepEqual(
    eja([
      { p1: 3, p2: 9, p3: 9, local: true },
      { p1: 5, p2: 1, p3: 1 },
    ]),
    [1, 0],
  );
});

test('Equal paths keep their given order, and no path gives no order.', () => {
  const path = { p1: 2, p2: 1, p3: 1 };
  assert.deepEqual(eja([path, path, { p1: 1, p2: 1, p3: 1 }, path]), [2, 0, 1, 3]);
  assert.deepEqual(eja([]), []);
});

test('Extended Johnson and Johnson refuse a time that is negative, infinite or no number, by name.', () => {
  const good = { p1: 1, p2: 1, p3: 1 };
  for (const rule of [eja, johnson])
    for (const stage of ['p1', 'p2', 'p3'] as const)
      for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
        assert.throws(
          () => rule([good, good, good, { ...good, [stage]: value }]),
          (error) =>
            error instanceof ScheduleError &&
            error.message === `job 3: ${stage} must be a finite number ≥ 0, not ${value}`,
        );
});
