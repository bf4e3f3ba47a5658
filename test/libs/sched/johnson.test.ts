import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { johnson, makespan } from '../../../libs/sched/index.ts';
import { longestPath, multisets, permutations } from './brute-force.ts';
import { lineOfCuts, twoStageJobs } from './problems.ts';

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
