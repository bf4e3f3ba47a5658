/** The cuts of a profile, in each codec, as the table that `splitlane plan` reads. */
import type { Profiling } from './profiling.ts';

const DECIMALS = 4;
const LOSS_DIGITS = 4;

/**
 * A row for each cut in each codec, the network's input as float32 first, local-only last. The head's time has the
 * encoding in it, on the same vehicle, and the tail's the decoding.
 */
export function cutCsv(
  profiling: Pick<Profiling, 'cuts' | 'codecs' | 'wholeMs' | 'vehicleMs' | 'origin'>,
): string {
  const { codecs } = profiling;
  const { cuts, slowdown } = asFromHere(profiling);
  const rows = codecs.points.map(({ cut: index, codec, bytes, encodeMs, decodeMs, loss }) => {
    const { cut, headMs, tailMs } = cuts[index]!;
    const times = [ms(headMs + slowdown * encodeMs), Math.ceil(bytes), ms(tailMs + decodeMs)];
    return [quoted(cut), codec, ...times, Number(loss.toPrecision(LOSS_DIGITS))];
  });
  const local = cuts.at(-1)!;
  return [
    ['cut', 'codec', 'headMs', 'bytes', 'tailMs', 'loss'],
    ...rows,
    [quoted(local.cut), '', ms(local.headMs), local.bytes, ms(local.tailMs), 0],
  ]
    .map((row) => `${row.join(',')}\n`)
    .join('');
}

/**
 * Heads are the vehicle's, tails those of the cloud, which is this machine, and codecs were measured on it.
 * `slowdown` is how many times longer the vehicle takes.
 */
function asFromHere({
  cuts,
  wholeMs,
  vehicleMs = wholeMs,
  origin,
}: Pick<Profiling, 'cuts' | 'wholeMs' | 'vehicleMs' | 'origin'>): {
  readonly cuts: Profiling['cuts'];
  readonly slowdown: number;
} {
  if (origin.kind === 'measured' || !origin.here) return { cuts, slowdown: vehicleMs / wholeMs };
  const { heads, tails } = origin.here;
  return {
    cuts: cuts.map((cut, index) => ({ ...cut, tailMs: tails[index]!.medianMs })),
    slowdown: vehicleMs / heads.at(-1)!.medianMs,
  };
}

const ms = (value: number): number => Number(value.toFixed(DECIMALS));

function quoted(name: string): string {
  return /[",\r\n]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
