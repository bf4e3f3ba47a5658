import { exact } from './exact.ts';
import {
  type Channel,
  endOfFleet,
  type FleetPlan,
  type FleetProblem,
  type FleetVehicle,
  fleetPlanOf,
  fleetProblemOf,
  type VehicleChoice,
  vehicleJobs,
} from './fleet.ts';
import { fleetLowerBound } from './fleet-bound.ts';
import type { Cut } from './types.ts';
import { frontsOf, type VehicleFront } from './vehicle-front.ts';

/** Targets for the makespan are tried up to this share above the least that the channel carries. */
const TARGET_RANGE = 0.24;
const MOST_TARGETS = 24;
/** Jobs that the judge looks at, all trials together, for the targets and for the moves: some tens of ms. */
const TARGET_BUDGET = 24_000;
const MOVE_BUDGET = 40_000;

/**
 * One plan for vehicles that share a channel: the cut of each camera, the order of the heads on each vehicle, and the
 * order on the channel, which is that in which the heads end. Cameras may have different networks, vehicles different
 * speeds and rates.
 *
 * Each vehicle's choices that trade time alone for channel time are made; for a target M each takes the one with the
 * least channel time that it could end alone by M. Targets from the least that the channel carries upwards are judged,
 * since the channel may starve at first; then single vehicles move along their choices while the judge says that it
 * helps. Where the fair share is shorter, as it can be when all vehicles are alike, it is the plan. Choices are made on
 * vehicle and channel; tails and round trip count in what is judged. Derived for this project: docs/theory.md.
 * @throws ScheduleError that names the vehicle and the camera.
 */
export function planFleet(vehicles: readonly FleetVehicle[], channel: Channel): FleetPlan {
  const problem = fleetProblemOf(vehicles, channel);
  const fronts = frontsOf(problem);
  const best = moved(problem, fronts, targeted(problem, fronts));
  const lowerBoundMs = fleetLowerBound(problem, fronts);
  const together = best.map((at, vehicle) => ({
    jobCuts: fronts[vehicle]!.jobCuts(at),
    jobs: fronts[vehicle]!.jobs(at),
  }));
  const fair = eachAlone(problem, 1 / vehicles.length);
  const endMs = (choices: readonly VehicleChoice[]): number =>
    endOfFleet(
      problem,
      choices.map(({ jobs }) => jobs),
    );
  return fleetPlanOf('fleet', problem, endMs(fair) < endMs(together) ? fair : together, lowerBoundMs);
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
  const lowerBoundMs = fleetLowerBound(problem, frontsOf(problem));
  return fleetPlanOf(policy, problem, eachAlone(problem, share), lowerBoundMs);
}

/** What every vehicle chooses that plans alone on this share of the channel. */
function eachAlone({ vehicles, channel, cameras }: FleetProblem, share: number): VehicleChoice[] {
  // Vehicles of one kind plan alike.
  const known = new Map<readonly Cut[], Map<string, VehicleChoice>>();
  return vehicles.map((vehicle, index) => {
    const choiceOf = (jobCuts: readonly number[]): VehicleChoice => ({
      jobCuts,
      jobs: vehicleJobs(cameras[index]!, jobCuts),
    });
    const uplinkBps = (vehicle.uplinkBps ?? channel.uplinkBps) * share;
    const first = vehicle.cameras[0]!;
    const n = vehicle.cameras.length;
    if (vehicle.cameras.some((cuts) => cuts !== first))
      return choiceOf(frontsOf(fleetProblemOf([{ ...vehicle, uplinkBps }], channel))[0]!.jobCuts(0));
    const alike = known.get(first) ?? new Map<string, VehicleChoice>();
    known.set(first, alike);
    const key = `${n} at ${uplinkBps}`;
    const choice = alike.get(key) ?? choiceOf(exact(first, n, { ...channel, uplinkBps }).jobCuts);
    alike.set(key, choice);
    return choice;
  });
}

/** For a target the choice of the least channel time that alone ends by then; the fastest where none does. */
function choicesFor(fronts: readonly VehicleFront[], targetMs: number): number[] {
  return fronts.map(({ aloneMs }) => {
    let low = 0;
    for (let high = aloneMs.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (aloneMs[middle]! <= targetMs) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  });
}

function judged(problem: FleetProblem, fronts: readonly VehicleFront[], at: readonly number[]): number {
  return endOfFleet(
    problem,
    at.map((choice, vehicle) => fronts[vehicle]!.jobs(choice)),
  );
}

/** The best of the choices for targets from the least that the channel carries upwards. */
function targeted(problem: FleetProblem, fronts: readonly VehicleFront[]): number[] {
  const channelMs = (targetMs: number): number =>
    choicesFor(fronts, targetMs).reduce((sum, at, vehicle) => sum + fronts[vehicle]!.channelMs[at]!, 0);
  let low = 0;
  let high = fronts.reduce((most, { aloneMs }) => Math.max(most, aloneMs.at(-1)!), 0);
  high = Math.max(high, channelMs(high));
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (channelMs(middle) <= middle) high = middle;
    else low = middle;
  }
  // Between two times at which some vehicle has another choice nothing changes.
  const most = Math.max(4, Math.min(MOST_TARGETS, Math.floor(TARGET_BUDGET / jobCount(problem))));
  const times = new Set([high]);
  for (const { aloneMs } of new Set(fronts))
    for (const ms of aloneMs) if (ms > high && ms <= high * (1 + TARGET_RANGE)) times.add(ms);
  const sorted = [...times].sort((a, b) => a - b);
  const step = Math.max(1, (sorted.length - 1) / (most - 1));
  let best: number[] = [];
  let bestMs = Number.POSITIVE_INFINITY;
  let before: number[] = [];
  for (let index = 0; index < sorted.length; index += step) {
    const targetMs = sorted[Math.round(index)]!;
    if (targetMs >= bestMs) break;
    const at = choicesFor(fronts, targetMs);
    if (at.every((choice, vehicle) => choice === before[vehicle])) continue;
    before = at;
    const ms = judged(problem, fronts, at);
    if (ms >= bestMs) continue;
    bestMs = ms;
    best = at;
  }
  return best;
}

/** Single vehicles take a neighbouring choice while that shortens the whole. */
function moved(problem: FleetProblem, fronts: readonly VehicleFront[], from: number[]): number[] {
  let left = Math.floor(MOVE_BUDGET / jobCount(problem));
  const at = [...from];
  let bestMs = judged(problem, fronts, at);
  for (let helped = true; helped && left > 0; ) {
    helped = false;
    // Who ends last, or sends most, has the most to give.
    const vehicles = at
      .map((choice, vehicle) => ({ vehicle, channelMs: fronts[vehicle]!.channelMs[choice]! }))
      .sort((a, b) => b.channelMs - a.channelMs);
    for (const { vehicle } of vehicles) {
      for (const step of [1, -1, 2, -2]) {
        const choice = at[vehicle]!;
        const next = choice + step;
        if (next < 0 || next >= fronts[vehicle]!.aloneMs.length || left-- <= 0) continue;
        at[vehicle] = next;
        const ms = judged(problem, fronts, at);
        if (ms < bestMs * (1 - 1e-12)) {
          bestMs = ms;
          helped = true;
        } else at[vehicle] = choice;
      }
    }
  }
  return at;
}

function jobCount({ cameras }: FleetProblem): number {
  return cameras.reduce((sum, of) => sum + of.length, 0);
}
