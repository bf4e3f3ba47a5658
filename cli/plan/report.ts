/** A planning for people, and for programs. */
import { endOf } from '@splitlane/sched';
import { getBorderCharacters, table } from 'table';
import { ganttText } from './gantt-chart.ts';
import type { ListedCut, Planning } from './planning.ts';

const ms = (value: number): string => value.toFixed(value < 100 ? 2 : 1);
const yes = (value: boolean): string => (value ? 'yes' : '');

export function cutName({ id, codec }: Pick<ListedCut, 'id' | 'codec'>): string {
  // A line break in a name would tear the table.
  return (codec === undefined ? id : `${id} (${codec})`).replaceAll(/\p{Cc}/gu, '�');
}

function drawn(rows: string[][], left: readonly number[]): string {
  return table(rows, {
    border: getBorderCharacters('norc'),
    columns: rows[0]!.map((_, index) => ({ alignment: left.includes(index) ? 'left' : 'right' })),
    drawHorizontalLine: (index, count) => index <= 1 || index === count,
  });
}

/** How many jobs take which cut. */
function spread({ cuts }: Planning, counts: readonly number[]): string {
  return counts
    .flatMap((count, index) => (count > 0 ? [`${count} × ${cutName(cuts[index]!)}`] : []))
    .join(', ');
}

/** Which cut each job of the chosen plan takes, by the order in which they start: `1–3 input, 4 local`. */
function inOrder({ cuts, chosen }: Planning): string {
  const runs: { cut: number; from: number; to: number }[] = [];
  chosen.order.forEach((job, index) => {
    const cut = chosen.jobCuts[job]!;
    const last = runs.at(-1);
    if (last?.cut === cut) last.to = index + 1;
    else runs.push({ cut, from: index + 1, to: index + 1 });
  });
  return runs
    .map(({ cut, from, to }) => `${from === to ? from : `${from}–${to}`} ${cutName(cuts[cut]!)}`)
    .join(', ');
}

/** The table of cuts, the table of policies, and the chosen plan as a chart. */
export function planText(planning: Planning): string {
  const { cuts, plans, chosen, schedule } = planning;
  const cutRows = cuts.map((cut) => [
    cut.local ? `${cutName(cut)}, local` : cutName(cut),
    ms(cut.p1),
    ms(cut.p2),
    ms(cut.local ? 0 : (cut.p3 ?? 0)),
    yes(cut.onHull),
    yes(cut.kept),
  ]);
  const planRows = plans.map((plan) => [
    plan.policy,
    ms(plan.makespanMs),
    ms(plan.lowerBoundMs),
    plan.lowerBoundMs > 0 ? (plan.makespanMs / plan.lowerBoundMs).toFixed(3) : '–',
    yes(plan.optimal),
    spread(planning, plan.counts),
  ]);
  const cutHeader = ['cut', 'p1: vehicle\nms', 'p2: uplink\nms', 'p3: cloud\nms', 'on the\nhull', 'kept'];
  const planHeader = [
    'policy',
    'makespan\nms',
    'lower bound\nms',
    'makespan ÷\nlower bound',
    'proved\noptimal',
    'jobs × cut',
  ];
  return [
    drawn([cutHeader, ...cutRows], [0, 4, 5]),
    drawn([planHeader, ...planRows], [0, 4, 5]),
    `${chosen.policy}: ${ms(endOf(schedule))} ms; jobs in the order in which they start: ${inOrder(planning)}\n`,
    ganttText(schedule),
  ].join('');
}

/** The result as one object; `counts` and `jobCuts` refer to `cuts`. */
export function planJson({ cuts, plans, chosen }: Planning): object {
  return {
    cuts: cuts.map(({ id, codec, p1, p2, p3, bytes, local, onHull, kept }) => ({
      cut: id,
      codec,
      headMs: p1,
      bytes,
      tailMs: p3 ?? 0,
      local: local === true,
      p1,
      p2,
      onHull,
      kept,
    })),
    policies: plans.map(({ policy, makespanMs, lowerBoundMs, optimal, counts, jobCuts, order }) => ({
      name: policy,
      makespanMs,
      lowerBoundMs,
      optimal,
      counts,
      jobCuts,
      order,
    })),
    chosen: chosen.policy,
  };
}
