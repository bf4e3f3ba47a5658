import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { johnson, makespan, ScheduleError } from '../../../libs/sched/index.ts';
import { scheduleTree, type TreeJob } from '../../../libs/sched/schedule-tree.ts';
import { eighths, twoStageJobs } from './problems.ts';

/** Few distinct times, so that ties, zeros and jobs with p1 = p2 are frequent, or many. */
const anyJob: fc.Arbitrary<TreeJob> = fc.oneof(
  fc.record({ p1: fc.nat(3), p2: fc.nat(3) }),
  fc.record({ p1: fc.nat(12), p2: fc.nat(12) }),
  fc.record({ p1: eighths(100), p2: eighths(100) }),
  fc.nat(9).map((time) => ({ p1: time, p2: time })),
  // A local job sends nothing, whatever its p2.
  fc.record({ p1: fc.nat(9), p2: fc.nat(9), local: fc.constant(true) }),
);

/** Forests of jobs in any order: a parent may stand before or behind its children. */
const forests = (maxJobs: number): fc.Arbitrary<TreeJob[]> =>
  fc
    .array(fc.record({ job: anyJob, above: fc.nat(1000), rank: fc.nat(1000) }), {
      minLength: 1,
      maxLength: maxJobs,
      size: 'max',
    })
    .map((nodes) => {
      const places = nodes.map((_, node) => node).toSorted((x, y) => nodes[x]!.rank - nodes[y]!.rank);
      const indexOf = new Map(places.map((node, index) => [node, index]));
      return places.map((node): TreeJob => {
        const { job, above } = nodes[node]!;
        // One of the nodes before this one, or none of them.
        const parent = indexOf.get((above % (node + 1)) - 1);
        return parent === undefined ? job : { ...job, parent };
      });
    });

/** All orders in which every job comes after its parent. */
function feasibleOrders(jobs: readonly TreeJob[], before: readonly number[] = []): number[][] {
  if (before.length === jobs.length) return [[...before]];
  return jobs.flatMap(({ parent }, job) =>
    before.includes(job) || (parent !== undefined && !before.includes(parent))
      ? []
      : feasibleOrders(jobs, [...before, job]),
  );
}

// Not deepEqual: of two long lists that differ it would draw the difference for minutes.
function assertFeasible(jobs: readonly TreeJob[], order: readonly number[]): void {
  const place = new Int32Array(jobs.length).fill(-1);
  order.forEach((job, at) => {
    assert.equal(place[job], -1, `job ${job} is there twice or is no job`);
    place[job] = at;
  });
  assert.equal(order.length, jobs.length);
  jobs.forEach(({ parent }, job) => {
    if (parent !== undefined) assert.ok(place[parent]! < place[job]!, `job ${job} comes before its parent`);
  });
}

test('No order that keeps every job after its parent is shorter than the tree’s.', () => {
  fc.assert(
    fc.property(forests(7), (jobs) => {
      const order = scheduleTree(jobs);
      assertFeasible(jobs, order);
      const least = Math.min(...feasibleOrders(jobs).map((other) => makespan(jobs, other)));
      assert.equal(makespan(jobs, order), least);
    }),
    { numRuns: 3000 },
  );
});

test('The order of a large tree has every job once, after its parent, with times of any rounding.', () => {
  const time = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(forests(400), fc.array(time, { minLength: 1 }), (forest, times) => {
      // Sums of such times are rounded, so composites that should tie need not.
      const jobs = forest.map((job, index) => ({ ...job, p1: job.p1 + times[index % times.length]! / 3 }));
      assertFeasible(jobs, scheduleTree(jobs));
    }),
    { numRuns: 200 },
  );
});

test('Without parents the order is as short as Johnson’s.', () => {
  fc.assert(
    fc.property(twoStageJobs(60), (jobs) => {
      assert.equal(makespan(jobs, scheduleTree(jobs)), makespan(jobs, johnson(jobs)));
    }),
  );
});

