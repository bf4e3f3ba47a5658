/**
 * The one judge: every makespan of the product is computed here, for one vehicle or for several that
 * share the cloud, or an uplink too. A job's head runs on its vehicle's only processor, in the order of
 * its vehicle's plan; its tensor on the vehicle's link and its tail on one of the cloud's workers, both of
 * which serve in order of arrival.
 */
import { checkJobs, checkOrder, checkTimes, checkWorkers } from './check-jobs.ts';
import { type Busy, type Job, ScheduleError } from './types.ts';

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

/** What lies between and behind the three stages, and what the stages are still busy with. */
export interface FlowShopOptions {
  /** Parallel workers of the cloud; 1 unless given. */
  readonly cloudWorkers?: number;
  /** Fixed delay between the end of a tensor on the uplink and its arrival in the cloud, in ms. */
  readonly uplinkDelayMs?: number;
  /** Fixed delay between the end of a tail and its result at the vehicle, in ms. */
  readonly returnMs?: number;
  /** Initial state: no stage starts before this. */
  readonly busy?: Busy;
}

/** One vehicle's jobs and the order in which they start, as indices. */
export interface VehicleJobs {
  readonly jobs: readonly Job[];
  readonly order: readonly number[];
  /** Vehicles with the same link share it; a vehicle without one has a link of its own. */
  readonly link?: number;
  /** Initial state of this vehicle's processor and link, instead of the one for all. */
  readonly busy?: Pick<Busy, 'vehicleMs' | 'uplinkMs'>;
}

/** The stages' times in ms, a row of each for every job: vehicle after vehicle, each in its plan's order. */
export interface FleetTimes {
  /** Which vehicle, and which of its jobs. */
  readonly vehicle: Int32Array;
  readonly job: Int32Array;
  readonly headStart: Float64Array;
  readonly headEnd: Float64Array;
  readonly uplinkStart: Float64Array;
  readonly uplinkEnd: Float64Array;
  readonly tailStart: Float64Array;
  readonly tailEnd: Float64Array;
  /** Which of the cloud's workers; −1 for a job that sends nothing. */
  readonly worker: Int32Array;
  readonly end: Float64Array;
  /** Rows of the jobs that send; those of one link in the order in which their tensors start. */
  readonly sent: readonly number[];
}

/** Room for the times of so many jobs; none of them sends yet. */
export function emptyTimes(total: number): FleetTimes & { readonly sent: number[] } {
  const numbers = (): Float64Array => new Float64Array(total);
  return {
    vehicle: new Int32Array(total),
    job: new Int32Array(total),
    headStart: numbers(),
    headEnd: numbers(),
    uplinkStart: numbers(),
    uplinkEnd: numbers(),
    tailStart: numbers(),
    tailEnd: numbers(),
    worker: new Int32Array(total).fill(-1),
    end: numbers(),
    sent: [],
  };
}

/** The times of all stages of several vehicles' jobs. O(N log N) for N jobs; nothing is checked. */
export function fleetTimes(vehicles: readonly VehicleJobs[], options: FlowShopOptions = {}): FleetTimes {
  const { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0, busy = {} } = options;
  const total = vehicles.reduce((sum, { order }) => sum + order.length, 0);
  const times = emptyTimes(total);
  const { vehicle: vehicleOf, job: jobOf, worker: workerOf, sent } = times;
  const { headStart, headEnd, uplinkStart, uplinkEnd, tailStart, tailEnd, end } = times;
  const placeOf = new Int32Array(total);
  const transfer = new Float64Array(total);
  const tail = new Float64Array(total);
  let row = 0;
  vehicles.forEach(({ jobs, order, busy: own = busy }, vehicle) => {
    let processorFree = own.vehicleMs ?? 0;
    order.forEach((index, place) => {
      const { p1, p2, p3 = 0, local, releaseMs = 0 } = jobs[index]!;
      vehicleOf[row] = vehicle;
      jobOf[row] = index;
      placeOf[row] = place;
      headStart[row] = Math.max(processorFree, releaseMs);
      processorFree = headStart[row]! + p1;
      headEnd[row] = processorFree;
      end[row] = processorFree;
      transfer[row] = p2;
      tail[row] = p3;
      if (!local) sent.push(row);
      row++;
    });
  });
  const byTime =
    (of: Float64Array) =>
    (a: number, b: number): number =>
      of[a]! - of[b]! || placeOf[a]! - placeOf[b]! || vehicleOf[a]! - vehicleOf[b]!;

  const linkNames = new Map<number, number>();
  const linkFree: number[] = [];
  const linkOf = vehicles.map(({ link: name, busy: own = busy }) => {
    const link = (name === undefined ? undefined : linkNames.get(name)) ?? linkFree.length;
    if (name !== undefined) linkNames.set(name, link);
    linkFree[link] = Math.max(linkFree[link] ?? 0, own.uplinkMs ?? 0);
    return link;
  });
  // Without a shared link each vehicle's jobs come in its plan's order anyway.
  if (linkFree.length < vehicles.length) sent.sort(byTime(headEnd));
  for (const at of sent) {
    const link = linkOf[vehicleOf[at]!]!;
    uplinkStart[at] = Math.max(headEnd[at]!, linkFree[link]!);
    uplinkEnd[at] = uplinkStart[at]! + transfer[at]!;
    linkFree[link] = uplinkEnd[at]!;
  }
  // More workers than jobs would never be asked.
  const workers = Math.min(cloudWorkers, sent.length);
  const workerFree = new Float64Array(workers).fill(busy.cloudMs ?? 0);
  for (const at of vehicles.length > 1 ? sent.toSorted(byTime(uplinkEnd)) : sent) {
    let worker = 0;
    for (let other = 1; other < workers; other++)
      if (workerFree[other]! < workerFree[worker]!) worker = other;
    tailStart[at] = Math.max(uplinkEnd[at]! + uplinkDelayMs, workerFree[worker]!);
    tailEnd[at] = tailStart[at]! + tail[at]!;
    workerFree[worker] = tailEnd[at]!;
    workerOf[at] = worker;
    end[at] = tailEnd[at]! + returnMs;
  }
  return times;
}

