/** A planning for people, and for programs. */
import { endOf, type Plan } from '@splitlane/sched';
import { drawTable, shownMs as ms, printable, shownLoss } from '../table.ts';
import { ganttText } from './gantt-chart.ts';
import type { FrontPlan, ListedCut, Planning } from './planning.ts';

const MOST_RUNS = 12;
const MOST_FRONT_ROWS = 10;
const SPREAD_WIDTH = 62;
const TEXT_WIDTH = 108;

/** As many decimals as give the greatest of a column four digits: energies are of any size. */
export function decimals(values: readonly (number | undefined)[]): (value: number | undefined) => string {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  const places = most > 0 ? Math.min(9, Math.max(0, 3 - Math.floor(Math.log10(most)))) : 0;
  return (value) => value?.toFixed(places) ?? '–';
}
export const short = (value: number): string => String(Number(value.toPrecision(4)));
export const yes = (value: boolean): string => (value ? 'yes' : '');

/** What the chosen plan is shown by. */
interface Shown extends Pick<Planning, 'cuts'> {
  readonly chosen: Pick<Plan, 'jobCuts' | 'order'>;
}

export function cutName({ id, codec }: Pick<ListedCut, 'id' | 'codec'>): string {
  return printable(codec === undefined ? id : `${id} (${codec})`);
}

/** How many jobs take which cut; in several lines where one would be wider than a terminal. */
export function spread({ cuts }: Pick<Planning, 'cuts'>, counts: readonly number[]): string {
  const lines: string[] = [];
  counts.forEach((count, index) => {
    if (count === 0) return;
    const text = `${count} × ${cutName(cuts[index]!)}`;
    const last = lines.at(-1);
    if (last === undefined) lines.push(text);
    else if (last.length + text.length < SPREAD_WIDTH) lines[lines.length - 1] = `${last}, ${text}`;
    else lines.splice(-1, 1, `${last},`, text);
  });
  return lines.join('\n');
}

/** Which cut each job of the chosen plan takes, by the order in which they start: `1–3 input, 4 local`. */
export function inOrder({ cuts, chosen }: Shown): string {
  const runs: { cut: number; from: number; to: number }[] = [];
  chosen.order.forEach((job, index) => {
    const cut = chosen.jobCuts[job]!;
    const last = runs.at(-1);
    if (last?.cut === cut) last.to = index + 1;
    else runs.push({ cut, from: index + 1, to: index + 1 });
  });
  const shown = runs.length > MOST_RUNS ? runs.slice(0, MOST_RUNS) : runs;
  const texts = shown.map(
    ({ cut, from, to }) => `${from === to ? from : `${from}–${to}`} ${cutName(cuts[cut]!)}`,
  );
  // Three stages can be kept busy by an order that changes its cut with every job.
  if (shown.length < runs.length) texts.push(`… to ${chosen.order.length} (all of them: --json)`);
  return texts.join(', ');
}

export function cutTable({ cuts }: Pick<Planning, 'cuts'>): string {
  const joules = decimals(cuts.map(({ headEnergyJ }) => headEnergyJ));
  return drawTable<ListedCut>(
    cuts.filter(({ tooLossy }) => !tooLossy),
    [
      { header: 'cut', cell: (cut) => (cut.local ? `${cutName(cut)}, local` : cutName(cut)), left: true },
      { header: 'p1: vehicle\nms', cell: ({ p1 }) => ms(p1) },
      { header: 'p2: uplink\nms', cell: ({ p2 }) => ms(p2) },
      { header: 'p3: cloud\nms', cell: ({ p3, local }) => ms(local ? 0 : (p3 ?? 0)) },
      cuts.some(({ loss }) => loss !== undefined)
        ? { header: 'loss', cell: ({ loss = 0 }) => short(loss) }
        : undefined,
      cuts.some(({ headEnergyJ }) => headEnergyJ !== undefined)
        ? { header: 'head\nJ', cell: ({ headEnergyJ }) => joules(headEnergyJ) }
        : undefined,
      { header: 'on the\nhull', cell: ({ onHull }) => yes(onHull), left: true },
      { header: 'kept', cell: ({ kept }) => yes(kept), left: true },
    ],
  );
}

/** Which cuts the table has no row of, since nothing may be lost. */
export function lossyText({ cuts }: Pick<Planning, 'cuts'>): string {
  const lossy = cuts.filter(({ tooLossy }) => tooLossy);
  if (lossy.length === 0) return '';
  const losses = lossy.map(({ loss }) => loss!);
  const [least, most] = [Math.min(...losses), Math.max(...losses)].map(shownLoss);
  const range = least === most ? least : `${least} to ${most}`;
  const codecsOf = (rows: readonly ListedCut[]): string =>
    rows
      .flatMap(({ codec }) => (codec === undefined ? [] : [printable(codec)]))
      .sort()
      .join(', ');
  const cutsByCodecs = Map.groupBy(
    Map.groupBy(lossy, ({ id }) => id),
    ([, rows]) => codecsOf(rows),
  );
  const names = [...cutsByCodecs].map(([codecs, alike]) => {
    const ids = alike.map(([id]) => printable(id)).join(', ');
    return codecs === '' ? ids : `${codecs} of ${ids}`;
  });
  const text = `left out with --max-loss 0, the default; they lose ${range}: ${names.join('; ')}`;
  return `${wrapped(text, TEXT_WIDTH)}\n`;
}

