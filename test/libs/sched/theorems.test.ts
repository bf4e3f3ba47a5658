import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eja } from '../../../libs/sched/eja.ts';
import { type Job, johnson, makespan, ScheduleError } from '../../../libs/sched/index.ts';
import { theorem2, theorem3, theorem4, theorem5 } from '../../../libs/sched/theorems.ts';
import { multisets, permutations } from './brute-force.ts';

const inOrder = (jobs: readonly Job[]): number => makespan(jobs, [...jobs.keys()]);
const uniform = (job: Job, n: number): number => inOrder(Array.from({ length: n }, () => job));
const inJohnsonsOrder = (jobs: readonly Job[]): Job[] => johnson(jobs).map((index) => jobs[index]!);

const edge = (maxDx: number, maxDy: number) =>
  fc.record({ dx: fc.integer({ min: 1, max: maxDx }), dy: fc.integer({ min: 1, max: maxDy }) });

/** A falling convex line of points with whole times; `middle` has p1 = p2, the crossing. */
const convexLine = fc
  .record({
    edges: fc.array(fc.oneof(edge(12, 12), edge(2, 25), edge(25, 2)), { minLength: 2, maxLength: 6 }),
    share: fc.double({ min: 0, max: 0.999, noNaN: true }),
    above: fc.nat(3),
  })
  .map(({ edges, share, above }) => {
    const falling = edges.toSorted((a, b) => b.dy / b.dx - a.dy / a.dx);
    const at = 1 + Math.floor(share * (edges.length - 1));
    const left = falling.slice(0, at).reverse();
    const right = falling.slice(at);
    const height =
      above +
      Math.max(
        left.reduce((sum, { dx }) => sum + dx, 0),
        right.reduce((sum, { dy }) => sum + dy, 0),
      );
    const middle = { p1: height, p2: height };
    const points = [middle];
    for (const { dx, dy } of left) points.unshift({ p1: points[0]!.p1 - dx, p2: points[0]!.p2 + dy });
    for (const { dx, dy } of right) points.push({ p1: points.at(-1)!.p1 + dx, p2: points.at(-1)!.p2 - dy });
    return { points, middle };
  });

/** Jobs taken from such a line, in Johnson's order; its ends are among them more often than not. */
const planOnLine = fc
  .tuple(convexLine, fc.array(fc.nat(1000), { maxLength: 6 }), fc.boolean())
  .map(([{ points, middle }, picks, outer]) => {
    const ends = [points[0]!, points.at(-1)!];
    const between = picks.map((pick) => (outer ? ends[pick % 2]! : points[pick % points.length]!));
    return { middle, plan: inJohnsonsOrder([...ends, ...between]) };
  });

const anyTimes = fc.record({ p1: fc.nat(8), p2: fc.nat(8) });

test('Where the condition of Theorem 2 holds, no order is shorter than extended Johnson’s.', () => {
  let held = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { arbitrary: fc.record({ p1: fc.nat(12), p2: fc.nat(3), p3: fc.nat(12) }), weight: 4 },
          {
            arbitrary: fc.record({ p1: fc.nat(12), p2: fc.nat(9), p3: fc.nat(9), local: fc.boolean() }),
            weight: 1,
          },
        ),
        { minLength: 2, maxLength: 5 },
      ),
      fc.constantFrom(0, 3),
      (times, longer) => {
        const paths = times.map((path) => ({ ...path, p1: path.p1 + longer }));
        if (!theorem2(paths).holds) return;
        held++;
        const least = Math.min(...permutations(paths.length).map((order) => makespan(paths, order)));
        assert.equal(makespan(paths, eja(paths)), least);
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(held >= 100, `the condition held ${held} times only`);
});

test('Theorem 2 has two conditions, and either is enough.', () => {
  const shortTransfers = [
    { p1: 4, p2: 3, p3: 1 },
    { p1: 5, p2: 4, p3: 9 },
  ];
  assert.equal(theorem2(shortTransfers).holds, true);
  const shortInEach = [
    { p1: 1, p2: 1, p3: 1 },
    { p1: 7, p2: 6, p3: 8 },
  ];
  assert.equal(theorem2(shortInEach).holds, true);
  const neither = [
    { p1: 3, p2: 2, p3: 5 },
    { p1: 3, p2: 2, p3: 2 },
    { p1: 4, p2: 3, p3: 3 },
    { p1: 4, p2: 4, p3: 3 },
  ];
  assert.equal(theorem2(neither).holds, false);
  // A local path neither sends nor needs the cloud.
  assert.equal(theorem2([{ p1: 2, p2: 50, p3: 3, local: true }]).holds, true);
});