/**
 * Schedules of several vehicles: for each vehicle its jobs' stages, in the order of its plan, in ms since the
 * common start. @throws ScheduleError for a time, an order or a number of workers that is none.
 */
export function fleetGantt(vehicles: readonly VehicleJobs[], options: FlowShopOptions = {}): JobSchedule[][] {
  checkFleet(vehicles, options);
  const times = fleetTimes(vehicles, options);
  let row = 0;
  return vehicles.map(({ order }) =>
    order.map((job): JobSchedule => {
      const at = row++;
      const head = { startMs: times.headStart[at]!, endMs: times.headEnd[at]! };
      const worker = times.worker[at]!;
      if (worker < 0) return { job, head, endMs: times.end[at]! };
      return {
        job,
        head,
        uplink: { startMs: times.uplinkStart[at]!, endMs: times.uplinkEnd[at]! },
        tail: { startMs: times.tailStart[at]!, endMs: times.tailEnd[at]!, worker },
        endMs: times.end[at]!,
      };
    }),
  );
}

/** The schedule of one vehicle's jobs in the given order. @throws ScheduleError like `fleetGantt`. */
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

/** When the last of `jobs` ends if they start in `order`, in ms. @throws ScheduleError like `fleetGantt`. */
export function makespan(
  jobs: readonly Job[],
  order: readonly number[],
  options: FlowShopOptions = {},
): number {
  checkFleet([{ jobs, order }], options);
  return makespanOf(jobs, order, options);
}

/** `makespan` for orders that are known to be good: one walk along the order, without a schedule. */
export function makespanOf(
  jobs: readonly Job[],
  order: readonly number[],
  { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0, busy = {} }: FlowShopOptions = {},
): number {
  let vehicleFree = busy.vehicleMs ?? 0;
  let uplinkFree = busy.uplinkMs ?? 0;
  const others = new Float64Array(Math.min(cloudWorkers, order.length + 1) - 1).fill(busy.cloudMs ?? 0);
  // The worker that is free first, apart from the others: with one worker nothing is searched.
  let cloudFree = busy.cloudMs ?? 0;
  let last = 0;
  for (let place = 0; place < order.length; place++) {
    const job = jobs[order[place]!]!;
    const release = job.releaseMs;
    if (release !== undefined && release > vehicleFree) vehicleFree = release;
    vehicleFree += job.p1;
    if (job.local) {
      if (vehicleFree > last) last = vehicleFree;
      continue;
    }
    uplinkFree = Math.max(vehicleFree, uplinkFree) + job.p2;
    const arrival = uplinkFree + uplinkDelayMs;
    const tailEnd = Math.max(arrival, cloudFree) + (job.p3 ?? 0);
    if (tailEnd + returnMs > last) last = tailEnd + returnMs;
    cloudFree = tailEnd;
    for (let other = 0; other < others.length; other++) {
      if (others[other]! >= cloudFree) continue;
      const free = others[other]!;
      others[other] = cloudFree;
      cloudFree = free;
    }
  }
  return last;
}

/** @throws ScheduleError for a time, an order, a link or a number of workers that is none. */
export function checkFleet(
  vehicles: readonly VehicleJobs[],
  { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0, busy = {} }: FlowShopOptions,
): void {
  checkWorkers(cloudWorkers);
  checkTimes('delays', { uplinkDelayMs, returnMs });
  checkTimes('busy', { ...busy });
  vehicles.forEach(({ jobs, order, link, busy: own }, vehicle) => {
    checkJobs(jobs);
    checkOrder(order, jobs.length);
    if (own) checkTimes(`busy of vehicle ${vehicle}`, { ...own });
    if (link !== undefined && (!Number.isSafeInteger(link) || link < 0))
      throw new ScheduleError(`vehicle ${vehicle}: link must be a whole number ≥ 0, not ${link}`);
  });
}
