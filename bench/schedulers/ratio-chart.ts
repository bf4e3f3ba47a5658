/** Ratios to the optimum as small multiples: an SVG that follows the reader's light or dark scheme. */

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
const WIDTH = 206;
const HEIGHT = 150;
const GAP = 26;
const LEFT = 44;
const TOP = 124;
/** From one row of panels to the next, with two lines of text above each. */
const ROW = HEIGHT + 78;
const BOTTOM = 44;

interface Style {
  readonly legend: string;
  readonly light: string;
  readonly dark: string;
  /** A mark of about 7 px around 0, 0: colour alone does not tell the lines apart. */
  readonly mark: string;
  readonly hollow?: boolean;
}
/** The hues of M. Okabe and K. Ito, which differ for colour-blind readers too; on white two of them darker. */
const STYLES: Readonly<Record<string, Style>> = {
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
  const width = LEFT + columns * (WIDTH + GAP);
  const height = TOP + (rows - 1) * ROW + HEIGHT + BOTTOM;
  const title = 'Makespan over the optimum, by the number of cameras n';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${style()}</style>`,
    `<clipPath id="inside"><rect x="-5" y="0" width="${WIDTH + 10}" height="${HEIGHT + 6}"/></clipPath>`,
    `<rect width="${width}" height="${height}" class="paper"/>`,
    `<text x="${LEFT}" y="22" class="title">${title}</text>`,
    ...legend(),
    ...panels.map((panel, index) => {
      const x = LEFT + (index % columns) * (WIDTH + GAP);
      const y = TOP + Math.floor(index / columns) * ROW;
      const outer = { left: index % columns === 0, bottom: index >= panels.length - columns };
      return `<g transform="translate(${x} ${y})">\n${drawn(panel, outer).join('\n')}\n</g>`;
    }),
    '</svg>',
    '',
  ].join('\n');
}

function style(): string {
  const colours = (scheme: 'light' | 'dark'): string =>
    MARKED.map((name) => `.${name}{color:${STYLES[name]![scheme]}}`).join('');
  return [
    'svg{color:#1b1f24;font:12px system-ui,sans-serif}.paper,.hollow{fill:#fff}',
    colours('light'),
    `@media(prefers-color-scheme:dark){svg{color:#e6edf3}.paper,.hollow{fill:#0d1117}${colours('dark')}}`,
    'text{fill:currentColor}.title{font-weight:600;font-size:14px}.head{font-weight:600}.small{font-size:11px}',
    '.end{text-anchor:end}.middle{text-anchor:middle}',
    '.line,.mark,.tick,.exact,.theorem{stroke:currentColor;stroke-width:1.6}',
    '.line,.exact,.theorem{fill:none}.line{stroke-linejoin:round}.solid{fill:currentColor}',
    '.tick{stroke-opacity:.15;stroke-width:1}.exact{stroke-opacity:.3;stroke-width:5}',
    '.theorem{stroke-dasharray:5 4}',
  ].join('');
}

const markOf = (name: string, x: string, y: string): string =>
  `<path d="${STYLES[name]!.mark}" transform="translate(${x} ${y})" class="${name} mark ${STYLES[name]!.hollow ? 'hollow' : 'solid'}"/>`;

function legend(): string[] {
  const entries = [
    ...MARKED.map((name) => ({
      text: STYLES[name]!.legend,
      sample: `<path d="M0 0H28" class="${name} line"/>${markOf(name, '14', '0')}`,
    })),
    { text: 'exact, the optimum: 1', sample: '<path d="M0 0H28" class="exact"/>' },
    { text: '1 + 1/n, Theorem 3 for jps on a convex curve', sample: '<path d="M0 0H28" class="theorem"/>' },
  ];
  return entries.map(({ text, sample }, index) => {
    const x = LEFT + (index % 4) * (WIDTH + GAP);
    const y = 46 + Math.floor(index / 4) * 20;
    return `<g transform="translate(${x} ${y})">${sample}<text x="36" y="4">${text}</text></g>`;
  });
}

function drawn({ title, lines }: Panel, outer: { left: boolean; bottom: boolean }): string[] {
  const last = Math.max(...lines.map(({ values }) => values.length));
  const x = (n: number): string => (((n - 1) / (last - 1)) * WIDTH).toFixed(1);
  const y = (ratio: number): string => (((AXIS_END - ratio) / (AXIS_END - 1)) * HEIGHT).toFixed(1);
  const path = (values: readonly number[]): string =>
    values.map((ratio, index) => `${index === 0 ? 'M' : 'L'}${x(index + 1)} ${y(ratio)}`).join('');
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
    ...TICKS.map((tick) => `<path d="M0 ${y(tick)}H${WIDTH}" class="tick"/>`),
    ...(outer.left
      ? TICKS.map((tick) => `<text x="-10" y="${Number(y(tick)) + 4}" class="small end">${tick}</text>`)
      : []),
    ...[1, 5, 10, 15, 20, 25, 29]
      .filter((n) => n <= last)
      .map((n) => `<text x="${x(n)}" y="${HEIGHT + 18}" class="small middle">${n}</text>`),
    ...(outer.bottom ? [`<text x="${WIDTH / 2}" y="${HEIGHT + 36}" class="middle">cameras n</text>`] : []),
    '<g clip-path="url(#inside)">',
    `<path d="${path(lines.find(({ name }) => name === 'exact')!.values)}" class="exact"/>`,
    `<path d="${path(theorem)}" class="theorem"/>`,
    ...lines
      .filter(({ name }) => MARKED.includes(name))
      .flatMap(({ name, values }) => [
        `<path d="${path(values)}" class="${name} line"><title>${name}</title></path>`,
        ...values.flatMap((ratio, index) =>
          index % MARK_EVERY === MARKED.indexOf(name) && ratio <= AXIS_END
            ? [markOf(name, x(index + 1), y(ratio))]
            : [],
        ),
      ]),
    '</g>',
  ];
}
