import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bruteForce,
  type Conditions,
  type Cut,
  exact,
  jobAt,
  lowerBound,
  makespan,
  type Plan,
  POLICIES,
  ScheduleError,
} from '../../../libs/sched/index.ts';
import { anyCuts, BYTE_A_MS, lineOfCuts } from './problems.ts';

const near = (actual: number, expected: number): boolean =>
  Math.abs(actual - expected) <= 1e-9 * (1 + Math.abs(expected));

/** Cuts with tails (or none), losses and, now and then, measured energy. */
const richCuts = (cuts: fc.Arbitrary<Cut[]>, withTails: boolean): fc.Arbitrary<Cut[]> =>
  cuts.chain((line) =>
    fc
      .array(fc.record({ p3: fc.nat(40), loss: fc.nat(5), headJ: fc.nat(20) }), {
        minLength: line.length,
        maxLength: line.length,
      })
      .map((extra) =>
        line.map((cut, index): Cut => {
          const { p3, loss, headJ } = extra[index]!;
          return { ...cut, p3: cut.local || !withTails ? 0 : p3, loss, ...(headJ > 15 ? { headJ } : {}) };
        }),
      ),
  );
const busy = fc.record({ vehicleMs: fc.nat(40), uplinkMs: fc.nat(80), cloudMs: fc.nat(120) });
const power = fc.record({ cpuW: fc.nat(30), radioW: fc.nat(10), idleW: fc.nat(5) });

/** Energy by its definition: heads and transfers of all jobs, and idle power until the makespan. */
function energyJ(plan: Plan, cuts: readonly Cut[], { power, ...uplink }: Conditions): number {
  const { cpuW, radioW, idleW } = power!;
  const ofJobs = plan.jobCuts.map((index) => {
    const { p1, p2 } = jobAt(cuts[index]!, uplink);
    return (cuts[index]!.headJ ?? (cpuW * p1) / 1000) + (radioW * p2) / 1000;
  });
  return ofJobs.reduce((a, b) => a + b, 0) + (idleW * plan.makespanMs) / 1000;
}

function judged(plan: Plan, cuts: readonly Cut[], conditions: Conditions): number {
  const halfMs = (conditions.rttMs ?? 0) / 2;
  return makespan(
    plan.jobCuts.map((cut) => jobAt(cuts[cut]!, conditions)),
    plan.order,
    { uplinkDelayMs: halfMs, returnMs: halfMs, busy: conditions.busy ?? {} },
  );
}

/** The shortest plan of every sequence of cuts, by the definition of the conditions; undefined where none meets them. */
function shortest(cuts: readonly Cut[], n: number, conditions: Conditions): number | undefined {
  const { minCut = 0, maxBytes = Infinity, maxHeadMs = Infinity, maxEnergyJ, maxLoss } = conditions;
  const sequences = (length: number): number[][] =>
    length === 0 ? [[]] : sequences(length - 1).flatMap((some) => cuts.map((_, cut) => [...some, cut]));
  let least: number | undefined;
  for (const jobCuts of sequences(n)) {
    const taken = jobCuts.map((cut) => cuts[cut]!);
    if (taken.some(({ local, bytes }, job) => !local && (jobCuts[job]! < minCut || bytes > maxBytes)))
      continue;
    if (taken.some(({ p1 }) => p1 > maxHeadMs)) continue;
    if (maxLoss !== undefined && taken.reduce((sum, { loss = 0 }) => sum + loss, 0) > maxLoss * n + 1e-9)
      continue;
    const plan = { jobCuts, order: jobCuts.map((_, job) => job) } as unknown as Plan;
    const makespanMs = judged(plan, cuts, conditions);
    if (
      maxEnergyJ !== undefined &&
      energyJ({ ...plan, makespanMs }, cuts, conditions) > maxEnergyJ * (1 + 1e-9)
    )
      continue;
    least = Math.min(least ?? Number.POSITIVE_INFINITY, makespanMs);
  }
  return least;
}

let solved = 0;

function agrees(
  cuts: readonly Cut[],
  n: number,
  conditions: Conditions,
  reference: (...of: [readonly Cut[], number, Conditions]) => number | undefined,
): void {
  const expected = reference(cuts, n, conditions);
  if (expected === undefined) {
    assert.throws(() => exact(cuts, n, conditions), { name: ScheduleError.name });
    return;
  }
  const plan = exact(cuts, n, conditions);
  assert.ok(plan.optimal, 'not proved');
  assert.ok(near(plan.makespanMs, expected), `${plan.makespanMs} where ${expected} can be`);
  assert.ok(near(judged(plan, cuts, conditions), plan.makespanMs), 'the judge says otherwise');
  assert.ok(
    lowerBound(cuts, n, conditions) <= expected + 1e-9 * (1 + expected),
    'the bound is above the optimum',
  );
  const { maxEnergyJ, maxLoss, power } = conditions;
  if (power) assert.ok(near(plan.energyJ!, energyJ(plan, cuts, conditions)));
  if (maxEnergyJ !== undefined) assert.ok(plan.energyJ! <= maxEnergyJ * (1 + 1e-8));
  if (maxLoss !== undefined) {
    const losses = plan.jobCuts.reduce((sum, cut) => sum + (cuts[cut]!.loss ?? 0), 0);
    assert.ok(losses <= maxLoss * n * (1 + 1e-8));
  }
  solved++;
}

