import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hullHeight } from '../../../libs/sched/hull.ts';
import { hull, type Job } from '../../../libs/sched/index.ts';
import { eighths } from './problems.ts';

const points: fc.Arbitrary<Job[]> = fc.oneof(
  fc.array(fc.record({ p1: fc.nat(20), p2: fc.nat(20) }), { minLength: 1, maxLength: 20 }),
  fc.array(fc.record({ p1: eighths(100), p2: eighths(100) }), { minLength: 1, maxLength: 20 }),
);

test('The hull leads from the shortest head to the shortest transfer, rising and falling strictly.', () => {
  fc.assert(
    fc.property(points, (jobs) => {
      const line = hull(jobs).map((index) => jobs[index]!);
      assert.equal(line[0]!.p1, Math.min(...jobs.map((job) => job.p1)));
      assert.equal(line.at(-1)!.p2, Math.min(...jobs.map((job) => job.p2)));
      for (const [i, next] of line.slice(1).entries())
        assert.ok(next.p1 > line[i]!.p1 && next.p2 < line[i]!.p2);
    }),
  );
});

test('The hull is convex: every edge falls less steeply than the one before it.', () => {
  fc.assert(
    fc.property(points, (jobs) => {
      const line = hull(jobs).map((index) => jobs[index]!);
      const slopes = line.slice(1).map((next, i) => (next.p2 - line[i]!.p2) / (next.p1 - line[i]!.p1));
      for (const [i, slope] of slopes.slice(1).entries()) assert.ok(slope > slopes[i]! - 1e-9);
    }),
  );
});

test('No point lies below or left of the hull.', () => {
  fc.assert(
    fc.property(points, (jobs) => {
      const line = hull(jobs).map((index) => jobs[index]!);
      for (const job of jobs) {
        const right = line.findIndex((corner) => corner.p1 >= job.p1);
        if (right === 0) assert.ok(job.p2 >= line[0]!.p2);
        if (right < 0) assert.ok(job.p2 >= line.at(-1)!.p2);
        if (right <= 0) continue;
        const a = line[right - 1]!;
        const b = line[right]!;
        const onEdge = a.p2 + ((b.p2 - a.p2) * (job.p1 - a.p1)) / (b.p1 - a.p1);
        assert.ok(job.p2 >= onEdge - 1e-9);
      }
    }),
  );
});

test('The hull of a golden set has its corners only, and none of the points on an edge or above.', () => {
  const jobs = [
    { p1: 0, p2: 10 },
    { p1: 1, p2: 9 },
    { p1: 2, p2: 4 },
    { p1: 4, p2: 3 },
    { p1: 6, p2: 2 },
    { p1: 7, p2: 2 },
    { p1: 3, p2: 8 },
  ];
  assert.deepEqual(hull(jobs), [0, 2, 4]);
  assert.deepEqual(hull([]), []);
});

test('The height of the hull is the least of what any mixture of its points needs.', () => {
  const weights = fc.array(fc.nat(100), { minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(
      points,
      fc.integer({ min: 1, max: 20 }),
      fc.nat(50),
      fc.nat(50),
      weights,
      (jobs, m, a, b, mix) => {
        const height = hullHeight(jobs, hull(jobs), m, a, b);
        const total = jobs.reduce((sum, _, i) => sum + mix[i]!, 0);
        fc.pre(total > 0);
        const p1 = jobs.reduce((sum, job, i) => sum + (job.p1 * mix[i]!) / total, 0);
        const p2 = jobs.reduce((sum, job, i) => sum + (job.p2 * mix[i]!) / total, 0);
        assert.ok(height <= Math.max(a + m * p1, b + m * p2) + 1e-6);
      },
    ),
    { numRuns: 500 },
  );
});

test('The height of the hull is reached by a mixture of two neighbouring corners.', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 1, max: 20 }), fc.nat(50), fc.nat(50), (jobs, m, a, b) => {
      const line = hull(jobs);
      const height = hullHeight(jobs, line, m, a, b);
      let reached = Number.POSITIVE_INFINITY;
      line.forEach((index, i) => {
        const left = jobs[index]!;
        const right = jobs[line[i + 1] ?? index]!;
        // The heavier stage falls, then rises along an edge: ternary search finds where.
        const at = (t: number): number =>
          Math.max(
            a + m * (left.p1 + t * (right.p1 - left.p1)),
            b + m * (left.p2 + t * (right.p2 - left.p2)),
          );
        let [low, high] = [0, 1];
        for (let step = 0; step < 100; step++) {
          const third = (high - low) / 3;
          if (at(low + third) < at(high - third)) high -= third;
          else low += third;
        }
        reached = Math.min(reached, at(low), at(0), at(1));
      });
      assert.ok(Math.abs(height - reached) < 1e-6, `${height} is not ${reached}`);
    }),
  );
});
