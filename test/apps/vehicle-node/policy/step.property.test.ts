/** What holds of a vehicle node whatever happens to it, in whatever order, twice, late or never. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { VehicleEvent } from '../../../../apps/vehicle-node/policy/events.ts';
import { initialState, step } from '../../../../apps/vehicle-node/policy/step.ts';
import { deed, World } from './world.ts';

const deeds = fc.array(deed, { maxLength: 120, size: 'max' });

test('Every frame ends once and only once: one run and one tensor at a time, and each round once.', () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(fc.boolean(), deeds, (underWay, list) => {
      const world = new World(underWay);
      // At every moment the world checks what is asked of it: see world.ts.
      for (const each of list) world.do(each);
      world.settle();
      world.checkEnded();
      for (const { outcome } of world.frames) outcomes.set(outcome!, (outcomes.get(outcome!) ?? 0) + 1);
    }),
    { numRuns: 4000 },
  );
  // The property says something only if frames end in every way.
  for (const outcome of ['cloud', 'local', 'dropped']) assert.ok(outcomes.get(outcome)! > 1000, outcome);
});

test('When the node stops at any moment, every frame that was captured has ended at once.', () => {
  fc.assert(
    fc.property(deeds, (list) => {
      const world = new World(true);
      for (const each of list) world.do(each);
      world.stop();
      assert.ok(world.frames.every(({ outcome }) => outcome !== undefined));
    }),
    { numRuns: 500 },
  );
});

test('The same events give the same effects, those that were written to the log and read back too.', () => {
  fc.assert(
    fc.property(fc.boolean(), deeds, (underWay, list) => {
      const world = new World(underWay);
      for (const each of list) world.do(each);
      let state = initialState({ lastCut: 3, emulated: true });
      world.events.forEach((event, index) => {
        const next = step(state, JSON.parse(JSON.stringify(event)) as VehicleEvent);
        assert.equal(JSON.stringify(next.effects), JSON.stringify(world.effects[index]));
        state = next.state;
      });
      assert.equal(JSON.stringify(state), JSON.stringify(world.state));
    }),
    { numRuns: 1000 },
  );
});
