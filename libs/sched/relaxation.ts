/**
 * The linear relaxation of a problem: each cut takes a fraction of the jobs, no stage waits, and the caps hold. Its
 * multipliers are weights of the stages and prices of the caps; with them a bound costs one sum.
 */
import { jobEnergyJ } from './energy.ts';
import type { Problem } from './problem.ts';

/** What each stage carries besides the times of the jobs themselves, in ms: no plan ends before floor + sum. */
export type Floors = readonly [vehicle: number, uplink: number, cloud: number];

export interface Relaxation {
  /** The share of the jobs that each allowed cut takes. */
  readonly shares: Float64Array;
  /** False where not even fractions meet the caps. */
  readonly feasible: boolean;
  readonly weights: readonly [vehicle: number, uplink: number, cloud: number];
  /** Ms of makespan for a joule, and for a unit of loss. */
  readonly prices: readonly [energy: number, loss: number];
}

const MOST_PIVOTS = 400;
const EPSILON = 1e-11;

/** The vehicle's cap rows: what each allowed cut takes of it, and what there is for all jobs together. */
export interface Caps {
  readonly energy: Float64Array;
  readonly loss: Float64Array;
  readonly maxEnergyJ: number;
  readonly maxLossSum: number;
  /** Joules for a ms of makespan. */
  readonly idleJ: number;
}

/** The caps of a problem, by allowed cut; without a cap the amount is infinite. */
export function capsOf(problem: Problem): Caps {
  const { allowed, cuts, n, conditions } = problem;
  const { maxEnergyJ, maxLoss, power } = conditions;
  return {
    energy: Float64Array.from(allowed, (cut) => jobEnergyJ(problem, cut)),
    loss: Float64Array.from(allowed, (cut) => cuts[cut]!.loss ?? 0),
    maxEnergyJ: maxEnergyJ ?? Number.POSITIVE_INFINITY,
    maxLossSum: maxLoss === undefined ? Number.POSITIVE_INFINITY : maxLoss * n,
    idleJ: (power?.idleW ?? 0) / 1000,
  };
}

/**
 * Solved by the simplex method on a tableau of at most six rows, O(rows · cuts) for a pivot. Whatever rounding does
 * to the multipliers, a bound that is made with them holds.
 */