const brute = (cuts: readonly Cut[], n: number, conditions: Conditions): number | undefined => {
  try {
    return bruteForce(cuts, n, conditions).makespanMs;
  } catch (error) {
    assert.ok(error instanceof ScheduleError);
    return undefined;
  }
};

test('exact equals brute force from any initial state, on two stages.', () => {
  fc.assert(
    fc.property(
      fc.oneof(lineOfCuts(4), anyCuts(5)),
      fc.integer({ min: 1, max: 6 }),
      fc.record({ vehicleMs: fc.nat(40), uplinkMs: fc.nat(80) }),
      (cuts, n, state) => agrees(cuts, n, { ...BYTE_A_MS, busy: state }, brute),
    ),
    { numRuns: 2000 },
  );
});

test('exact equals the best of all sequences from any initial state of three stages, with tails and a round trip.', () => {
  fc.assert(
    fc.property(
      fc.oneof(richCuts(lineOfCuts(2), true), richCuts(anyCuts(4), true)),
      fc.integer({ min: 1, max: 4 }),
      busy,
      fc.nat(30),
      (cuts, n, state, rttMs) => agrees(cuts, n, { ...BYTE_A_MS, rttMs, busy: state }, shortest),
    ),
    { numRuns: 1000 },
  );
});

/** Often left out, and often wide enough to leave something. */
const constraints = fc.record(
  {
    minCut: fc.oneof(fc.constant(0), fc.nat(2)),
    maxBytes: fc.integer({ min: 20, max: 80 }),
    maxHeadMs: fc.integer({ min: 10, max: 40 }),
    maxEnergyJ: fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.integer({ min: 2, max: 60 })),
    maxLoss: fc.integer({ min: 2, max: 20 }).map((quarters) => quarters / 4),
  },
  { requiredKeys: [] },
);

test('exact equals the best of all sequences under constraints, on two stages.', () => {
  solved = 0;
  fc.assert(
    fc.property(
      richCuts(lineOfCuts(3), false),
      fc.integer({ min: 1, max: 4 }),
      constraints,
      power,
      (cuts, n, limits, power) => agrees(cuts, n, { ...BYTE_A_MS, ...limits, power }, shortest),
    ),
    { numRuns: 1500 },
  );
  assert.ok(solved > 400, `only ${solved} problems had a plan`);
});

test('exact equals the best of all sequences under constraints, tails, a round trip and an initial state together.', () => {
  solved = 0;
  fc.assert(
    fc.property(
      richCuts(lineOfCuts(2), true),
      fc.integer({ min: 1, max: 4 }),
      constraints,
      power,
      busy,
      fc.nat(30),
      (cuts, n, limits, power, state, rttMs) =>
        agrees(cuts, n, { ...BYTE_A_MS, ...limits, power, rttMs, busy: state }, shortest),
    ),
    { numRuns: 1500 },
  );
  assert.ok(solved > 400, `only ${solved} problems had a plan`);
});

test('Brute force under conditions equals the best of all sequences.', () => {
  fc.assert(
    fc.property(
      fc.oneof(richCuts(lineOfCuts(2), true), richCuts(lineOfCuts(2), false)),
      fc.integer({ min: 1, max: 4 }),
      constraints,
      power,
      fc.option(busy, { nil: undefined }),
      (cuts, n, limits, power, state) => {
        const conditions: Conditions = { ...BYTE_A_MS, ...limits, power, ...(state ? { busy: state } : {}) };
        const found = brute(cuts, n, conditions);
        const expected = shortest(cuts, n, conditions);
        if (expected === undefined) assert.equal(found, undefined);
        else assert.ok(near(found!, expected));
      },
    ),
    { numRuns: 600 },
  );
});

