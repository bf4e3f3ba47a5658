/**
 * The schedulers, measured and checked: `exact` against brute force and against a mixed-integer solver, how it grows
 * with the number of jobs, what tails and caps cost it, all policies over the optimum, the plan of a fleet over its
 * bound and its rivals, and the engine over the judge.
 *
 *   npm run bench:sched
 */
import { engineOverJudge } from './engine-over-judge.ts';
import { fleetGrowth } from './fleet-growth.ts';
import { fleetOverRivals } from './fleet-over-rivals.ts';
import { growth, johnsonOverSort } from './growth.ts';
import { overMixedInteger } from './mixed-integer.ts';
import { overBruteForce } from './over-brute-force.ts';
import { policiesOverOptimum } from './policies-over-optimum.ts';
import { tailsAndCaps } from './tails-and-caps.ts';

overBruteForce();
await overMixedInteger();
growth();
johnsonOverSort();
tailsAndCaps();
policiesOverOptimum();
fleetOverRivals();
fleetGrowth();
engineOverJudge();
