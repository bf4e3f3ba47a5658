/**
 * What planning a fleet as one is worth: `planFleet` over its bound, and its rivals over it. Written to docs/results,
 * without any time that was measured: a further run changes nothing.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type FleetPlan, fairShare, planFleet, uncoordinated } from '@splitlane/sched';
import { ALEXNET_MS, VGG16_MS } from './cut-tables.ts';
import { fleetChart } from './fleet-chart.ts';
import { alexnetCameras, CAMERAS, fleetOf, MIXED_SPEEDS, mixedCameras } from './fleets.ts';
import { printRows } from './timing.ts';

const VEHICLES = 16;
const RATES_MBIT = [18.88, 54, 100, 300];
/** Where a rival is looked for that is ahead. */
const SWEPT = {
  vehicles: [1, 2, 4, 8, 16, 32, 100],
  ratesMbit: [1.1, 5.85, 18.88, 30, 54, 75, 100, 150, 200, 300, 500, 1000],
};
const PLANNERS = [planFleet, uncoordinated, fairShare];
/** Sums of the same times in another order. */
const ROUNDING = 1e-9;
const FLEETS = [
  { network: 'AlexNet', cameras: alexnetCameras, speed: 'equal speeds', speeds: [1] },
  { network: 'AlexNet', cameras: alexnetCameras, speed: 'mixed speeds', speeds: MIXED_SPEEDS },
  { network: 'AlexNet + VGG-16', cameras: mixedCameras, speed: 'equal speeds', speeds: [1] },
  { network: 'AlexNet + VGG-16', cameras: mixedCameras, speed: 'mixed speeds', speeds: MIXED_SPEEDS },
];
type Fleet = (typeof FLEETS)[number];

interface Row {
  readonly mbit: number;
  readonly plan: FleetPlan;
  /** The rivals' makespans over the plan's. */
  readonly uncoordinated: number;
  readonly fairShare: number;
}
interface Compared {
  readonly fleet: Fleet;
  readonly rows: readonly Row[];
}

const nameOf = ({ network, speed }: Fleet): string => `${network}, ${speed}`;
const overBound = ({ plan }: Row): number => plan.makespanMs / plan.lowerBoundMs;

/** @throws Error where one of the plans ends before the bound of another. */
function rowOf(fleet: Fleet, count: number, mbit: number): Row {
  const vehicles = fleetOf(count, fleet.cameras, fleet.speeds);
  const plans = PLANNERS.map((planner) => planner(vehicles, { uplinkBps: mbit * 1e6 }));
  const [plan, alone, fair] = plans;
  const leastMs = Math.min(...plans.map(({ makespanMs }) => makespanMs));
  for (const { policy, lowerBoundMs } of plans)
    if (lowerBoundMs > leastMs * (1 + ROUNDING))
      throw new Error(
        `${nameOf(fleet)}: the bound of '${policy}', ${lowerBoundMs} ms, is above ${leastMs} ms`,
      );
  return {
    mbit,
    plan: plan!,
    uncoordinated: alone!.makespanMs / plan!.makespanMs,
    fairShare: fair!.makespanMs / plan!.makespanMs,
  };
}

const cells = ({ fleet, rows }: Compared): string[][] =>
  rows.map((row) => [
    nameOf(fleet),
    `${row.mbit}`,
    Math.round(row.plan.makespanMs).toLocaleString('en-US'),
    ...[overBound(row), row.uncoordinated, row.fairShare].map((ratio) => ratio.toFixed(3)),
  ]);
const HEADER = ['fleet', 'Mbit/s', 'plan, ms', 'plan ÷ bound', 'uncoordinated ÷ plan', 'fair share ÷ plan'];

const SWEPT_HEADER = [
  'fleet',
  'plan ÷ bound',
  'uncoordinated ÷ plan',
  'fair share ÷ plan',
  'uncoordinated ahead',
  'fair share ahead',
];

function sweptCells({ fleet, rows }: Compared): string[] {
  const range = (ratios: readonly number[]): string =>
    `${Math.min(...ratios).toFixed(3)} – ${Math.max(...ratios).toFixed(3)}`;
  const ahead = (ratios: readonly number[]): string =>
    `${ratios.filter((ratio) => ratio < 1 - ROUNDING).length} of ${rows.length}`;
  const alone = rows.map((row) => row.uncoordinated);
  const fair = rows.map((row) => row.fairShare);
  return [nameOf(fleet), range(rows.map(overBound)), range(alone), range(fair), ahead(alone), ahead(fair)];
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [
    `| ${header.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(header.length - 1)}`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ];
}

