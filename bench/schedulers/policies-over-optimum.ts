/**
 * The figure of the talk: every policy over the optimum, on two real networks and on one of continuous convex curves.
 * Written to docs/results, without any time that was measured: a further run changes nothing.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { bruteForce, type Cut, exact, POLICIES, ScheduleError, type Uplink } from '@splitlane/sched';
import { type ConvexFit, convexNetwork, fitConvex } from './convex-network.ts';
import { ALEXNET_MS, alexnet, VGG16_MS, vgg16 } from './cut-tables.ts';
import { AXIS_END, type Panel, ratioChart } from './ratio-chart.ts';

const RATES_MBIT = [1.1, 5.85, 18.88, 54];
const JOBS = Array.from({ length: 29 }, (_, index) => index + 1);
const POLICY_NAMES = Object.keys(POLICIES) as (keyof typeof POLICIES)[];
/** Sums of the same times in another order. */
const ROUNDING = 1e-9;

interface Row {
  readonly n: number;
  readonly over: 'brute force' | 'exact';
  readonly ratios: readonly number[];
}
interface Table {
  readonly network: string;
  readonly mbit: number;
  readonly rows: readonly Row[];
}

function bruteForceMs(cuts: readonly Cut[], n: number, uplink: Uplink): number | undefined {
  try {
    return bruteForce(cuts, n, uplink).makespanMs;
  } catch (error) {
    if (error instanceof ScheduleError) return undefined;
    throw error;
  }
}

function rowOf(cuts: readonly Cut[], n: number, mbit: number): Row {
  const uplink = { uplinkBps: mbit * 1e6 };
  const best = exact(cuts, n, uplink);
  if (!best.optimal)
    throw new Error(`exact did not prove its plan: ${cuts.length} cuts, ${mbit} Mbit/s, n = ${n}`);
  const brute = bruteForceMs(cuts, n, uplink);
  if (brute !== undefined && Math.abs(best.makespanMs / brute - 1) > ROUNDING)
    throw new Error(`exact takes ${best.makespanMs} ms, brute force ${brute} ms: ${mbit} Mbit/s, n = ${n}`);
  const ratios = POLICY_NAMES.map(
    (name) => POLICIES[name](cuts, n, uplink).makespanMs / (brute ?? best.makespanMs),
  );
  return { n, over: brute === undefined ? 'exact' : 'brute force', ratios };
}

const ratioOf = (row: Row, policy: keyof typeof POLICIES): number =>
  row.ratios[POLICY_NAMES.indexOf(policy)]!;
const exceeds = (row: Row): boolean => ratioOf(row, 'jps') > (1 + 1 / row.n) * (1 + ROUNDING);

/** A run of numbers as "4, 7–29". */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ') || '–';
}

