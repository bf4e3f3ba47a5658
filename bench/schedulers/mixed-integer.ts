/**
 * The problem of `exact` as a mixed-integer program, solved by HiGHS: another method that proves its optimum, and
 * a check that shares no code with ours.
 */
import { type Cut, exact, type Job, jobAt, johnson, makespan } from '@splitlane/sched';
import loadHighs, { type Highs } from 'highs';
import { median } from '../../field-tests/quantile.ts';
import { alexnet, vgg16 } from './cut-tables.ts';
import { figure, mediansMs, printRows } from './timing.ts';

const MOST_JOBS = 29;
const RUNS = 3;
const CASES = [
  { name: 'AlexNet', cuts: alexnet, mbit: 18.88 },
  { name: 'AlexNet', cuts: alexnet, mbit: 5.85 },
  { name: 'VGG-16', cuts: vgg16, mbit: 18.88 },
  { name: 'VGG-16', cuts: vgg16, mbit: 5.85 },
];
const TOLERANCE = 1e-9;
const OPTIONS = {
  output_flag: false,
  mip_rel_gap: TOLERANCE,
  mip_abs_gap: 0,
  mip_feasibility_tolerance: TOLERANCE,
  primal_feasibility_tolerance: TOLERANCE,
  dual_feasibility_tolerance: TOLERANCE,
};

/**
 * x counts the jobs of each cut, f marks the cut of the first job and l that of the last: the makespan M is at least
 * p1(f) + Σp2 and Σp1 + p2(l). Nothing need force f to be the earliest cut that is used: any other has a longer
 * head, so M is no smaller for it. The same holds for l.
 */
function program(jobs: readonly Job[], n: number): string {
  const sum = (sign: '+' | '-', variable: string, factor: (job: Job) => number): string =>
    jobs.map((job, cut) => `${sign} ${factor(job)} ${variable}${cut}`).join(' ');
  const one = (): number => 1;
  const head = ({ p1 }: Job): number => p1;
  const transfer = ({ p2 }: Job): number => p2;
  const all = (variable: string): string => jobs.map((_, cut) => `${variable}${cut}`).join(' ');
  return [
    'Minimize',
    ' makespan: M',
    'Subject To',
    ` uplink: M ${sum('-', 'f', head)} ${sum('-', 'x', transfer)} >= 0`,
    ` vehicle: M ${sum('-', 'x', head)} ${sum('-', 'l', transfer)} >= 0`,
    ` jobs: ${sum('+', 'x', one)} = ${n}`,
    ` first: ${sum('+', 'f', one)} = 1`,
    ` last: ${sum('+', 'l', one)} = 1`,
    // A single job is the first and the last; of several these are two.
    ...jobs.flatMap((_, cut) =>
      n === 1
        ? [` isFirst${cut}: x${cut} - f${cut} >= 0`, ` isLast${cut}: x${cut} - l${cut} >= 0`]
        : [` ends${cut}: x${cut} - f${cut} - l${cut} >= 0`],
    ),
    'Bounds',
    ...jobs.map((_, cut) => ` 0 <= x${cut} <= ${n}`),
    'Generals',
    ` ${all('x')}`,
    'Binaries',
    ` ${all('f')} ${all('l')}`,
    'End',
  ].join('\n');
}

interface Solved {
  readonly objectiveMs: number;
  readonly counts: readonly number[];
  /** Of the solver alone: that the program is read from a text is none of its work. */
  readonly tookMs: number;
}

function solve(highs: Highs, text: string, cuts: number): Solved {
  return highs.withModel({ format: 'lp', data: text }, (model) => {
    model.options.set(OPTIONS);
    const from = performance.now();
    model.run();
    const tookMs = performance.now() - from;
    if (model.getModelStatus() !== highs.constants.modelStatus.optimal)
      throw new Error(`HiGHS ended with status ${model.getModelStatus()}`);
    const { colValue } = model.getSolution();
    const counts = Array.from({ length: cuts }, (_, cut) =>
      Math.round(colValue[model.getColByName(`x${cut}`)]!),
    );
    return { objectiveMs: model.getObjectiveValue(), counts, tookMs };
  });
}

/**
 * How far HiGHS's objective may be from the optimum by what its options allow. Below it: a row may be violated by
 * the tolerance, and each variable in it may be that far from a whole number. Above it: the gap, and what the tree's
 * bounds may lack, which is the tolerance of a reduced cost times how far its variable ranges.
 */
function allowedMs(jobs: readonly Job[], n: number, objectiveMs: number): number {
  const row = jobs.reduce((total, { p1, p2 }) => total + p1 + p2, 1);
  return TOLERANCE * (row + objectiveMs + jobs.length * (n + 2));
}

function check(highs: Highs, cuts: readonly Cut[], mbit: number, n: number): number {
  const jobs = cuts.map((cut) => jobAt(cut, { uplinkBps: mbit * 1e6 }));
  const plan = exact(cuts, n, { uplinkBps: mbit * 1e6 });
  const { objectiveMs, counts } = solve(highs, program(jobs, n), cuts.length);
  const taken = counts.flatMap((count, cut) => new Array<Job>(count).fill(jobs[cut]!));
  const judgedMs = makespan(taken, johnson(taken));
  const allowed = allowedMs(jobs, n, objectiveMs);
  const apart = Math.max(Math.abs(objectiveMs - plan.makespanMs), Math.abs(judgedMs - plan.makespanMs));
  if (!plan.optimal || taken.length !== n || apart > allowed)
    throw new Error(
      `${mbit} Mbit/s, n = ${n}: exact ${plan.makespanMs} ms (optimal: ${plan.optimal}), HiGHS ${objectiveMs} ms, ` +
        `its plan judged ${judgedMs} ms, allowed difference ${allowed} ms`,
    );
  return apart / plan.makespanMs;
}

/** @throws Error where `exact` and HiGHS disagree. */
export async function overMixedInteger(): Promise<void> {
  // The package declares types of a CommonJS module for its ECMAScript one: the checker sees one `default` too many.
  const highs = await (loadHighs as unknown as typeof loadHighs.default)();
  const jobCounts = Array.from({ length: MOST_JOBS }, (_, index) => index + 1);
  let apart = 0;
  for (const { cuts, mbit } of CASES)
    for (const n of jobCounts) apart = Math.max(apart, check(highs, cuts, mbit, n));

  const columns = CASES.map(({ cuts, mbit }) =>
    jobCounts.map((n) => {
      const uplink = { uplinkBps: mbit * 1e6 };
      const text = program(
        cuts.map((cut) => jobAt(cut, uplink)),
        n,
      );
      const solver = median(Array.from({ length: RUNS }, () => solve(highs, text, cuts.length).tookMs));
      const [exactMs] = mediansMs([() => exact(cuts, n, uplink).makespanMs], 30);
      return { solver, ratio: solver / exactMs! };
    }),
  );
  console.log(`\nHiGHS ${highs.version.string} (mixed-integer program) ÷ exact, time`);
  printRows([
    ['n', ...CASES.map(({ name, mbit }) => `${name}, ${mbit} Mbit/s`)],
    ...jobCounts.map((n, row) => [`${n}`, ...columns.map((column) => figure(column[row]!.ratio))]),
    ['median', ...columns.map((column) => figure(median(column.map(({ ratio }) => ratio))))],
    ['HiGHS, ms', ...columns.map((column) => figure(median(column.map(({ solver }) => solver))))],
  ]);
  console.log(
    `  both optima agree in all ${CASES.length * MOST_JOBS} problems; largest relative difference ${apart.toExponential(1)}`,
  );
}