test('Every policy under constraints meets them or is refused, and no plan is below the bound.', () => {
  let planned = 0;
  fc.assert(
    fc.property(
      fc.oneof(richCuts(lineOfCuts(6), true), richCuts(lineOfCuts(6), false)),
      fc.integer({ min: 1, max: 12 }),
      constraints,
      power,
      (cuts, n, limits, power) => {
        const conditions: Conditions = { ...BYTE_A_MS, ...limits, power };
        for (const policy of Object.values(POLICIES)) {
          let plan: Plan;
          try {
            plan = policy(cuts, n, conditions);
          } catch (error) {
            assert.ok(error instanceof ScheduleError);
            continue;
          }
          planned++;
          assert.ok(near(judged(plan, cuts, conditions), plan.makespanMs), plan.policy);
          assert.ok(near(plan.energyJ!, energyJ(plan, cuts, conditions)), plan.policy);
          assert.ok(plan.makespanMs >= lowerBound(cuts, n, conditions) * (1 - 1e-9) - 1e-9, plan.policy);
          if (limits.maxEnergyJ !== undefined) assert.ok(plan.energyJ! <= limits.maxEnergyJ * (1 + 1e-8));
          for (const index of plan.jobCuts) {
            const { local, bytes, p1 } = cuts[index]!;
            assert.ok(local || index >= (limits.minCut ?? 0));
            assert.ok(local || bytes <= (limits.maxBytes ?? Number.POSITIVE_INFINITY));
            assert.ok(p1 <= (limits.maxHeadMs ?? Number.POSITIVE_INFINITY));
          }
        }
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(planned > 500, `only ${planned} plans`);
});

test('A policy of one cut says which constraint forbids it.', () => {
  const cuts: Cut[] = [
    { id: 'input', p1: 0, bytes: 9, loss: 0.5 },
    { id: 'output', p1: 8, bytes: 1, local: true },
  ];
  const power = { cpuW: 10, radioW: 1, idleW: 0 };
  for (const [policy, limits, message] of [
    ['ro', { minCut: 1 }, /'ro' takes cut 'input', which minCut 1 forbids/],
    ['ro', { maxBytes: 8 }, /which maxBytes 8 forbids/],
    ['ro', { maxLoss: 0.1 }, /which maxLoss 0\.1 forbids/],
    ['lo', { maxHeadMs: 7 }, /'lo' takes cut 'output', which maxHeadMs 7 forbids/],
    ['lo', { maxEnergyJ: 0.1, power }, /which maxEnergyJ 0\.1 forbids/],
  ] as const)
    assert.throws(() => POLICIES[policy](cuts, 3, { ...BYTE_A_MS, ...limits }), {
      name: ScheduleError.name,
      message,
    });
});

test('The bound of one job keeps to the caps.', () => {
  const cuts = [
    { id: 'a', p1: 0, bytes: 1000, loss: 1 },
    { id: 'b', p1: 9, bytes: 1000 },
  ];
  assert.equal(lowerBound(cuts, 1, { uplinkBps: 8e6, maxLoss: 0 }), 10);
  assert.equal(lowerBound(cuts, 1, { uplinkBps: 8e6 }), 1);
});

test('A constraint that leaves nothing is named.', () => {
  const cuts: Cut[] = [
    { id: 'input', p1: 0, bytes: 9, loss: 0.5 },
    { id: 'pool', p1: 4, bytes: 5, loss: 0.25 },
  ];
  const power = { cpuW: 10, radioW: 1, idleW: 0 };
  const refused = (limits: Partial<Conditions>, message: RegExp): void =>
    assert.throws(() => exact(cuts, 3, { ...BYTE_A_MS, power, ...limits }), {
      name: ScheduleError.name,
      message,
    });
  refused({ minCut: 2 }, /^minCut 2 leaves no cut/);
  refused({ maxBytes: 4 }, /^maxBytes 4 leaves no cut/);
  refused({ minCut: 1, maxHeadMs: 3 }, /^maxHeadMs 3 leaves no cut/);
  refused({ maxLoss: 0.1 }, /^no plan meets maxLoss 0\.1$/);
  refused({ maxEnergyJ: 0.001 }, /^no plan meets maxEnergyJ 0\.001$/);
  assert.throws(() => exact(cuts, 3000, { ...BYTE_A_MS, power, maxEnergyJ: 0.001 }), {
    name: ScheduleError.name,
    message: /^no plan meets maxEnergyJ 0\.001$/,
  });
  refused({ maxEnergyJ: Number.NaN }, /^constraint: maxEnergyJ .* not NaN/);
  refused({ busy: { uplinkMs: -1 } }, /^busy: uplinkMs .* not -1/);
  refused({ power: { cpuW: Number.NaN, radioW: 0, idleW: 0 } }, /^power: cpuW .* not NaN/);
  assert.throws(() => exact(cuts, 3, { ...BYTE_A_MS, maxEnergyJ: 1 }), {
    name: ScheduleError.name,
    message: /^maxEnergyJ needs a power model, or the headJ of every cut/,
  });
});
