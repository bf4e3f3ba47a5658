import type { Problem } from './problem.ts';

/**
 * What one job adds to the vehicle's energy when it takes this cut, in joules, idle power aside: the head as measured,
 * or the processor's power over its time, and the radio's power over the transfer. NaN where neither is known.
 */
export function jobEnergyJ({ cuts, jobs, conditions: { power } }: Problem, cut: number): number {
  const { p1, p2 } = jobs[cut]!;
  const head = cuts[cut]!.headJ ?? (power ? (power.cpuW * p1) / 1000 : Number.NaN);
  return head + ((power?.radioW ?? 0) * p2) / 1000;
}

/** Energy of a plan in joules: of all its jobs, and of being on until its makespan. */
export function planEnergyJ(problem: Problem, counts: ArrayLike<number>, makespanMs: number): number {
  let joules = ((problem.conditions.power?.idleW ?? 0) * makespanMs) / 1000;
  for (let cut = 0; cut < counts.length; cut++)
    if (counts[cut]! > 0) joules += counts[cut]! * jobEnergyJ(problem, cut);
  return joules;
}

/** Mean loss of a plan's jobs. */
export function planLoss({ cuts, n }: Pick<Problem, 'cuts' | 'n'>, counts: ArrayLike<number>): number {
  return cuts.reduce((sum, { loss = 0 }, cut) => sum + counts[cut]! * loss, 0) / n;
}

/** Room for rounding in what is compared with a cap. */
const ROUNDING = 1e-9;

/** True where a plan meets the caps on the whole of it: on energy and on mean loss. */
export function meetsCaps(problem: Problem, counts: ArrayLike<number>, makespanMs: number): boolean {
  const { maxEnergyJ, maxLoss } = problem.conditions;
  if (maxLoss !== undefined && planLoss(problem, counts) > maxLoss * (1 + ROUNDING)) return false;
  return maxEnergyJ === undefined || planEnergyJ(problem, counts, makespanMs) <= maxEnergyJ * (1 + ROUNDING);
}
