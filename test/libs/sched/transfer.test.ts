import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jobAt, ScheduleError, transferMs } from '../../../libs/sched/index.ts';
import { problemOf } from '../../../libs/sched/problem.ts';

const UPLINK = { uplinkBps: 1e6 };

test('A tensor takes its bits over the rate, and the fixed cost once.', () => {
  assert.equal(transferMs(1000, { uplinkBps: 8000 }), 1000);
  assert.equal(transferMs(1000, { uplinkBps: 8_000_000, fixedMs: 2.5 }), 3.5);
  assert.ok(Math.abs(transferMs(602_112, { uplinkBps: 18.88e6 }) - 255.132) < 0.001);
});

test('The round-trip time is no part of the time on the uplink.', () => {
  assert.equal(transferMs(1000, { uplinkBps: 8000, rttMs: 300 }), 1000);
});

test('A rate that is 0, negative or no number is refused and named.', () => {
  for (const uplinkBps of [0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => transferMs(1, { uplinkBps }), {
      name: ScheduleError.name,
      message: `uplink rate must be a number above 0 bit/s, not ${uplinkBps}`,
    });
});

test('A cut becomes a job of its head, its transfer and its tail.', () => {
  const cut = { id: 'pool1', p1: 30, bytes: 500, p3: 7 };
  assert.deepEqual(jobAt(cut, { uplinkBps: 4000 }), { p1: 30, p2: 1000, p3: 7 });
  assert.deepEqual(jobAt({ id: 'pool1', p1: 30, bytes: 500 }, { uplinkBps: 4000 }), {
    p1: 30,
    p2: 1000,
    p3: 0,
  });
});

test('A local-only cut becomes a job that sends nothing, whatever its bytes, fixed cost and tail.', () => {
  const cut = { id: 'output', p1: 30, bytes: 500, p3: 7, local: true };
  assert.deepEqual(jobAt(cut, { uplinkBps: 4000, fixedMs: 9 }), { p1: 30, p2: 0, p3: 0, local: true });
});

test('A figure of a cut that is no finite number ≥ 0 is refused with the cut’s and its own name.', () => {
  const bad = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -1e-9);
  fc.assert(
    fc.property(bad, fc.constantFrom('p1', 'bytes', 'p3'), fc.nat(3), (value, name, place) => {
      const cuts = Array.from({ length: 4 }, (_, i) => ({
        ...{ id: `place-${i}`, p1: 1, bytes: 1, p3: 1 },
        ...(i === place ? { [name]: value } : {}),
      }));
      assert.throws(() => problemOf(cuts, 2, UPLINK), {
        name: ScheduleError.name,
        message: `cut 'place-${place}': ${name} must be a finite number ≥ 0, not ${value}`,
      });
    }),
  );
});

test('A number of jobs that is not whole or below 1 is refused and named.', () => {
  for (const n of [0, -3, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => problemOf([{ id: 'input', p1: 0, bytes: 1 }], n, UPLINK), {
      name: ScheduleError.name,
      message: `the number of jobs must be a whole number ≥ 1, not ${n}`,
    });
});

test('A problem of zeros is a problem.', () => {
  problemOf([{ id: 'input', p1: 0, bytes: 0, p3: 0 }], 1, UPLINK);
});
