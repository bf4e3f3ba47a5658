/**
 * The schedulers, measured and checked: `exact` against brute force and against a mixed-integer solver, how it grows
 * with the number of jobs, and all policies over the optimum.
 *
 *   npm run bench:sched
 */
import { growth, johnsonOverSort } from './growth.ts';
import { overMixedInteger } from './mixed-integer.ts';
import { overBruteForce } from './over-brute-force.ts';
import { policiesOverOptimum } from './policies-over-optimum.ts';

overBruteForce();
await overMixedInteger();
growth();
johnsonOverSort();
policiesOverOptimum();
