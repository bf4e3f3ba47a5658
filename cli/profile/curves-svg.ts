/** The two curves of a profile as SVG: cut by cut, and against each other. */

import { escaped, tickStep } from '../svg.ts';
import { printable } from '../table.ts';
import { freePlaces, type Segment } from './free-places.ts';
import { type ProfiledCut, type Profiling, placeOf } from './profiling.ts';

const TOP = 108;
const PLOT = 300;
const PLANE = 400;
const GAP = 76;
const LEAST_LEFT = 60;
/** From one cut to the next, where their names stand askew. */
const STEP = 20;
/** Of bold letters, in most fonts. */
const LETTER = 7.4;
const LONGEST_NAME = 20;
/** Cosine and sine of the angle at which names stand askew. */
const [COS, SIN] = [0.77, 0.64];

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A file of its own that follows the reader's light or dark scheme. */
export function curvesSvg(profiling: Profiling): string {
  const { cuts, uplinkBps, model } = profiling;
  const names = cuts.map(({ cut }, index) => {
    const name = printable(cut);
    const clipped = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
    return index === cuts.length - 1 ? `${clipped}, local` : clipped;
  });
  const wide = Math.max(...names.map(({ length }) => length)) * LETTER + 14;
  const upright = wide * (cuts.length - 1) <= 2 * PLANE - 200;
  const width = upright
    ? Math.max(PLANE, wide * (cuts.length - 1))
    : Math.max(PLANE, STEP * (cuts.length - 1));
  // A name that stands askew, or in the middle below its mark, begins to the left of it.
  const overhang = names.map((name, index) => {
    const length = name.length * LETTER;
    return (upright ? length / 2 : length * COS) - (index * width) / (cuts.length - 1);
  });
  const left = Math.max(LEAST_LEFT, Math.max(...overhang) + 12);
  const below = upright
    ? 64
    : Math.max(64, Math.max(...names.map(({ length }) => length)) * LETTER * SIN + 34);
  const gap = GAP + (upright ? (names.at(-1)!.length * LETTER) / 2 - 20 : 0);
  const right = names.at(-1)!.length * LETTER + 20;
  const size = {
    width: Math.ceil(left + width + gap + PLANE + right),
    height: Math.ceil(TOP + PLOT + below),
  };
  const title = `${printable(model)}: head ${whereOf(profiling)}, float32 tensor at ${short(uplinkBps / 1e6)} Mbit/s`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${SHEET}</style>`,
    `<rect width="${size.width}" height="${size.height}" class="paper"/>`,
    `<text x="20" y="26" class="title">${escaped(title)}</text>`,
    legend(),
    `<g transform="translate(${left.toFixed(1)} ${TOP})">`,
    ...curves(profiling, names, width, upright),
    '</g>',
    `<g transform="translate(${(left + width + gap).toFixed(1)} ${TOP})">`,
    ...plane(cuts, names, PLANE + right - 8),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function whereOf({ vehicleMs, profile, origin }: Profiling): string {
  const on =
    vehicleMs === undefined
      ? `on ${printable(profile.machine.cpu)}`
      : `on a vehicle that takes ${short(vehicleMs)} ms for the whole`;
  return origin.kind === 'like' && !origin.prediction.isMeasured
    ? `predicted from ${printable(origin.prediction.from)} ${on}`
    : on;
}

const SAMPLES: readonly (readonly [width: number, text: string, sample: string])[] = [
  [128, 'p1, the head', `<path d="M0 0H28" class="p1 line"/>${disc({ x: 14, y: 0 }, 'p1')}`],
  [186, 'p2, float32 on the uplink', `<path d="M0 0H28" class="p2 line"/>${square({ x: 14, y: 0 }, 'p2')}`],
  [82, 'p1 = p2', '<path d="M0 0H28" class="dashed"/>'],
  [
    186,
    'hull: the best mixes of cuts',
    `<path d="M0 0H28" class="hull line"/>${disc({ x: 14, y: 0 }, 'hull')}`,
  ],
  [0, 'not on the hull', disc({ x: 14, y: 0 }, 'other')],
];

function legend(): string {
  let x = 20;
  const parts = SAMPLES.map(([width, text, sample]) => {
    const part = `<g transform="translate(${x} 52)">${sample}<text x="36" y="4">${text}</text></g>`;
    x += width + 36;
    return part;
  });
  return parts.join('\n');
}

/** Left: both times at each cut, the crossing marked. */
function curves(profiling: Profiling, names: readonly string[], width: number, upright: boolean): string[] {
  const { cuts, crossing } = profiling;
  const { y, marks } = axis(Math.max(...cuts.flatMap(({ headMs, p2Ms }) => [headMs, p2Ms])));
  const x = (index: number): number => (index * width) / (cuts.length - 1);
  const heads = cuts.map(({ headMs }, index): Point => ({ x: x(index), y: y(headMs) }));
  const transfers = cuts.map(({ p2Ms }, index): Point => ({ x: x(index), y: y(p2Ms) }));
  const meeting = { x: x(placeOf(profiling)), y: y(crossing.ms) };
  const anchor = meeting.x < width * 0.2 ? 'start' : meeting.x > width * 0.8 ? 'end' : 'middle';
  return [
    '<text y="-30" class="head">at each cut, ms</text>',
    ...marks.flatMap(({ text, at }) => [
      `<path d="M0 ${at}H${width.toFixed(1)}" class="tick"/>`,
      `<text x="-10" y="${(at + 4).toFixed(1)}" class="end">${text}</text>`,
    ]),
    ...names.map((name, index) => {
      const emphasis = cuts[index]!.onHull ? 'strong' : 'weak';
      const place = `${x(index).toFixed(1)} ${PLOT + 20}`;
      return upright
        ? `<text transform="translate(${place})" class="middle ${emphasis}">${escaped(name)}</text>`
        : `<text transform="translate(${x(index).toFixed(1)} ${PLOT + 14}) rotate(-40)" class="end ${emphasis}">${escaped(name)}</text>`;
    }),
    `<path d="M${meeting.x.toFixed(1)} 0V${PLOT}" class="dashed thin"/>`,
    `<text x="${meeting.x.toFixed(1)}" y="-8" class="${anchor}">p1 = p2 = ${short(crossing.ms)} ms</text>`,
    `<path d="${through(heads)}" class="p1 line"/>`,
    `<path d="${through(transfers)}" class="p2 line"/>`,
    ...heads.map((point, index) => disc(point, 'p1', about(names[index]!, cuts[index]!))),
    ...transfers.map((point, index) => square(point, 'p2', about(names[index]!, cuts[index]!))),
    `<circle cx="${meeting.x.toFixed(1)}" cy="${meeting.y.toFixed(1)}" r="8" class="ring"/>`,
  ];
}

/** Right: the points that a plan chooses among, their hull, and where both times are equal. */
function plane(cuts: readonly ProfiledCut[], names: readonly string[], room: number): string[] {
  const most = {
    head: Math.max(...cuts.map(({ headMs }) => headMs)),
    p2: Math.max(...cuts.map(({ p2Ms }) => p2Ms)),
  };
  const up = axis(most.p2);
  const { y, marks } = up;
  const along = axis(most.head, PLANE);
  const x = (ms: number): number => PLANE - along.y(ms);
  const points = cuts.map(({ headMs, p2Ms }): Point => ({ x: x(headMs), y: y(p2Ms) }));
  const corners = points.filter((_, index) => cuts[index]!.onHull);
  const equal = Math.min(along.end, up.end);
  const diagonal: Segment = { from: { x: 0, y: PLOT }, to: { x: x(equal), y: y(equal) } };
  const edges = corners.slice(1).map((to, index): Segment => ({ from: corners[index]!, to }));
  // Where there is no room for all names, those of both ends and of the hull's corners are read.
  const rank = (index: number): number =>
    index === 0 || index === cuts.length - 1 ? 0 : cuts[index]!.onHull ? 1 : 2;
  const order = [...cuts.keys()].sort((a, b) => rank(a) - rank(b));
  const places = freePlaces(
    order.map((index) => ({ ...points[index]!, width: names[index]!.length * LETTER })),
    [diagonal, ...edges],
    { x: 4, y: -18, width: room - 4, height: PLOT + 16 },
  );
  const labels = order.flatMap((index, nth) => {
    const place = places[nth];
    if (place === undefined) return [];
    const emphasis = cuts[index]!.onHull ? 'strong' : 'weak';
    return [
      `<text x="${place.x.toFixed(1)}" y="${(place.y + 11).toFixed(1)}" class="${emphasis}">${escaped(names[index]!)}</text>`,
    ];
  });
  return [
    '<text y="-30" class="head">against each other: p2 over p1, ms</text>',
    ...marks.flatMap(({ text, at }) => [
      `<path d="M0 ${at}H${PLANE}" class="tick"/>`,
      `<text x="-10" y="${(at + 4).toFixed(1)}" class="end">${text}</text>`,
    ]),
    ...along.marks.flatMap(({ text, at }) => [
      `<path d="M${(PLANE - at).toFixed(1)} 0V${PLOT}" class="tick"/>`,
      `<text x="${(PLANE - at).toFixed(1)}" y="${PLOT + 18}" class="middle">${text}</text>`,
    ]),
    `<text x="${PLANE / 2}" y="${PLOT + 36}" class="middle">p1, the head</text>`,
    `<path d="${through([diagonal.from, diagonal.to])}" class="dashed"/>`,
    `<path d="${through(corners)}" class="hull line"/>`,
    ...points.map((point, index) =>
      disc(point, cuts[index]!.onHull ? 'hull' : 'other', about(names[index]!, cuts[index]!)),
    ),
    ...labels,
    ...(labels.length < cuts.length
      ? [
          `<text x="${PLANE / 2}" y="${PLOT + 54}" class="middle weak">without room for ${cuts.length - labels.length} names: point at a mark</text>`,
        ]
      : []),
  ];
}

interface Axis {
  readonly end: number;
  /** Distance from the top, in px. */
  y(ms: number): number;
  readonly marks: readonly { readonly text: string; readonly at: number }[];
}

/** From 0 at the bottom to a round number at the top. */
function axis(most: number, length = PLOT): Axis {
  const step = tickStep(most, 5);
  const end = Math.ceil(most / step - 1e-9) * step;
  const y = (ms: number): number => length * (1 - ms / end);
  const marks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => {
    const ms = Number((index * step).toPrecision(12));
    return { text: String(ms), at: Number(y(ms).toFixed(1)) };
  });
  return { end, y, marks };
}

const about = (name: string, { headMs, p2Ms, bytes, onHull }: ProfiledCut): string =>
  `${name}: p1 ${short(headMs)} ms, p2 ${short(p2Ms)} ms, ${bytes} bytes${onHull ? ', on the hull' : ''}`;

function disc({ x, y }: Point, kind: string, title = ''): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4" class="${kind} mark">${tip(title)}</circle>`;
}

