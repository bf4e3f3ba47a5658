/** What the charts of docs/results have in common: an SVG that follows the reader's light or dark scheme. */

export const PANEL_WIDTH = 206;
export const PANEL_HEIGHT = 150;
export const GAP = 26;
export const LEFT = 44;

export interface Style {
  readonly legend: string;
  readonly light: string;
  readonly dark: string;
  /** A mark of about 7 px around 0, 0: colour alone does not tell the lines apart. */
  readonly mark: string;
  readonly hollow?: boolean;
}
export type Styles = Readonly<Record<string, Style>>;

export function svg(title: string, columns: number, height: number, styles: Styles, parts: string[]): string {
  const width = LEFT + columns * (PANEL_WIDTH + GAP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${sheet(styles)}</style>`,
    `<rect width="${width}" height="${height}" class="paper"/>`,
    `<text x="${LEFT}" y="22" class="title">${title}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Besides the styles' own: `wide`, a pale line that others may run along, and `dashed`. */
function sheet(styles: Styles): string {
  const colours = (scheme: 'light' | 'dark'): string =>
    Object.entries(styles)
      .map(([name, style]) => `.${name}{color:${style[scheme]}}`)
      .join('');
  return [
    'svg{color:#1b1f24;font:12px system-ui,sans-serif}.paper,.hollow{fill:#fff}',
    colours('light'),
    `@media(prefers-color-scheme:dark){svg{color:#e6edf3}.paper,.hollow{fill:#0d1117}${colours('dark')}}`,
    'text{fill:currentColor}.title{font-weight:600;font-size:14px}.head{font-weight:600}.small{font-size:11px}',
    '.end{text-anchor:end}.middle{text-anchor:middle}',
    '.line,.mark,.tick,.wide,.dashed{stroke:currentColor;stroke-width:1.6}',
    '.line,.wide,.dashed{fill:none}.line{stroke-linejoin:round}.solid{fill:currentColor}',
    '.tick{stroke-opacity:.15;stroke-width:1}.wide{stroke-opacity:.3;stroke-width:5}',
    '.dashed{stroke-dasharray:5 4}',
  ].join('');
}

export const markOf = (styles: Styles, name: string, x: string, y: string): string =>
  `<path d="${styles[name]!.mark}" transform="translate(${x} ${y})" class="${name} mark ${styles[name]!.hollow ? 'hollow' : 'solid'}"/>`;

/** Samples of the styles, then of other lines, four in a row. */
export function legend(
  styles: Styles,
  others: readonly { readonly text: string; readonly line: string }[],
): string[] {
  const entries = [
    ...Object.entries(styles).map(([name, { legend }]) => ({
      text: legend,
      sample: `<path d="M0 0H28" class="${name} line"/>${markOf(styles, name, '14', '0')}`,
    })),
    ...others.map(({ text, line }) => ({ text, sample: `<path d="M0 0H28" class="${line}"/>` })),
  ];
  return entries.map(({ text, sample }, index) => {
    const x = LEFT + (index % 4) * (PANEL_WIDTH + GAP);
    const y = 46 + Math.floor(index / 4) * 20;
    return `<g transform="translate(${x} ${y})">${sample}<text x="36" y="4">${text}</text></g>`;
  });
}

/** The line of an SVG path through these points. */
export const through = (points: readonly { readonly x: string; readonly y: string }[]): string =>
  points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('');
