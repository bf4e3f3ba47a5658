/** Which of several workers runs each tail, and what is left of a round when one is lost. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  assignTails,
  type PlannedCloud,
  planWithout,
  poolOf,
  poolsOf,
} from '../../../../apps/roadside-unit/policy/cloud-pool.ts';
import { type StreamPlan, VehiclePlan } from '../../../../libs/proto/messages.ts';
import { fleetGantt } from '../../../../libs/sched/index.ts';

const LAST_CUT = 3;

function cloud(node: string, tailMs: number, more: Partial<PlannedCloud> = {}): PlannedCloud {
  return { node, workers: 1, firstCut: 0, tailMs: () => tailMs, fixedMs: 0, ...more };
}

/** A stream whose tensor has left the uplink at a time. */
function stream(camera: number, uplinkEndMs: number, more: Partial<StreamPlan> = {}): StreamPlan {
  const tail = { tailStartMs: uplinkEndMs, tailEndMs: uplinkEndMs, endMs: uplinkEndMs };
  const head = { headStartMs: 0, headEndMs: 0, uplinkStartMs: 0, uplinkEndMs };
  return { camera: `camera-${camera}`, cut: 1, codec: 'float32', ...head, ...tail, ...more };
}

const atOnce = (n: number): StreamPlan[] => Array.from({ length: n }, (_, index) => stream(index + 1, 0));
const assign = (streams: readonly StreamPlan[], clouds: readonly PlannedCloud[], rttMs = 0): StreamPlan[] =>
  assignTails([{ streams, lastCut: LAST_CUT }], clouds, rttMs)[0]!;
const cloudsOf = (streams: readonly StreamPlan[]): string[] => streams.map(({ cloud: node = '' }) => node);
const count = (streams: readonly StreamPlan[], node: string): number =>
  cloudsOf(streams).filter((each) => each === node).length;

describe('Which worker has a tail', () => {
  test('Workers alike take turns, whether tails queue or not.', () => {
    const alike = [cloud('cloud-1', 10), cloud('cloud-2', 10)];
    assert.deepEqual(cloudsOf(assign(atOnce(4), alike)), ['cloud-1', 'cloud-2', 'cloud-1', 'cloud-2']);
    const apart = [0, 100, 200, 300].map((atMs, index) => stream(index + 1, atMs));
    assert.deepEqual(cloudsOf(assign(apart, alike)), ['cloud-1', 'cloud-2', 'cloud-1', 'cloud-2']);
    // A tenth of a tail is no difference: measurements scatter more.
    const nearly = [cloud('cloud-1', 10), cloud('cloud-2', 10.9)];
    assert.deepEqual(cloudsOf(assign(apart, nearly)), ['cloud-1', 'cloud-2', 'cloud-1', 'cloud-2']);
  });

  test('A slow worker has a tail only where it finishes it before the fast one has worked off its own.', () => {
    const uneven = [cloud('cloud-1', 100), cloud('cloud-2', 10)];
    assert.equal(count(assign(atOnce(4), uneven), 'cloud-1'), 0);
    const many = assign(atOnce(22), uneven);
    assert.equal(count(many, 'cloud-1'), 2);
    assert.equal(Math.max(...many.map(({ endMs }) => endMs)), 200);
  });

  test('The way back of each worker counts: a near one may be slower.', () => {
    const near = cloud('cloud-1', 30, { fixedMs: 2 });
    const far = cloud('cloud-2', 10, { fixedMs: 60 });
    const [first] = assign([stream(1, 5)], [far, near], 2);
    assert.equal(first!.cloud, 'cloud-1');
    assert.deepEqual([first!.tailStartMs, first!.tailEndMs, first!.endMs], [6, 36, 37]);
  });

  test('A stream that names a worker of the pool keeps it; one whose worker is not there, or that is not served, does not.', () => {
    const pool = [cloud('cloud-1', 10, { firstCut: 2 }), cloud('cloud-2', 500)];
    const streams = [
      stream(1, 0, { cut: 2, cloud: 'cloud-2' }),
      stream(2, 0, { cut: 2, cloud: 'cloud-9' }),
      stream(3, 0, { cut: 1 }),
    ];
    assert.deepEqual(cloudsOf(assign(streams, pool)), ['cloud-2', 'cloud-1', 'cloud-2']);
    const unserved = stream(4, 0, { cut: 1 });
    assert.deepEqual(assign([unserved], [pool[0]!]), [unserved]);
  });

  test('Local streams stay as they are, and so does everything where no worker is there.', () => {
    const local = stream(1, 7, { cut: LAST_CUT });
    assert.deepEqual(assign([local], [cloud('cloud-1', 10)]), [local]);
    assert.deepEqual(assign(atOnce(2), []), atOnce(2));
    assert.equal(poolOf([]), undefined);
  });

  test('By the pool cuts are chosen on average: threads count, and a cut must be served by all.', () => {
    const pool = poolOf([
      cloud('cloud-1', 10, { workers: 3, firstCut: 1, fixedMs: 4 }),
      cloud('cloud-two', 50, { fixedMs: 8 }),
    ])!;
    assert.deepEqual(
      { ...pool, tailMs: pool.tailMs(1, 'float32') },
      { node: 'cloud-two', workers: 4, firstCut: 1, tailMs: 20, fixedMs: 5 },
    );
  });
});

