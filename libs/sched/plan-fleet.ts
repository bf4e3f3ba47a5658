import type { ChannelJudge } from './channel-judge.ts';
import { exact } from './exact.ts';
import {
  type Channel,
  type FleetPlan,
  type FleetProblem,
  type FleetVehicle,
  fleetPlanOf,
  fleetProblemOf,
  judgeOf,
  type VehicleChoice,
  vehicleJobs,
} from './fleet.ts';
import { fleetLowerBound } from './fleet-bound.ts';
import { frontsOf, type VehicleFront } from './vehicle-front.ts';

/** Targets for the makespan are tried up to this share above the least that the channel carries. */
const TARGET_RANGE = 0.24;
const LEAST_TARGETS = 4;
const MOST_TARGETS = 24;
/** Jobs that the judge looks at, all trials together: for the targets, and for the moves from one start. Some ms. */
const TARGET_BUDGET = 24_000;
const MOVE_BUDGET = 100_000;
/** Moves hardly ever make up for more than this. */
const PROMISING = 1.1;
const STEPS = [1, -1, 2, -2];
/** Of so many kinds of vehicles the rival's fair share is planned too; of more only the one found on their fronts. */
const FEW_KINDS = 8;

/**
 * One plan for vehicles that share a channel: the cut of each camera, the order of the heads on each vehicle, and the
 * order on the channel, which is that in which the heads end. Cameras may have different networks, vehicles different
 * speeds and rates.
 *
 * Each vehicle's choices that trade time alone for channel time are made; for a target M each takes the one with the
 * least channel time that it could end alone by M. Targets from the least that the channel carries upwards are judged,
 * since the channel may starve at first; then single vehicles move along their choices while the judge says that it
 * helps, from the best target and from equal parts of the channel. Where the fair share of `exact` is shorter, as it can
 * be when vehicles are alike, it is the plan; with many kinds of vehicles it is not looked at. Choices are made on
 * vehicle and channel; tails and round trip count in what is judged. Derived for this project: docs/theory.md.
 * @throws ScheduleError that names the vehicle and the camera.
 */
export function planFleet(vehicles: readonly FleetVehicle[], channel: Channel): FleetPlan {
  const problem = fleetProblemOf(vehicles, channel);
  const fronts = frontsOf(problem);
  const judge = judgeOf(problem);
  const lowerBoundMs = fleetLowerBound(problem, fronts);
  const starts = [targeted(problem, fronts, judge), fronts.map(({ fairChoice }) => fairChoice)];
  const endsMs = starts.map((at) => judged(fronts, judge, at));
  const leastMs = Math.min(...endsMs);
  const best = starts
    .filter((_, index) => endsMs[index]! <= leastMs * PROMISING)
    .map((start) => moved(problem, fronts, judge, start, lowerBoundMs))
    .reduce((a, b) => (b.endMs < a.endMs ? b : a));
  if (best.endMs > lowerBoundMs && new Set(fronts).size <= FEW_KINDS) {
    const fair = eachAlone(problem, fronts, 1 / vehicles.length);
    if (judge.endOf(fair.map(({ jobs }) => jobs)) < best.endMs)
      return fleetPlanOf('fleet', problem, fair, lowerBoundMs);
  }
  const together = best.at.map((at, vehicle) => fronts[vehicle]!.choice(at));
  return fleetPlanOf('fleet', problem, together, lowerBoundMs);
}

/** The rival that knows of no other: every vehicle plans as if the channel were its own, and all send at once. */
export function uncoordinated(vehicles: readonly FleetVehicle[], channel: Channel): FleetPlan {
  return rival('uncoordinated', vehicles, channel, 1);
}

/** The honest rival: every vehicle plans on its equal part of the channel, and all send at once, at the full rate. */
export function fairShare(vehicles: readonly FleetVehicle[], channel: Channel): FleetPlan {
  return rival('fair-share', vehicles, channel, 1 / vehicles.length);
}

function rival(
  policy: string,
  vehicles: readonly FleetVehicle[],
  channel: Channel,
  share: number,
): FleetPlan {
  const problem = fleetProblemOf(vehicles, channel);
  const fronts = frontsOf(problem);
  const lowerBoundMs = fleetLowerBound(problem, fronts);
  return fleetPlanOf(policy, problem, eachAlone(problem, fronts, share), lowerBoundMs);
}

