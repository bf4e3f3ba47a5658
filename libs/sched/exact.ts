import { meetsCaps, planEnergyJ, planLoss } from './energy.ts';
import { exactCounts } from './exact-two-stages.ts';
import { makespanOf } from './flowshop.ts';
import { type Grouped, groupOrders, groupsOfPoints, makespanOfGroups, uniformGroups } from './groups.ts';
import { boundOf, type Root, rootOf } from './lower-bound.ts';
import { expand, planOfGroups, planOfSequence } from './plan.ts';
import { type Problem, problemOf } from './problem.ts';
import { type Found, searchStates } from './state-search.ts';
import { delaysOf } from './transfer.ts';
import { frontier } from './two-stages.ts';
import { type Conditions, type Cut, type Plan, ScheduleError } from './types.ts';

/** Multisets or states that are kept before `exact` gives up proving: some tenths of a second at worst. */
const NODE_BUDGET = 20_000;
/** With fewer states than this for each job a search finds nothing that a few moves do not. */
const LEAST_WIDTH = 8;
const MOST_MOVES = 200;

/**
 * The optimum over all cuts of all jobs and all orders (one order for all stages), where it could be proved: `optimal`
 * says so. On two stages a search over counts, of any n; with tails, a round trip or a cap on energy or loss a search
 * over states with one cloud worker. Where the budget ends first: the best plan found, and the problem's bound.
 * Derived for this project: docs/theory.md.
 * @throws ScheduleError where no plan meets the caps; it names them.
 */
export function exact(cuts: readonly Cut[], n: number, conditions: Conditions): Plan {
  const problem = problemOf(cuts, n, conditions);
  if (problem.twoStages) {
    const { grouped, proved } = onTwoStages(problem);
    if (meetsCaps(problem, grouped.counts, grouped.makespanMs))
      return planOfGroups('exact', problem, grouped, proved);
  }
  return onAllStages(problem);
}

function onTwoStages(problem: Problem): { readonly grouped: Grouped; readonly proved: boolean } {
  const { n, jobs, allowed, busy } = problem;
  const points = frontier(jobs, allowed);
  const found = exactCounts(points, n, NODE_BUDGET, busy);
  const grouped = groupsOfPoints(problem, points, found.counts);
  // The closed form thinks that the busy uplink holds up local jobs too.
  const local = busy.uplinkMs > 0 ? shortestLocal(problem) : undefined;
  return { grouped: local && local.makespanMs < grouped.makespanMs ? local : grouped, proved: found.proved };
}

function shortestLocal(problem: Problem): Grouped | undefined {
  const locals = problem.allowed.filter((cut) => problem.jobs[cut]!.local);
  if (locals.length === 0) return undefined;
  const cut = locals.reduce((a, b) => (problem.jobs[b]!.p1 < problem.jobs[a]!.p1 ? b : a));
  return uniformGroups(problem, cut);
}

function onAllStages(problem: Problem): Plan {
  const { n, conditions } = problem;
  const { maxEnergyJ } = conditions;
  const root = rootOf(problem);
  const orders = groupOrders(problem);
  const starts = startsOf(problem, root, orders);
  const best = improved(problem, starts, orders);
  const boundMs = boundOf(problem, root).ms;
  if (best && best.makespanMs <= boundMs * (1 + 1e-12)) return planOfGroups('exact', problem, best, true);
  const width = Math.floor(NODE_BUDGET / n);
  const knownMs = best?.makespanMs ?? Number.POSITIVE_INFINITY;
  const { found, complete } =
    width >= LEAST_WIDTH
      ? searchStates(problem, root, maxEnergyJ !== undefined, width, (ms) => ms < knownMs * (1 - 1e-12))
      : { found: [], complete: false };
  const spread = complete ? [] : starts.map((grouped) => spreadOut(problem, grouped));
  const sequences = [
    ...found,
    ...spread.filter(({ counts, makespanMs }) => meetsCaps(problem, counts, makespanMs)),
  ].filter(({ makespanMs }) => makespanMs < knownMs);
  if (sequences.length > 0) {
    const shortest = sequences.reduce((a, b) => (b.makespanMs < a.makespanMs ? b : a));
    return planOfSequence('exact', problem, shortest.sequence(), shortest.makespanMs, complete);
  }
  if (best) return planOfGroups('exact', problem, best, complete);
  const none = complete || !root.relaxation.feasible;
  throw new ScheduleError(
    `${none ? 'no plan meets' : 'no plan was found that meets'} ${capNames(conditions)}`,
  );
}

/**
 * The same counts with the groups spread evenly over the order, local jobs last: with three stages and many jobs no
 * order of whole groups keeps all stages busy.
 */
