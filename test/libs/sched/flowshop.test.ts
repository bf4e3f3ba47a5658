import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  endOf,
  type FlowShopOptions,
  fleetGantt,
  gantt,
  type Job,
  makespan,
  type VehicleJobs,
} from '../../../libs/sched/index.ts';
import { longestPath } from './brute-force.ts';
import { eighths, twoStageJobs } from './problems.ts';

const time = fc.oneof(fc.nat(9), eighths(500));
const threeStageJobs = fc.array(fc.record({ p1: time, p2: time, p3: time }), { minLength: 1, maxLength: 8 });

test('The makespan of two stages is the longest path through them.', () => {
  fc.assert(
    fc.property(twoStageJobs(8), fc.infiniteStream(fc.nat()), (jobs, keys) => {
      const order = shuffled(jobs.length, keys);
      const p1 = order.map((job) => jobs[job]!.p1);
      const p2 = order.map((job) => jobs[job]!.p2);
      assert.equal(makespan(jobs, order), longestPath([p1, p2]));
    }),
  );
});

test('The makespan of three stages with one cloud worker is the longest path through them.', () => {
  fc.assert(
    fc.property(threeStageJobs, fc.infiniteStream(fc.nat()), (jobs, keys) => {
      const order = shuffled(jobs.length, keys);
      const stage = (key: 'p1' | 'p2' | 'p3'): number[] => order.map((job) => jobs[job]![key]);
      assert.equal(makespan(jobs, order), longestPath([stage('p1'), stage('p2'), stage('p3')]));
    }),
  );
});

test('Fixed delays behind the uplink and behind the tail are added to every path that takes them.', () => {
  fc.assert(
    fc.property(threeStageJobs, fc.nat(50), fc.nat(50), (jobs, uplinkDelayMs, returnMs) => {
      const order = jobs.map((_, index) => index);
      const stages = [jobs.map((job) => job.p1), jobs.map((job) => job.p2), jobs.map((job) => job.p3)];
      assert.equal(
        makespan(jobs, order, { uplinkDelayMs, returnMs }),
        longestPath(stages) + uplinkDelayMs + returnMs,
      );
    }),
  );
});

interface Waiting {
  readonly vehicle: number;
  readonly place: number;
  readonly job: Job;
}

/**
 * Goes through time tick by tick: whole times only, and stages of at least one tick. Returns the end of each job, in
 * the order of its vehicle's plan.
 */
function tickByTick(fleet: readonly VehicleJobs[], options: FlowShopOptions): number[][] {
  const { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0, busy = {} } = options;
  const ends = fleet.map(({ order }) => order.map(() => -1));
  const processors = fleet.map(({ busy: own = busy }) => ({ freeAt: own.vehicleMs ?? 0, next: 0 }));
  const links = new Map<unknown, { freeAt: number; queue: Waiting[]; sending?: Waiting | undefined }>();
  const keyOf = (vehicle: number): unknown => fleet[vehicle]!.link ?? `own link of ${vehicle}`;
  fleet.forEach(({ busy: own = busy }, vehicle) => {
    const known = links.get(keyOf(vehicle));
    links.set(keyOf(vehicle), { freeAt: Math.max(known?.freeAt ?? 0, own.uplinkMs ?? 0), queue: [] });
  });
  const workers = Array.from({ length: cloudWorkers }, () => busy.cloudMs ?? 0);
  const underWay: (Waiting & { readonly arrivesAt: number })[] = [];
  const inCloud: Waiting[] = [];
  const byPlace = (a: Waiting, b: Waiting): number => a.place - b.place || a.vehicle - b.vehicle;
  for (let now = 0; ends.some((row) => row.includes(-1)); now++) {
    assert.ok(now < 10_000);
    const ready: Waiting[] = [];
    processors.forEach((processor, vehicle) => {
      const { jobs, order } = fleet[vehicle]!;
      const place = processor.next - 1;
      if (place >= 0 && processor.freeAt === now) {
        const job = jobs[order[place]!]!;
        if (job.local) ends[vehicle]![place] = now;
        else ready.push({ vehicle, place, job });
      }
      const next = jobs[order[processor.next]!];
      if (!next || processor.freeAt > now || (next.releaseMs ?? 0) > now) return;
      processor.freeAt = now + next.p1;
      processor.next++;
    });
    for (const tensor of ready.sort(byPlace)) links.get(keyOf(tensor.vehicle))!.queue.push(tensor);
    for (const link of links.values()) {
      if (link.freeAt > now) continue;
      if (link.sending) underWay.push({ ...link.sending, arrivesAt: now + uplinkDelayMs });
      link.sending = link.queue.shift();
      if (link.sending) link.freeAt = now + link.sending.job.p2;
    }
    inCloud.push(...underWay.filter(({ arrivesAt }) => arrivesAt === now).sort(byPlace));
    workers.forEach((freeAt, worker) => {
      if (freeAt > now) return;
      const tensor = inCloud.shift();
      if (!tensor) return;
      workers[worker] = now + tensor.job.p3!;
      ends[tensor.vehicle]![tensor.place] = now + tensor.job.p3! + returnMs;
    });
  }
  return ends;
}