/** What every vehicle chooses that plans alone on this share of the channel. */
function eachAlone(
  { vehicles, channel, cameras }: FleetProblem,
  fronts: readonly VehicleFront[],
  share: number,
): VehicleChoice[] {
  // Vehicles of one kind, which have one front, plan alike.
  const known = new Map<VehicleFront, VehicleChoice>();
  return vehicles.map((vehicle, index) => {
    const found = known.get(fronts[index]!);
    if (found) return found;
    const uplinkBps = (vehicle.uplinkBps ?? channel.uplinkBps) * share;
    const first = vehicle.cameras[0]!;
    const jobCuts = vehicle.cameras.every((cuts) => cuts === first)
      ? exact(first, vehicle.cameras.length, { ...channel, uplinkBps }).jobCuts
      : frontsOf(fleetProblemOf([{ ...vehicle, uplinkBps }], channel))[0]!.choice(0).jobCuts;
    const choice = { jobCuts, jobs: vehicleJobs(cameras[index]!, jobCuts) };
    known.set(fronts[index]!, choice);
    return choice;
  });
}

/** For a target the choice of the least channel time that alone ends by then; the fastest where none does. */
function choiceFor({ aloneMs }: VehicleFront, targetMs: number): number {
  let low = 0;
  for (let high = aloneMs.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (aloneMs[middle]! <= targetMs) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** When the fleet is done, in ms, if each vehicle takes this choice of its front. */
function judged(fronts: readonly VehicleFront[], judge: ChannelJudge, at: readonly number[]): number {
  return judge.endOf(at.map((choice, vehicle) => fronts[vehicle]!.choice(choice).jobs));
}

/** The best of the choices for targets from the least that the channel carries upwards. */
function targeted(problem: FleetProblem, fronts: readonly VehicleFront[], judge: ChannelJudge): number[] {
  const most = Math.max(LEAST_TARGETS, Math.min(MOST_TARGETS, Math.floor(TARGET_BUDGET / jobCount(problem))));
  const targets = targetsOf(fronts);
  const step = Math.max(1, (targets.length - 1) / (most - 1));
  let best: number[] = [];
  let bestMs = Number.POSITIVE_INFINITY;
  let before: readonly number[] = [];
  for (let index = 0; index < targets.length; index += step) {
    const targetMs = targets[Math.round(index)]!;
    if (targetMs >= bestMs) break;
    const at = fronts.map((front) => choiceFor(front, targetMs));
    if (at.every((choice, vehicle) => choice === before[vehicle])) continue;
    before = at;
    const ms = judged(fronts, judge, at);
    if (ms >= bestMs) continue;
    bestMs = ms;
    best = at;
  }
  return best;
}

/** The least time by which the channel carries what is chosen for it, and all up to a share above at which choices change. */
function targetsOf(fronts: readonly VehicleFront[]): Float64Array {
  const channelMs = (targetMs: number): number => {
    let sum = 0;
    for (const front of fronts) sum += front.channelMs[choiceFor(front, targetMs)]!;
    return sum;
  };
  let low = 0;
  let high = fronts.reduce((most, { aloneMs }) => Math.max(most, aloneMs.at(-1)!), 0);
  high = Math.max(high, channelMs(high));
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (channelMs(middle) <= middle) high = middle;
    else low = middle;
  }
  // Between two times at which some vehicle has another choice nothing changes.
  const times = [high];
  for (const front of new Set(fronts))
    for (let choice = choiceFor(front, high); choice < front.aloneMs.length; choice++) {
      const ms = front.aloneMs[choice]!;
      if (ms > high * (1 + TARGET_RANGE)) break;
      if (ms > high) times.push(ms);
    }
  return Float64Array.from(times)
    .sort()
    .filter((ms, index, sorted) => index === 0 || ms > sorted[index - 1]!);
}

/** What single vehicles come to that take a neighbouring choice while that shortens the whole. */
function moved(
  problem: FleetProblem,
  fronts: readonly VehicleFront[],
  judge: ChannelJudge,
  from: readonly number[],
  lowerBoundMs: number,
): { readonly at: readonly number[]; readonly endMs: number } {
  let left = Math.floor(MOVE_BUDGET / jobCount(problem));
  const at = [...from];
  let bestMs = judged(fronts, judge, at);
  for (let helped = true; helped && left > 0; ) {
    helped = false;
    // Who ends last, or sends most, has the most to give.
    const vehicles = at
      .map((choice, vehicle) => ({ vehicle, channelMs: fronts[vehicle]!.channelMs[choice]! }))
      .sort((a, b) => b.channelMs - a.channelMs);
    for (const { vehicle } of vehicles) {
      for (const step of STEPS) {
        const choice = at[vehicle]!;
        const next = choice + step;
        if (next < 0 || next >= fronts[vehicle]!.aloneMs.length) continue;
        if (left-- <= 0 || bestMs <= lowerBoundMs) return { at, endMs: bestMs };
        const ms = judge.endWith(vehicle, fronts[vehicle]!.choice(next).jobs);
        if (ms >= bestMs * (1 - 1e-12)) continue;
        judge.keep();
        at[vehicle] = next;
        bestMs = ms;
        helped = true;
      }
    }
  }
  return { at, endMs: bestMs };
}

function jobCount({ cameras }: FleetProblem): number {
  return cameras.reduce((sum, of) => sum + of.length, 0);
}