function report(compared: readonly Compared[], swept: readonly Compared[]): string {
  const whole = (value: number): string => value.toLocaleString('en-US');
  const { vehicles, ratesMbit } = SWEPT;
  return [
    '# A fleet planned as one',
    '',
    `Made by \`npm run bench:sched\`. ${VEHICLES} vehicles with ${CAMERAS} cameras each send to the cloud through one channel, a tensor at a`,
    'time; every camera has a frame. How long until the last result is there, and how much longer if nobody plans for all?',
    '',
    '- **planFleet** chooses the cuts of all cameras of all vehicles together. The **bound** is a time before which no plan of the',
    '  same fleet can end; the optimum lies between the two.',
    '- **uncoordinated**: every vehicle plans as if the channel were its own.',
    `- **fair share**: every vehicle plans as if it had a channel of its own with 1/${VEHICLES} of the rate, the honest guess of one that`,
    '  knows only how many there are.',
    '- Both rivals make the best of what they know: for cameras of one network the plan of `exact`, for several networks the',
    '  shortest of the choices that planFleet has for the vehicle.',
    "- All three are judged alike: the cuts being chosen, each vehicle computes its heads in Johnson's order, and the channel, at its",
    '  full rate, takes tensors in the order in which heads end.',
    `- **AlexNet** takes ${whole(ALEXNET_MS)} ms on a vehicle of speed 1, **VGG-16** ${whole(VGG16_MS)} ms; their kept cuts, head times by share of the`,
    `  multiplications. Mixed speeds are ${MIXED_SPEEDS.join(' : ')}, from vehicle to vehicle in turns. AlexNet + VGG-16 is two cameras of`,
    '  each network on every vehicle. The cloud is taken to be fast.',
    '',
    '![Makespan over the lower bound, of planFleet and its two rivals at four rates, for four fleets](fleet.svg)',
    '',
    ...table(HEADER, compared.flatMap(cells)),
    '',
    'Where vehicles are alike, equal parts of the channel are close to the right ones, and there is little to win over the fair',
    'share. Where they differ there is more: a slow vehicle needs more of the channel than a fast one.',
    '',
    '## Is a rival ever ahead?',
    '',
    'planFleet tries some choices, not all, so that a rival may be ahead. The same four fleets with',
    `${vehicles.slice(0, -1).join(', ')} and ${vehicles.at(-1)} vehicles, each at ${ratesMbit.slice(0, -1).join(', ')} and ${whole(ratesMbit.at(-1)!)} Mbit/s, from the least`,
    'to the greatest ratio:',
    '',
    ...table(SWEPT_HEADER, swept.map(sweptCells)),
    '',
  ].join('\n');
}

export function fleetOverRivals(): void {
  const compared = FLEETS.map((fleet) => ({
    fleet,
    rows: RATES_MBIT.map((mbit) => rowOf(fleet, VEHICLES, mbit)),
  }));
  const swept = FLEETS.map((fleet) => ({
    fleet,
    rows: SWEPT.vehicles.flatMap((count) => SWEPT.ratesMbit.map((mbit) => rowOf(fleet, count, mbit))),
  }));
  const panels = compared.map(({ fleet, rows }) => ({
    title: fleet.network,
    subtitle: fleet.speed,
    ratesMbit: RATES_MBIT,
    lines: {
      fleet: rows.map(overBound),
      uncoordinated: rows.map((row) => row.uncoordinated * overBound(row)),
      fairShare: rows.map((row) => row.fairShare * overBound(row)),
    },
  }));
  const folder = `${import.meta.dirname}/../../docs/results`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/fleet.md`, report(compared, swept));
  writeFileSync(`${folder}/fleet.svg`, fleetChart(panels));
  console.log(`\nplanFleet and its rivals, ${VEHICLES} vehicles × ${CAMERAS} cameras on one channel`);
  printRows([HEADER, ...compared.flatMap(cells)]);
  console.log(
    `the same fleets with ${SWEPT.vehicles.join(', ')} vehicles at ${SWEPT.ratesMbit.join(', ')} Mbit/s`,
  );
  printRows([SWEPT_HEADER, ...swept.map(sweptCells)]);
  console.log('docs/results/fleet.md and .svg written');
}
