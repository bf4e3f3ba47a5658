/** Random scheduling problems for the property tests. */
import fc from 'fast-check';
import type { Cut, Job } from '../../../libs/sched/index.ts';

/** Times up to `max` in steps of an eighth: sums and comparisons of them are exact. */
export const eighths = (max: number): fc.Arbitrary<number> => fc.nat(max * 8).map((steps) => steps / 8);

/** Two-stage jobs; zeros, equal times and local jobs are frequent. */
export const twoStageJobs = (maxJobs: number): fc.Arbitrary<Job[]> =>
  fc.array(
    fc.oneof(
      fc.record({ p1: fc.nat(9), p2: fc.nat(9) }),
      fc.record({ p1: eighths(500), p2: eighths(500) }),
      fc.nat(9).map((p1): Job => ({ p1, p2: 0, local: true })),
    ),
    { minLength: 1, maxLength: maxJobs },
  );

/** At this rate n bytes take n ms. */
export const BYTE_A_MS = { uplinkBps: 8000 };

/** Cuts along a line: heads get longer, bytes go up and down, the last one is local-only. */
export const lineOfCuts = (maxInner: number): fc.Arbitrary<Cut[]> =>
  fc
    .record({
      heads: fc.array(fc.nat(30), { minLength: 2, maxLength: maxInner + 2 }),
      bytes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: maxInner + 2, maxLength: maxInner + 2 }),
    })
    .map(({ heads, bytes }) => {
      const p1 = heads.toSorted((a, b) => a - b);
      return p1.map(
        (head, index): Cut =>
          index === p1.length - 1
            ? { id: 'output', p1: head, bytes: bytes[index]!, local: true }
            : { id: `cut${index}`, p1: head, bytes: bytes[index]! },
      );
    });

/** Cut tables of any kind: not a line, nothing sorted, local-only or not. */
export const anyCuts = (maxCuts: number): fc.Arbitrary<Cut[]> =>
  fc.array(
    fc.record({
      id: fc.constant('cut'),
      p1: eighths(100),
      bytes: fc.nat(100),
      local: fc.boolean(),
    }),
    { minLength: 1, maxLength: maxCuts },
  );
