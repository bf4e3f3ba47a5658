import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bruteForce,
  type Conditions,
  type Cut,
  exact,
  jobAt,
  jps,
  jpsMix,
  lowerBound,
  makespan,
  type Plan,
  POLICIES,
  po,
  ScheduleError,
  virtualBlocks,
} from '../../../libs/sched/index.ts';
import { optimum } from './brute-force.ts';
import { alexnetPlaces, vgg16Places } from './networks.ts';
import { anyCuts, BYTE_A_MS, lineOfCuts } from './problems.ts';

const near = (actual: number, expected: number): boolean =>
  Math.abs(actual - expected) <= 1e-9 * (1 + Math.abs(expected));
const withTails = (cuts: fc.Arbitrary<Cut[]>): fc.Arbitrary<Cut[]> =>
  fc
    .tuple(cuts, fc.array(fc.nat(40), { minLength: 8, maxLength: 8 }))
    .map(([line, tails]) => line.map((cut, index) => ({ ...cut, p3: cut.local ? 0 : tails[index]! })));
const judged = (plan: Plan, cuts: readonly Cut[], conditions: Conditions): number => {
  const halfMs = (conditions.rttMs ?? 0) / 2;
  return makespan(
    plan.jobCuts.map((cut) => jobAt(cuts[cut]!, conditions)),
    plan.order,
    { uplinkDelayMs: halfMs, returnMs: halfMs, busy: conditions.busy ?? {} },
  );
};

function agrees(cuts: readonly Cut[], n: number, conditions: Conditions): void {
  const plan = exact(cuts, n, conditions);
  const shortest = bruteForce(cuts, n, conditions).makespanMs;
  assert.ok(plan.optimal, 'not proved');
  assert.ok(near(plan.makespanMs, shortest), `${plan.makespanMs} where ${shortest} can be`);
  assert.ok(near(judged(plan, cuts, conditions), plan.makespanMs), 'the judge says otherwise');
  assert.equal(
    plan.counts.reduce((sum, count) => sum + count, 0),
    n,
  );
}

test('exact equals brute force over the cuts of a line.', () => {
  fc.assert(
    fc.property(lineOfCuts(4), fc.integer({ min: 1, max: 7 }), (cuts, n) => agrees(cuts, n, BYTE_A_MS)),
    { numRuns: 3000 },
  );
});

test('exact equals brute force over cut tables of any kind, with fixed costs of a transfer.', () => {
  const uplink = fc.record({ uplinkBps: fc.integer({ min: 100, max: 1_000_000 }), fixedMs: fc.nat(20) });
  fc.assert(fc.property(anyCuts(5), fc.integer({ min: 1, max: 6 }), uplink, agrees), { numRuns: 2000 });
});

test('exact equals brute force with tails in the cloud and a round trip.', () => {
  fc.assert(
    fc.property(withTails(lineOfCuts(3)), fc.integer({ min: 1, max: 4 }), fc.nat(30), (cuts, n, rttMs) =>
      agrees(cuts, n, { ...BYTE_A_MS, rttMs }),
    ),
    { numRuns: 1500 },
  );
});

test('Brute force equals the search over all multisets in all orders.', () => {
  fc.assert(
    fc.property(lineOfCuts(2), fc.integer({ min: 1, max: 4 }), (cuts, n) => {
      const points = cuts.map((cut) => jobAt(cut, BYTE_A_MS));
      assert.equal(bruteForce(cuts, n, BYTE_A_MS).makespanMs, optimum(points, n));
    }),
    { numRuns: 100 },
  );
});

test('No policy is shorter than an exact plan that is proved, nor any plan shorter than the bound.', () => {
  fc.assert(
    fc.property(
      fc.oneof(lineOfCuts(12), withTails(lineOfCuts(5))),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(9),
      (cuts, n, rttMs) => {
        const uplink = { ...BYTE_A_MS, rttMs };
        const plan = exact(cuts, n, uplink);
        const bound = lowerBound(cuts, n, uplink);
        for (const policy of Object.values(POLICIES)) {
          const other = policy(cuts, n, uplink);
          assert.ok(near(judged(other, cuts, uplink), other.makespanMs), `${other.policy} misjudged`);
          assert.ok(other.makespanMs >= bound * (1 - 1e-12) - 1e-9);
          if (plan.optimal) assert.ok(other.makespanMs >= plan.makespanMs * (1 - 1e-9), other.policy);
        }
        assert.ok(jpsMix(cuts, n, uplink).makespanMs <= jps(cuts, n, uplink).makespanMs * (1 + 1e-12));
      },
    ),
    { numRuns: 400 },
  );
});