test('Where the condition of Theorem 3 holds, the cut at the crossing is within 1 + 1/n of the optimum.', () => {
  let held = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        convexLine.map(({ points }) => points),
        // Points that are not convex may have one at the crossing too.
        fc.array(anyTimes, { minLength: 1, maxLength: 5 }),
      ),
      fc.integer({ min: 1, max: 4 }),
      (points, n) => {
        const { holds, ratio } = theorem3(points, n);
        assert.equal(ratio, 1 + 1 / n);
        if (!holds) return;
        held++;
        const least = Math.min(
          ...multisets(points.length, n).map((cuts) =>
            inOrder(inJohnsonsOrder(cuts.map((cut) => points[cut]!))),
          ),
        );
        const height = Math.min(...points.filter(({ p1, p2 }) => p1 === p2).map(({ p1 }) => p1));
        // Whole numbers on both sides: n · makespan ≤ (n + 1) · optimum.
        assert.ok(n * uniform({ p1: height, p2: height }, n) <= (n + 1) * least);
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(held >= 100, `the condition held ${held} times only`);
});

test('On a convex line with a point at the crossing the condition of Theorem 3 always holds.', () => {
  fc.assert(fc.property(convexLine, ({ points }) => theorem3(points, 3).holds));
});

test('Theorem 3 needs a point at the crossing, on the hull.', () => {
  const ends = [
    { p1: 0, p2: 4 },
    { p1: 8, p2: 0 },
  ];
  // The hull crosses at 8/3, where there is no point: one cut takes 4 + 4·n at least, a mix far less.
  assert.equal(theorem3(ends, 2).holds, false);
  assert.equal(theorem3([...ends, { p1: 3, p2: 3 }], 2).holds, false);
  assert.equal(theorem3([...ends, { p1: 2, p2: 2 }], 2).holds, true);
  // Inside an edge, and a rounding error beside the crossing.
  assert.equal(theorem3([...ends, { p1: 8 / 3, p2: 8 / 3 + 1e-12 }], 2).holds, true);
  assert.match(theorem3(ends, 2).guarantee, /1 \+ 1\/2 times/);
});

test('Where the condition of Theorem 4 holds, two jobs at the middle cut end before one at either side.', () => {
  let held = 0;
  fc.assert(
    fc.property(anyTimes, anyTimes, anyTimes, (left, middle, right) => {
      if (!theorem4(left, middle, right).holds) return;
      held++;
      assert.ok(uniform(middle, 2) < inOrder([left, right]));
    }),
    { numRuns: 1000 },
  );
  assert.ok(held >= 100, `the condition held ${held} times only`);
});

test('Where the condition of Theorem 4 holds at the crossing of a convex line, it does so for every number of jobs.', () => {
  let held = 0;
  fc.assert(
    fc.property(planOnLine, ({ middle, plan }) => {
      if (!theorem4(plan[0]!, middle, plan.at(-1)!).holds) return;
      held++;
      assert.ok(uniform(middle, plan.length) < inOrder(plan));
    }),
    { numRuns: 1000 },
  );
  assert.ok(held >= 100, `the condition held ${held} times only`);
});

test('Theorem 4 does not reach beyond two jobs where the middle cut is not at the crossing.', () => {
  const left = { p1: 1, p2: 9 };
  const beside = { p1: 2, p2: 3.5 };
  const middle = { p1: 3, p2: 2 };
  const right = { p1: 9, p2: 1 };
  const { holds, guarantee } = theorem4(left, middle, right);
  assert.equal(holds, true);
  assert.match(guarantee, /^Two jobs .* of more jobs nothing follows/);
  assert.equal(uniform(middle, 2), 8);
  assert.equal(inOrder([left, right]), 11);
  // The four cuts are convex and `middle` is the best uniform one, yet a mix is shorter.
  const mix = [left, ...Array<Job>(20).fill(beside), ...Array<Job>(20).fill(middle), right];
  assert.equal(uniform(middle, 42), 128);
  assert.equal(uniform(beside, 42), 149);
  assert.equal(inOrder(mix), 121);
});