function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n  ');
}

function policyTable(planning: Planning): string {
  const { plans, leftOut, n, lowerBoundMs, boundBy } = planning;
  const ofFrame = ({ energyJ }: Pick<Plan, 'energyJ'>): number | undefined => energyJ && energyJ / n;
  const joules = decimals(plans.map(ofFrame));
  const because = boundBy === 'search' ? 'proved by search' : boundBy;
  return [
    drawTable<Planning['plans'][number]>(plans, [
      { header: 'policy', cell: ({ policy }) => policy, left: true },
      { header: 'makespan\nms', cell: ({ makespanMs }) => ms(makespanMs) },
      {
        header: 'makespan ÷\nlower bound',
        cell: ({ makespanMs }) => (lowerBoundMs > 0 ? (makespanMs / lowerBoundMs).toFixed(3) : '–'),
      },
      plans.some(({ energyJ }) => energyJ !== undefined)
        ? {
            header: `${energyName(planning)}\nJ per frame`,
            cell: (plan) => joules(ofFrame(plan)),
          }
        : undefined,
      plans.some(({ loss }) => loss !== undefined)
        ? { header: 'mean\nloss', cell: ({ loss = 0 }) => short(loss) }
        : undefined,
      { header: 'proved\noptimal', cell: ({ optimal }) => yes(optimal), left: true },
      { header: 'jobs × cut', cell: ({ counts }) => spread(planning, counts), left: true },
    ]),
    `lower bound ${ms(lowerBoundMs)} ms: ${because}\n`,
    ...leftOut.map(({ policy, why }) => `without ${policy}: ${why}\n`),
  ].join('');
}

/** Without a power model energy is that of the heads as measured. */
export const energyName = ({ hasPower }: Pick<Planning, 'hasPower'>): string =>
  hasPower ? 'energy' : 'head energy';

function frontTable(planning: Planning): string {
  const { front, n } = planning;
  if (front === undefined) return '';
  const { plans, complete } = front;
  const cut = complete ? '' : '; the search was cut short, there may be better ones';
  const name = energyName(planning);
  if (plans.length === 1) return `the shortest plan is also that of least ${name}${cut}\n`;
  const rows = Math.min(plans.length, MOST_FRONT_ROWS);
  const shown = Array.from(
    { length: rows },
    (_, row) => plans[Math.round((row * (plans.length - 1)) / (rows - 1))]!,
  );
  const ofAll = decimals(shown.map(({ energyJ }) => energyJ));
  const ofFrame = decimals(shown.map(({ energyJ }) => energyJ / n));
  return [
    `makespan against ${name}: ${rows} of ${plans.length} plans${cut}\n`,
    drawTable<FrontPlan>(shown, [
      { header: 'makespan\nms', cell: ({ makespanMs }) => ms(makespanMs) },
      { header: `${name}\nJ`, cell: ({ energyJ }) => ofAll(energyJ) },
      { header: 'per frame\nJ', cell: ({ energyJ }) => ofFrame(energyJ / n) },
      { header: 'jobs × cut', cell: ({ counts }) => spread(planning, counts), left: true },
    ]),
  ].join('');
}

/** The table of cuts, the table of policies, the chosen plan as a chart, and what less energy would cost in time. */
export function planText(planning: Planning): string {
  const { cuts, chosen, schedule } = planning;
  return [
    cutTable(planning),
    lossyText(planning),
    policyTable(planning),
    `${chosen.policy}: ${ms(endOf(schedule))} ms; jobs in the order in which they start: ${inOrder(planning)}\n`,
    ganttText(schedule, (place) => cutName(cuts[chosen.jobCuts[schedule[place]!.job]!]!)),
    frontTable(planning),
  ].join('');
}

export function cutJson(cut: ListedCut): object {
  const { id, codec, p1, p2, p3, bytes, loss, headJ, local, onHull, kept, tooLossy } = cut;
  return {
    cut: id,
    codec,
    headMs: p1,
    bytes,
    tailMs: p3 ?? 0,
    loss,
    headJ,
    local: local === true,
    p1,
    p2,
    onHull,
    kept,
    tooLossy,
  };
}

/** The result as one object; `counts` and `jobCuts` refer to `cuts`. */
export function planJson(planning: Planning): object {
  const { cuts, plans, leftOut, lowerBoundMs, boundBy, chosen, front, maxLoss } = planning;
  return {
    maxLoss,
    cuts: cuts.map(cutJson),
    lowerBoundMs,
    boundBy,
    policies: plans.map(
      ({ policy, makespanMs, lowerBoundMs, optimal, counts, jobCuts, order, energyJ, loss }) => ({
        name: policy,
        makespanMs,
        lowerBoundMs,
        optimal,
        counts,
        jobCuts,
        order,
        energyJ,
        loss,
      }),
    ),
    leftOut: leftOut.map(({ policy, why }) => ({ name: policy, why })),
    chosen: chosen.policy,
    front: front?.plans,
    frontComplete: front?.complete,
  };
}