export function relax({ jobs, allowed, n }: Problem, floors: Floors, caps: Caps): Relaxation {
  const k = allowed.length;
  const times = allowed.map((cut): readonly [number, number, number] => {
    const { p1, p2, p3 = 0 } = jobs[cut]!;
    return [p1, p2, p3];
  });
  const capRows = [
    { of: caps.energy, most: caps.maxEnergyJ, idle: caps.idleJ },
    { of: caps.loss, most: caps.maxLossSum, idle: 0 },
  ].map((row, index) => ({ ...row, index }));
  const tight = capRows
    .filter(({ most }) => most < Number.POSITIVE_INFINITY)
    .map((row) => ({ ...row, scale: Math.max(1e-300, ...row.of, row.idle) }));
  // Columns: a share for each cut, the makespan ÷ n, a surplus for each stage, slack and violation for each cap.
  const makespanAt = k;
  const surplusAt = k + 1;
  const slackAt = k + 4;
  const violationAt = slackAt + tight.length;
  const width = violationAt + tight.length;
  // Three stages, the caps and the sum of the shares, all in one buffer: making many takes longer than solving.
  const table = new Float64Array((4 + tight.length) * (width + 1));
  let made = 0;
  const row = (): Float64Array => table.subarray(made++ * (width + 1), made * (width + 1));
  const rows = [0, 1, 2].map((stage) => {
    const cells = row();
    times.forEach((of, cut) => {
      cells[cut] = -of[stage]!;
    });
    cells[makespanAt] = 1;
    cells[surplusAt + stage] = -1;
    cells[width] = floors[stage]! / n;
    return cells;
  });
  tight.forEach(({ of, most, idle, scale }, index) => {
    const cells = row();
    of.forEach((amount, cut) => {
      cells[cut] = amount / scale;
    });
    cells[makespanAt] = idle / scale;
    cells[slackAt + index] = 1;
    cells[violationAt + index] = -1;
    cells[width] = most / n / scale;
    rows.push(cells);
  });
  const sum = row();
  sum.fill(1, 0, k);
  sum[width] = 1;
  rows.push(sum);

  const basis = new Array<number>(rows.length).fill(-1);
  const pivot = (at: number, column: number): void => {
    const pivotRow = rows[at]!;
    const by = 1 / pivotRow[column]!;
    for (let j = 0; j <= width; j++) pivotRow[j]! *= by;
    rows.forEach((other, index) => {
      const factor = other[column]!;
      if (index === at || factor === 0) return;
      for (let j = 0; j <= width; j++) other[j]! -= factor * pivotRow[j]!;
    });
    basis[at] = column;
  };
  // A feasible start: all jobs at the cut that is shortest for all alike, the makespan at its longest stage.
  const height = (cut: number): number =>
    Math.max(...[0, 1, 2].map((stage) => floors[stage]! / n + times[cut]![stage]!));
  let start = 0;
  for (let cut = 1; cut < k; cut++) if (height(cut) < height(start)) start = cut;
  pivot(rows.length - 1, start);
  const longest = [0, 1, 2].reduce((a, b) => (rows[b]![width]! > rows[a]![width]! ? b : a));
  pivot(longest, makespanAt);
  for (const stage of [0, 1, 2]) if (stage !== longest) pivot(stage, surplusAt + stage);
  tight.forEach((_, index) => {
    pivot(3 + index, rows[3 + index]![width]! < 0 ? violationAt + index : slackAt + index);
  });

  const violation = (): number =>
    basis.reduce((total, column, at) => (column >= violationAt ? total + rows[at]![width]! : total), 0);
  const reduced = (column: number, cost: (column: number) => number): number =>
    basis.reduce((left, basic, at) => left - cost(basic) * rows[at]![column]!, cost(column));
  const ofViolation = (column: number): number => (column >= violationAt ? 1 : 0);
  const ofMakespan = (column: number): number => (column === makespanAt ? 1 : 0);
  for (let pivots = 0; pivots < MOST_PIVOTS; pivots++) {
    const cost = violation() > EPSILON ? ofViolation : ofMakespan;
    let entering = -1;
    let least = -EPSILON;
    for (let column = 0; column < violationAt; column++) {
      const value = reduced(column, cost);
      if (value >= least) continue;
      entering = column;
      // The steepest at first; after that the first that descends, which cannot go round in circles.
      if (pivots > MOST_PIVOTS / 4) break;
      least = value;
    }
    if (entering < 0) break;
    let leaving = -1;
    for (let at = 0; at < rows.length; at++) {
      const step = rows[at]![entering]!;
      if (step <= EPSILON) continue;
      const ratio = rows[at]![width]! / step;
      const best =
        leaving < 0 ? Number.POSITIVE_INFINITY : rows[leaving]![width]! / rows[leaving]![entering]!;
      if (ratio < best || (ratio === best && basis[at]! < basis[leaving]!)) leaving = at;
    }
    if (leaving < 0) break;
    pivot(leaving, entering);
  }

  const shares = new Float64Array(k);
  basis.forEach((column, at) => {
    if (column < k) shares[column] = Math.max(0, rows[at]![width]!);
  });
  const weight = (stage: number): number => Math.max(0, reduced(surplusAt + stage, ofMakespan));
  const prices = [0, 0];
  tight.forEach(({ index, scale }, at) => {
    prices[index] = Math.max(0, reduced(slackAt + at, ofMakespan)) / scale;
  });
  return {
    shares,
    feasible: violation() <= 1e-7,
    weights: [weight(0), weight(1), weight(2)],
    prices: [prices[0]!, prices[1]!],
  };
}

/** What the multipliers make of n jobs and the floors: a time in ms before which none of their plans ends. */
export interface WeighedBound {
  /** The bound for `left` jobs, where the others have used that much of the caps. */
  boundMs(
    vehicleMs: number,
    uplinkMs: number,
    cloudMs: number,
    left: number,
    energyJ: number,
    loss: number,
  ): number;
}

export function weigh({ jobs, allowed }: Problem, { weights, prices }: Relaxation, caps: Caps): WeighedBound {
  const [w1, w2, w3] = weights;
  const priceJ = caps.maxEnergyJ < Number.POSITIVE_INFINITY ? prices[0] : 0;
  const priceLoss = caps.maxLossSum < Number.POSITIVE_INFINITY ? prices[1] : 0;
  const divisor = w1 + w2 + w3 - priceJ * caps.idleJ;
  let least = Number.POSITIVE_INFINITY;
  allowed.forEach((cut, index) => {
    const { p1, p2, p3 = 0 } = jobs[cut]!;
    const priced =
      (priceJ > 0 ? priceJ * caps.energy[index]! : 0) + (priceLoss > 0 ? priceLoss * caps.loss[index]! : 0);
    least = Math.min(least, w1 * p1 + w2 * p2 + w3 * p3 + priced);
  });
  const roomJ = priceJ > 0 ? priceJ * caps.maxEnergyJ : 0;
  const roomLoss = priceLoss > 0 ? priceLoss * caps.maxLossSum : 0;
  return {
    boundMs: (vehicleMs, uplinkMs, cloudMs, left, energyJ, loss) =>
      divisor > 0
        ? (w1 * vehicleMs +
            w2 * uplinkMs +
            w3 * cloudMs +
            left * least +
            (priceJ > 0 ? priceJ * energyJ : 0) +
            priceLoss * loss -
            roomJ -
            roomLoss) /
          divisor
        : 0,
  };
}
