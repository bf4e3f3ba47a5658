/** A profile for people, and for programs. */
import { drawTable, shownMs as ms, printable } from '../table.ts';
import { codecText } from './codec-table.ts';
import { curvesText } from './curves-text.ts';
import type { Profiling } from './profiling.ts';

const LONGEST_LAYERS = 10;
const NAME_WIDTH = 44;
/** Quartiles further apart than this, in parts of the median, speak of a machine that does something else. */
const WIDE = 0.1;

const range = ({ lowMs, highMs }: { readonly lowMs: number; readonly highMs: number }): string =>
  `${ms(lowMs)} – ${ms(highMs)}`;

function heading({ model, profile, wholeMs, vehicleMs }: Profiling): string {
  const { machine, threads, measuredAt, fromCache, notKept, heads } = profile;
  const { cpu, cores, node, onnxruntime } = machine;
  const { lowMs, highMs } = heads.at(-1)!;
  const apart = (highMs - lowMs) / wholeMs;
  return [
    `${model} on ${cpu}, ${cores} cores, Node ${node}, ONNX Runtime ${onnxruntime}; threads: ${threads}`,
    fromCache ? `measured at ${measuredAt}; --fresh measures again` : 'measured now',
    ...(notKept === undefined ? [] : [`the cache cannot be written (${notKept}): it will be measured again`]),
    ...(apart > WIDE
      ? [
          `quartiles of the whole ${Math.round(apart * 100)} % apart: was the machine busy? --fresh measures again`,
        ]
      : []),
    ...(vehicleMs === undefined
      ? []
      : [`heads as on a vehicle that takes ${vehicleMs} ms for the whole; here it takes ${ms(wholeMs)} ms`]),
    '',
  ].join('\n');
}

function cutTable({ cuts, profile, vehicleMs }: Profiling): string {
  const where = vehicleMs === undefined ? 'head' : 'head on the\nvehicle';
  const rows = cuts.map((cut, index) => ({
    ...cut,
    name: index === cuts.length - 1 ? `${printable(cut.cut)}, local` : printable(cut.cut),
    // What leads to it; nothing leads to the input.
    segment: index === 0 ? undefined : profile.segments[index - 1]!,
  }));
  return drawTable<(typeof rows)[number]>(rows, [
    { header: 'cut', cell: ({ name }) => name, left: true },
    { header: 'bytes', cell: ({ bytes }) => String(bytes) },
    { header: 'segment\nms', cell: ({ segment }) => (segment ? ms(segment.medianMs) : '') },
    { header: 'quartiles\nms', cell: ({ segment }) => (segment ? range(segment) : '') },
    { header: `${where}\nms`, cell: ({ headMs }) => ms(headMs) },
    {
      header: 'quartiles\nms',
      cell: ({ segment, headLowMs, headHighMs }) =>
        segment ? range({ lowMs: headLowMs, highMs: headHighMs }) : '',
    },
    { header: 'tail\nms', cell: ({ tailMs }) => ms(tailMs) },
    { header: 'uplink\nms', cell: ({ p2Ms }) => ms(p2Ms) },
    { header: 'on the\nhull', cell: ({ onHull }) => (onHull ? 'yes' : ''), left: true },
  ]);
}

function layerTable({ profile: { layers } }: Profiling): string {
  const longest = layers.toSorted((a, b) => b.medianMs - a.medianMs).slice(0, LONGEST_LAYERS);
  const which = longest.length < layers.length ? `the ${longest.length} longest of ${layers.length}` : 'all';
  return [
    drawTable(longest, [
      { header: 'operator', cell: ({ node }) => clipped(printable(node)), left: true },
      { header: 'type', cell: ({ operator }) => operator, left: true },
      { header: 'ms', cell: ({ medianMs }) => ms(medianMs) },
      { header: 'share', cell: ({ share }) => `${(share * 100).toFixed(1)} %` },
    ]),
    `${which}, as ONNX Runtime itself measures them, at its optimisation level 'basic': names are the graph's only there.\n`,
    "Segments, heads and tails are at level 'all', as nodes run them: operators are fused, and their sum is another.\n",
  ].join('');
}

const clipped = (name: string): string =>
  name.length > NAME_WIDTH ? `…${name.slice(1 - NAME_WIDTH)}` : name;

/** The table of cuts, that of codecs, the two curves as a chart, and the longest operators. */
export function profileText(profiling: Profiling): string {
  return [
    heading(profiling),
    cutTable(profiling),
    codecText(profiling),
    curvesText(profiling),
    layerTable(profiling),
  ].join('');
}

const rounded = (value: number): number => Number(value.toFixed(4));

/** The result as one object; a layer's `segment` is an index of `segments`. */
export function profileJson({
  model,
  hash,
  profile,
  wholeMs,
  vehicleMs,
  uplinkBps,
  cuts,
  crossing,
  codecs,
}: Profiling): object {
  const { machine, threads, measuredAt, segments, layers } = profile;
  return {
    model,
    hash,
    machine,
    threads,
    measuredAt,
    wholeMs: rounded(wholeMs),
    vehicleMs,
    uplinkBps,
    segments: segments.map(({ medianMs, lowMs, highMs }, index) => ({
      from: cuts[index]!.cut,
      to: cuts[index + 1]!.cut,
      medianMs: rounded(medianMs),
      lowMs: rounded(lowMs),
      highMs: rounded(highMs),
    })),
    cuts: cuts.map(({ cut, headMs, headLowMs, headHighMs, bytes, tailMs, p2Ms, onHull }) => ({
      cut,
      headMs: rounded(headMs),
      headLowMs: rounded(headLowMs),
      headHighMs: rounded(headHighMs),
      bytes,
      tailMs: rounded(tailMs),
      p2Ms: rounded(p2Ms),
      onHull,
    })),
    frames: { source: codecs.source, count: codecs.frames, unreadable: codecs.unreadable },
    codecs: codecs.points.map(({ cut, codec, bytes, encodeMs, decodeMs, lossless, ...answer }) => ({
      ...{
        cut: cuts[cut]!.cut,
        codec,
        bytes,
        encodeMs: rounded(encodeMs),
        decodeMs: rounded(decodeMs),
        lossless,
      },
      top1Agreement: codecs.byCosine === undefined ? answer.top1Agreement : null,
      cosine: answer.cosine,
      maxDifference: answer.maxDifference,
      loss: answer.loss,
    })),
    crossing: { ...crossing, fraction: rounded(crossing.fraction), ms: rounded(crossing.ms) },
    layers: layers.map(({ node, operator, segment, medianMs, share }) => ({
      node,
      operator,
      segment,
      medianMs: rounded(medianMs),
      share: rounded(share),
    })),
  };
}
