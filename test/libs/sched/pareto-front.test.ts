import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Conditions,
  type Cut,
  exact,
  jobAt,
  makespan,
  paretoFront,
  ScheduleError,
  virtualBlocks,
} from '../../../libs/sched/index.ts';
import { alexnetPlaces } from './networks.ts';
import { BYTE_A_MS, lineOfCuts } from './problems.ts';

interface Cost {
  readonly makespanMs: number;
  readonly energyJ: number;
}

/** Makespan and energy of every sequence of cuts, by their definitions. */
function everyPlan(cuts: readonly Cut[], n: number, conditions: Conditions): Cost[] {
  const { cpuW, radioW, idleW } = conditions.power!;
  const sequences = (length: number): number[][] =>
    length === 0 ? [[]] : sequences(length - 1).flatMap((some) => cuts.map((_, cut) => [...some, cut]));
  return sequences(n).map((chosen) => {
    const jobs = chosen.map((cut) => jobAt(cuts[cut]!, conditions));
    const makespanMs = makespan(
      jobs,
      jobs.map((_, job) => job),
    );
    const mJ = jobs.reduce((sum, { p1, p2 }) => sum + cpuW * p1 + radioW * p2, idleW * makespanMs);
    return { makespanMs, energyJ: mJ / 1000 };
  });
}

const noWorse = (a: Cost, b: Cost): boolean =>
  a.makespanMs <= b.makespanMs * (1 + 1e-9) + 1e-9 && a.energyJ <= b.energyJ * (1 + 1e-9) + 1e-9;

const power = fc.record({ cpuW: fc.nat(30), radioW: fc.nat(30), idleW: fc.nat(10) });
const tails = fc.array(fc.nat(40), { minLength: 6, maxLength: 6 });

test('Every plan there is is beaten or matched by one of the front, and every plan of the front is one.', () => {
  let long = 0;
  fc.assert(
    fc.property(
      lineOfCuts(2),
      tails,
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      power,
      (line, p3, slow, n, power) => {
        const cuts = line.map((cut, index) => ({ ...cut, p3: slow && !cut.local ? p3[index]! : 0 }));
        const conditions = { ...BYTE_A_MS, power };
        const { plans, complete } = paretoFront(cuts, n, conditions);
        const all = everyPlan(cuts, n, conditions);
        assert.ok(complete);
        for (const plan of all) assert.ok(plans.some((of) => noWorse(of, plan)));
        for (const of of plans) {
          assert.ok(all.some((plan) => noWorse(plan, of) && noWorse(of, plan)));
          const jobs = of.jobCuts.map((cut) => jobAt(cuts[cut]!, conditions));
          assert.ok(Math.abs(makespan(jobs, of.order) - of.makespanMs) < 1e-6);
        }
        if (plans.length > 2) long++;
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(long > 20, `only ${long} fronts of more than two plans`);
});

test('Along the front the makespan rises and the energy falls; its first plan is as short as exact.', () => {
  const places = alexnetPlaces(400);
  const cuts = virtualBlocks(places).map((index) => places[index]!);
  for (const power of [
    { cpuW: 12, radioW: 3, idleW: 2 },
    { cpuW: 1, radioW: 8, idleW: 0 },
  ]) {
    const conditions = { uplinkBps: 18.88e6, power };
    for (const n of [1, 4, 12]) {
      const { plans, complete } = paretoFront(cuts, n, conditions);
      assert.ok(complete, `${n} jobs`);
      assert.ok(Math.abs(plans[0]!.makespanMs - exact(cuts, n, conditions).makespanMs) < 1e-9);
      plans.slice(1).forEach((plan, index) => {
        assert.ok(plan.makespanMs > plans[index]!.makespanMs && plan.energyJ < plans[index]!.energyJ);
      });
      // exact under the energy of a plan of the front as its cap is that plan.
      for (const { energyJ, makespanMs } of plans) {
        const capped = exact(cuts, n, { ...conditions, maxEnergyJ: energyJ });
        assert.ok(capped.optimal && Math.abs(capped.makespanMs - makespanMs) < 1e-6);
      }
    }
  }
});

test('A front without a known energy is refused.', () => {
  const cuts = [
    { id: 'input', p1: 1, bytes: 9, headJ: 2 },
    { id: 'output', p1: 8, bytes: 1, local: true },
  ];
  assert.throws(() => paretoFront(cuts, 2, BYTE_A_MS), { name: ScheduleError.name, message: /power model/ });
});
