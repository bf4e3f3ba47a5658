import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { johnson, johnsonWithDelays, makespan } from '../../../libs/sched/index.ts';
import { longestPath, multisets, permutations } from './brute-force.ts';
import { eighths, lineOfCuts, twoStageJobs } from './problems.ts';

test('No order of two-stage jobs is shorter than Johnson’s.', () => {
  fc.assert(
    fc.property(twoStageJobs(6), (jobs) => {
      const order = johnson(jobs);
      const least = Math.min(...permutations(jobs.length).map((other) => makespan(jobs, other)));
      assert.equal(makespan(jobs, order), least);
    }),
    { numRuns: 150 },
  );
});

test('Johnson’s order has every job once.', () => {
  fc.assert(
    fc.property(twoStageJobs(40), (jobs) => {
      assert.deepEqual(
        johnson(jobs).toSorted((a, b) => a - b),
        jobs.map((_, index) => index),
      );
    }),
  );
});

test('Jobs with the shorter head come first by rising head, then the rest by falling transfer.', () => {
  const jobs = [
    { p1: 5, p2: 2 },
    { p1: 1, p2: 6 },
    { p1: 9, p2: 7 },
    { p1: 3, p2: 8 },
    { p1: 10, p2: 4 },
  ];
  assert.deepEqual(johnson(jobs), [1, 3, 2, 4, 0]);
  assert.equal(makespan(jobs, johnson(jobs)), 30);
});

test('Equal jobs keep their given order.', () => {
  const job = { p1: 2, p2: 3 };
  assert.deepEqual(johnson([job, job, { p1: 1, p2: 3 }, job]), [2, 0, 1, 3]);
  assert.deepEqual(johnson([]), []);
});

/** The rule as it is stated, by a stable sort that compares two jobs at a time. */
function comparedOrder(jobs: readonly { readonly p1: number; readonly p2: number }[]): number[] {
  const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);
  const indices = jobs.map((_, index) => index);
  const isFirst = (index: number): boolean => jobs[index]!.p1 <= jobs[index]!.p2;
  return [
    ...indices.filter(isFirst).sort((a, b) => compare(jobs[a]!.p1, jobs[b]!.p1)),
    ...indices.filter((index) => !isFirst(index)).sort((a, b) => compare(jobs[b]!.p2, jobs[a]!.p2)),
  ];
}

/** Asserts that `johnsons` is `expected`, without the endless listing of how two long arrays differ. */
function assertSameOrder(johnsons: readonly number[], expected: readonly number[]): void {
  assert.equal(johnsons.length, expected.length);
  const place = johnsons.findIndex((job, at) => job !== expected[at]);
  assert.equal(johnsons[place], expected[place], `the first wrong place is ${place}`);
}

/** Any time that passes the check: −0, subnormal and huge ones, and neighbours that differ in the last bit. */
const anyTime = fc.oneof(
  fc.constantFrom(0, -0, Number.MIN_VALUE, 2 ** -1022 - 2 ** -1074, 2 ** -1022, 2 ** -1022 + 2 ** -1074),
  fc.constantFrom(1 - Number.EPSILON / 2, 1, 1 + Number.EPSILON, 2 ** 32, 2 ** 53, Number.MAX_VALUE),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  eighths(9),
);

/** Thousands of jobs whose times come from a few, so that most are equal to many others in one stage. */
const manyJobs = fc
  .record({
    times: fc.array(anyTime, { minLength: 1, maxLength: 60 }),
    seed: fc.nat(),
    count: fc.integer({ min: 900, max: 3000 }),
  })
  .map(({ times, seed, count }) => {
    let state = seed;
    const time = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return times[(state >>> 8) % times.length]!;
    };
    return Array.from({ length: count }, () => ({ p1: time(), p2: time(), delayMs: time() }));
  });

test('Thousands of jobs of any times get the order that comparing two at a time gives.', () => {
  fc.assert(
    fc.property(manyJobs, (jobs) => assertSameOrder(johnson(jobs), comparedOrder(jobs))),
    { numRuns: 100 },
  );
});

test('So do thousands of jobs with delays, even where a sum of huge times is infinite.', () => {
  fc.assert(
    fc.property(manyJobs, (jobs) =>
      assertSameOrder(
        johnsonWithDelays(jobs),
        comparedOrder(jobs.map(({ p1, p2, delayMs }) => ({ p1: p1 + delayMs, p2: delayMs + p2 }))),
      ),
    ),
    { numRuns: 50 },
  );
});

test('Ten thousand jobs whose times have random bits get that order too.', () => {
  let state = 1;
  const word = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const bits = new DataView(new ArrayBuffer(8));
  const time = (): number => {
    // Without the sign and the highest bit of the exponent: every such pattern is a finite time.
    bits.setUint32(0, word() >>> 2);
    bits.setUint32(4, word());
    return bits.getFloat64(0);
  };
  const jobs = Array.from({ length: 10_000 }, () => ({ p1: time(), p2: time() }));
  assertSameOrder(johnson(jobs), comparedOrder(jobs));
});

/** Kept cuts as jobs: heads rise, transfers fall strictly, the last sends nothing. */
const keptPoints = lineOfCuts(6).map((cuts) => {
  let p2 = Number.POSITIVE_INFINITY;
  return cuts
    .map((cut) => ({ p1: cut.p1, p2: cut.local ? 0 : cut.bytes }))
    .filter((point) => {
      const kept = point.p2 < p2;
      if (kept) p2 = point.p2;
      return kept;
    });
});

test('On kept cuts Johnson’s order is the order of the cuts.', () => {
  fc.assert(
    fc.property(keptPoints, fc.integer({ min: 1, max: 5 }), (points, n) => {
      for (const cuts of multisets(points.length, n)) {
        const jobs = cuts.map((cut) => points[cut]!);
        assert.deepEqual(
          johnson(jobs),
          jobs.map((_, index) => index),
        );
      }
    }),
    { numRuns: 100 },
  );
});

test('On kept cuts the critical path turns at the first or at the last job of Johnson’s order only.', () => {
  fc.assert(
    fc.property(keptPoints, fc.integer({ min: 1, max: 6 }), (points, n) => {
      for (const cuts of multisets(points.length, n)) {
        const p1 = cuts.map((cut) => points[cut]!.p1);
        const p2 = cuts.map((cut) => points[cut]!.p2);
        const sum = (times: number[]): number => times.reduce((a, b) => a + b, 0);
        const closedForm = Math.max(p1[0]! + sum(p2), sum(p1) + p2.at(-1)!);
        assert.equal(longestPath([p1, p2]), closedForm);
        const jobs = cuts.map((cut) => points[cut]!);
        assert.equal(makespan(jobs, johnson(jobs)), closedForm);
      }
    }),
    { numRuns: 60 },
  );
});
