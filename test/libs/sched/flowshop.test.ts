import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endOf, fleetGantt, gantt, type Job, makespan } from '../../../libs/sched/index.ts';
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

interface Sent {
  readonly vehicle: number;
  readonly place: number;
  readonly arrivesAt: number;
  readonly p3: number;
}

/** Goes through time tick by tick: whole, positive times only. Returns the end of each job. */
function tickByTick(
  vehicles: readonly (readonly Job[])[],
  cloudWorkers: number,
  uplinkDelay: number,
  back: number,
): number[][] {
  const ends = vehicles.map((jobs) => jobs.map(() => -1));
  const nodes = vehicles.map(() => ({
    nextHead: 0,
    headDone: 0,
    queue: [] as number[],
    linkDone: 0,
    sending: -1,
  }));
  const onTheWay: Sent[] = [];
  const workers = Array.from({ length: cloudWorkers }, () => 0);
  for (let now = 0; ends.some((row) => row.includes(-1)); now++) {
    assert.ok(now < 10_000);
    vehicles.forEach((jobs, vehicle) => {
      const node = nodes[vehicle]!;
      if (node.headDone <= now && node.nextHead > 0 && !node.queue.includes(node.nextHead - 1)) {
        const done = jobs[node.nextHead - 1]!;
        if (done.local) ends[vehicle]![node.nextHead - 1] = node.headDone;
        node.queue.push(node.nextHead - 1);
      }
      if (node.headDone <= now && node.nextHead < jobs.length) {
        node.headDone = now + jobs[node.nextHead]!.p1;
        node.nextHead++;
      }
      if (node.sending >= 0 && node.linkDone === now) {
        const p3 = jobs[node.sending]!.p3 ?? 0;
        onTheWay.push({ vehicle, place: node.sending, arrivesAt: now + uplinkDelay, p3 });
      }
      if (node.linkDone <= now) {
        const next = node.queue.find((job) => job > node.sending && !jobs[job]!.local);
        if (next !== undefined) {
          node.sending = next;
          node.linkDone = now + jobs[next]!.p2;
        }
      }
    });
    const waiting = onTheWay
      .filter((job) => job.arrivesAt <= now && ends[job.vehicle]![job.place] === -1)
      .sort((a, b) => a.arrivesAt - b.arrivesAt || a.place - b.place || a.vehicle - b.vehicle);
    for (const job of waiting) {
      const idle = workers.findIndex((busyUntil) => busyUntil <= now);
      if (idle < 0) break;
      workers[idle] = now + job.p3;
      ends[job.vehicle]![job.place] = now + job.p3 + back;
    }
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
        const schedules = fleetGantt(fleet, { cloudWorkers, uplinkDelayMs, returnMs });
        assert.deepEqual(
          schedules.map((schedule) => schedule.map((job) => job.endMs)),
          tickByTick(vehicles, cloudWorkers, uplinkDelayMs, returnMs),
        );
      },
    ),
    { numRuns: 300 },
  );
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
  const ends = (cloudWorkers: number): number[] => fleetGantt([slow, fast], { cloudWorkers }).map(endOf);
  assert.deepEqual(ends(1), [22, 12]);
  assert.equal(ends(2)[0], 16);
});

test('An empty schedule ends at 0.', () => {
  assert.deepEqual(gantt([], []), []);
  assert.equal(endOf([]), 0);
  assert.equal(makespan([], []), 0);
});

function disjoint(row: readonly { startMs: number; endMs: number }[]): void {
  for (const [i, next] of row.slice(1).entries()) assert.ok(row[i]!.endMs <= next.startMs);
}

function shuffled(n: number, keys: Iterable<number>): number[] {
  const iterator = keys[Symbol.iterator]();
  const keyed = Array.from({ length: n }, (_, index) => ({ index, key: Number(iterator.next().value) }));
  return keyed.sort((a, b) => a.key - b.key || a.index - b.index).map(({ index }) => index);
}
