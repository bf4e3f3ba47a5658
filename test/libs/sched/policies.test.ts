import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Cut,
  jobAt,
  johnson,
  jps,
  lo,
  lowerBound,
  makespan,
  type Plan,
  ro,
  ScheduleError,
  type Uplink,
  virtualBlocks,
} from '../../../libs/sched/index.ts';
import { multisets, optimum, twoStages } from './brute-force.ts';
import { alexnetPlaces, vgg16Places } from './networks.ts';
import { BYTE_A_MS, lineOfCuts } from './problems.ts';

const POLICIES = { lo, ro, jps };
const WIFI = { uplinkBps: 18.88e6 };
const keptOf = (places: readonly Cut[]): Cut[] => virtualBlocks(places).map((index) => places[index]!);
const keptLine = lineOfCuts(6).map(keptOf);
const count = fc.integer({ min: 1, max: 6 });

test('Every plan gives each job one cut and one place, and says what the judge says.', () => {
  fc.assert(
    fc.property(keptLine, count, (cuts, n) => {
      for (const [name, policy] of Object.entries(POLICIES)) {
        const plan = policy(cuts, n, BYTE_A_MS);
        assert.equal(plan.policy, name);
        assert.equal(plan.jobCuts.length, n);
        const orderly = plan.order.toSorted((a, b) => a - b);
        assert.deepEqual(
          orderly,
          Array.from({ length: n }, (_, job) => job),
        );
        const counted = cuts.map((_, cut) => plan.jobCuts.filter((chosen) => chosen === cut).length);
        assert.deepEqual(plan.counts, counted);
        const jobs = plan.jobCuts.map((cut) => jobAt(cuts[cut]!, BYTE_A_MS));
        assert.equal(plan.makespanMs, makespan(jobs, plan.order));
      }
    }),
  );
});

test('Every policy carries the one lower bound of the problem, and none is below it.', () => {
  fc.assert(
    fc.property(keptLine, count, (cuts, n) => {
      const bound = lowerBound(cuts, n, BYTE_A_MS);
      for (const policy of Object.values(POLICIES)) {
        const plan = policy(cuts, n, BYTE_A_MS);
        assert.equal(plan.lowerBoundMs, bound);
        assert.ok(plan.makespanMs >= bound - 1e-9);
      }
    }),
  );
});

test('A plan that calls itself optimal is a shortest one.', () => {
  let claims = 0;
  fc.assert(
    fc.property(keptLine, fc.integer({ min: 1, max: 4 }), (cuts, n) => {
      const points = cuts.map((cut) => twoStages(cut, BYTE_A_MS.uplinkBps));
      const shortest = optimum(points, n);
      for (const policy of Object.values(POLICIES)) {
        const plan = policy(cuts, n, BYTE_A_MS);
        if (!plan.optimal) continue;
        claims++;
        assert.ok(plan.makespanMs <= shortest + 1e-9);
      }
    }),
    { numRuns: 150 },
  );
  assert.ok(claims > 20, `only ${claims} plans were called optimal`);
});

test('jps takes one of the two cuts beside the crossing of transfer and head, the shorter of both.', () => {
  fc.assert(
    fc.property(keptLine, count, (cuts, n) => {
      const points = cuts.map((cut) => twoStages(cut, BYTE_A_MS.uplinkBps));
      const chosen = jps(cuts, n, BYTE_A_MS).jobCuts[0]!;
      // Of several cuts with the same head the last sends the least.
      const head = points.find(({ p1, p2 }) => p1 >= p2)?.p1;
      const after = points.findLastIndex(({ p1 }) => p1 === head);
      const uniform = (cut: number): number => {
        const { p1, p2 } = points[cut]!;
        return Math.max(p1 + n * p2, n * p1 + p2);
      };
      const before = points.findLastIndex(({ p1, p2 }) => p1 < p2);
      const beside = [before, after].filter((cut) => cut >= 0);
      assert.ok(beside.includes(chosen));
      assert.ok(beside.every((cut) => uniform(chosen) <= uniform(cut)));
    }),
  );
});

test('jps takes the last cut of a table in which the transfer is never below the head.', () => {
  const cuts = [
    { id: 'input', p1: 0, bytes: 90 },
    { id: 'pool1', p1: 10, bytes: 50 },
  ];
  assert.deepEqual(jps(cuts, 4, BYTE_A_MS).counts, [0, 4]);
});

test('jps of the cuts (1,3) and (3,1) and eight jobs takes 25: it is uniform, the best mix takes 17.', () => {
  const cuts = [
    { id: 'early', p1: 1, bytes: 3 },
    { id: 'late', p1: 3, bytes: 1 },
  ];
  const plan = jps(cuts, 8, BYTE_A_MS);
  assert.equal(plan.makespanMs, 25);
  assert.equal(plan.lowerBoundMs, 17);
  assert.equal(plan.optimal, false);
  assert.ok(plan.counts.includes(8));
});

/** Head times as measured with one thread: 6, 23, 48 and 80 % of the whole at the kept cuts. */
function alexnet(vehicleMs: number): Cut[] {
  const shares = [0, 0.06, 0.23, 0.48, 0.8, 1];
  return keptOf(alexnetPlaces(vehicleMs)).map((cut, index) => ({ ...cut, p1: vehicleMs * shares[index]! }));
}