function spreadOut(
  problem: Problem,
  { line, counts }: Grouped,
): Pick<Found, 'makespanMs' | 'sequence'> & Pick<Grouped, 'counts'> {
  const { jobs, busy, rttMs } = problem;
  const senders = line
    .filter((cut) => !jobs[cut]!.local)
    .flatMap((cut) => Array.from({ length: counts[cut]! }, (_, i) => ({ cut, at: (i + 0.5) / counts[cut]! })))
    .sort((a, b) => a.at - b.at)
    .map(({ cut }) => cut);
  const sequence = [
    ...senders,
    ...expand(
      line.filter((cut) => jobs[cut]!.local),
      counts,
    ),
  ];
  const makespanMs = makespanOf(jobs, sequence, { ...delaysOf({ rttMs }), busy });
  return { counts, makespanMs, sequence: () => sequence };
}

function capNames({ maxEnergyJ, maxLoss }: Conditions): string {
  return [
    ...(maxEnergyJ === undefined ? [] : [`maxEnergyJ ${maxEnergyJ}`]),
    ...(maxLoss === undefined ? [] : [`maxLoss ${maxLoss}`]),
  ].join(' and ');
}

/** The best order of groups among a few, for these counts. */
function judged(
  problem: Problem,
  orders: readonly (readonly number[])[],
  counts: readonly number[],
): Grouped {
  let line = orders[0]!;
  let makespanMs = makespanOfGroups(problem, line, counts);
  for (const other of orders) {
    const otherMs = makespanOfGroups(problem, other, counts);
    if (otherMs >= makespanMs) continue;
    line = other;
    makespanMs = otherMs;
  }
  return { line, counts, makespanMs };
}

/** By how much a plan exceeds the caps, as a share of them. */
function excess(problem: Problem, { counts, makespanMs }: Grouped): number {
  const { maxEnergyJ, maxLoss } = problem.conditions;
  if (maxEnergyJ === undefined && maxLoss === undefined) return 0;
  const over = (value: number, most: number): number =>
    value <= most * (1 + 1e-9) ? 0 : (value - most) / (most || 1);
  return (
    (maxEnergyJ === undefined ? 0 : over(planEnergyJ(problem, counts, makespanMs), maxEnergyJ)) +
    (maxLoss === undefined ? 0 : over(planLoss(problem, counts), maxLoss))
  );
}

/** Plans to begin with: the best uniform one, and the relaxation's mixture in whole jobs. They need not meet the caps. */
function startsOf(problem: Problem, root: Root, orders: readonly (readonly number[])[]): Grouped[] {
  const { cuts, n, jobs, allowed } = problem;
  const uniforms = allowed.map((cut) => uniformGroups(problem, cut));
  const starts = [uniforms.reduce((a, b) => (better(problem, b, a) ? b : a))];
  if (allowed.every((cut) => jobs[cut]!.local)) return starts;
  const { shares } = root.relaxation;
  const counts = new Array<number>(cuts.length).fill(0);
  let left = n;
  allowed.forEach((cut, index) => {
    counts[cut] = Math.min(left, Math.floor(shares[index]! * n + 1e-9));
    left -= counts[cut]!;
  });
  const byRest = allowed
    .map((cut, index) => ({ cut, rest: shares[index]! * n - counts[cut]! }))
    .sort((a, b) => b.rest - a.rest);
  for (let at = 0; left > 0; at = (at + 1) % byRest.length, left--) counts[byRest[at]!.cut]!++;
  const mixed = judged(problem, orders, counts);
  // From the same counts the same plans would be found twice.
  return mixed.counts.every((count, cut) => count === starts[0]!.counts[cut]) ? starts : [...starts, mixed];
}

function better(problem: Problem, a: Grouped, b: Grouped): boolean {
  const [overA, overB] = [excess(problem, a), excess(problem, b)];
  return overA < overB || (overA === overB && a.makespanMs < b.makespanMs * (1 - 1e-12));
}

/** The best that single moves between cuts make of these; undefined where that does not meet the caps. */
function improved(
  problem: Problem,
  starts: readonly Grouped[],
  orders: readonly (readonly number[])[],
): Grouped | undefined {
  const { allowed } = problem;
  const climbed = starts.map((from) => {
    let best = from;
    for (let moves = 0; moves < MOST_MOVES; moves++) {
      const start = best;
      for (const a of allowed) {
        if (start.counts[a] === 0) continue;
        for (const b of allowed) {
          if (a === b) continue;
          const counts = [...start.counts];
          counts[a]!--;
          counts[b]!++;
          const moved = judged(problem, orders, counts);
          if (better(problem, moved, best)) best = moved;
        }
      }
      if (best === start) break;
    }
    return best;
  });
  const best = climbed.reduce((a, b) => (better(problem, b, a) ? b : a));
  return meetsCaps(problem, best.counts, best.makespanMs) ? best : undefined;
}
