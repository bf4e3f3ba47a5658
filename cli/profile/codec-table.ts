/** What each codec costs and loses at each cut, for the terminal. */
import type { Codec } from '@splitlane/proto';
import type { CodecMeasurement } from '../calibration.ts';
import { type Column, drawTable, shownMs as ms, printable, shownLoss } from '../table.ts';
import type { Origin, ProfiledCodecs, Profiling } from './profiling.ts';

const NAME_WIDTH = 15;

/** A row of the table: what a cut's codecs are compared in. */
interface Line {
  readonly isFirst?: true;
  readonly name: string;
  readonly cell: (point: CodecMeasurement) => string;
  readonly points: readonly CodecMeasurement[];
}

/** Empty where there is nothing but float32. */
export function codecText({ cuts, codecs, origin }: Pick<Profiling, 'cuts' | 'codecs' | 'origin'>): string {
  const names = [...new Set(codecs.points.map(({ codec }) => codec))].filter((codec) => codec !== 'float32');
  if (names.length === 0) return '';
  const lines = cuts.slice(0, -1).flatMap(({ cut, bytes }, index): Line[] => {
    const points = codecs.points.filter((point) => point.cut === index);
    return [
      {
        name: clipped(printable(cut)),
        cell: (point) => String(Math.round(point.bytes)),
        points,
        isFirst: true,
      },
      { name: ' times fewer', cell: (point) => (bytes / point.bytes).toFixed(2), points },
      { name: ' loss', cell: ({ loss }) => shownLoss(loss), points },
      ...(codecs.byCosine === undefined
        ? [{ name: ' 1 − cosine', cell: ({ cosine }: CodecMeasurement) => shownLoss(1 - cosine), points }]
        : []),
      { name: ' max difference', cell: ({ maxDifference }) => shownLoss(maxDifference), points },
      { name: ' encode, ms', cell: ({ encodeMs }) => ms(encodeMs), points },
      { name: ' decode, ms', cell: ({ decodeMs }) => ms(decodeMs), points },
    ];
  });
  return [
    heading(codecs, origin),
    drawTable<Line>(
      lines,
      [{ header: 'bytes at\nthe cut', cell: ({ name }) => name, left: true }, ...names.map(columnOf)],
      ({ isFirst }) => isFirst === true,
    ),
  ].join('');
}

function columnOf(codec: Codec): Column<Line> {
  return {
    header: codec.replaceAll('-', '-\n'),
    cell: ({ points, cell }) => {
      const point = points.find((one) => one.codec === codec);
      return point ? cell(point) : '';
    },
  };
}

function heading(
  { source, frames, unreadable, byCosine, measuredAt, fromCache, notKept }: ProfiledCodecs,
  origin: Origin,
): string {
  const when = fromCache ? `, measured at ${measuredAt}` : '';
  return [
    `codecs on ${frames} frames of ${printable(source)}${when}`,
    `'times fewer': bytes than as float32; times are this machine's${origin.kind === 'like' ? ', not those of that one' : ''}`,
    ...(unreadable.length > 0
      ? [`without pictures that cannot be read: ${unreadable.map(printable).join(', ')}`]
      : []),
    ...(notKept === undefined
      ? []
      : [`the cache cannot be written (${notKept}): they will be measured again`]),
    LOSS[byCosine ?? 'classes'],
    '',
  ].join('\n');
}

const LOSS = {
  classes: 'loss: 1 − top-1 agreement, the share of the frames whose first class becomes another',
  'no classes': 'loss: 1 − mean cosine similarity of the outputs, since this network names no classes',
  'seeded weights':
    'loss: 1 − mean cosine similarity of the outputs; with seeded weights top-1 agreement means nothing',
};

const clipped = (name: string): string =>
  name.length > NAME_WIDTH ? `…${name.slice(1 - NAME_WIDTH)}` : name;