test('Where the corrected condition of Theorem 5 holds, the uniform plan is shorter.', () => {
  let held = 0;
  let heldBeyondOne = 0;
  const anyPlan = fc
    .tuple(anyTimes, fc.array(anyTimes, { minLength: 2, maxLength: 7 }))
    .map(([middle, jobs]) => ({ middle, plan: inJohnsonsOrder(jobs) }));
  fc.assert(
    fc.property(fc.oneof(planOnLine, anyPlan), ({ middle, plan }) => {
      for (let k = 1; 2 * k <= plan.length; k++) {
        if (!theorem5(middle, plan, k).holds) continue;
        held++;
        if (k > 1) heldBeyondOne++;
        assert.ok(uniform(middle, plan.length) < inOrder(plan));
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(held >= 100, `the condition held ${held} times only`);
  assert.ok(heldBeyondOne >= 30, `the condition held ${heldBeyondOne} times only for k > 1`);
});

test('At the crossing of a convex line Theorem 5 with k = 1 is Theorem 4.', () => {
  fc.assert(
    fc.property(planOnLine, ({ middle, plan }) => {
      const fourth = theorem4(plan[0]!, middle, plan.at(-1)!);
      assert.equal(theorem5(middle, plan, 1).holds, fourth.holds);
    }),
  );
});

test('With a factor of k + 1 or of 2k in place of 2k + 1, Theorem 5 would call a longer uniform plan shorter.', () => {
  const plan = [
    { p1: 1, p2: 9 },
    { p1: 2, p2: 8 },
    { p1: 8, p2: 2 },
    { p1: 9, p2: 1 },
  ];
  const middle = { p1: 5, p2: 5 };
  const k = 2;
  // Σ_P p1 + Σ_Q p1 + p2(last) = 3 + 17 + 1 and p1(first) + Σ_P p2 + Σ_Q p2 = 1 + 17 + 3.
  for (const factor of [k + 1, 2 * k]) assert.ok(factor * 5 < 21);
  assert.equal(inOrder(plan), 21);
  assert.equal(uniform(middle, 4), 25);
  assert.equal(theorem5(middle, plan, k).holds, false);
  assert.equal(theorem5({ p1: 4, p2: 4 }, plan, k).holds, true);
  assert.equal(uniform({ p1: 4, p2: 4 }, 4), 20);
});

test('Theorem 5 looks at the jobs between the outer ones.', () => {
  const [first, last] = [
    { p1: 1, p2: 9 },
    { p1: 9, p2: 1 },
  ];
  const middle = { p1: 3, p2: 3 };
  assert.equal(theorem5(middle, [first, middle, last], 1).holds, true);
  // Above the hull the middle cut loses to short jobs.
  const short = Array<Job>(10).fill({ p1: 1, p2: 1 });
  assert.equal(theorem5(middle, [first, ...short, last], 1).holds, false);
  assert.ok(uniform(middle, 12) > inOrder([first, ...short, last]));
});

test('Between the outer jobs Theorem 5 compares the stage that the middle cut needs longest.', () => {
  for (const [middle, job] of [
    [
      { p1: 2, p2: 3 },
      { p1: 2, p2: 1 },
    ],
    [
      { p1: 3, p2: 2 },
      { p1: 1, p2: 2 },
    ],
  ] as const) {
    const plan = [{ p1: 1, p2: 9 }, ...Array<Job>(10).fill(job), { p1: 9, p2: 1 }];
    assert.deepEqual(inJohnsonsOrder(plan), plan);
    assert.equal(theorem5(middle, plan, 1).holds, false);
    assert.equal(uniform(middle, 12), 38);
    assert.equal(inOrder(plan), 31);
  }
});

test('A local job sends nothing in Theorems 4 and 5, whatever its other times say.', () => {
  const [left, middle] = [
    { p1: 1, p2: 9 },
    { p1: 5, p2: 5 },
  ];
  const last = { p1: 9, p2: 50 };
  assert.equal(theorem4(left, middle, last).holds, true);
  assert.equal(theorem4(left, middle, { ...last, local: true }).holds, false);
  assert.equal(theorem5(middle, [left, last], 1).holds, true);
  assert.equal(theorem5(middle, [left, { ...last, local: true }], 1).holds, false);
});

test('Equality is not enough for Theorems 4 and 5: the uniform plan must be shorter.', () => {
  const [left, middle, right] = [
    { p1: 1, p2: 7 },
    { p1: 3, p2: 3 },
    { p1: 7, p2: 1 },
  ];
  assert.equal(uniform(middle, 2), inOrder([left, right]));
  assert.equal(theorem4(left, middle, right).holds, false);
  assert.equal(theorem5(middle, [left, right], 1).holds, false);
});

test('A time that is no finite number ≥ 0 is refused by name.', () => {
  const good = { p1: 1, p2: 1 };
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const bad = { p1: 1, p2: value };
    for (const [ask, message] of [
      [() => theorem2([good, bad]), /^job 1: p2/],
      [() => theorem2([{ ...good, p3: value }]), /^job 0: p3/],
      [() => theorem3([good, bad], 1), /^job 1: p2/],
      [() => theorem4(bad, good, good), /^left: p2/],
      [() => theorem4(good, bad, good), /^middle: p2/],
      [() => theorem4(good, good, { p1: value, p2: 1 }), /^right: p1/],
      [() => theorem5(bad, [good, good], 1), /^middle: p2/],
      [() => theorem5(good, [good, bad], 1), /^job 1: p2/],
    ] as const)
      assert.throws(ask, (error) => error instanceof ScheduleError && message.test(error.message));
  }
});

test('A number of jobs or a k that cannot be is refused.', () => {
  const job = { p1: 1, p2: 1 };
  for (const n of [0, -1, 1.5, Number.NaN])
    assert.throws(() => theorem3([job], n), { name: 'ScheduleError', message: /number of jobs .* not / });
  assert.throws(() => theorem3([], 1), { name: 'ScheduleError', message: /no cut/ });
  for (const k of [0, -1, 1.5, Number.NaN, 2])
    assert.throws(() => theorem5(job, [job, job, job], k), {
      name: 'ScheduleError',
      message: new RegExp(`^k .* 3 jobs, not ${k}$`),
    });
});
