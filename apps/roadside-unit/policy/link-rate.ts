/** The rate of a vehicle's uplink, estimated from what confirmed transfers took. */
import { median } from './median.ts';

/** A transfer whose result has come: when it ended, and bytes over time in bit/s. */
export interface RateSample {
  readonly atMs: number;
  readonly bps: number;
}

export interface RateEstimate {
  /** Median of the latest three transfers: a single slow one does not move it. */
  readonly bps: number;
  /** By what share it grows in a second: the median of the slopes between any two transfers; 0 of less than three. */
  readonly trendPerS: number;
  /** How far transfers scatter, as a share of the rate: the median distance from it, as wide as a standard deviation. */
  readonly spread: number;
}

/** So many transfers are looked back on. */
const LATEST = 5;
/** So many make the rate, and must agree that it has changed: a link that flaps is planned for what it was. */
const AGREEING = 3;
/**
 * A plan is worth making again where the rate has changed by at least this share. A transfer that is given up tells less
 * than the truth, only that its rate was lower than it should have been: were that no change, the next would be given up too.
 */
const LEAST_CHANGE = 0.1;
/** Makes the median distance of normal values their standard deviation. */
const NORMAL = 1.4826;

/** The samples that count once another has come. */
export function withSample(samples: readonly RateSample[], sample: RateSample): readonly RateSample[] {
  return [...samples.slice(1 - LATEST), sample];
}

/** Shares are taken of logarithms: half the rate is as far away as the double. */
export function estimateOf(samples: readonly RateSample[]): RateEstimate | undefined {
  if (samples.length === 0) return undefined;
  const logs = samples.map(({ bps }) => Math.log(bps));
  const middle = median(logs.slice(-AGREEING))!;
  const slopes = samples.flatMap(({ atMs }, index) =>
    samples.slice(index + 1).flatMap((later, behind) => {
      const seconds = (later.atMs - atMs) / 1000;
      return seconds > 0 ? [(logs[index + 1 + behind]! - logs[index]!) / seconds] : [];
    }),
  );
  return {
    bps: Math.exp(middle),
    trendPerS: samples.length < 3 || slopes.length === 0 ? 0 : Math.expm1(median(slopes)!),
    spread: NORMAL * median(logs.map((log) => Math.abs(log - middle)))!,
  };
}

/** Whether a plan for `plannedBps` is worth making again: the latest transfers were all faster, or all slower. */
export function hasChanged(plannedBps: number, samples: readonly RateSample[]): boolean {
  const changes = samples.slice(-AGREEING).map(({ bps }) => Math.log(bps / plannedBps));
  const least = Math.log1p(LEAST_CHANGE);
  if (changes.length < AGREEING) return false;
  return changes.every((change) => change > least) || changes.every((change) => change < -least);
}