test('Cuts are chosen for the pool as a whole, and for each kind of workers where these differ much.', () => {
  const namesOf = (clouds: readonly PlannedCloud[]): (readonly [string, number])[] =>
    poolsOf(clouds).map((pool) => [pool!.node, pool!.workers]);
  const alike = [cloud('cloud-1', 20, { fixedMs: 60 }), cloud('cloud-22', 25, { fixedMs: 65 })];
  assert.deepEqual(namesOf(alike), [['cloud-22', 2]]);
  const all = ['near-edge', 3];
  const slow = cloud('near-edge', 90, { fixedMs: 60 });
  const near = cloud('near-edge', 20, { fixedMs: 2 });
  for (const edge of [slow, near])
    assert.deepEqual(namesOf([...alike, edge]), [all, ['cloud-22', 2], ['near-edge', 1]]);
  assert.deepEqual(poolsOf([]), [undefined]);
});

const ms = fc.double({ min: 0, max: 300, noNaN: true });
const fleet = fc.array(
  fc.array(fc.record({ p1: ms, p2: ms, local: fc.boolean() }), { minLength: 1, maxLength: 5 }),
  { minLength: 1, maxLength: 4 },
);

test('Workers alike finish every tail when the judge of all their threads says, to the last bit.', () => {
  fc.assert(
    fc.property(
      fleet,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      ms,
      ms,
      fc.integer({ min: 0, max: 40 }),
      (vehicles, clouds, workers, p3, backMs, rttMs) => {
        const judged = fleetGantt(
          vehicles.map((jobs) => ({
            jobs: jobs.map((job) => ({ ...job, p3: job.local ? 0 : p3 })),
            order: jobs.map((_, index) => index),
          })),
          {
            cloudWorkers: clouds * workers,
            uplinkDelayMs: rttMs / 2,
            returnMs: Math.max(0, backMs - rttMs / 2),
          },
        );
        const streams = judged.map((schedule) => ({
          lastCut: LAST_CUT,
          streams: schedule.map(({ job, uplink, endMs }) =>
            stream(job, uplink?.endMs ?? 0, uplink ? {} : { cut: LAST_CUT, endMs }),
          ),
        }));
        const pool = Array.from({ length: clouds }, (_, index) =>
          cloud(`cloud-${index + 1}`, p3, { workers, fixedMs: backMs }),
        );
        const assigned = assignTails(streams, pool, rttMs);
        assigned.forEach((of, vehicle) => {
          of.forEach(({ endMs, tailStartMs }, place) => {
            const { endMs: judgedMs, tail } = judged[vehicle]![place]!;
            assert.equal(endMs, judgedMs);
            if (tail) assert.equal(tailStartMs, tail.startMs);
          });
        });
      },
    ),
    { numRuns: 2000 },
  );
});