function square({ x, y }: Point, kind: string, title = ''): string {
  return `<rect x="${(x - 3.5).toFixed(1)}" y="${(y - 3.5).toFixed(1)}" width="7" height="7" class="${kind} mark">${tip(title)}</rect>`;
}

function tip(title: string): string {
  return title === '' ? '' : `<title>${escaped(title)}</title>`;
}

const through = (points: readonly Point[]): string =>
  points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');

const short = (value: number): string => String(Number(value.toPrecision(3)));

/** The hues of M. Okabe and K. Ito, which differ for colour-blind readers too; on white they are darker. */
const SHEET = [
  'svg{color:#1b1f24;font:12px system-ui,sans-serif}.paper{fill:#fff}',
  '.p1{color:#0072b2}.p2{color:#d55e00}.hull{color:#007a5a}.other{color:#7a828b}',
  '@media(prefers-color-scheme:dark){svg{color:#e6edf3}.paper{fill:#0d1117}',
  '.p1{color:#56b4e9}.p2{color:#ff8a3d}.hull{color:#2ccb9d}.other{color:#8b949e}}',
  'text{fill:currentColor}.title{font-weight:600;font-size:14px}.head,.strong{font-weight:600}.weak{opacity:.75}',
  '.end{text-anchor:end}.middle{text-anchor:middle}',
  '.line,.tick,.dashed,.ring{stroke:currentColor;fill:none}.line{stroke-width:1.8;stroke-linejoin:round}',
  '.mark{fill:currentColor}.tick{stroke-opacity:.15}.dashed{stroke-dasharray:5 4;stroke-opacity:.7}',
  '.thin{stroke-opacity:.4}.ring{stroke-width:1.6}',
].join('');
