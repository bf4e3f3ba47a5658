import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Channel,
  type Cut,
  endOf,
  exact,
  type FleetPlan,
  type FleetVehicle,
  fairShare,
  fleetGantt,
  jobAt,
  planFleet,
  ScheduleError,
  simulate,
  uncoordinated,
  virtualBlocks,
} from '../../../libs/sched/index.ts';
import { permutations } from './brute-force.ts';
import { alexnetPlaces, vgg16Places } from './networks.ts';
import { anyCuts, BYTE_A_MS, lineOfCuts } from './problems.ts';

const PLANNERS = { fleet: planFleet, uncoordinated, 'fair-share': fairShare };

/** What the judge says of choices and head orders on a channel that serves in order of arrival. */
function judged(
  vehicles: readonly FleetVehicle[],
  channel: Channel,
  plans: readonly { readonly jobCuts: readonly number[]; readonly order: readonly number[] }[],
): number {
  const { cloudWorkers = 1, rttMs = 0 } = channel;
  const fleet = vehicles.map(({ cameras, uplinkBps = channel.uplinkBps }, vehicle) => ({
    jobs: cameras.map((cuts, camera) =>
      jobAt(cuts[plans[vehicle]!.jobCuts[camera]!]!, { ...channel, uplinkBps }),
    ),
    order: plans[vehicle]!.order,
    link: 0,
  }));
  const options = { cloudWorkers, uplinkDelayMs: rttMs / 2, returnMs: rttMs / 2 };
  const endMs = Math.max(...fleetGantt(fleet, options).map(endOf));
  assert.equal(Math.max(...simulate(fleet, options).end), endMs, 'the engine says otherwise');
  return endMs;
}

/** All ways to take one of each list. */
const product = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((some, list) => some.flatMap((row) => list.map((one) => [...row, one])), [[]]);

/** The shortest of all choices of cuts and all head orders. */
function shortest(vehicles: readonly FleetVehicle[], channel: Channel): number {
  const own = vehicles.map(({ cameras }) =>
    product(cameras.map((cuts) => cuts.map((_, cut) => cut))).flatMap((jobCuts) =>
      permutations(cameras.length).map((order) => ({ jobCuts, order })),
    ),
  );
  return Math.min(...product(own).map((plans) => judged(vehicles, channel, plans)));
}

function sound(plan: FleetPlan, vehicles: readonly FleetVehicle[], channel: Channel): void {
  assert.equal(plan.vehicles.length, vehicles.length);
  plan.vehicles.forEach(({ id, jobCuts, order }, vehicle) => {
    const { cameras } = vehicles[vehicle]!;
    assert.equal(id, vehicles[vehicle]!.id);
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      cameras.map((_, camera) => camera),
    );
    jobCuts.forEach((cut, camera) => {
      assert.ok(cut in cameras[camera]!);
    });
  });
  assert.ok(Math.abs(judged(vehicles, channel, plan.vehicles) - plan.makespanMs) < 1e-9);
  assert.ok(plan.lowerBoundMs <= plan.makespanMs);
  const sending = plan.vehicles.flatMap(({ jobCuts }, vehicle) =>
    jobCuts.flatMap((cut, camera) =>
      vehicles[vehicle]!.cameras[camera]![cut]!.local ? [] : [`${vehicle}/${camera}`],
    ),
  );
  assert.deepEqual(
    plan.channelOrder.map(({ vehicle, camera }) => `${vehicle}/${camera}`).sort(),
    sending.sort(),
  );
  const starts = plan.channelOrder.map(
    ({ vehicle, camera }) => plan.schedule[vehicle]!.find(({ job }) => job === camera)!.uplink!.startMs,
  );
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
  );
}

const tables = fc.oneof(lineOfCuts(1), anyCuts(3));
const fleets = (most: number, cameras: number, cuts: fc.Arbitrary<Cut[]>): fc.Arbitrary<FleetVehicle[]> =>
  fc
    .array(
      fc.record(
        {
          cameras: fc.array(cuts, { minLength: 1, maxLength: cameras }),
          uplinkBps: fc.integer({ min: 4000, max: 20_000 }),
        },
        { requiredKeys: ['cameras'] },
      ),
      { minLength: 1, maxLength: most },
    )
    .map((some) => some.map((vehicle, index) => ({ id: `vehicle-${index}`, ...vehicle })));
