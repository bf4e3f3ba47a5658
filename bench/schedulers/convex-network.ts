/**
 * AlexNet′: a network of continuous convex curves, as Theorem 3 asks for, that is as near to AlexNet as one such
 * curve comes.
 */
import type { Cut } from '@splitlane/sched';
import { ALEXNET_MS, alexnet } from './cut-tables.ts';

/** So many that four jobs are the most that brute force ends for, and `exact` proves all of its plans. */
const STEPS = 60;

/** Bytes after a share x of the head time: scale · ln((1 + shift) / (x + shift)). */
export interface ConvexFit {
  readonly scale: number;
  readonly shift: number;
  readonly rmsBytes: number;
  readonly points: readonly { id: string; share: number; bytes: number; fittedBytes: number }[];
}

const places = alexnet.map(({ id, p1, bytes, local }) => ({
  id,
  share: p1 / ALEXNET_MS,
  bytes: local ? 0 : bytes,
}));

function fitAt(shift: number): ConvexFit {
  const shape = (share: number): number => Math.log((1 + shift) / (share + shift));
  const scale =
    places.reduce((sum, { share, bytes }) => sum + shape(share) * bytes, 0) /
    places.reduce((sum, { share }) => sum + shape(share) ** 2, 0);
  const points = places.map((place) => ({ ...place, fittedBytes: scale * shape(place.share) }));
  const squares = points.reduce((sum, { bytes, fittedBytes }) => sum + (bytes - fittedBytes) ** 2, 0);
  return { scale, shift, rmsBytes: Math.sqrt(squares / points.length), points };
}

/**
 * The least squares over AlexNet's kept cuts. The logarithm has two parameters, is convex for any of them, and ends at
 * 0 bytes for local-only, so that this last cut lies on the curve too. For each shift the best scale is in closed form.
 */
export function fitConvex(): ConvexFit {
  const shifts = Array.from({ length: 4000 }, (_, step) => 10 ** (-4 + step / 1000));
  return shifts.map(fitAt).reduce((best, fit) => (fit.rmsBytes < best.rmsBytes ? fit : best));
}

/**
 * Cuts along the curve, each a step of the same size from the last one: head time gained plus bytes saved, both as
 * shares of the whole. A continuous curve also has a place where head and transfer take equally long, so there is a
 * cut there for each of the rates.
 */
export function convexNetwork({ scale, shift }: ConvexFit, ratesBps: readonly number[]): Cut[] {
  const bytesAt = (share: number): number => scale * Math.log((1 + shift) / (share + shift));
  const steps = Array.from({ length: STEPS - 1 }, (_, step) =>
    root((share) => share + 1 - bytesAt(share) / bytesAt(0) - (2 * (step + 1)) / STEPS),
  );
  const crossings = ratesBps.map((bps) =>
    root((share) => share * ALEXNET_MS - (bytesAt(share) * 8000) / bps),
  );
  return [0, ...[...steps, ...crossings].sort((a, b) => a - b), 1].map((share, index) => ({
    id: `cut${index}`,
    p1: share * ALEXNET_MS,
    bytes: share === 1 ? 0 : bytesAt(share),
    local: share === 1,
  }));
}

/** Where a rising function on 0 … 1 is 0, by halving. */
function root(rising: (share: number) => number): number {
  let low = 0;
  let high = 1;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (rising(middle) < 0) low = middle;
    else high = middle;
  }
  return high;
}
