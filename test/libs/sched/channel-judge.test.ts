import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { channelJudge } from '../../../libs/sched/channel-judge.ts';
import { fleetTimes, type VehicleJobs } from '../../../libs/sched/flowshop.ts';
import type { Job } from '../../../libs/sched/index.ts';

/** Whole numbers, so that heads and transfers often end at once, or thirds, whose sums are rounded. */
const times = fc.oneof(
  fc.nat(3),
  fc.nat(400).map((n) => n / 3),
);
const anyJob = fc.oneof(
  { weight: 4, arbitrary: fc.record({ p1: times, p2: times, p3: times }) },
  { weight: 1, arbitrary: times.map((p1): Job => ({ p1, p2: 0, local: true })) },
);
const ordered = (cameras: number): fc.Arbitrary<VehicleJobs> =>
  fc.record({
    jobs: fc.array(anyJob, { minLength: cameras, maxLength: cameras }),
    order: fc.shuffledSubarray([...new Array(cameras).keys()], { minLength: cameras }),
    link: fc.constant(0),
  });
const options = fc.record({
  cloudWorkers: fc.integer({ min: 1, max: 4 }),
  uplinkDelayMs: times,
  returnMs: times,
});
/** A fleet, and what some of its vehicles have instead, one after another, with whether that is kept. */
const searches = fc.array(fc.nat(5), { minLength: 1, maxLength: 9 }).chain((cameras) =>
  fc.record({
    fleet: fc.tuple(...cameras.map(ordered)),
    moves: fc.array(
      fc
        .nat(cameras.length - 1)
        .chain((vehicle) =>
          fc.record({ vehicle: fc.constant(vehicle), jobs: ordered(cameras[vehicle]!), kept: fc.boolean() }),
        ),
      { maxLength: 12 },
    ),
    again: fc.tuple(...cameras.map(ordered)),
  }),
);

test('The judge of a search says what the one judge says, to the last bit, after any moves that were kept or not.', () => {
  fc.assert(
    fc.property(searches, options, ({ fleet, moves, again }, delays) => {
      const judge = channelJudge(
        fleet.map(({ order }) => order.length),
        delays,
      );
      const expected = (vehicles: readonly VehicleJobs[]): number =>
        fleetTimes(vehicles, delays).end.reduce((last, ms) => Math.max(last, ms), 0);
      assert.equal(judge.endOf(fleet), expected(fleet));
      let now = fleet;
      for (const { vehicle, jobs, kept } of moves) {
        const moved = now.with(vehicle, jobs);
        assert.equal(judge.endWith(vehicle, jobs), expected(moved));
        if (!kept) continue;
        judge.keep();
        now = moved;
      }
      assert.equal(judge.endOf(again), expected(again));
    }),
    { numRuns: 2000 },
  );
});