const channels = fc.record({
  uplinkBps: fc.constant(BYTE_A_MS.uplinkBps),
  rttMs: fc.nat(20),
  cloudWorkers: fc.integer({ min: 1, max: 2 }),
});
const withTails = tables.chain((cuts) =>
  fc
    .array(fc.nat(30), { minLength: cuts.length, maxLength: cuts.length })
    .map((tails) => cuts.map((cut, index) => ({ ...cut, p3: cut.local ? 0 : tails[index]! }))),
);

test('No plan of a small fleet is below the bound, and planFleet is the shortest of all or close to it.', () => {
  const ratios: number[] = [];
  fc.assert(
    fc.property(fleets(2, 2, tables), (vehicles) => {
      const best = shortest(vehicles, BYTE_A_MS);
      for (const planner of Object.values(PLANNERS)) {
        const plan = planner(vehicles, BYTE_A_MS);
        sound(plan, vehicles, BYTE_A_MS);
        assert.ok(plan.lowerBoundMs <= best + 1e-9, `bound ${plan.lowerBoundMs}, optimum ${best}`);
        assert.ok(plan.makespanMs >= best - 1e-9);
      }
      if (best > 0) ratios.push(planFleet(vehicles, BYTE_A_MS).makespanMs / best);
    }),
    { numRuns: 400 },
  );
  const mean = ratios.reduce((a, b) => a + b, 0) / ratios.length;
  assert.ok(mean < 1.02, `mean ratio to the optimum ${mean}`);
});

test('With tails, round trips and cloud workers no plan is below the bound either.', () => {
  fc.assert(
    fc.property(fleets(2, 2, withTails), channels, (vehicles, channel) => {
      const best = shortest(vehicles, channel);
      for (const planner of Object.values(PLANNERS)) {
        const plan = planner(vehicles, channel);
        sound(plan, vehicles, channel);
        assert.ok(plan.lowerBoundMs <= best + 1e-9, `bound ${plan.lowerBoundMs}, optimum ${best}`);
      }
    }),
    { numRuns: 300 },
  );
});

test('Larger fleets of any kind get sound plans.', () => {
  fc.assert(
    fc.property(fleets(8, 7, withTails), channels, (vehicles, channel) => {
      for (const planner of Object.values(PLANNERS)) sound(planner(vehicles, channel), vehicles, channel);
    }),
    { numRuns: 100 },
  );
});

const kept = (places: readonly Cut[]): Cut[] => virtualBlocks(places).map((index) => places[index]!);
const of = (count: number, tables: readonly (readonly Cut[])[]): FleetVehicle[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `vehicle-${index}`,
    cameras: new Array(4).fill(tables[index % tables.length]!),
  }));
const MIXED = [0.25, 0.5, 1, 2].map((speed) => kept(alexnetPlaces(400 / speed)));

test('A fleet of one is planned as short as exact plans it.', () => {
  for (const cuts of [kept(alexnetPlaces(400)), kept(vgg16Places(4000))]) {
    for (const mbit of [1.1, 5.85, 18.88, 54]) {
      for (const cameras of [1, 2, 4, 8, 16]) {
        const channel = { uplinkBps: mbit * 1e6 };
        const plan = planFleet([{ id: 'alone', cameras: new Array(cameras).fill(cuts) }], channel);
        const single = exact(cuts, cameras, channel).makespanMs;
        assert.ok(plan.makespanMs <= single * (1 + 1e-9), `${plan.makespanMs} where exact takes ${single}`);
      }
    }
  }
});

test('Of 16 vehicles with 4 cameras and mixed speeds planFleet is within 1.15 of the bound, and ahead of its rivals.', () => {
  for (const mbit of [18.88, 54, 100, 300]) {
    for (const tables of [MIXED, MIXED.slice(2, 3)]) {
      const vehicles = of(16, tables);
      const channel = { uplinkBps: mbit * 1e6 };
      const plan = planFleet(vehicles, channel);
      assert.ok(
        plan.makespanMs <= 1.15 * plan.lowerBoundMs,
        `${plan.makespanMs / plan.lowerBoundMs}, ${mbit} Mbit/s`,
      );
      assert.ok(uncoordinated(vehicles, channel).makespanMs > 2 * plan.makespanMs);
      assert.ok(fairShare(vehicles, channel).makespanMs > 0.99 * plan.makespanMs);
    }
  }
});

