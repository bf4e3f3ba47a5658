/**
 * The one judge: every makespan of the product is computed here, for one vehicle or for several that
 * share the cloud. A job's head runs on its vehicle's only processor, its tensor on its vehicle's
 * uplink, its tail on one of the cloud's workers, which serve in order of arrival.
 */
import type { Job } from './types.ts';

export interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

/** When each stage of one job runs; a local job has its head only. */
export interface JobSchedule {
  /** Index into the vehicle's jobs. */
  readonly job: number;
  readonly head: Interval;
  readonly uplink?: Interval;
  readonly tail?: Interval & { readonly worker: number };
  /** When the vehicle has the result. */
  readonly endMs: number;
}

/** What lies between and behind the three stages. */
export interface FlowShopOptions {
  /** Parallel workers of the cloud; 1 unless given. */
  readonly cloudWorkers?: number;
  /** Fixed delay between the end of a tensor on the uplink and its arrival in the cloud, in ms. */
  readonly uplinkDelayMs?: number;
  /** Fixed delay between the end of a tail and its result at the vehicle, in ms. */
  readonly returnMs?: number;
}

/** One vehicle's jobs and the order in which they start, as indices. */
export interface VehicleJobs {
  readonly jobs: readonly Job[];
  readonly order: readonly number[];
}

/**
 * Schedules of several vehicles that start together and share the cloud's workers only: for each
 * vehicle its jobs' stages, in the order of its plan, in ms since the common start.
 */
export function fleetGantt(vehicles: readonly VehicleJobs[], options: FlowShopOptions = {}): JobSchedule[][] {
  const { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0 } = options;
  const arrivals: { vehicle: number; place: number; atMs: number; p3: number }[] = [];
  const schedules = vehicles.map(({ jobs, order }, vehicle) => {
    let processorFree = 0;
    let uplinkFree = 0;
    return order.map((index, place): JobSchedule => {
      const job = jobs[index]!;
      const head = { startMs: processorFree, endMs: processorFree + job.p1 };
      processorFree = head.endMs;
      if (job.local) return { job: index, head, endMs: head.endMs };
      const startMs = Math.max(head.endMs, uplinkFree);
      uplinkFree = startMs + job.p2;
      arrivals.push({ vehicle, place, atMs: uplinkFree + uplinkDelayMs, p3: job.p3 ?? 0 });
      return { job: index, head, uplink: { startMs, endMs: uplinkFree }, endMs: uplinkFree };
    });
  });
  arrivals.sort((a, b) => a.atMs - b.atMs || a.place - b.place || a.vehicle - b.vehicle);
  const workerFree = new Array<number>(cloudWorkers).fill(0);
  for (const { vehicle, place, atMs, p3 } of arrivals) {
    const worker = workerFree.indexOf(Math.min(...workerFree));
    const startMs = Math.max(atMs, workerFree[worker]!);
    const endMs = startMs + p3;
    workerFree[worker] = endMs;
    const row = schedules[vehicle]!;
    row[place] = { ...row[place]!, tail: { startMs, endMs, worker }, endMs: endMs + returnMs };
  }
  return schedules;
}

/** The schedule of one vehicle's jobs in the given order. */
export function gantt(
  jobs: readonly Job[],
  order: readonly number[],
  options: FlowShopOptions = {},
): JobSchedule[] {
  return fleetGantt([{ jobs, order }], options)[0]!;
}

/** When the last job of a schedule ends, in ms since its start; 0 for an empty one. */
export function endOf(schedule: readonly JobSchedule[]): number {
  return schedule.reduce((latest, job) => Math.max(latest, job.endMs), 0);
}

/** When the last of `jobs` ends if they start in `order`, in ms. */
export function makespan(
  jobs: readonly Job[],
  order: readonly number[],
  options: FlowShopOptions = {},
): number {
  return endOf(gantt(jobs, order, options));
}
