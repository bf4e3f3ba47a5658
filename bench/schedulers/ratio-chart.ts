/** Ratios to the optimum as small multiples. */
import {
  GAP,
  LEFT,
  legend,
  markOf,
  PANEL_HEIGHT,
  PANEL_WIDTH,
  type Styles,
  svg,
  through,
} from './chart-parts.ts';

export interface Line {
  readonly name: string;
  /** Of n = 1, 2, … */
  readonly values: readonly number[];
}
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** The axis ends here: the differences that matter are below, and some policies are many times above. */
export const AXIS_END = 2.25;
const TICKS = [1, 1.25, 1.5, 1.75, 2, 2.25];
const TOP = 124;
/** From one row of panels to the next, with two lines of text above each. */
const ROW = PANEL_HEIGHT + 78;
const BOTTOM = 44;

/** The hues of M. Okabe and K. Ito, which differ for colour-blind readers too; on white two of them darker. */
const STYLES: Styles = {
  lo: {
    legend: 'lo, all on the vehicle',
    light: '#a16f00',
    dark: '#e69f00',
    mark: 'M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z',
    hollow: true,
  },
  ro: { legend: 'ro, all sent', light: '#d55e00', dark: '#ff8a3d', mark: 'M-2.6 -2.6h5.2v5.2h-5.2Z' },
  po: {
    legend: "po, one frame's best cut",
    light: '#b4568a',
    dark: '#e39cc4',
    mark: 'M0 -3.6L3.4 2.6H-3.4Z',
  },
  jps: {
    legend: 'jps, one cut for all',
    light: '#0072b2',
    dark: '#56b4e9',
    mark: 'M0 -3.8L3.8 0L0 3.8L-3.8 0Z',
  },
  'jps-mix': {
    legend: 'jps-mix, two cuts mixed',
    light: '#007a5a',
    dark: '#2ccb9d',
    mark: 'M-3 -3L3 3M-3 3L3 -3',
  },
};
const MARKED = Object.keys(STYLES);
/** Every so many n a mark, and no two policies at the same n: where lines coincide all are seen. */
const MARK_EVERY = 7;

export function ratioChart(panels: readonly Panel[], columns: number): string {
  const rows = Math.ceil(panels.length / columns);
  const height = TOP + (rows - 1) * ROW + PANEL_HEIGHT + BOTTOM;
  return svg('Makespan over the optimum, by the number of cameras n', columns, height, STYLES, [
    `<clipPath id="inside"><rect x="-5" y="0" width="${PANEL_WIDTH + 10}" height="${PANEL_HEIGHT + 6}"/></clipPath>`,
    ...legend(STYLES, [
      { text: 'exact, the optimum: 1', line: 'wide' },
      { text: '1 + 1/n, Theorem 3 for jps on a convex curve', line: 'dashed' },
    ]),
    ...panels.map((panel, index) => {
      const x = LEFT + (index % columns) * (PANEL_WIDTH + GAP);
      const y = TOP + Math.floor(index / columns) * ROW;
      const outer = { left: index % columns === 0, bottom: index >= panels.length - columns };
      return `<g transform="translate(${x} ${y})">\n${drawn(panel, outer).join('\n')}\n</g>`;
    }),
  ]);
}

function drawn({ title, lines }: Panel, outer: { left: boolean; bottom: boolean }): string[] {
  const last = Math.max(...lines.map(({ values }) => values.length));
  const x = (n: number): string => (((n - 1) / (last - 1)) * PANEL_WIDTH).toFixed(1);
  const y = (ratio: number): string => (((AXIS_END - ratio) / (AXIS_END - 1)) * PANEL_HEIGHT).toFixed(1);
  const path = (values: readonly number[]): string =>
    through(values.map((ratio, index) => ({ x: x(index + 1), y: y(ratio) })));
  const above = lines
    .map(({ name, values }) => ({ name, most: Math.max(...values) }))
    .filter(({ most }) => most > AXIS_END)
    .map(({ name, most }) => `${name} ${most.toFixed(1)}`);
  const theorem = Array.from({ length: last }, (_, index) => 1 + 1 / (index + 1));
  return [
    `<text y="-26" class="head">${title}</text>`,
    ...(above.length > 0
      ? [`<text y="-9" class="small">above ${AXIS_END}, up to: ${above.join(', ')}</text>`]
      : []),
    ...TICKS.map((tick) => `<path d="M0 ${y(tick)}H${PANEL_WIDTH}" class="tick"/>`),
    ...(outer.left
      ? TICKS.map((tick) => `<text x="-10" y="${Number(y(tick)) + 4}" class="small end">${tick}</text>`)
      : []),
    ...[1, 5, 10, 15, 20, 25, 29]
      .filter((n) => n <= last)
      .map((n) => `<text x="${x(n)}" y="${PANEL_HEIGHT + 18}" class="small middle">${n}</text>`),
    ...(outer.bottom
      ? [`<text x="${PANEL_WIDTH / 2}" y="${PANEL_HEIGHT + 36}" class="middle">cameras n</text>`]
      : []),
    '<g clip-path="url(#inside)">',
    `<path d="${path(lines.find(({ name }) => name === 'exact')!.values)}" class="wide"/>`,
    `<path d="${path(theorem)}" class="dashed"/>`,
    ...lines
      .filter(({ name }) => MARKED.includes(name))
      .flatMap(({ name, values }) => [
        `<path d="${path(values)}" class="${name} line"><title>${name}</title></path>`,
        ...values.flatMap((ratio, index) =>
          index % MARK_EVERY === MARKED.indexOf(name) && ratio <= AXIS_END
            ? [markOf(STYLES, name, x(index + 1), y(ratio))]
            : [],
        ),
      ]),
    '</g>',
  ];
}
