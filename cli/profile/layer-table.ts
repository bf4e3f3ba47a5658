/** The operators that take the time, for the terminal. */
import { amountOf, type Work, type WorkedLayer } from '@splitlane/dnn';
import { drawTable, shownMs as ms, printable } from '../table.ts';
import { isPredicted } from './heading.ts';
import type { Profiling } from './profiling.ts';

const LONGEST_LAYERS = 10;
const NAME_WIDTH = 36;
const TYPE_WIDTH = 20;
/** Below this, in ms, the clock's own step is too much of a time to make a rate of it. */
const LEAST_MS = 0.01;
/** An amount below this is told in thousands. */
const LEAST_MILLIONS = 1e5;

/** The longest, with what their time depends on. */
export function layerText({ profile: { layers }, origin }: Profiling): string {
  const uncounted = origin.kind === 'measured' ? origin.uncounted : undefined;
  const longest = layers.toSorted((a, b) => b.medianMs - a.medianMs).slice(0, LONGEST_LAYERS);
  const which = longest.length < layers.length ? `the ${longest.length} longest of ${layers.length}` : 'all';
  return [
    drawTable(longest, [
      { header: 'operator', cell: ({ node }) => clipped(printable(node), NAME_WIDTH), left: true },
      { header: 'type', cell: ({ operator }) => clipped(printable(operator), TYPE_WIDTH), left: true },
      { header: 'ms', cell: ({ medianMs }) => ms(medianMs) },
      { header: 'share', cell: ({ share }) => `${(share * 100).toFixed(1)} %` },
      uncounted === undefined ? { header: 'work', cell: workOf } : undefined,
      uncounted === undefined
        ? { header: isPredicted(origin) ? 'taken at' : 'reached', cell: rateOf }
        : undefined,
    ]),
    ...(isPredicted(origin)
      ? [`${which}, as predicted.\n`]
      : [
          `${which}, as ONNX Runtime itself measures them, at its optimisation level 'basic': names are the graph's only there.\n`,
          "Segments, heads and tails are at level 'all', as nodes run them: operators are fused, and their sum is another.\n",
        ]),
    ...(uncounted !== undefined
      ? [`what they have to do could not be counted: ${printable(uncounted)}\n`]
      : ["'work': multiply-adds (MAC), or the bytes that bound the time of all else.\n"]),
  ].join('');
}

/** Multiply-adds, or bytes: what its time depends on. */
function amountIn(layer: WorkedLayer): { readonly amount: number; readonly unit: string } | undefined {
  const { kind, macs = 0 } = layer;
  if (kind === undefined || kind === 'free') return undefined;
  const amount = amountOf(layer as Work);
  return { amount, unit: macs > 0 && amount === macs ? 'MAC' : 'B' };
}

function workOf(layer: WorkedLayer): string {
  const work = amountIn(layer);
  if (!work) return '';
  const { amount, unit } = work;
  return amount < LEAST_MILLIONS ? `${short(amount / 1e3)} k${unit}` : `${short(amount / 1e6)} M${unit}`;
}

function rateOf(layer: WorkedLayer): string {
  const work = amountIn(layer);
  if (!work || layer.medianMs < LEAST_MS) return '';
  return `${short(work.amount / 1e6 / layer.medianMs)} G${work.unit}/s`;
}

const short = (value: number): string => value.toFixed(value < 1 ? 2 : value < 100 ? 1 : 0);

const clipped = (name: string, width: number): string =>
  name.length > width ? `…${name.slice(1 - width)}` : name;
