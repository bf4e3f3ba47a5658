/** A schedule as a picture: for the terminal, and as SVG. */
import { endOf, type Interval, type JobSchedule } from '@splitlane/sched';
import { escaped, tickStep } from '../svg.ts';

const COLUMNS = 72;
/** Jobs are called by the order in which they start: 1 … 9, a … z, A … Z. */
const NAMES = '123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const CUT_NAMES = NAMES.slice(9);

interface Row {
  readonly name: string;
  readonly bars: readonly (Interval & { readonly place: number })[];
}

function rowsOf(schedule: readonly JobSchedule[]): Row[] {
  const bars = (of: (job: JobSchedule) => Interval | undefined): Row['bars'] =>
    schedule.flatMap((job, place) => {
      const interval = of(job);
      return interval && interval.endMs > interval.startMs ? [{ ...interval, place }] : [];
    });
  const rows = [
    { name: 'vehicle', bars: bars(({ head }) => head) },
    { name: 'uplink', bars: bars(({ uplink }) => uplink) },
  ];
  const cloud = bars(({ tail }) => tail);
  return cloud.length > 0 ? [...rows, { name: 'cloud', bars: cloud }] : rows;
}

/** Steps of 1, 2 or 5 times a power of ten, about `count` of them. */
function ticks(endMs: number, count: number): number[] {
  if (!(endMs > 0)) return [0];
  const step = tickStep(endMs, count);
  return Array.from({ length: Math.floor(endMs / step + 1e-9) + 1 }, (_, index) =>
    Number((index * step).toPrecision(12)),
  );
}

/** What stands in each column of a row: the job that runs there, by its letter. */
function jobCells(bars: Row['bars'], endMs: number): string {
  const cells = new Array<string>(COLUMNS).fill('·');
  for (const { startMs, endMs: barEnd, place } of bars) {
    const from = Math.min(columnOf(startMs, endMs), COLUMNS - 1);
    cells.fill(NAMES[place]!, from, Math.max(from + 1, columnOf(barEnd, endMs)));
  }
  return cells.join('');
}

/** Many jobs in each column: the cut that takes the most of its time, and for how much of all time the stage works. */
function cutCells(bars: Row['bars'], endMs: number, letterOf: (place: number) => string): string {
  const cells = Array.from({ length: COLUMNS }, () => new Map<string, number>());
  let busyMs = 0;
  for (const { startMs, endMs: barEnd, place } of bars) {
    busyMs += barEnd - startMs;
    const letter = letterOf(place);
    const [from, to] = [(startMs / endMs) * COLUMNS, (barEnd / endMs) * COLUMNS];
    for (let cell = Math.floor(from); cell < Math.min(to, COLUMNS); cell++) {
      const share = Math.min(to, cell + 1) - Math.max(from, cell);
      cells[cell]!.set(letter, (cells[cell]!.get(letter) ?? 0) + share);
    }
  }
  const most = cells.map((cell) => [...cell].reduce((a, b) => (b[1] > a[1] ? b : a), ['·', 0])[0]);
  return `${most.join('')} ${endMs > 0 ? Math.round((busyMs / endMs) * 100) : 0} %`;
}

const columnOf = (ms: number, endMs: number): number => (endMs > 0 ? Math.round((ms / endMs) * COLUMNS) : 0);

/**
 * One line for each stage, and the time axis under them. Where there are more jobs than letters, a letter stands for a
 * cut, and a line says so.
 * @param cutOf the name of the cut of a job, by its place in the schedule.
 */
export function ganttText(schedule: readonly JobSchedule[], cutOf: (place: number) => string): string {
  const endMs = endOf(schedule);
  const column = (ms: number): number => columnOf(ms, endMs);
  const byCut = schedule.length > NAMES.length;
  const cuts = byCut ? [...new Set(schedule.map((_, place) => cutOf(place)))] : [];
  const letter = (cut: string): string => CUT_NAMES[cuts.indexOf(cut)] ?? '#';
  const lines = rowsOf(schedule).map(({ name, bars }) => {
    const cells = byCut ? cutCells(bars, endMs, (place) => letter(cutOf(place))) : jobCells(bars, endMs);
    return `${name.padEnd(8)}${cells}`;
  });
  const legend = cuts.map((cut) => `${letter(cut)} = ${cut}`).join(', ');
  let axis = '';
  for (const tick of ticks(endMs, 6)) {
    if (column(tick) < axis.length || column(tick) > COLUMNS - 6) continue;
    axis = `${axis.padEnd(column(tick))}|${tick} `;
  }
  return [
    ...(byCut
      ? [
          `more jobs than letters: a column shows the cut that takes most of it, then how busy the stage is; ${legend}`,
        ]
      : []),
    ...lines,
    `${'ms'.padEnd(8)}${axis.trimEnd()}`,
    '',
  ].join('\n');
}

