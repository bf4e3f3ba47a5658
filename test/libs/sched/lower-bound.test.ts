import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cut, jobAt, johnson, lowerBound, makespan, ScheduleError } from '../../../libs/sched/index.ts';
import { multisets, optimum } from './brute-force.ts';
import { anyCuts, BYTE_A_MS, lineOfCuts } from './problems.ts';

const WIFI = { uplinkBps: 18.88e6 };

/** The shortest plan over all multisets, each in Johnson's order. */
function best(cuts: readonly Cut[], n: number, uplink: { uplinkBps: number; fixedMs?: number }): number {
  const points = cuts.map((cut) => jobAt(cut, uplink));
  return Math.min(
    ...multisets(cuts.length, n).map((chosen) => {
      const jobs = chosen.map((cut) => points[cut]!);
      return makespan(jobs, johnson(jobs));
    }),
  );
}

test('No plan over the cuts of a line is shorter than the lower bound.', () => {
  fc.assert(
    fc.property(lineOfCuts(4), fc.integer({ min: 1, max: 5 }), (cuts, n) => {
      assert.ok(lowerBound(cuts, n, BYTE_A_MS) <= best(cuts, n, BYTE_A_MS) + 1e-9);
    }),
    { numRuns: 2000 },
  );
});

test('No plan over any set of cuts is shorter than the lower bound, with fixed costs too.', () => {
  const uplink = fc.record({ uplinkBps: fc.integer({ min: 100, max: 1_000_000 }), fixedMs: fc.nat(20) });
  fc.assert(
    fc.property(anyCuts(5), fc.integer({ min: 1, max: 5 }), uplink, (cuts, n, link) => {
      const shortest = best(cuts, n, link);
      assert.ok(lowerBound(cuts, n, link) <= shortest + 1e-9 * (1 + shortest));
    }),
    { numRuns: 2000 },
  );
});

test('The lower bound holds against every order of every multiset, not Johnson’s only.', () => {
  fc.assert(
    fc.property(lineOfCuts(3), fc.integer({ min: 1, max: 4 }), (cuts, n) => {
      const points = cuts.map((cut) => ({ p1: cut.p1, p2: cut.local ? 0 : cut.bytes }));
      assert.ok(lowerBound(cuts, n, BYTE_A_MS) <= optimum(points, n) + 1e-9);
    }),
    { numRuns: 150 },
  );
});

test('The lower bound of a problem whose every cut costs something is never 0.', () => {
  fc.assert(
    fc.property(lineOfCuts(6), fc.integer({ min: 1, max: 50 }), (cuts, n) => {
      const costly = cuts.map((cut) => ({ ...cut, p1: cut.p1 + (cut.local ? 1 : 0) }));
      assert.ok(lowerBound(costly, n, BYTE_A_MS) > 0);
    }),
  );
});

test('The lower bound is the optimum itself in a third of small problems at least, and within 5 % on average.', () => {
  const problems = fc.sample(fc.tuple(lineOfCuts(4), fc.integer({ min: 1, max: 5 })), {
    seed: 8,
    numRuns: 400,
  });
  const ratios = problems.flatMap(([cuts, n]) => {
    const shortest = best(cuts, n, BYTE_A_MS);
    return shortest === 0 ? [] : [lowerBound(cuts, n, BYTE_A_MS) / shortest];
  });
  const exact = ratios.filter((ratio) => ratio > 1 - 1e-9).length / ratios.length;
  const mean = ratios.reduce((a, b) => a + b, 0) / ratios.length;
  assert.ok(exact > 1 / 3, `exact in ${exact}`);
  assert.ok(mean > 0.95, `mean ratio ${mean}`);
});

test('With the first and the last job counted the lower bound is above n times the crossing of the hull.', () => {
  const cuts = [
    { id: 'early', p1: 1, bytes: 3 },
    { id: 'late', p1: 3, bytes: 1 },
  ];
  const crossing = 2;
  assert.equal(lowerBound(cuts, 8, BYTE_A_MS), 17);
  assert.ok(lowerBound(cuts, 8, BYTE_A_MS) > 8 * crossing);
  assert.equal(best(cuts, 8, BYTE_A_MS), 17);
});

test('The lower bound of one job is its shortest way.', () => {
  const cuts = [
    { id: 'input', p1: 0, bytes: 9 },
    { id: 'pool1', p1: 2, bytes: 5 },
    { id: 'output', p1: 8, bytes: 1, local: true },
  ];
  assert.equal(lowerBound(cuts, 1, BYTE_A_MS), 7);
});

test('The lower bound of local-only is n whole networks, and that of one cut its own makespan.', () => {
  assert.equal(lowerBound([{ id: 'output', p1: 7, bytes: 1, local: true }], 9, WIFI), 63);
  const only = [{ id: 'input', p1: 2, bytes: 5 }];
  assert.equal(lowerBound(only, 4, BYTE_A_MS), 22);
});

test('A cut that is worse than another in every respect does not change the lower bound.', () => {
  fc.assert(
    fc.property(lineOfCuts(4), fc.integer({ min: 1, max: 6 }), fc.nat(4), (cuts, n, which) => {
      const model = cuts[which % (cuts.length - 1)]!;
      const worse = { ...model, p1: model.p1 + 5, bytes: model.bytes + 7 };
      assert.equal(lowerBound([...cuts, worse], n, BYTE_A_MS), lowerBound(cuts, n, BYTE_A_MS));
    }),
  );
});

test('The lower bound of no cuts, of no jobs or of a cut without a time is refused.', () => {
  const cut = { id: 'input', p1: 0, bytes: 9 };
  assert.throws(() => lowerBound([], 3, WIFI), { name: ScheduleError.name, message: /no cut/ });
  assert.throws(() => lowerBound([cut], 0, WIFI), { name: ScheduleError.name, message: /≥ 1, not 0/ });
  assert.throws(() => lowerBound([{ ...cut, p1: Number.NaN }], 2, WIFI), {
    name: ScheduleError.name,
    message: /'input': p1/,
  });
});