const ticks = fc.integer({ min: 1, max: 12 });
const fleetJobs = fc.array(
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ p1: ticks, p2: ticks, p3: ticks }) },
      { weight: 1, arbitrary: ticks.map((p1): Job => ({ p1, p2: 0, local: true })) },
    ),
    { minLength: 1, maxLength: 5 },
  ),
  { minLength: 1, maxLength: 4 },
);

test('A fleet that shares several cloud workers ends job by job as a simulation tick by tick does.', () => {
  fc.assert(
    fc.property(
      fleetJobs,
      fc.integer({ min: 1, max: 3 }),
      fc.nat(4),
      fc.nat(4),
      (vehicles, cloudWorkers, uplinkDelayMs, returnMs) => {
        const fleet = vehicles.map((jobs) => ({ jobs, order: jobs.map((_, index) => index) }));
        const options = { cloudWorkers, uplinkDelayMs, returnMs };
        assert.deepEqual(endsOf(fleet, options), tickByTick(fleet, options));
      },
    ),
    { numRuns: 300 },
  );
});

test('Stages that are still busy, jobs that are released late and shared links end as tick by tick, too.', () => {
  const wait = fc.nat(20);
  const stages = fc.record({ vehicleMs: wait, uplinkMs: wait }, { requiredKeys: [] });
  const perVehicle = fc.record({
    releases: fc.array(wait, { minLength: 5, maxLength: 5 }),
    keys: fc.array(fc.nat(99), { minLength: 5, maxLength: 5 }),
    extra: fc.record({ link: fc.nat(1), busy: stages }, { requiredKeys: [] }),
  });
  const options = fc.record(
    {
      cloudWorkers: fc.integer({ min: 1, max: 3 }),
      uplinkDelayMs: fc.nat(4),
      returnMs: fc.nat(4),
      busy: fc.record({ vehicleMs: wait, uplinkMs: wait, cloudMs: wait }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fleetJobs,
      fc.array(perVehicle, { minLength: 4, maxLength: 4 }),
      options,
      (vehicles, more, given) => {
        const fleet = vehicles.map((jobs, vehicle): VehicleJobs => {
          const { releases, keys, extra } = more[vehicle]!;
          // A job without a release time is one that is there from the start.
          const released = jobs.map((job, index) =>
            releases[index]! < 5 ? job : { ...job, releaseMs: releases[index]! },
          );
          return { jobs: released, order: shuffled(jobs.length, keys), ...extra };
        });
        assert.deepEqual(endsOf(fleet, given), tickByTick(fleet, given));
      },
    ),
    { numRuns: 1000 },
  );
});

test('A vehicle’s busy stages are the stages of a job before its own.', () => {
  fc.assert(
    fc.property(threeStageJobs, eighths(50), eighths(50), eighths(50), (jobs, vehicle, uplink, cloud) => {
      const busy = { vehicleMs: vehicle, uplinkMs: vehicle + uplink, cloudMs: vehicle + uplink + cloud };
      const first = { p1: vehicle, p2: uplink, p3: cloud };
      const order = jobs.map((_, index) => index);
      const stage = (key: 'p1' | 'p2' | 'p3'): number[] => [first, ...jobs].map((job) => job[key]);
      assert.equal(makespan(jobs, order, { busy }), longestPath([stage('p1'), stage('p2'), stage('p3')]));
    }),
  );
});

test('The makespan is the end of the schedule to the last bit, whatever the options.', () => {
  const anyTime = fc.oneof(time, fc.constantFrom(0.1, 0.2, 0.3), fc.double({ min: 0, max: 50, noNaN: true }));
  const jobs = fc.array(
    fc.record(
      { p1: anyTime, p2: anyTime, p3: anyTime, local: fc.boolean(), releaseMs: anyTime },
      { requiredKeys: ['p1', 'p2'] },
    ),
    { maxLength: 9 },
  );
  const options = fc.record(
    {
      cloudWorkers: fc.integer({ min: 1, max: 4 }),
      uplinkDelayMs: anyTime,
      returnMs: anyTime,
      busy: fc.record({ vehicleMs: anyTime, uplinkMs: anyTime, cloudMs: anyTime }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(jobs, fc.infiniteStream(fc.nat(99)), options, (row, keys, given) => {
      const order = shuffled(row.length, keys);
      assert.equal(makespan(row, order, given), endOf(gantt(row, order, given)));
    }),
    { numRuns: 2000 },
  );
});

test('What is no order, no time and no number of workers is refused by name.', () => {
  const jobs: Job[] = [
    { p1: 1, p2: 1 },
    { p1: 2, p2: 2 },
  ];
  const refused = (
    message: RegExp,
    order: readonly number[],
    options: FlowShopOptions = {},
    row: readonly Job[] = jobs,
  ): void => {
    for (const judge of [makespan, gantt])
      assert.throws(() => judge(row, order, options), { name: 'ScheduleError', message });
  };
  refused(/^order: job 1 is in it twice$/, [1, 0, 1]);
  refused(/^order: there is no job 2 among 2$/, [0, 2]);
  refused(/^order: there is no job -1 /, [-1]);
  refused(/^order: there is no job 0\.5 /, [0.5]);
  refused(/^order: there is no job NaN /, [Number.NaN]);
  refused(/^cloudWorkers .*not 0$/, [0, 1], { cloudWorkers: 0 });
  refused(/^cloudWorkers .*not 1\.5$/, [0, 1], { cloudWorkers: 1.5 });
  refused(/^cloudWorkers .*not Infinity$/, [0, 1], { cloudWorkers: Number.POSITIVE_INFINITY });
  refused(/uplinkDelayMs .*not -1$/, [0, 1], { uplinkDelayMs: -1 });
  refused(/returnMs .*not NaN$/, [0, 1], { returnMs: Number.NaN });
  for (const stage of ['vehicleMs', 'uplinkMs', 'cloudMs'])
    refused(new RegExp(`^busy: ${stage} .*not NaN$`), [0, 1], { busy: { [stage]: Number.NaN } });
  refused(/^job 1: releaseMs .*not -1$/, [0, 1], {}, [jobs[0]!, { ...jobs[1]!, releaseMs: -1 }]);
  // Also where the job is not in the order.
  refused(/^job 1: p3 .*not NaN$/, [0], {}, [jobs[0]!, { ...jobs[1]!, p3: Number.NaN }]);
  assert.throws(() => fleetGantt([{ jobs, order: [0], busy: { uplinkMs: -2 } }]), {
    name: 'ScheduleError',
    message: /^busy of vehicle 0: uplinkMs .*not -2$/,
  });
});

test('A schedule is feasible: nothing overlaps on the processor, on the uplink or on a cloud worker.', () => {
  fc.assert(
    fc.property(fleetJobs, fc.integer({ min: 1, max: 3 }), (vehicles, cloudWorkers) => {
      const fleet = vehicles.map((jobs) => ({ jobs, order: jobs.map((_, index) => index).reverse() }));
      const schedules = fleetGantt(fleet, { cloudWorkers });
      const tails = new Map<number, { startMs: number; endMs: number }[]>();
      schedules.forEach((schedule, vehicle) => {
        disjoint(schedule.map((job) => job.head));
        disjoint(schedule.flatMap((job) => job.uplink ?? []));
        for (const { job, head, uplink, tail, endMs } of schedule) {
          const { p1, p2, p3, local }: Job = vehicles[vehicle]![job]!;
          assert.equal(head.endMs - head.startMs, p1);
          if (local) {
            assert.deepEqual([uplink, tail, endMs], [undefined, undefined, head.endMs]);
            continue;
          }
          assert.equal(uplink!.endMs - uplink!.startMs, p2);
          assert.equal(tail!.endMs - tail!.startMs, p3);
          assert.ok(head.endMs <= uplink!.startMs && uplink!.endMs <= tail!.startMs);
          assert.ok(tail!.worker >= 0 && tail!.worker < cloudWorkers);
          tails.set(tail!.worker, [...(tails.get(tail!.worker) ?? []), tail!]);
        }
      });
      for (const row of tails.values()) disjoint(row.toSorted((a, b) => a.startMs - b.startMs));
    }),
  );
});

test('The head of the next job runs while a tensor is on the uplink.', () => {
  const jobs = [
    { p1: 4, p2: 6, p3: 1 },
    { p1: 4, p2: 2, p3: 1 },
  ];
  assert.deepEqual(gantt(jobs, [1, 0]), [
    {
      job: 1,
      head: { startMs: 0, endMs: 4 },
      uplink: { startMs: 4, endMs: 6 },
      tail: { startMs: 6, endMs: 7, worker: 0 },
      endMs: 7,
    },
    {
      job: 0,
      head: { startMs: 4, endMs: 8 },
      uplink: { startMs: 8, endMs: 14 },
      tail: { startMs: 14, endMs: 15, worker: 0 },
      endMs: 15,
    },
  ]);
});

test('Hand-made plans of two cuts differ with their order as Johnson’s rule predicts.', () => {
  const early = { p1: 1, p2: 3 };
  const late = { p1: 3, p2: 1 };
  assert.equal(makespan([early, late], [0, 1]), 5);
  assert.equal(makespan([early, late], [1, 0]), 7);
});

test('A local job takes its vehicle’s processor only, and leaves uplink and cloud to the others.', () => {
  const jobs: Job[] = [
    { p1: 2, p2: 10, p3: 3 },
    { p1: 5, p2: 0, local: true },
    { p1: 1, p2: 4, p3: 3 },
  ];
  const [first, local, last] = gantt(jobs, [0, 1, 2], { uplinkDelayMs: 100, returnMs: 1000 });
  assert.deepEqual(local, { job: 1, head: { startMs: 2, endMs: 7 }, endMs: 7 });
  assert.equal(first!.endMs, 2 + 10 + 100 + 3 + 1000);
  assert.deepEqual(last!.uplink, { startMs: 12, endMs: 16 });
});

test('Cloud workers serve tensors of several vehicles in order of arrival.', () => {
  const slow = { jobs: [{ p1: 5, p2: 1, p3: 10 }], order: [0] };
  const fast = { jobs: [{ p1: 1, p2: 1, p3: 10 }], order: [0] };
  const last = (cloudWorkers: number): number[] => fleetGantt([slow, fast], { cloudWorkers }).map(endOf);
  assert.deepEqual(last(1), [22, 12]);
  assert.equal(last(2)[0], 16);
});

test('An empty schedule ends at 0.', () => {
  assert.deepEqual(gantt([], []), []);
  assert.equal(endOf([]), 0);
  assert.equal(makespan([], []), 0);
});

function endsOf(fleet: readonly VehicleJobs[], options: FlowShopOptions): number[][] {
  return fleetGantt(fleet, options).map((schedule) => schedule.map((job) => job.endMs));
}

function disjoint(row: readonly { startMs: number; endMs: number }[]): void {
  for (const [i, next] of row.slice(1).entries()) assert.ok(row[i]!.endMs <= next.startMs);
}

function shuffled(n: number, keys: Iterable<number>): number[] {
  const iterator = keys[Symbol.iterator]();
  const keyed = Array.from({ length: n }, (_, index) => ({ index, key: Number(iterator.next().value) }));
  return keyed.sort((a, b) => a.key - b.key || a.index - b.index).map(({ index }) => index);
}
