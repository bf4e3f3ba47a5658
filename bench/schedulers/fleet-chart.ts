/** Plans of a fleet over the bound, by the rate of the channel. */
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

export interface FleetPanel {
  readonly title: string;
  readonly subtitle: string;
  /** Rising. */
  readonly ratesMbit: readonly number[];
  /** Makespan ÷ bound at each rate. */
  readonly lines: Readonly<Record<keyof typeof STYLES, readonly number[]>>;
}

const TICKS = [1, 1.5, 2, 2.5, 3, 3.5, 4];
const AXIS_END = 4;
const TOP = 110;
/** The labels of the first and the last rate of two neighbours do not touch. */
const INSET = 14;
const BOTTOM = 44;
/** In the order in which they are drawn: where the plan and the fair share coincide, the ring lies around the mark. */
const STYLES = {
  uncoordinated: {
    legend: 'uncoordinated',
    light: '#d55e00',
    dark: '#ff8a3d',
    mark: 'M-2.6 -2.6h5.2v5.2h-5.2Z',
  },
  fairShare: {
    legend: 'fair share',
    light: '#a16f00',
    dark: '#e69f00',
    mark: 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z',
    hollow: true,
  },
  fleet: { legend: 'planFleet', light: '#0072b2', dark: '#56b4e9', mark: 'M0 -3L3 0L0 3L-3 0Z' },
} satisfies Styles;
const NAMES = Object.keys(STYLES) as (keyof typeof STYLES)[];

export function fleetChart(panels: readonly FleetPanel[]): string {
  const height = TOP + PANEL_HEIGHT + BOTTOM;
  return svg(
    'Makespan over the lower bound, by the rate of the shared channel',
    panels.length,
    height,
    STYLES,
    [
      ...legend(STYLES, [{ text: 'lower bound: 1', line: 'wide' }]),
      ...panels.map(
        (panel, index) =>
          `<g transform="translate(${LEFT + index * (PANEL_WIDTH + GAP)} ${TOP})">\n${drawn(panel, index === 0).join('\n')}\n</g>`,
      ),
    ],
  );
}

function drawn({ title, subtitle, ratesMbit, lines }: FleetPanel, leftmost: boolean): string[] {
  const [first, last] = [ratesMbit[0]!, ratesMbit.at(-1)!];
  const x = (mbit: number): string =>
    (INSET + (Math.log(mbit / first) / Math.log(last / first)) * (PANEL_WIDTH - 2 * INSET)).toFixed(1);
  const y = (ratio: number): string => (((AXIS_END - ratio) / (AXIS_END - 1)) * PANEL_HEIGHT).toFixed(1);
  return [
    `<text y="-26" class="head">${title}</text>`,
    `<text y="-11" class="small">${subtitle}</text>`,
    ...TICKS.map((tick) => `<path d="M0 ${y(tick)}H${PANEL_WIDTH}" class="tick"/>`),
    ...(leftmost
      ? TICKS.map((tick) => `<text x="-10" y="${Number(y(tick)) + 4}" class="small end">${tick}</text>`)
      : []),
    ...ratesMbit.map(
      (mbit) => `<text x="${x(mbit)}" y="${PANEL_HEIGHT + 18}" class="small middle">${mbit}</text>`,
    ),
    `<text x="${PANEL_WIDTH / 2}" y="${PANEL_HEIGHT + 36}" class="middle">Mbit/s</text>`,
    `<path d="M0 ${y(1)}H${PANEL_WIDTH}" class="wide"/>`,
    ...NAMES.flatMap((name) => {
      const points = lines[name].map((ratio, index) => ({ x: x(ratesMbit[index]!), y: y(ratio) }));
      return [
        `<path d="${through(points)}" class="${name} line"><title>${STYLES[name].legend}</title></path>`,
        ...points.map((point) => markOf(STYLES, name, point.x, point.y)),
      ];
    }),
  ];
}
