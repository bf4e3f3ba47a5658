/** What several vehicles that share one channel are planned on, and what comes out: for the plan and for its rivals. */
import { type ChannelJudge, channelJudge } from './channel-judge.ts';
import { checkWorkers } from './check-jobs.ts';
import {
  type FleetTimes,
  type FlowShopOptions,
  fleetGantt,
  fleetTimes,
  type JobSchedule,
  type VehicleJobs,
} from './flowshop.ts';
import { johnsonOrder } from './johnson.ts';
import { problemOf } from './problem.ts';
import { delaysOf } from './transfer.ts';
import { type Conditions, type Cut, type Job, ScheduleError } from './types.ts';

/** A vehicle with its cameras, a frame of each of which is a job. */
export interface FleetVehicle {
  readonly id: string;
  /** For each camera the cuts of its network on this vehicle; cameras of one network may share the table. */
  readonly cameras: readonly (readonly Cut[])[];
  /** The rate at which this vehicle sends while it has the channel; the channel's unless given. */
  readonly uplinkBps?: number;
}

/** The uplink that all vehicles share, one tensor at a time, what lies behind it, and what each job may take. */
export interface Channel extends Omit<Conditions, 'busy' | 'power' | 'maxEnergyJ' | 'maxLoss'> {
  /** Parallel workers of the cloud; 1 unless given. */
  readonly cloudWorkers?: number;
}

export interface FleetVehiclePlan {
  readonly id: string;
  /** The index of the cut that each camera's job takes, in that camera's table. */
  readonly jobCuts: readonly number[];
  /** Cameras in the order in which their heads start. */
  readonly order: readonly number[];
}

export interface FleetPlan {
  readonly policy: string;
  readonly makespanMs: number;
  /** No plan of the same vehicles and channel ends earlier. */
  readonly lowerBoundMs: number;
  readonly vehicles: readonly FleetVehiclePlan[];
  /** The jobs that send, in the order in which they have the channel; indices of vehicle and camera. */
  readonly channelOrder: readonly { readonly vehicle: number; readonly camera: number }[];
  /** When each stage of each job runs, by vehicle, in its order. */
  readonly schedule: readonly (readonly JobSchedule[])[];
}

/** A fleet, checked: each camera's jobs, one for each cut, and which cuts it may take. */
export interface FleetProblem {
  readonly vehicles: readonly FleetVehicle[];
  readonly channel: Channel;
  readonly cameras: readonly (readonly CameraProblem[])[];
}

export interface CameraProblem {
  readonly jobs: readonly Job[];
  readonly allowed: readonly number[];
}

/** @throws ScheduleError without a vehicle or a camera, and for any fault of a camera's problem; it names the item. */
export function fleetProblemOf(vehicles: readonly FleetVehicle[], channel: Channel): FleetProblem {
  if (vehicles.length === 0) throw new ScheduleError('there is no vehicle to plan for');
  checkWorkers(channel.cloudWorkers ?? 1);
  // Vehicles of one kind share their tables; each is checked once for each rate.
  const known = new Map<readonly Cut[], Map<number, CameraProblem>>();
  const cameras = vehicles.map(({ id, cameras, uplinkBps = channel.uplinkBps }) => {
    if (cameras.length === 0) throw new ScheduleError(`vehicle '${id}' has no camera`);
    return cameras.map((cuts, camera) => {
      const byRate = known.get(cuts) ?? new Map<number, CameraProblem>();
      known.set(cuts, byRate);
      let found = byRate.get(uplinkBps);
      if (found) return found;
      try {
        const { jobs, allowed } = problemOf(cuts, 1, { ...channel, uplinkBps });
        found = { jobs, allowed };
      } catch (error) {
        if (!(error instanceof ScheduleError)) throw error;
        throw new ScheduleError(`vehicle '${id}', camera ${camera}: ${error.message}`);
      }
      byRate.set(uplinkBps, found);
      return found;
    });
  });
  return { vehicles, channel, cameras };
}

/** One vehicle's choice as the judge takes it: its jobs in Johnson's order, on the channel that all share. */
export function vehicleJobs(cameras: readonly CameraProblem[], jobCuts: readonly number[]): VehicleJobs {
  const jobs = cameras.map(({ jobs }, camera) => jobs[jobCuts[camera]!]!);
  const order = johnsonOrder(jobs);
  // Nothing waits for a local job; a job that sends nothing but is not local may stand behind one otherwise.
  const locals = order.filter((job) => jobs[job]!.local);
  if (locals.length === 0) return { jobs, order, link: 0 };
  return { jobs, order: [...order.filter((job) => !jobs[job]!.local), ...locals], link: 0 };
}

/** The judge of this fleet, for choices that are looked at once. */
export function judgeOf({ cameras, channel }: FleetProblem): ChannelJudge {
  return channelJudge(
    cameras.map(({ length }) => length),
    optionsOf(channel),
  );
}

function latest({ end }: FleetTimes): number {
  let most = 0;
  for (const ms of end) if (ms > most) most = ms;
  return most;
}

function optionsOf(channel: Channel): FlowShopOptions {
  const { cloudWorkers = 1 } = channel;
  return { cloudWorkers, ...delaysOf(channel) };
}

/** The cut of each camera of a vehicle, and the jobs that they make. */
export interface VehicleChoice {
  readonly jobCuts: readonly number[];
  readonly jobs: VehicleJobs;
}

/** The plan of these choices, with the schedule that they have on the shared channel. */
export function fleetPlanOf(
  policy: string,
  problem: FleetProblem,
  choices: readonly VehicleChoice[],
  lowerBoundMs: number,
): FleetPlan {
  const vehicles = choices.map(({ jobs }) => jobs);
  const times = fleetTimes(vehicles, optionsOf(problem.channel));
  const makespanMs = latest(times);
  let schedule: JobSchedule[][] | undefined;
  return {
    policy,
    makespanMs,
    lowerBoundMs: Math.min(lowerBoundMs, makespanMs),
    vehicles: problem.vehicles.map(({ id }, vehicle) => ({
      id,
      jobCuts: choices[vehicle]!.jobCuts,
      order: vehicles[vehicle]!.order,
    })),
    channelOrder: times.sent.map((row) => ({ vehicle: times.vehicle[row]!, camera: times.job[row]! })),
    get schedule() {
      schedule ??= fleetGantt(vehicles, optionsOf(problem.channel));
      return schedule;
    },
  };
}
