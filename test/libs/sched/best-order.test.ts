import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bestOrder } from '../../../libs/sched/best-order.ts';
import { eja } from '../../../libs/sched/eja.ts';
import { type Job, johnson, makespan, ScheduleError } from '../../../libs/sched/index.ts';
import { permutations } from './brute-force.ts';
import { eighths } from './problems.ts';

const path: fc.Arbitrary<Job> = fc.oneof(
  fc.record({ p1: fc.nat(9), p2: fc.nat(9), p3: fc.nat(9) }),
  fc.record({ p1: eighths(50), p2: eighths(50), p3: eighths(50) }),
  fc.record({ p1: fc.nat(9), p2: fc.nat(9) }),
  fc.nat(9).map((p1): Job => ({ p1, p2: 0, local: true })),
);

type Times = readonly [p1: number, p2: number, p3: number];

const table = (times: readonly Times[]): Job[] => times.map(([p1, p2, p3]) => ({ p1, p2, p3 }));

/** The makespans of extended Johnson, of Johnson's rule on (p1, p2), and of it on (p2, p3). */
const rules = (paths: readonly Job[]): number[] => [
  makespan(paths, eja(paths)),
  makespan(paths, johnson(paths)),
  makespan(paths, johnson(paths.map(({ p2, p3 = 0 }) => ({ p1: p2, p2: p3 })))),
];

const shortest = (paths: readonly Job[]): number =>
  permutations(paths.length).reduce(
    (least, order) => Math.min(least, makespan(paths, order)),
    Number.POSITIVE_INFINITY,
  );

test('Of up to six paths no order is shorter than the best order.', () => {
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 6 }), (paths) =>
      assert.equal(makespan(paths, bestOrder(paths)), shortest(paths)),
    ),
    { numRuns: 150 },
  );
});

test('With a local path among them, whatever its other times say, no order is shorter either.', () => {
  const three = fc.record({ p1: fc.nat(9), p2: fc.nat(9), p3: fc.nat(9) });
  const local = three.map((times): Job => ({ ...times, local: true }));
  fc.assert(
    fc.property(local, fc.array(three, { minLength: 4, maxLength: 4 }), (alone, others) => {
      const paths = [alone, ...others];
      assert.equal(makespan(paths, bestOrder(paths)), shortest(paths));
    }),
    { numRuns: 300 },
  );
});

test('Four paths and a local one that the rules order badly get a shortest order.', () => {
  const paths = [
    { p1: 7, p2: 0, local: true },
    ...table([
      [4, 2, 7],
      [9, 7, 1],
      [2, 6, 1],
      [1, 7, 0],
    ]),
  ];
  assert.equal(shortest(paths), 24);
  assert.equal(makespan(paths, bestOrder(paths)), 24);
});

test('Eight paths that all three rules order badly get a shortest order.', () => {
  const paths = table([
    [6, 4, 0],
    [2, 2, 6],
    [4, 0, 1],
    [4, 1, 6],
    [4, 2, 7],
    [9, 7, 1],
    [2, 6, 1],
    [1, 7, 0],
  ]);
  assert.equal(makespan(paths, bestOrder(paths)), shortest(paths));
  assert.ok(Math.min(...rules(paths)) > shortest(paths));
});

test('The best order of many paths is as short as the best of the three rules.', () => {
  fc.assert(
    fc.property(fc.array(path, { minLength: 7, maxLength: 30 }), (paths) => {
      const length = makespan(paths, bestOrder(paths));
      assert.ok(length <= Math.min(...rules(paths)));
    }),
    { numRuns: 150 },
  );
});

test('Each of the three rules is the only shortest one for some nine paths.', () => {
  const problems: [readonly Times[], number[]][] = [
    [
      [
        [5, 4, 8],
        [4, 7, 1],
        [8, 2, 2],
        [0, 8, 0],
        [8, 5, 8],
        [2, 0, 6],
        [1, 2, 0],
        [3, 8, 6],
        [4, 1, 0],
      ],
      [39, 54, 54],
    ],
    [
      [
        [6, 5, 1],
        [2, 8, 0],
        [2, 4, 6],
        [4, 4, 3],
        [7, 1, 3],
        [9, 9, 0],
        [2, 3, 2],
        [2, 2, 8],
        [4, 4, 3],
      ],
      [49, 45, 49],
    ],
    [
      [
        [0, 6, 0],
        [6, 8, 9],
        [2, 5, 4],
        [0, 1, 8],
        [2, 7, 7],
        [2, 6, 2],
        [5, 3, 2],
        [4, 1, 5],
        [7, 2, 9],
      ],
      [56, 58, 48],
    ],
  ];
  for (const [times, lengths] of problems) {
    const paths = table(times);
    assert.deepEqual(rules(paths), lengths);
    assert.equal(makespan(paths, bestOrder(paths)), Math.min(...lengths));
  }
});

test('Each of the three rules is the only shortest one for some thousands of paths as well.', () => {
  let state = 1;
  const time = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1 + ((state >>> 8) % 100);
  };
  // Long transfers want all three stages; without tails the first two decide, without heads the last two.
  const stretches: Times[] = [
    [1, 2, 1],
    [1, 2, 0],
    [0, 2, 2],
  ];
  for (const [rule, [head, transfer, tail]] of stretches.entries()) {
    const paths = table(
      Array.from({ length: 3000 }, () => [head * time(), transfer * time(), tail * time()]),
    );
    const lengths = rules(paths);
    const [least] = lengths.splice(rule, 1);
    assert.ok(least! < Math.min(...lengths));
    assert.equal(makespan(paths, bestOrder(paths)), least);
  }
});

test('The best order has every path once.', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 20 }), (paths) =>
      assert.deepEqual(
        bestOrder(paths).toSorted((a, b) => a - b),
        paths.map((_, index) => index),
      ),
    ),
    { numRuns: 100 },
  );
});

test('The best order of no path is empty.', () => {
  assert.deepEqual(bestOrder([]), []);
});

test('The best order refuses a time that is negative, infinite or no number, by name.', () => {
  for (const count of [1, 12])
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(
        () =>
          bestOrder([
            ...Array.from({ length: count }, () => ({ p1: 1, p2: 1 })),
            { p1: 1, p2: 1, p3: value },
          ]),
        (error) =>
          error instanceof ScheduleError &&
          error.message === `job ${count}: p3 must be a finite number ≥ 0, not ${value}`,
      );
});
