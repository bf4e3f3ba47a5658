import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { johnson, johnsonWithDelays, makespan, ScheduleError } from '../../../libs/sched/index.ts';
import { permutations } from './brute-force.ts';
import { eighths, twoStageJobs } from './problems.ts';

interface DelayedJob {
  readonly p1: number;
  readonly p2: number;
  readonly delayMs: number;
}

/** When the last job ends: one machine per stage, the same order on both, any number of jobs between. */
function length(jobs: readonly DelayedJob[], order: readonly number[]): number {
  let firstFree = 0;
  let secondFree = 0;
  for (const index of order) {
    const { p1, p2, delayMs } = jobs[index]!;
    firstFree += p1;
    secondFree = Math.max(secondFree, firstFree + delayMs) + p2;
  }
  return secondFree;
}

const delayedJobs = fc.array(
  fc.oneof(
    fc.record({ p1: fc.nat(9), p2: fc.nat(9), delayMs: fc.nat(20) }),
    fc.record({ p1: eighths(50), p2: eighths(50), delayMs: eighths(50) }),
  ),
  { minLength: 1, maxLength: 6 },
);

test('No order that both stages keep is shorter than Johnson’s on the times with their delays.', () => {
  fc.assert(
    fc.property(delayedJobs, (jobs) => {
      const least = Math.min(...permutations(jobs.length).map((order) => length(jobs, order)));
      assert.equal(length(jobs, johnsonWithDelays(jobs)), least);
    }),
    { numRuns: 300 },
  );
});

test('The delay decides the order: without it Johnson’s rule is longer.', () => {
  const jobs = [
    { p1: 1, p2: 2, delayMs: 20 },
    { p1: 3, p2: 9, delayMs: 0 },
  ];
  assert.deepEqual(johnson(jobs), [0, 1]);
  assert.deepEqual(johnsonWithDelays(jobs), [1, 0]);
  assert.equal(length(jobs, [0, 1]), 32);
  assert.equal(length(jobs, [1, 0]), 26);
});

test('Without a delay the order is as short as Johnson’s, local jobs included.', () => {
  fc.assert(
    fc.property(twoStageJobs(20), fc.nat(9), (jobs, localDelayMs) => {
      // A local job sends nothing: its delay does not count.
      const delayed = jobs.map((job) => ({ ...job, delayMs: job.local ? localDelayMs : 0 }));
      assert.deepEqual(johnsonWithDelays(delayed), johnson(jobs));
    }),
  );
});

test('One delay for all jobs adds itself to the makespan and leaves Johnson’s order optimal.', () => {
  fc.assert(
    fc.property(delayedJobs, fc.nat(30), (jobs, delayMs) => {
      const equal = jobs.map((job) => ({ ...job, delayMs }));
      assert.equal(length(equal, johnsonWithDelays(equal)), makespan(jobs, johnson(jobs)) + delayMs);
    }),
  );
});

test('Equal delayed jobs keep their given order, and no job gives no order.', () => {
  const job = { p1: 2, p2: 3, delayMs: 4 };
  assert.deepEqual(johnsonWithDelays([job, job, { p1: 1, p2: 3, delayMs: 4 }, job]), [2, 0, 1, 3]);
  assert.deepEqual(johnsonWithDelays([]), []);
});

test('Delayed jobs refuse a time that is negative, infinite or no number, by name.', () => {
  const good = { p1: 1, p2: 1, delayMs: 1 };
  for (const name of ['p1', 'p2', 'delayMs'] as const)
    for (const value of [-0.5, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(
        () => johnsonWithDelays([good, { ...good, [name]: value }]),
        (error) =>
          error instanceof ScheduleError &&
          error.message === `job 1: ${name} must be a finite number ≥ 0, not ${value}`,
      );
});