const WIDTH = 800;
const LEFT = 70;
const RIGHT = 24;
const TOP = 34;
const ROW = 38;
const BAR = 28;
const THIN = 4;
const HUES = [210, 28, 150, 340, 265, 60, 185, 0];

/**
 * A file of its own that follows the reader's light or dark scheme; a colour for each cut.
 * @param cutOf the name of the cut of a job, by its place in the schedule.
 */
export function ganttSvg(
  schedule: readonly JobSchedule[],
  title: string,
  cutOf: (place: number) => string,
): string {
  const endMs = endOf(schedule);
  const x = (ms: number): string => (LEFT + (endMs > 0 ? ms / endMs : 0) * (WIDTH - LEFT - RIGHT)).toFixed(2);
  const rows = rowsOf(schedule);
  const bottom = TOP + rows.length * ROW;
  const cuts = [...new Set(schedule.map((_, place) => cutOf(place)))];
  const kind = (place: number): number => cuts.indexOf(cutOf(place)) % HUES.length;
  const height = bottom + 34 + cuts.length * 20;
  const parts = [
    `<text x="${LEFT}" y="20" class="title">${escaped(title)}</text>`,
    ...ticks(endMs, 8).flatMap((tick) => [
      `<path d="M${x(tick)} ${TOP}V${bottom}" class="tick"/>`,
      `<text x="${x(tick)}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`,
    ]),
    `<text x="${LEFT - 10}" y="${bottom + 16}" text-anchor="end">ms</text>`,
  ];
  rows.forEach(({ name, bars }, index) => {
    const y = TOP + index * ROW + (ROW - BAR) / 2;
    parts.push(`<text x="${LEFT - 10}" y="${y + BAR / 2 + 4}" text-anchor="end">${name}</text>`);
    for (const { startMs, endMs: barEnd, place } of bars) {
      const width = Number(x(barEnd)) - Number(x(startMs));
      const what = `job ${place + 1}, ${cutOf(place)}: ${ms(startMs)} to ${ms(barEnd)} ms`;
      // Borders of bars that are hardly wider would hide their colours.
      const shape = width < THIN ? 'class="bar thin' : 'rx="2" class="bar';
      parts.push(
        `<rect x="${x(startMs)}" y="${y}" width="${width.toFixed(2)}" height="${BAR}" ${shape} k${kind(place)}"><title>${escaped(what)}</title></rect>`,
      );
      if (width >= 8 * String(place + 1).length + 4)
        parts.push(
          `<text x="${(Number(x(startMs)) + width / 2).toFixed(2)}" y="${y + BAR / 2 + 4}" text-anchor="middle">${place + 1}</text>`,
        );
    }
  });
  cuts.forEach((cut, index) => {
    const y = bottom + 28 + index * 20;
    parts.push(
      `<rect x="${LEFT}" y="${y}" width="14" height="14" rx="2" class="bar k${index % HUES.length}"/>`,
      `<text x="${LEFT + 22}" y="${y + 11}">${escaped(cut)}</text>`,
    );
  });
  // Not translucent: a line of the axis behind a bar would look like the border of two.
  const kinds = (saturation: number, lightness: number): string =>
    HUES.map((hue, index) => `.k${index}{fill:hsl(${hue} ${saturation}% ${lightness}%)}`).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>svg{color:#1b1f24;background:#fff;font:12px system-ui,sans-serif}${kinds(75, 79)}@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}${kinds(50, 30)}}text{fill:currentColor}.title{font-weight:600}.tick{stroke:currentColor;stroke-opacity:.2}.bar{stroke:currentColor;stroke-opacity:.6}.thin{stroke:none}</style>
${parts.join('\n')}
</svg>
`;
}

const ms = (value: number): string => String(Number(value.toFixed(2)));
