import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bruteForce,
  type Cut,
  exact,
  hull,
  jobAt,
  ScheduleError,
  virtualBlocks,
} from '../../../libs/sched/index.ts';
import { alexnetPlaces } from './networks.ts';

const WIFI = { uplinkBps: 18.88e6 };
const kept = virtualBlocks(alexnetPlaces(400)).map((index) => alexnetPlaces(400)[index]!);
const JPEG: Cut = { id: 'input', codec: 'jpeg', p1: 0, bytes: 50_000, loss: 0 };
/** Each tensor in a quarter of the bytes, a little later and at a price. */
const inBytes: Cut[] = kept
  .filter(({ local }) => !local)
  .map(({ id, p1, bytes }) => ({ id, codec: 'uint8', p1: p1 + 1, bytes: bytes / 4, loss: 0.02 }));

const taken = (cuts: readonly Cut[], counts: readonly number[]): string[] =>
  counts.flatMap((count, index) =>
    count > 0 ? [`${count} ${cuts[index]!.id} ${cuts[index]!.codec ?? 'float32'}`] : [],
  );

test('The JPEG at cut 0 is a point of the hull like any other, and takes the place of the float32 input.', () => {
  const cuts = [...kept, JPEG];
  const line = hull(cuts.map((cut) => jobAt(cut, WIFI)));
  assert.ok(line.includes(cuts.length - 1));
  assert.ok(!line.includes(0));
  const plan = exact(cuts, 4, WIFI);
  assert.ok(plan.optimal);
  assert.ok(plan.makespanMs < exact(kept, 4, WIFI).makespanMs / 2);
  assert.ok(plan.counts.at(-1)! > 0);
});

test('A budget of loss limits the mix: with more of it more tensors are coded in bytes, and with none of it none.', () => {
  const cuts = [...kept, ...inBytes];
  let before = Number.POSITIVE_INFINITY;
  for (const maxLoss of [0, 0.005, 0.01, 0.015, 0.02]) {
    const plan = exact(cuts, 8, { ...WIFI, maxLoss });
    assert.ok(plan.optimal);
    const losses = plan.jobCuts.map((cut) => cuts[cut]!.loss ?? 0);
    assert.ok(losses.reduce((a, b) => a + b, 0) <= 8 * maxLoss + 1e-9);
    assert.ok(plan.makespanMs <= before + 1e-9, `${plan.makespanMs} after ${before}`);
    before = plan.makespanMs;
    if (maxLoss === 0) assert.deepEqual(taken(cuts, plan.counts), taken(kept, exact(kept, 8, WIFI).counts));
  }
  assert.ok(before < 0.6 * exact(kept, 8, WIFI).makespanMs);
});

test('Under a budget of loss exact equals brute force with JPEG, float32 and bytes together, tails or not.', () => {
  const few = [kept[0]!, kept[1]!, kept[3]!, kept.at(-1)!, inBytes[1]!, JPEG];
  const withTails = few.map((cut) => ({
    ...cut,
    p3: cut.local ? 0 : (400 - cut.p1) / 20 + (cut.codec === 'jpeg' ? 8 : 0),
  }));
  for (const cuts of [few, withTails]) {
    for (const maxLoss of [0, 0.004, 0.01]) {
      for (const minCut of [0, 1]) {
        for (const n of [1, 3, 5]) {
          const conditions = { ...WIFI, maxLoss, minCut };
          const plan = exact(cuts, n, conditions);
          assert.ok(plan.optimal);
          assert.ok(Math.abs(plan.makespanMs - bruteForce(cuts, n, conditions).makespanMs) < 1e-9);
        }
      }
    }
  }
});

test('A budget of loss that no candidate meets is an error that names it.', () => {
  assert.throws(() => exact(inBytes, 4, { ...WIFI, maxLoss: 0.01 }), {
    name: ScheduleError.name,
    message: /maxLoss 0\.01/,
  });
});
