/** A profile for people, and for programs. */
import { thisMachine } from '@splitlane/dnn';
import { drawTable, shownMs as ms, printable } from '../table.ts';
import { codecText } from './codec-table.ts';
import { curvesText } from './curves-text.ts';
import { headingText, isPredicted } from './heading.ts';
import { layerText } from './layer-table.ts';
import type { Origin, Profiling } from './profiling.ts';

const range = ({ lowMs, highMs }: { readonly lowMs: number; readonly highMs: number }): string =>
  `${ms(lowMs)} – ${ms(highMs)}`;

function cutTable({ cuts, profile, origin, vehicleMs }: Profiling): string {
  // Of predicted times no spread is known.
  const hasSpread = !isPredicted(origin);
  const tail = origin.kind === 'like' ? 'tail\nthere, ms' : 'tail\nms';
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
    hasSpread
      ? { header: 'quartiles\nms', cell: ({ segment }) => (segment ? range(segment) : '') }
      : undefined,
    { header: `${where}\nms`, cell: ({ headMs }) => ms(headMs) },
    hasSpread
      ? {
          header: 'quartiles\nms',
          cell: ({ segment, headLowMs, headHighMs }) =>
            segment ? range({ lowMs: headLowMs, highMs: headHighMs }) : '',
        }
      : undefined,
    { header: tail, cell: ({ tailMs }) => ms(tailMs) },
    { header: 'uplink\nms', cell: ({ p2Ms }) => ms(p2Ms) },
    { header: 'on the\nhull', cell: ({ onHull }) => (onHull ? 'yes' : ''), left: true },
  ]);
}

/** The table of cuts, that of codecs, the two curves as a chart, and the longest operators. */
export function profileText(profiling: Profiling): string {
  return [
    headingText(profiling),
    cutTable(profiling),
    codecText(profiling),
    curvesText(profiling),
    layerText(profiling),
  ].join('');
}

const rounded = (value: number): number => Number(value.toFixed(4));

/** The result as one object; a layer's `segment` is an index of `segments`. */
export function profileJson({
  model,
  hash,
  profile,
  origin,
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
    ...originJson(origin),
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
    layers: layers.map(({ node, operator, segment, medianMs, share, ...work }) => ({
      node,
      operator,
      segment,
      medianMs: rounded(medianMs),
      share: rounded(share),
      ...work,
    })),
  };
}

/** Nothing where all was measured here. */
function originJson(origin: Origin): object {
  if (origin.kind === 'measured') return {};
  const { from, isMeasured, substitutes, unknownShare } = origin.prediction;
  const predicted = {
    predictedFrom: from,
    substitutes: substitutes.map(({ kind, by, share }) => ({ kind, by, share: rounded(share) })),
    unknownShare: rounded(unknownShare),
  };
  return { ...(isMeasured ? {} : predicted), codecMachine: thisMachine() };
}
