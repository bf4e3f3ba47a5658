/** From profiles to plans: what each policy chooses, and what holds of every plan. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PolicyName } from '../../../../apps/roadside-unit/config.ts';
import type { PlannedCloud } from '../../../../apps/roadside-unit/policy/cloud-pool.ts';
import {
  type PlannedVehicle,
  planVehicles as planAll,
  type SendingRules,
} from '../../../../apps/roadside-unit/policy/planning.ts';
import { VehiclePlan } from '../../../../libs/proto/messages.ts';
import { chunkBytesFor, wireBytes } from '../../../../libs/proto/wire-bytes.ts';

/** AlexNet: bytes of its kept cuts, and the measured shares of its time between them (theory.md, section 5). */
const ALEXNET_BYTES = [602_112, 186_624, 129_792, 36_864, 16_384, 4000];
const ALEXNET_SHARES = [0.06, 0.17, 0.25, 0.32, 0.2];

const cutShapes = (bytes: readonly number[]): PlannedVehicle['cuts'] =>
  bytes.map((each, index) => ({ id: `cut-${index}`, dims: [each / 4], bytes: each }));

function vehicle(more: Partial<PlannedVehicle> = {}): PlannedVehicle {
  return {
    node: 'vehicle-1',
    cameras: ['camera-1', 'camera-2', 'camera-3', 'camera-4'],
    uplinkBps: 18.88e6,
    rttMs: 0,
    segmentMs: ALEXNET_SHARES.map((share) => 400 * share),
    slowdown: 10,
    cuts: cutShapes(ALEXNET_BYTES),
    jpegBytes: 60_000,
    ...more,
  };
}

function cloud(more: Partial<PlannedCloud> = {}): PlannedCloud {
  return { node: 'cloud-1', workers: 2, firstCut: 0, tailMs: () => 20, fixedMs: 3, ...more };
}

/** Tensors only, as is the default. */
const TENSORS: SendingRules = {
  ...{ keepFramesOnBoard: false, codedPoints: [], maxLoss: 0 },
  codecs: ['float32'],
};
const ALL_CODECS: SendingRules = { ...TENSORS, codecs: ['float32', 'jpeg'] };

/** With one worker of the cloud, or none. */
function planVehicles(
  policy: PolicyName,
  vehicles: readonly PlannedVehicle[],
  by: PlannedCloud | undefined,
  ...rest: readonly [rules: SendingRules, epoch: number, round?: number]
) {
  return planAll(policy, vehicles, by ? [by] : [], ...rest).plans;
}

/** The plan of one vehicle alone. */
function planOne(
  policy: PolicyName,
  of = vehicle(),
  by: PlannedCloud | undefined = cloud(),
  keepFramesOnBoard = false,
  codecs = TENSORS.codecs,
) {
  return planVehicles(policy, [of], by, { ...TENSORS, keepFramesOnBoard, codecs }, 1)[0]!.plan;
}

