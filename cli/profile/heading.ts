/** Where the times of a profile come from, in a few lines. */
import type { WorkKind } from '@splitlane/dnn';
import { shownMs as ms, printable } from '../table.ts';
import type { Origin, Profiling } from './profiling.ts';

/** Quartiles further apart than this, in parts of the median, speak of a machine that does something else. */
const WIDE = 0.1;
/** Less of the time than this is not worth a line. */
const SLIGHT = 0.02;

const NAMES: Readonly<Record<WorkKind, readonly [one: string, all: string]>> = {
  convolution: ['convolution', 'convolutions'],
  'grouped-convolution': ['convolution in groups', 'convolutions in groups'],
  'fully-connected': ['fully connected layer', 'fully connected layers'],
  'matrix-product': ['matrix product', 'matrix products'],
  quantised: ['8-bit product', '8-bit products'],
  other: ['operator of any other kind', 'all else'],
  free: ['view', 'views'],
};

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** A line each: the machine, how its times came about and how far they can be trusted, whose the heads are. */
export function headingText(profiling: Profiling): string {
  const { model, profile, origin, vehicleMs } = profiling;
  const { machine, threads } = profile;
  const { cpu, cores, node, onnxruntime } = machine;
  const as = isPredicted(origin) ? 'as on' : 'on';
  return [
    `${printable(model)} ${as} ${printable(cpu)}, ${cores} cores, Node ${printable(node)}, ONNX Runtime ${printable(onnxruntime)}; threads: ${threads}`,
    ...(origin.kind === 'measured' ? measuredLines(profiling, origin) : likeLines(profiling, origin)),
    ...(vehicleMs === undefined
      ? []
      : [`heads as on a vehicle that takes ${vehicleMs} ms for the whole; ${wholeText(profiling)}`]),
    '',
  ].join('\n');
}

function wholeText({ origin, wholeMs }: Profiling): string {
  if (origin.kind === 'measured') return `here it takes ${ms(wholeMs)} ms`;
  return `${isPredicted(origin) ? 'predicted' : 'measured'} there: ${ms(wholeMs)} ms`;
}

/** Whether the times are another model's, made into this one's. */
export const isPredicted = (origin: Origin): boolean =>
  origin.kind === 'like' && !origin.prediction.isMeasured;

function measuredLines(
  profiling: Profiling,
  { fromCache, notKept }: Extract<Origin, { kind: 'measured' }>,
): string[] {
  return [
    fromCache ? `measured at ${profiling.profile.measuredAt}; --fresh measures again` : 'measured now',
    ...(notKept === undefined ? [] : [`the cache cannot be written (${notKept}): it will be measured again`]),
    ...apartLines(profiling, '; --fresh measures again'),
  ];
}

function apartLines({ profile, wholeMs }: Profiling, what: string): string[] {
  const { lowMs, highMs } = profile.heads.at(-1)!;
  const apart = (highMs - lowMs) / wholeMs;
  return apart > WIDE ? [`quartiles of the whole ${percent(apart)} apart: was the machine busy?${what}`] : [];
}

function likeLines(profiling: Profiling, origin: Extract<Origin, { kind: 'like' }>): string[] {
  const { prediction, here } = origin;
  const { from, substitutes, unknownShare } = prediction;
  const file = printable(origin.file);
  const when = `measured at ${printable(profiling.profile.measuredAt)} (${file})`;
  const whose = here
    ? ["heads and tails are that machine's; tails in the table of --out are this one's, as the cloud"]
    : ["heads and tails are that machine's"];
  if (prediction.isMeasured) return [`its own times there, ${when}`, ...apartLines(profiling, ''), ...whose];
  return [
    `PREDICTED from the times of ${printable(from)} there, ${when}`,
    'predicted times are typically off by a tenth, and can be by a third: docs/results/prediction.md',
    ...substitutes.map(
      ({ kind, by, share }) =>
        `${printable(from)} has no ${NAMES[kind][0]}: it is taken at the rate of ${NAMES[by][1]}, ${percent(share)} of the predicted time`,
    ),
    ...(unknownShare > SLIGHT
      ? [
          `${percent(unknownShare)} of the time of ${printable(from)} went into operators whose work is not known: no rate has it`,
        ]
      : []),
    ...whose,
  ];
}