test('A thousand vehicles with four cameras are planned within 1.15 of the bound.', () => {
  const plan = planFleet(of(1000, MIXED), { uplinkBps: 1e9 });
  assert.ok(plan.makespanMs <= 1.15 * plan.lowerBoundMs);
  assert.equal(plan.vehicles.length, 1000);
});

test('A hundred vehicles no two of which are alike are planned within 1.05 of the bound, tails or none, and ahead of the fair share.', () => {
  const cutsOf = (index: number, cloudSpeed: number): Cut[] => {
    const speed = 0.25 * 8 ** (index / 99);
    const cuts = kept(alexnetPlaces(400 / speed));
    return cuts.map((cut) => ({
      ...cut,
      p3: cut.local ? 0 : 400 / cloudSpeed - (cut.p1 * speed) / cloudSpeed,
    }));
  };
  for (const [cloudSpeed, channel] of [
    [Number.POSITIVE_INFINITY, { uplinkBps: 118e6 }],
    [40, { uplinkBps: 118e6, rttMs: 4, cloudWorkers: 2 }],
  ] as const) {
    const vehicles = Array.from({ length: 100 }, (_, index) => ({
      id: `vehicle-${index}`,
      cameras: new Array(4).fill(cutsOf(index, cloudSpeed)),
    }));
    const plan = planFleet(vehicles, channel);
    sound(plan, vehicles, channel);
    assert.ok(plan.makespanMs <= 1.05 * plan.lowerBoundMs, `${plan.makespanMs / plan.lowerBoundMs}`);
    assert.ok(fairShare(vehicles, channel).makespanMs > plan.makespanMs);
  }
});

test('Cameras of different networks on one vehicle are planned together, within a few per cent of the shortest of all.', () => {
  const cameras = [kept(alexnetPlaces(400)), kept(vgg16Places(4000)), kept(alexnetPlaces(400))];
  for (const mbit of [5.85, 18.88, 54]) {
    const vehicles = [{ id: 'mixed', cameras }];
    const channel = { uplinkBps: mbit * 1e6 };
    const best = shortest(vehicles, channel);
    assert.ok(planFleet(vehicles, channel).makespanMs <= 1.05 * best);
  }
});

test('A constraint holds for every camera of the fleet: frames that stay on board are not sent.', () => {
  const plan = planFleet(of(8, MIXED), { uplinkBps: 300e6, minCut: 1 });
  assert.ok(plan.vehicles.every(({ jobCuts }) => jobCuts.every((cut) => cut > 0)));
  assert.ok(
    planFleet(of(8, MIXED), { uplinkBps: 300e6 }).vehicles.some(({ jobCuts }) => jobCuts.includes(0)),
  );
});

test('What is wrong in a fleet is named with its vehicle and camera.', () => {
  const good = [{ id: 'input', p1: 0, bytes: 9 }];
  const refused = (vehicles: FleetVehicle[], channel: Channel, message: RegExp): void => {
    for (const planner of Object.values(PLANNERS))
      assert.throws(() => planner(vehicles, channel), { name: ScheduleError.name, message });
  };
  refused([], BYTE_A_MS, /^there is no vehicle/);
  refused([{ id: 'a', cameras: [] }], BYTE_A_MS, /^vehicle 'a' has no camera/);
  refused([{ id: 'a', cameras: [good, []] }], BYTE_A_MS, /^vehicle 'a', camera 1: there is no cut/);
  refused(
    [{ id: 'b', cameras: [[{ ...good[0]!, p1: Number.NaN }]] }],
    BYTE_A_MS,
    /^vehicle 'b', camera 0: cut 'input': p1 .* NaN/,
  );
  refused(
    [{ id: 'c', cameras: [good], uplinkBps: -1 }],
    BYTE_A_MS,
    /^vehicle 'c', camera 0: uplink rate .* -1/,
  );
  refused([{ id: 'a', cameras: [good] }], { ...BYTE_A_MS, minCut: 1 }, /camera 0: minCut 1 leaves no cut/);
  refused([{ id: 'a', cameras: [good] }], { ...BYTE_A_MS, cloudWorkers: 0 }, /^cloudWorkers .* not 0/);
});