const uplinkMs = ({ uplinkBps, node }: PlannedVehicle, bytes: number): number =>
  (wireBytes(bytes, chunkBytesFor(uplinkBps), node, 'cloud-1') * 8000) / uplinkBps;
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} ms where ${expected} ms were expected`);

describe('What a policy predicts', () => {
  test('lo takes as long as the whole network takes, once for each camera.', () => {
    const plan = planOne('lo');
    near(plan.makespanMs, 4 * 400);
    assert.deepEqual(
      plan.streams.map(({ cut, codec }) => ({ cut, codec })),
      new Array(4).fill({ cut: 5, codec: 'float32' }),
    );
  });

  test('ro takes the inputs one after another on the uplink, the last tail and the way back.', () => {
    const plan = planOne('ro');
    near(plan.makespanMs, 4 * uplinkMs(vehicle(), 602_112) + 20 + 3);
    assert.ok(plan.streams.every(({ cut, codec }) => cut === 0 && codec === 'float32'));
  });

  test("ro-jpeg sends the camera's own bytes, prepared in the cloud.", () => {
    const tailMs = (cut: number, codec: string): number => (cut === 0 && codec === 'jpeg' ? 31 : 20);
    const plan = planOne('ro-jpeg', vehicle(), cloud({ tailMs, workers: 4 }));
    near(plan.makespanMs, 4 * uplinkMs(vehicle(), 60_000) + 31 + 3);
    assert.ok(plan.streams.every(({ cut, codec }) => cut === 0 && codec === 'jpeg'));
  });

  test('jps takes one cut for all, beside the crossing, and is what the two stages say plus tail and way back.', () => {
    const plan = planOne('jps');
    const ends = [1, 2].map((cut) => {
      const p1 = ALEXNET_SHARES.slice(0, cut).reduce((sum, share) => sum + 400 * share, 0);
      const p2 = uplinkMs(vehicle(), ALEXNET_BYTES[cut]!);
      return Math.max(p1 + 4 * p2, 4 * p1 + p2);
    });
    near(plan.makespanMs, Math.min(...ends) + 20 + 3);
    assert.deepEqual([...new Set(plan.streams.map(({ cut }) => cut))], [1 + ends.indexOf(Math.min(...ends))]);
  });

  test('Half of the round trip passes before the tail, the other half and what is left of the fixed time after it.', () => {
    const slow = vehicle({ rttMs: 40, cameras: ['camera-1'] });
    const plan = planOne('ro', slow, cloud({ fixedMs: 46 }));
    const [job] = plan.streams;
    near(job!.tailStartMs - job!.uplinkEndMs, 20);
    near(plan.makespanMs, uplinkMs(slow, 602_112) + 46 + 20);
  });

  test('Two vehicles share the threads of the cloud, but not each other’s uplinks.', () => {
    const both = [vehicle(), vehicle({ node: 'vehicle-2' })];
    const busy = cloud({ workers: 1, tailMs: () => 500 });
    const [first, second] = planVehicles('ro', both, busy, TENSORS, 7).map(({ plan }) => plan);
    // Eight tails of 500 ms on one thread, after the first tensor has come in.
    near(Math.max(first!.makespanMs, second!.makespanMs), uplinkMs(vehicle(), 602_112) + 8 * 500 + 3);
    near(first!.streams[0]!.uplinkEndMs, second!.streams[0]!.uplinkEndMs);
  });

  test('All policies have one bound, that of the codecs they choose among; ro-jpeg adds its own.', () => {
    const bounds = (keep: boolean, codecs = TENSORS.codecs): number[] =>
      PolicyName.options.map((policy) => planOne(policy, vehicle(), cloud(), keep, codecs).lowerBoundMs);
    const [jpeg, ...others] = [
      planOne('ro-jpeg').lowerBoundMs,
      ...bounds(false).filter((_, index) => PolicyName.options[index] !== 'ro-jpeg'),
    ];
    assert.equal(new Set(others).size, 1);
    assert.ok(jpeg! < others[0]! / 2, `${jpeg} and ${others[0]}`);
    assert.deepEqual(new Set(bounds(false, ALL_CODECS.codecs)), new Set([jpeg]));
    assert.equal(new Set(bounds(true, ALL_CODECS.codecs)).size, 1);
  });

  test('With JPEG among the codecs exact sends it where that is the shortest way, and is never longer than a policy.', () => {
    const all = (policy: PolicyName, of = vehicle()) =>
      planOne(policy, of, cloud(), false, ALL_CODECS.codecs);
    assert.ok(all('exact').streams.some(({ cut, codec }) => cut === 0 && codec === 'jpeg'));
    assert.ok(planOne('exact').streams.every(({ codec }) => codec === 'float32'));
    for (const policy of PolicyName.options) {
      assert.ok(all('exact').makespanMs <= all(policy).makespanMs + 1e-9, policy);
      if (policy !== 'ro-jpeg')
        assert.ok(planOne('exact').makespanMs <= planOne(policy).makespanMs + 1e-9, policy);
    }
    assert.ok(all('ro').streams.every(({ codec }) => codec === 'float32'));
    assert.ok(all('exact', vehicle({ uplinkBps: 0.5e6 })).streams.some(({ cut }) => cut > 0));
  });

  test('A coded tensor is planned with the time of its coding on a slow vehicle, unless it loses too much.', () => {
    const point = {
      cut: 1,
      codec: 'uint8',
      bytes: 46_660.5,
      encodeMs: 0.2,
      decodeMs: 0.3,
      loss: 0.01,
    } as const;
    const rules: SendingRules = {
      ...TENSORS,
      codecs: ['float32', 'uint8'],
      codedPoints: [point],
      maxLoss: 0.02,
    };
    const planned = (more: Partial<SendingRules> = {}) =>
      planVehicles('exact', [vehicle()], cloud(), { ...rules, ...more }, 1)[0]!.plan;
    const coded = planned().streams.find(({ codec }) => codec === 'uint8')!;
    assert.equal(coded.cut, 1);
    near(coded.headEndMs - coded.headStartMs, 400 * 0.06 + 10 * 0.2);
    near(coded.uplinkEndMs - coded.uplinkStartMs, uplinkMs(vehicle(), 46_661));
    assert.ok(planned().makespanMs < 0.7 * planOne('exact').makespanMs);
    assert.ok(planned().lowerBoundMs < planOne('exact').lowerBoundMs);
    for (const more of [{ maxLoss: 0.009 }, { codecs: ['float32'] as const }, { codedPoints: [] }])
      assert.deepEqual(
        planned(more).streams.map(({ cut, codec }) => ({ cut, codec })),
        planOne('exact').streams.map(({ cut, codec }) => ({ cut, codec })),
      );
  });

  test('Where eight vehicles share one thread exact leaves it less to do than where each has its own.', () => {
    const eight = Array.from({ length: 8 }, (_, index) => vehicle({ node: `vehicle-${index}` }));
    const toCloud = (workers: number): number =>
      planVehicles('exact', eight, cloud({ workers, tailMs: (cut) => 60 - 10 * cut }), TENSORS, 1)
        .flatMap(({ plan }) => plan.streams)
        .reduce((sum, { tailStartMs, tailEndMs }) => sum + tailEndMs - tailStartMs, 0);
    assert.ok(toCloud(1) < toCloud(8), `${toCloud(1)} and ${toCloud(8)} ms of tails`);
  });

  test('A slow worker that is near and fast ones that are far: each has what it is good for, and neither spoils the cuts of the other.', () => {
    const tails = (wholeMs: number): PlannedCloud['tailMs'] => {
      const restShare = ALEXNET_SHARES.map((_, cut) => ALEXNET_SHARES.slice(cut).reduce((a, b) => a + b));
      return (cut) => wholeMs * restShare[cut]!;
    };
    const far = cloud({ node: 'cloud-1', tailMs: tails(100), fixedMs: 200, workers: 1 });
    const edge = cloud({ node: 'edge', tailMs: tails(250), fixedMs: 2, workers: 1 });
    const planned = (...clouds: PlannedCloud[]) =>
      planAll('exact', [vehicle()], clouds, TENSORS, 1).plans[0]!.plan;
    const both = planned(far, edge);
    const alone = [planned(far), planned(edge)].map(({ makespanMs }) => makespanMs);
    assert.ok(both.makespanMs < Math.min(...alone) - 1, `${both.makespanMs} and ${alone}`);
    const named = both.streams.flatMap(({ cloud: at }) => (at ? [at] : []));
    assert.deepEqual(new Set(named), new Set(['cloud-1', 'edge']));
    // On average they are worse than the far ones are alone.
    const [onlyFar, slower] = [cloud({ ...far, fixedMs: 100 }), cloud({ ...edge, tailMs: tails(2000) })];
    assert.ok(planned(onlyFar, slower).makespanMs <= planned(onlyFar).makespanMs + 1e-9);
  });

  test('Of vehicles that differ in one thing only each is planned by its own figures.', () => {
    const base = vehicle({ cameras: ['camera-1'] });
    const slow = vehicle({ cameras: ['camera-1'], segmentMs: base.segmentMs.map((ms) => 1.5 * ms) });
    const large = vehicle({ cameras: ['camera-1'], cuts: cutShapes(ALEXNET_BYTES.map((size) => size + 4)) });
    const far = vehicle({ cameras: ['camera-1'], uplinkBps: 9e6 });
    const more = vehicle({ cameras: ['camera-1', 'camera-2'] });
    const fleet = [base, slow, large, far, more];
    for (const policy of ['jps', 'exact'] as const)
      planVehicles(policy, fleet, cloud({ workers: 6 }), TENSORS, 1).forEach(({ plan }, index) => {
        const of = fleet[index]!;
        assert.equal(plan.streams.length, of.cameras.length);
        for (const { cut, headStartMs, headEndMs, uplinkStartMs, uplinkEndMs } of plan.streams) {
          near(
            headEndMs - headStartMs,
            of.segmentMs.slice(0, cut).reduce((sum, ms) => sum + ms, 0),
          );
          near(uplinkEndMs - uplinkStartMs, uplinkMs(of, of.cuts[cut]!.bytes));
        }
      });
  });

  test('The farther the cloud is, the less is sent there.', () => {
    const sentTo = (fixedMs: number): number =>
      planOne('exact', vehicle(), cloud({ fixedMs })).streams.filter(({ cut }) => cut < 5).length;
    assert.deepEqual([sentTo(3), sentTo(700), sentTo(5000)], [4, 2, 0]);
  });

  test('A job is given up when three times its plan and a second have passed.', () => {
    const { makespanMs, jobTimeoutMs } = planOne('jps');
    near(jobTimeoutMs, 3 * makespanMs + 1000);
  });

  test('Where a link is too slow for any tensor adaptive sends the first frame all the same, and no other policy does.', () => {
    const crawling = vehicle({ uplinkBps: 1000 });
    const sentBy = (policy: PolicyName): number[] =>
      planOne(policy, crawling)
        .streams.map(({ cut }) => cut)
        .filter((cut) => cut < 5);
    assert.deepEqual(sentBy('fixed'), []);
    assert.equal(sentBy('adaptive').length, 1);
    assert.ok(planOne('adaptive', crawling).streams[0]!.cut < 5);
    const busy = { vehicleMs: 0, uplinkMs: 0 };
    assert.ok(planOne('adaptive', { ...crawling, busy }).streams.every(({ cut }) => cut === 5));
  });

  test('Under adaptive a frame is given up once it has waited for half as long again as the rest of the network takes.', () => {
    for (const { cut, uplinkStartMs, endMs, giveUpMs } of planOne('adaptive').streams) {
      const restMs = vehicle()
        .segmentMs.slice(cut)
        .reduce((sum, ms) => sum + ms, 0);
      near(giveUpMs!, endMs - uplinkStartMs + restMs / 2);
    }
    assert.ok(planOne('exact').streams.every(({ giveUpMs }) => giveUpMs === undefined));
  });

  test('A plan for what is left of a round begins when processor and uplink are free.', () => {
    const busy = { vehicleMs: 50, uplinkMs: 2000 };
    const { streams, round } = planVehicles('adaptive', [vehicle({ busy })], cloud(), TENSORS, 4, 9)[0]!.plan;
    assert.equal(round, 9);
    assert.ok(streams.every(({ headStartMs }) => headStartMs >= 50));
    const sent = streams.filter(({ cut }) => cut < 5);
    assert.ok(sent.every(({ uplinkStartMs }) => uplinkStartMs >= 2000));
    assert.ok(sent.length < planOne('adaptive').streams.filter(({ cut }) => cut < 5).length);
  });

  test('Without a cloud every stream is local, under the name of the policy that was asked for.', () => {
    for (const policy of PolicyName.options) {
      const plan = planVehicles(policy, [vehicle()], undefined, ALL_CODECS, 1)[0]!.plan;
      near(plan.makespanMs, 1600);
      assert.equal(plan.cloud, '');
      assert.equal(plan.policy, policy);
      assert.ok(plan.streams.every(({ cut, codec }) => cut === 5 && codec === 'float32'));
    }
  });

  test('Where frames stay on board, nothing is cut at the input and no JPEG is sent, whatever the policy.', () => {
    for (const policy of PolicyName.options) {
      const plan = planOne(policy, vehicle(), cloud(), true);
      assert.ok(
        plan.streams.every(({ cut, codec }) => cut >= 1 && codec === 'float32'),
        policy,
      );
    }
    // On a fast link the input would be the best cut.
    const fast = vehicle({ uplinkBps: 1e10 });
    assert.equal(planOne('jps', fast).streams[0]!.cut, 0);
    assert.equal(planOne('jps', fast, cloud(), true).streams[0]!.cut, 1);
    const network = vehicle({ cuts: cutShapes([602_112, 4000]), segmentMs: [400] });
    assert.equal(planOne('ro', network, cloud(), true).streams[0]!.cut, 1);
  });

  test('A cut that the cloud does not serve is not planned, nor is a JPEG sent at an inner cut.', () => {
    for (const policy of PolicyName.options) {
      const plan = planOne(policy, vehicle(), cloud({ firstCut: 2 }));
      assert.ok(
        plan.streams.every(({ cut, codec }) => cut >= 2 && codec === 'float32'),
        policy,
      );
    }
  });
});

describe('Vehicles in groups', () => {
  const LTE = { name: 'lte', bps: 5.4e6 };
  const NR = { name: 'nr', bps: 12e6 };
  const SLOW = cloud({ workers: 4, tailMs: (cut) => 60 - 10 * cut });
  /** Vehicles of different speeds. */
  const groupOf = (letter: string, count: number, more: Partial<PlannedVehicle>): PlannedVehicle[] =>
    Array.from({ length: count }, (_, index) => {
      const slowness = 2 ** (index % 3);
      const segmentMs = ALEXNET_SHARES.map((share) => 1000 * slowness * share);
      return vehicle({ node: `vehicle-${letter}${index}`, segmentMs, ...more });
    });
  const [first, second, own] = [
    groupOf('a', 4, { channel: LTE }),
    groupOf('b', 2, { channel: NR }),
    groupOf('c', 2, {}),
  ];
  /** In no order. */
  const mixed = [own[0]!, ...first.slice(0, 2), ...second, ...first.slice(2), own[1]!];
  type Plans = ReturnType<typeof planVehicles>;
  const cutsOf = (plans: Plans, of: readonly PlannedVehicle[]) =>
    of.map(({ node }) =>
      plans
        .find((planned) => planned.vehicle === node)!
        .plan.streams.map(({ camera, cut, codec }) => [camera, cut, codec]),
    );

  for (const policy of ['exact', 'uncoordinated', 'fair-share'] as const)
    test(`Under ${policy} each group has the cuts that it has alone on its part of the workers, and own links theirs.`, () => {
      const plans = planVehicles(policy, mixed, SLOW, TENSORS, 1);
      assert.deepEqual(
        plans.map((planned) => planned.vehicle),
        mixed.map(({ node }) => node),
      );
      const alone = (of: readonly PlannedVehicle[], workers: number) =>
        planVehicles(policy, of, cloud({ ...SLOW, workers }), TENSORS, 1);
      assert.deepEqual(cutsOf(plans, first), cutsOf(alone(first, 2), first));
      assert.deepEqual(cutsOf(plans, second), cutsOf(alone(second, 1), second));
      const allOwn = mixed.map(({ channel: _, ...vehicle }) => vehicle);
      assert.deepEqual(cutsOf(plans, own), cutsOf(planVehicles('exact', allOwn, SLOW, TENSORS, 1), own));
      for (const { vehicle, plan } of plans) {
        const { channel, uplinkBps } = mixed.find(({ node }) => node === vehicle)!;
        assert.equal(plan.granted, policy === 'exact' && channel !== undefined);
        assert.equal(plan.uplinkBps, channel?.bps ?? uplinkBps);
        assert.ok(plan.lowerBoundMs <= plan.makespanMs);
      }
    });

  test('No two tensors are on one channel at a time, those on different ones are, and the order is that of their starts.', () => {
    const { plans, channelOrder } = planAll('exact', mixed, [SLOW], TENSORS, 1);
    const sendsOf = (of: readonly PlannedVehicle[]) =>
      plans
        .filter((planned) => of.some(({ node }) => node === planned.vehicle))
        .flatMap(({ vehicle, plan }) => plan.streams.map((stream) => ({ vehicle, ...stream })))
        .filter(({ uplinkStartMs, uplinkEndMs }) => uplinkEndMs > uplinkStartMs)
        .toSorted((a, b) => a.uplinkStartMs - b.uplinkStartMs);
    for (const group of [first, second]) {
      const sends = sendsOf(group);
      assert.ok(sends.length > 2);
      for (const [index, { uplinkStartMs }] of sends.slice(1).entries())
        assert.ok(uplinkStartMs >= sends[index]!.uplinkEndMs - 1e-9);
      assert.deepEqual(
        channelOrder.filter(({ vehicle }) => group.some(({ node }) => node === vehicle)),
        sends.map(({ vehicle, camera }) => ({ vehicle, camera })),
      );
    }
    const overlap = sendsOf(first).some((a) =>
      sendsOf(second).some((b) => a.uplinkStartMs < b.uplinkEndMs && b.uplinkStartMs < a.uplinkEndMs),
    );
    assert.ok(overlap);
  });

  test('A vehicle on a channel is waited for as long as all on it may take, and not as long as others.', () => {
    const crawling = groupOf('z', 1, { channel: { name: 'slow', bps: 20_000 } });
    const timeouts = (of: readonly PlannedVehicle[]): number[] =>
      planVehicles('ro', of, SLOW, TENSORS, 1).map(({ plan }) => plan.jobTimeoutMs);
    const [alone, beside] = [timeouts(second), timeouts([...crawling, ...second])];
    assert.equal(new Set(alone).size, 1);
    for (const ms of beside.slice(1)) near(ms, alone[0]!);
    assert.ok(beside[0]! > 10 * alone[0]!);
  });

  test('Without a cloud nobody is granted anything.', () => {
    const plans = planVehicles('exact', mixed, undefined, TENSORS, 1);
    assert.ok(plans.every(({ plan }) => !plan.granted && plan.streams.every(({ cut }) => cut === 5)));
  });
});

const bytes = fc.integer({ min: 1, max: 200_000 }).map((words) => 4 * words);
const network = fc.integer({ min: 1, max: 7 }).chain((segments) =>
  fc.record({
    bytes: fc.array(bytes, { minLength: segments + 1, maxLength: segments + 1 }),
    vehicleMs: fc.array(
      fc.array(fc.double({ min: 0, max: 200, noNaN: true }), { minLength: segments, maxLength: segments }),
      { minLength: 1, maxLength: 4 },
    ),
    cloudMs: fc.array(fc.double({ min: 0, max: 50, noNaN: true }), {
      minLength: segments,
      maxLength: segments,
    }),
  }),
);
const fleet = fc.record({
  network,
  policy: fc.constantFrom(...PolicyName.options),
  keep: fc.boolean(),
  /** How much slower than the first each worker is; none: no worker is there. */
  slowness: fc.oneof(
    fc.array(fc.constantFrom<number>(1), { maxLength: 1 }),
    fc.array(fc.constantFrom<number>(1, 1, 1.05, 4), { minLength: 2, maxLength: 3 }),
  ),
  workers: fc.integer({ min: 1, max: 4 }),
  firstCut: fc.oneof(fc.constant(0), fc.nat(8)),
  fixedMs: fc.double({ min: 0, max: 60, noNaN: true }),
  own: fc.array(
    fc.record({
      cameras: fc.integer({ min: 1, max: 6 }),
      mbit: fc.oneof(
        fc.double({ min: 0.05, max: 1000, noNaN: true }),
        fc.double({ min: 0.05, max: 20, noNaN: true }),
      ),
      rttMs: fc.double({ min: 0, max: 100, noNaN: true }),
      jpegBytes: fc.nat(90_000),
    }),
    { minLength: 4, maxLength: 4 },
  ),
});

test('Of any fleet: plans that can be sent, stages in order, no machine used twice at a time, no bound exceeded.', () => {
  const cutAt = new Map<string, number>();
  fc.assert(
    fc.property(fleet, ({ network, policy, keep, slowness, workers, firstCut, fixedMs, own }) => {
      const vehicles = network.vehicleMs.map((segmentMs, index): PlannedVehicle => {
        const { cameras, mbit, rttMs, jpegBytes } = own[index]!;
        const names = Array.from({ length: cameras }, (_, camera) => `camera-${camera + 1}`);
        const link = { uplinkBps: mbit * 1e6, rttMs, jpegBytes, slowdown: 1 };
        const cuts = cutShapes(network.bytes);
        return { node: `vehicle-${index + 1}`, cameras: names, segmentMs, cuts, ...link };
      });
      const tailMs: PlannedCloud['tailMs'] = (cut, codec) =>
        network.cloudMs.slice(cut).reduce((sum, ms) => sum + ms, codec === 'jpeg' ? 10 : 0);
      const pool = slowness.map((factor, index) => {
        const own: PlannedCloud['tailMs'] = (cut, codec) => factor * tailMs(cut, codec);
        return cloud({ node: `cloud-${index + 1}`, workers, firstCut, fixedMs, tailMs: own });
      });
      const last = network.cloudMs.length;
      const rttMs = Math.max(...vehicles.map((each) => each.rttMs));
      const least = Math.min(last, Math.max(keep ? 1 : 0, firstCut));

      const { codecs } = workers % 2 === 0 ? ALL_CODECS : TENSORS;
      const plans = planAll(
        policy,
        vehicles,
        pool,
        { ...TENSORS, keepFramesOnBoard: keep, codecs },
        42,
      ).plans;
      assert.deepEqual(
        plans.map((each) => each.vehicle),
        vehicles.map(({ node }) => node),
      );
      const tails: { node: string; startMs: number; endMs: number }[] = [];
      plans.forEach(({ plan }, index) => {
        const of = vehicles[index]!;
        assert.deepEqual(VehiclePlan.parse(plan), plan);
        assert.deepEqual({ epoch: plan.epoch, policy: plan.policy }, { epoch: 42, policy });
        assert.deepEqual(plan.streams.map(({ camera }) => camera).sort(), [...of.cameras]);
        assert.deepEqual(plan.segmentMs, of.segmentMs);
        assert.ok(plan.lowerBoundMs <= plan.makespanMs * (1 + 1e-9) + 1e-9, 'the bound is exceeded');

        let processorMs = 0;
        let uplinkFreeMs = 0;
        for (const job of plan.streams) {
          cutAt.set(`${policy} ${job.cut === last ? 'local' : job.codec}`, 1);
          near(job.headStartMs, processorMs);
          processorMs += of.segmentMs.slice(0, job.cut).reduce((sum, ms) => sum + ms, 0);
          near(job.headEndMs, processorMs);
          if (job.cut === last) {
            for (const ms of [job.uplinkStartMs, job.uplinkEndMs, job.tailStartMs, job.tailEndMs, job.endMs])
              assert.equal(ms, job.headEndMs, 'a local job ends with its head');
            continue;
          }
          assert.ok(pool.length > 0 && policy !== 'lo' && job.cut >= least, `cut ${job.cut}`);
          const mayBeJpeg = job.cut === 0 && codecs.includes('jpeg') && policy !== 'ro';
          if (policy === 'ro-jpeg') assert.equal(job.codec, job.cut === 0 ? 'jpeg' : 'float32');
          else if (!mayBeJpeg) assert.equal(job.codec, 'float32');
          near(job.uplinkStartMs, Math.max(processorMs, uplinkFreeMs));
          uplinkFreeMs = job.uplinkEndMs;
          const sentBytes = job.codec === 'jpeg' ? Math.max(1, of.jpegBytes) : of.cuts[job.cut]!.bytes;
          near(job.uplinkEndMs - job.uplinkStartMs, uplinkMs(of, sentBytes));
          assert.ok(job.tailStartMs >= job.uplinkEndMs + rttMs / 2 - 1e-6, 'a tail before its tensor');
          const by = pool.find(({ node }) => node === job.cloud)!;
          near(job.tailEndMs - job.tailStartMs, by.tailMs(job.cut, job.codec));
          near(job.endMs, job.tailEndMs + Math.max(0, fixedMs - rttMs / 2));
          tails.push({ node: by.node, startMs: job.tailStartMs, endMs: job.tailEndMs });
        }
        near(plan.makespanMs, Math.max(...plan.streams.map(({ endMs }) => endMs)));
        if (policy === 'lo' || pool.length === 0) assert.ok(plan.streams.every(({ cut }) => cut === last));
        else if (policy === 'ro' || policy === 'ro-jpeg')
          assert.ok(plan.streams.every(({ cut }) => cut === least));
      });
      for (const { node, startMs, endMs } of tails) {
        if (endMs - startMs < 1e-6) continue;
        const atOnce = tails.filter(
          (other) => other.node === node && other.startMs <= startMs + 1e-9 && other.endMs > startMs + 1e-6,
        );
        assert.ok(atOnce.length <= workers, `${atOnce.length} tails at a time`);
      }
    }),
    { numRuns: 2000 },
  );
  // It says something only if all of these were seen.
  const expected = [
    'exact float32',
    'exact local',
    'jps float32',
    'jps local',
    'jps-mix float32',
    'jps-mix local',
    'lo local',
    'po float32',
    'po local',
    'ro float32',
    'ro local',
    'ro-jpeg float32',
    'ro-jpeg jpeg',
    'ro-jpeg local',
  ];
  assert.deepEqual(
    expected.filter((key) => !cutAt.has(key)),
    [],
  );
});