function report(tables: readonly Table[], fit: ConvexFit, cuts: number): string {
  const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
  const dashes = (columns: number): string => ' ---: |'.repeat(columns);
  const inputBytes = fit.points[0]!.bytes;
  return [
    '# Policies over the optimum',
    '',
    'Made by `npm run bench:sched`. How much longer the frames of n cameras take than they need to: the makespan of each policy',
    '÷ the least one, for every n up to 29. Two stages, the vehicle and its uplink; the cloud is taken to be fast.',
    '',
    '- **lo** all on the vehicle, **ro** every frame sent as it is, **po** the best cut for a single frame, taken by all,',
    '  **jps** the better of the two cuts beside the crossing, taken by all, **jps-mix** two cuts mixed, **exact** the optimum.',
    '- The denominator is **brute force**, every plan judged one by one, where it ends (up to two million plans), and `exact`',
    '  where it does not. `exact` is proved optimal in every row, and equals brute force wherever that ends.',
    `- **AlexNet** and **VGG-16**: their kept cuts, head times by share of the multiplications, ${whole(ALEXNET_MS)} ms and ${whole(VGG16_MS)} ms for`,
    '  the whole network. **AlexNet′**: a continuous convex curve fitted to AlexNet, [see below](#alexnet-as-a-convex-curve).',
    '- Theorem 3 promises `1 + 1/n` for `jps` on continuous convex curves. It says nothing about the two real networks, and there',
    '  it does not hold; on AlexNet′ it does.',
    '',
    '![Makespan over the optimum, of each policy for n = 1 to 29, on three networks and four rates](policies-over-optimum.svg)',
    '',
    `The axis ends at ${AXIS_END}. What lies above is not drawn: over each chart stands how high it goes.`,
    '',
    '## The worst of all n',
    '',
    `| network | Mbit/s | ${POLICY_NAMES.join(' | ')} | jps above 1 + 1/n at n = |`,
    `| --- |${dashes(POLICY_NAMES.length + 1)} --- |`,
    ...tables.map(({ network, mbit, rows }) => {
      const worst = POLICY_NAMES.map((name) => Math.max(...rows.map((row) => ratioOf(row, name))).toFixed(3));
      const above = ranges(rows.filter(exceeds).map(({ n }) => n));
      return `| ${network} | ${mbit} | ${worst.join(' | ')} | ${above} |`;
    }),
    '',
    '## AlexNet′ as a convex curve',
    '',
    'With x for the share of the head time that a cut leaves on the vehicle, the curve has',
    '',
    `    bytes(x) = ${whole(fit.scale)} · ln((1 + s) / (x + s)),  s = ${fit.shift.toFixed(5)}`,
    '',
    'Both parameters are the least squares over the six kept cuts. The curve is convex for any of them and ends at 0 bytes, so',
    `that local-only lies on it. The root mean square error is ${whole(fit.rmsBytes)} bytes, ${((100 * fit.rmsBytes) / inputBytes).toFixed(1)} % of the input: a real network is`,
    'no convex curve.',
    '',
    '| cut | x | bytes | curve | error |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...fit.points.map(
      ({ id, share, bytes, fittedBytes }) =>
        `| ${id} | ${share.toFixed(4)} | ${whole(bytes)} | ${whole(fittedBytes)} | ${whole(fittedBytes - bytes)} |`,
    ),
    '',
    `It is cut at ${cuts} places: the input, local-only, equal steps of head share plus byte share between them, and for each of the`,
    `${RATES_MBIT.length} rates the place where head and transfer take equally long, which a continuous curve always has.`,
    ...tables.flatMap(({ network, mbit, rows }) => [
      '',
      `## ${network}, ${mbit} Mbit/s`,
      '',
      `| n | ${POLICY_NAMES.join(' | ')} | 1 + 1/n | over |`,
      `| ---: |${dashes(POLICY_NAMES.length + 1)} --- |`,
      ...rows.map(
        ({ n, ratios, over }) =>
          `| ${n} | ${ratios.map((ratio) => ratio.toFixed(3)).join(' | ')} | ${(1 + 1 / n).toFixed(3)} | ${over} |`,
      ),
    ]),
    '',
  ].join('\n');
}

/** @throws Error where brute force and `exact` disagree, or Theorem 3 fails where it must hold. */
export function policiesOverOptimum(): void {
  const fit = fitConvex();
  const convex = convexNetwork(
    fit,
    RATES_MBIT.map((mbit) => mbit * 1e6),
  );
  const networks = { AlexNet: alexnet, 'VGG-16': vgg16, 'AlexNet′': convex };
  const tables = Object.entries(networks).flatMap(([network, cuts]) =>
    RATES_MBIT.map((mbit): Table => ({ network, mbit, rows: JOBS.map((n) => rowOf(cuts, n, mbit)) })),
  );
  for (const { network, mbit, rows } of tables)
    if (network === 'AlexNet′' && rows.some(exceeds))
      throw new Error(`jps exceeds 1 + 1/n on a convex curve, at ${mbit} Mbit/s`);

  const panels = tables.map(
    ({ network, mbit, rows }): Panel => ({
      title: `${network}, ${mbit} Mbit/s`,
      lines: POLICY_NAMES.map((name) => ({ name, values: rows.map((row) => ratioOf(row, name)) })),
    }),
  );
  const folder = `${import.meta.dirname}/../../docs/results`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/policies-over-optimum.md`, report(tables, fit, convex.length));
  writeFileSync(`${folder}/policies-over-optimum.svg`, ratioChart(panels, RATES_MBIT.length));
  const brute = tables.flatMap(({ rows }) => rows).filter(({ over }) => over === 'brute force').length;
  console.log('\ndocs/results/policies-over-optimum.md and .svg written');
  console.log(
    `  exact equals brute force in all ${brute} of ${tables.length * JOBS.length} problems where that ends`,
  );
}