test('exact of the cuts (1,3) and (3,1) and eight jobs mixes them and takes 17, where jps takes 25.', () => {
  const cuts = [
    { id: 'early', p1: 1, bytes: 3 },
    { id: 'late', p1: 3, bytes: 1 },
  ];
  assert.equal(jps(cuts, 8, BYTE_A_MS).makespanMs, 25);
  const plan = exact(cuts, 8, BYTE_A_MS);
  assert.equal(plan.makespanMs, 17);
  assert.deepEqual(plan.counts, [4, 4]);
  assert.deepEqual(plan.jobCuts, [0, 0, 0, 0, 1, 1, 1, 1]);
  assert.equal(plan.optimal, true);
});

test('jps-mix is within 1.03 of the optimum on AlexNet and 1.001 on VGG-16, at every rate and number of jobs tried.', () => {
  for (const [places, most] of [
    [alexnetPlaces(400), 1.03],
    [vgg16Places(4000), 1.001],
  ] as const) {
    const cuts = virtualBlocks(places).map((index) => places[index]!);
    for (const mbit of [1.1, 5.85, 18.88, 54]) {
      for (let n = 1; n <= 29; n++) {
        const uplink = { uplinkBps: mbit * 1e6 };
        const shortest = exact(cuts, n, uplink);
        assert.ok(shortest.optimal, `${mbit} Mbit/s, ${n} jobs`);
        const ratio = jpsMix(cuts, n, uplink).makespanMs / shortest.makespanMs;
        assert.ok(ratio <= most && ratio >= 1 - 1e-12, `${ratio} at ${mbit} Mbit/s and ${n} jobs`);
      }
    }
  }
});

test('exact over 50 nearly linear cuts ends within its budget, at most one per cent above the bound.', () => {
  for (const n of [5, 29, 200]) {
    const cuts = Array.from({ length: 50 }, (_, i): Cut => {
      const bent = ((i * 7919) % 101) / 1e4;
      return { id: `cut${i}`, p1: i + bent, bytes: 50 - i + bent };
    });
    const plan = exact(cuts, n, BYTE_A_MS);
    assert.ok(plan.makespanMs <= 1.01 * plan.lowerBoundMs, `${plan.makespanMs / plan.lowerBoundMs} at ${n}`);
  }
});

test('exact that could not be proved is no longer than any other policy, tails and many jobs.', () => {
  const N = 5000;
  let unproved = 0;
  const problems = fc.sample(withTails(lineOfCuts(6)), { seed: 5, numRuns: 12 });
  for (const cuts of problems) {
    const plan = exact(cuts, N, BYTE_A_MS);
    assert.ok(plan.makespanMs <= plan.lowerBoundMs * 1.01);
    if (!plan.optimal) unproved++;
    for (const policy of Object.values(POLICIES))
      assert.ok(policy(cuts, N, BYTE_A_MS).makespanMs >= plan.makespanMs * (1 - 1e-9));
  }
  assert.ok(unproved > 0, 'all were proved: take harder ones');
});

test('po takes the cut of least latency of one frame, tails counted, and repeats it.', () => {
  const cuts = [
    { id: 'input', p1: 0, bytes: 9, p3: 8 },
    { id: 'pool1', p1: 2, bytes: 5, p3: 1 },
    { id: 'output', p1: 9, bytes: 1, local: true },
  ];
  const plan = po(cuts, 3, BYTE_A_MS);
  assert.deepEqual(plan.counts, [0, 3, 0]);
  assert.equal(plan.makespanMs, 2 + 3 * 5 + 1);
});

test('Policies refuse bad tables by name, and brute force a problem that would not end.', () => {
  const good: Cut = { id: 'input', p1: 1, bytes: 9 };
  for (const policy of [po, jpsMix, exact, bruteForce]) {
    assert.throws(() => policy([], 1, BYTE_A_MS), { name: ScheduleError.name, message: /no cut/ });
    assert.throws(() => policy([good], 1.5, BYTE_A_MS), { name: ScheduleError.name, message: /not 1\.5/ });
    assert.throws(() => policy([{ ...good, p1: Number.NaN }], 1, BYTE_A_MS), {
      name: ScheduleError.name,
      message: /'input': p1/,
    });
    assert.throws(() => policy([good], 1, { uplinkBps: 0 }), { name: ScheduleError.name });
    assert.throws(() => policy([good], 1, { ...BYTE_A_MS, rttMs: Number.NaN }), {
      name: ScheduleError.name,
      message: /rttMs must be a finite number ≥ 0, not NaN/,
    });
    assert.throws(() => policy([good], 1, { ...BYTE_A_MS, fixedMs: -1 }), {
      name: ScheduleError.name,
      message: /fixedMs must be a finite number ≥ 0, not -1/,
    });
  }
  const many = Array.from({ length: 30 }, (_, i): Cut => ({ id: `c${i}`, p1: i, bytes: 30 - i }));
  assert.throws(() => bruteForce(many, 30, BYTE_A_MS), {
    name: ScheduleError.name,
    message: /would not end/,
  });
});