test('A long upload behind a dull job pulls that job forward.', () => {
  const jobs: TreeJob[] = [
    { p1: 5, p2: 1 },
    { p1: 1, p2: 6, parent: 0 },
    { p1: 6, p2: 4, parent: 0 },
    { p1: 8, p2: 3, parent: 1 },
    { p1: 1, p2: 9, parent: 3 },
  ];
  // By hand: 3 absorbs 4 and is (8, 11); 1 stays before it; 2 is last; 0 absorbs 1 and is (5, 6).
  assert.deepEqual(scheduleTree(jobs), [0, 1, 3, 4, 2]);
  assert.equal(makespan(jobs, [0, 1, 3, 4, 2]), 30);
  // Johnson's rule on the jobs that may start, one at a time, sees 3 but not what is behind it.
  assert.equal(makespan(jobs, [0, 1, 2, 3, 4]), 32);
});

test('Equal roots keep their given order, and no jobs have an empty one.', () => {
  const job = { p1: 2, p2: 3 };
  assert.deepEqual(scheduleTree([job, job, { p1: 1, p2: 3 }, job]), [2, 0, 1, 3]);
  assert.deepEqual(scheduleTree([]), []);
});

const MANY = 100_000;
/** Times that look random but are the same in every run. */
const time = (index: number, factor: number): number => (index * factor) % 1009;

test('A chain of 100,000 jobs, from either end, is done in the order of the chain.', () => {
  const chain = Array.from({ length: MANY }, (_, index): TreeJob => {
    const job = { p1: time(index, 7919), p2: time(index, 104729) };
    return index === 0 ? job : { ...job, parent: index - 1 };
  });
  assertFeasible(chain, scheduleTree(chain));
  const upwards = chain.toReversed().map(({ p1, p2 }, index): TreeJob => {
    return index === MANY - 1 ? { p1, p2 } : { p1, p2, parent: index + 1 };
  });
  assertFeasible(upwards, scheduleTree(upwards));
});

test('A chain of 100,000 jobs that never become one keeps its order too.', () => {
  // p1 rises along the chain and stays below p2: Johnson's rule itself wants this order.
  const chain = Array.from({ length: MANY }, (_, index): TreeJob => {
    const job = { p1: index, p2: index + 1 };
    return index === 0 ? job : { ...job, parent: index - 1 };
  });
  assertFeasible(chain, scheduleTree(chain));
});

for (const [name, root] of [
  ['that come early', { p1: 0, p2: 1 }],
  ['behind a root that would come last', { p1: 5000, p2: 0 }],
] as const) {
  test(`A star of 100,000 jobs ${name} is as short as its root and then Johnson’s order.`, () => {
    const leaves = Array.from({ length: MANY - 1 }, (_, index) => ({
      p1: time(index, 7919),
      p2: time(index, 104729),
    }));
    const jobs: TreeJob[] = [root, ...leaves.map((leaf) => ({ ...leaf, parent: 0 }))];
    const order = scheduleTree(jobs);
    assertFeasible(jobs, order);
    assert.equal(makespan(jobs, order), makespan(jobs, [0, ...johnson(leaves).map((leaf) => leaf + 1)]));
  });
}

test('A time that is no finite number ≥ 0 is refused by its job and name.', () => {
  const good = { p1: 1, p2: 1 };
  for (const bad of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    for (const name of ['p1', 'p2'] as const) {
      assert.throws(
        () => scheduleTree([good, { ...good, parent: 0 }, good, { ...good, [name]: bad }]),
        new ScheduleError(`job 3: ${name} must be a finite number ≥ 0, not ${bad}`),
      );
    }
  }
});

test('A parent that is no job is refused.', () => {
  const good = { p1: 1, p2: 1 };
  for (const parent of [2, -1, 0.5, Number.NaN]) {
    assert.throws(
      () => scheduleTree([good, { ...good, parent }]),
      new ScheduleError(`job 1: parent must be the index of a job, not ${parent}`),
    );
  }
});

test('A cycle is refused by the first job on it, whoever hangs below it.', () => {
  const job = { p1: 1, p2: 1 };
  assert.throws(() => scheduleTree([{ ...job, parent: 0 }]), new ScheduleError('job 0 is its own ancestor'));
  // 0 is a root, 1 and 2 only lead to the cycle 3 → 5 → 4 → 3.
  const jobs: TreeJob[] = [
    job,
    { ...job, parent: 2 },
    { ...job, parent: 5 },
    { ...job, parent: 4 },
    { ...job, parent: 5 },
    { ...job, parent: 3 },
  ];
  assert.throws(() => scheduleTree(jobs), new ScheduleError('job 3 is its own ancestor'));
});
