/** How the time of the schedulers grows with the number of jobs. */
import { seededRandom } from '@splitlane/clock';
import { type Cut, exact, type Job, johnson, jps, type Plan } from '@splitlane/sched';
import { ALEXNET_MS, alexnet, convexCuts, nearlyLinearCuts, randomCuts, vgg16 } from './cut-tables.ts';
import { figure, mediansMs, printRows } from './timing.ts';

const WIFI = { uplinkBps: 18.88e6 };
const JOBS = [10, 29, 100, 1000, 10_000, 100_000];
/** In milliseconds too. */
const NAMED = [29, 1000, 100_000];
const SEED = 2026;
const MILLION = 1_000_000;
const TABLES: readonly { name: string; cuts: readonly Cut[] }[] = [
  { name: 'AlexNet', cuts: alexnet },
  { name: 'VGG-16', cuts: vgg16 },
  { name: '50 convex cuts', cuts: convexCuts(50) },
  { name: '50 random cuts', cuts: randomCuts(50, SEED) },
  { name: '50 nearly linear cuts', cuts: nearlyLinearCuts(50, SEED) },
];

const certificate = (plan: Plan): string =>
  plan.optimal ? 'optimal' : `bound × (1 + ${(plan.makespanMs / plan.lowerBoundMs - 1).toExponential(1)})`;

export function growth(): void {
  const jobs = JOBS.map((n) => n.toLocaleString('en-US'));
  const named = NAMED.map((n) => JOBS.indexOf(n));
  const measured = TABLES.map(({ name, cuts }) => {
    const exacts = JOBS.map((n) => () => exact(cuts, n, WIFI).makespanMs);
    const times = mediansMs([...exacts, () => jps(cuts, JOBS.at(-1)!, WIFI).makespanMs]);
    return { name, times, certificates: JOBS.map((n) => certificate(exact(cuts, n, WIFI))) };
  });
  console.log('\nexact, time ÷ that of 10 jobs, 18.88 Mbit/s');
  printRows([
    ['n', ...jobs],
    ...measured.map(({ name, times }) => [name, ...JOBS.map((_, i) => figure(times[i]! / times[0]!))]),
  ]);
  console.log('\nexact, certificate');
  printRows([['n', ...jobs], ...measured.map(({ name, certificates }) => [name, ...certificates])]);
  console.log('\nmedian time of a plan');
  printRows([
    ['n', ...named.map((index) => `exact ${jobs[index]}, ms`), `jps ${jobs.at(-1)}, µs`],
    ...measured.map(({ name, times }) => [
      name,
      ...named.map((index) => figure(times[index]!)),
      figure(times.at(-1)! * 1000),
    ]),
  ]);
}

/** What Johnson's rule costs where no two jobs are alike, beside the sort that it is. */
export function johnsonOverSort(): void {
  const random = seededRandom(SEED);
  const jobs = Array.from(
    { length: MILLION },
    (): Job => ({ p1: random() * ALEXNET_MS, p2: random() * ALEXNET_MS }),
  );
  const heads = Float64Array.from(jobs, ({ p1 }) => p1);
  const [ruleMs, sortMs, numbersMs] = mediansMs(
    [() => johnson(jobs), () => jobs.toSorted((a, b) => a.p1 - b.p1), () => heads.toSorted()],
    0,
  );
  console.log('\njohnson of a million jobs, time');
  console.log(`  ÷ sorting the same jobs by p1: ${figure(ruleMs! / sortMs!)}`);
  console.log(`  ÷ sorting the bare numbers p1: ${figure(ruleMs! / numbersMs!)}`);
  console.log(`  (${[ruleMs!, sortMs!, numbersMs!].map((ms) => `${figure(ms)} ms`).join(', ')})`);
}