test('Of any pool: no worker runs more tails at a time than it has threads, and each tail comes after its tensor.', () => {
  const pools = fc.array(fc.record({ tailMs: ms, workers: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.array(fc.array(ms, { maxLength: 6 }), { maxLength: 4 }), pools, (arrivals, pool) => {
      const clouds = pool.map(({ tailMs, workers }, index) => cloud(`cloud-${index}`, tailMs, { workers }));
      const streams = arrivals.map((of) => ({
        lastCut: LAST_CUT,
        streams: of.map((atMs, index) => stream(index, atMs)),
      }));
      const tails = assignTails(streams, clouds, 10).flat();
      for (const { uplinkEndMs, tailStartMs } of tails) assert.ok(tailStartMs >= uplinkEndMs + 5);
      for (const { node, workers } of clouds) {
        const own = tails.filter((tail) => tail.cloud === node);
        for (const { tailStartMs } of own) {
          const running = own.filter(
            (other) => other.tailStartMs <= tailStartMs && other.tailEndMs > tailStartMs + 1e-9,
          );
          assert.ok(running.length <= workers, `${running.length} tails at a time on ${workers} threads`);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

describe('A round whose worker is lost', () => {
  const planOf = (streams: readonly StreamPlan[], more: Partial<VehiclePlan> = {}): VehiclePlan => ({
    ...{ epoch: 4, policy: 'jps', cloud: 'cloud-1', streams: [...streams], makespanMs: 50, lowerBoundMs: 40 },
    ...{ segmentMs: [1, 2, 3], uplinkBps: 1e6, jobTimeoutMs: 1000, round: 0, granted: false, ...more },
  });
  const on = (node: string, camera: number, more: Partial<StreamPlan> = {}): StreamPlan =>
    stream(camera, 10 * camera, { cloud: node, ...more });
  const left = [cloud('cloud-2', 10), cloud('cloud-3', 10)];

  test('Its tails go to the others, everything else stays; vehicles that gave it nothing are left out.', () => {
    const plans = [
      {
        vehicle: 'vehicle-1',
        plan: planOf([
          on('cloud-1', 1, { uplinkEndMs: 12 }),
          on('cloud-2', 2),
          stream(3, 0, { cut: LAST_CUT }),
        ]),
      },
      { vehicle: 'vehicle-2', plan: planOf([on('cloud-2', 1), on('cloud-3', 2)]) },
    ];
    const given = planWithout('cloud-1', plans, left, 0, 9, 5);
    assert.deepEqual(
      given.map(({ vehicle }) => vehicle),
      ['vehicle-1'],
    );
    const { plan } = given[0]!;
    assert.deepEqual(VehiclePlan.parse(plan), plan);
    const { epoch, round, cloud: node } = plan;
    assert.deepEqual({ epoch, round, node }, { epoch: 9, round: 5, node: 'cloud-2' });
    // At 12 ms cloud-2 is busy with the other vehicle's tail.
    assert.deepEqual(cloudsOf(plan.streams), ['cloud-3', 'cloud-2', '']);
    assert.deepEqual(
      plan.streams.map(({ camera, cut }) => [camera, cut]),
      plans[0]!.plan.streams.map(({ camera, cut }) => [camera, cut]),
    );
  });

  test('What takes longer then is waited for longer.', () => {
    const slow = [cloud('cloud-2', 200)];
    const streams = [on('cloud-1', 1, { endMs: 30, giveUpMs: 100 })];
    const [given] = planWithout('cloud-1', [{ vehicle: 'vehicle-1', plan: planOf(streams) }], slow, 0, 9, 5);
    const { plan } = given!;
    assert.equal(plan.makespanMs, 210);
    assert.equal(plan.jobTimeoutMs, 4200);
    assert.equal(plan.streams[0]!.giveUpMs, 280);
  });

  test('Where no other worker is there, or nobody gave it anything, nothing is planned.', () => {
    const plans = [{ vehicle: 'vehicle-1', plan: planOf([on('cloud-1', 1)]) }];
    assert.deepEqual(planWithout('cloud-1', plans, [], 0, 9, 5), []);
    assert.deepEqual(planWithout('cloud-3', plans, left, 0, 9, 5), []);
    assert.deepEqual(planWithout('cloud-1', [], left, 0, 9, 5), []);
  });
});