test('jps cuts AlexNet at pool1 for a vehicle of 400 ms on 18.88 Mbit/s, by measured times and by MACs.', () => {
  for (const cuts of [alexnet(400), keptOf(alexnetPlaces(400))]) {
    const plan = jps(cuts, 4, WIFI);
    assert.equal(cuts[plan.jobCuts[0]!]!.id, 'pool1');
    assert.ok(plan.makespanMs * 3 < lo(cuts, 4, WIFI).makespanMs);
    assert.ok(plan.makespanMs * 2.5 < ro(cuts, 4, WIFI).makespanMs);
  }
});

test('jps sends the input on a fast link, and stays local on a link of almost nothing.', () => {
  const id = (uplink: Uplink): string => alexnet(400)[jps(alexnet(400), 4, uplink).jobCuts[0]!]!.id;
  assert.equal(id({ uplinkBps: 10e9 }), 'input');
  assert.equal(id({ uplinkBps: 10e3 }), 'fc8');
});

test('lo runs every frame whole on the vehicle, at any rate.', () => {
  const plan = lo(alexnet(400), 4, { uplinkBps: 1 });
  assert.equal(plan.makespanMs, 1600);
  assert.deepEqual(plan.counts, [0, 0, 0, 0, 0, 4]);
});

test('lo finds local-only wherever it stands in the table.', () => {
  const cuts = [
    { id: 'output', p1: 8, bytes: 1, local: true },
    { id: 'input', p1: 0, bytes: 9 },
  ];
  assert.deepEqual(lo(cuts, 2, BYTE_A_MS).counts, [2, 0]);
});

test('ro sends the first cut of every frame.', () => {
  const plan = ro(alexnet(400), 4, WIFI);
  assert.ok(Math.abs(plan.makespanMs - (4 * 602_112 * 8000) / 18.88e6) < 1e-9);
  assert.deepEqual(plan.counts, [4, 0, 0, 0, 0, 0]);
});

function shortest(cuts: readonly Cut[], n: number, uplink: Uplink): Plan['makespanMs'] {
  const points = cuts.map((cut) => jobAt(cut, uplink));
  return Math.min(
    ...multisets(cuts.length, n).map((chosen) => {
      const jobs = chosen.map((cut) => points[cut]!);
      return makespan(jobs, johnson(jobs));
    }),
  );
}

test('The ratio 1 + 1/n does not hold on real layers: AlexNet on 3 Mbit/s takes 1.56 times the optimum.', () => {
  const cuts = keptOf(alexnetPlaces(400));
  const uplink = { uplinkBps: 3e6 };
  const ratio = jps(cuts, 8, uplink).makespanMs / shortest(cuts, 8, uplink);
  assert.ok(Math.abs(ratio - 1.558) < 0.001, `ratio ${ratio}`);
  assert.ok(ratio > 1 + 1 / 8);
});

test('The ratio 1 + 1/n does not hold on real layers: VGG-16 on 11 Mbit/s takes 1.98 times the optimum.', () => {
  const cuts = keptOf(vgg16Places(400));
  const uplink = { uplinkBps: 11e6 };
  const ratio = jps(cuts, 4, uplink).makespanMs / shortest(cuts, 4, uplink);
  assert.ok(Math.abs(ratio - 1.982) < 0.001, `ratio ${ratio}`);
  assert.ok(ratio > 1 + 1 / 4);
});

test('A policy that is asked for no problem says which item is wrong.', () => {
  const good: Cut[] = [
    { id: 'input', p1: 0, bytes: 9 },
    { id: 'output', p1: 8, bytes: 1, local: true },
  ];
  const spoiled = (change: Partial<Cut>): Cut[] => [{ ...good[0]!, ...change }, good[1]!];
  for (const policy of Object.values(POLICIES)) {
    const refused = (cuts: Cut[], n: number, uplink: Uplink, message: RegExp): void =>
      assert.throws(() => policy(cuts, n, uplink), { name: ScheduleError.name, message });
    refused([], 1, WIFI, /^there is no cut/);
    refused(good, 0, WIFI, /number of jobs must be a whole number ≥ 1, not 0/);
    refused(good, 2.5, WIFI, /not 2\.5/);
    refused(spoiled({ p1: Number.NaN }), 1, WIFI, /^cut 'input': p1 .* not NaN/);
    refused(spoiled({ bytes: -1 }), 1, WIFI, /^cut 'input': bytes .* not -1/);
    refused(spoiled({ p3: Number.POSITIVE_INFINITY }), 1, WIFI, /^cut 'input': p3 .* not Infinity/);
    refused(good, 1, { uplinkBps: 0 }, /^uplink rate .* not 0/);
    refused(good, 1, { uplinkBps: -5 }, /^uplink rate .* not -5/);
    refused(good, 1, { uplinkBps: Number.NaN }, /^uplink rate .* not NaN/);
  }
});

test('lo of a table without local-only is refused.', () => {
  assert.throws(() => lo([{ id: 'input', p1: 0, bytes: 9 }], 2, WIFI), {
    name: ScheduleError.name,
    message: /'lo' needs a cut that is local-only/,
  });
});
