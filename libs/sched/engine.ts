/**
 * The discrete-event engine: it executes the plans of many vehicles, from event to event, on the vehicles'
 * processors, their links and the cloud's workers. As long as no link changes its rate its times are the judge's
 * (flowshop.ts), bit for bit; they are found another way, so that each is a check of the other.
 */
import { checkTimes } from './check-jobs.ts';
import {
  checkFleet,
  emptyTimes,
  type FleetTimes,
  type FlowShopOptions,
  type VehicleJobs,
} from './flowshop.ts';
import { ScheduleError } from './types.ts';

/**
 * A link's speed over time as a multiple of the planned one: 0.5 is half of it, 0 an outage. `factor[i]` holds from
 * `atMs[i]` until `atMs[i + 1]`, the last for ever; before the first the speed is the planned one. A tensor in
 * flight goes on at the new speed.
 */
export interface RateProfile {
  /** Rising, in ms since the common start. */
  readonly atMs: readonly number[];
  readonly factor: readonly number[];
}

export interface EngineOptions extends FlowShopOptions {
  /**
   * Profiles of the links, by `VehicleJobs.link`; a link without one keeps its planned speed. How long a link is
   * still busy at the start is a time and not scaled.
   */
  readonly links?: Readonly<Record<number, RateProfile>>;
}

/**
 * Kinds of events, in the order in which those of one time are taken; within a kind the least subject is first.
 * Whoever waits for a shared stage is thus known before the stage takes the next, and equal arrivals come by place
 * in the plan, then by vehicle. It holds for stages of length 0 too, whose events come up at their own time:
 * - HEAD_END, by rank: the head that starts next has a later place, so it ranks behind the one that ended.
 * - LINK_FREE, by link: each may start a tensor of length 0 that ranks before one that has already ended, so
 * - TENSOR_END, by rank, waits until no link has anything left that ends now.
 * - ARRIVAL in the cloud, of the tensor that has been under way longest: in the order in which they ended.
 * - WORKER_FREE, by worker: after all arrivals, so that a worker is idle only while no tensor waits. A tail of
 *   length 0 frees the least worker again, which then takes the next tail as well.
 */
const HEAD_END = 0;
const LINK_FREE = 1;
const TENSOR_END = 2;
const ARRIVAL = 3;
const WORKER_FREE = 4;

const NONE = -1;

/**
 * What happens when vehicles carry out their plans: rows as `fleetTimes` gives them, and `sent` in the order in which
 * tensors start over all links. O(N log N + R) for N jobs and R changes of rates; the heap holds little more than an
 * event for each vehicle, link and worker.
 * @throws ScheduleError for a time, an order, a link, a number of workers or a profile that is none, and for a tensor
 * on a link that stands still for ever.
 */
export function simulate(fleet: readonly VehicleJobs[], options: EngineOptions = {}): FleetTimes {
  checkFleet(fleet, options);
  for (const [link, profile] of Object.entries(options.links ?? {})) checkProfile(link, profile);
  const { uplinkDelayMs = 0, returnMs = 0, busy = {}, links = {} } = options;
  const { times, firstRow, rowAt, rankOf, p1, p2, p3, release, sends } = rowsOf(fleet);
  const { vehicle: vehicleOf, worker: workerOf, sent } = times;
  const { headStart, headEnd, uplinkStart, uplinkEnd, tailStart, tailEnd, end } = times;
  const total = end.length;
  // More workers than jobs would never be asked.
  const workers = Math.min(options.cloudWorkers ?? 1, total);

  const { linkOf, busyMs, rates } = linksOf(fleet, busy.uplinkMs ?? 0, links);
  const linkBusy = new Uint8Array(busyMs.length).fill(1);
  // The tensors that wait for a link, as a linked list of rows.
  const firstWaiting = new Int32Array(busyMs.length).fill(NONE);
  const lastWaiting = new Int32Array(busyMs.length).fill(NONE);
  const behind = new Int32Array(total).fill(NONE);
  // Rows in the order in which their tensors end, so in which they arrive and in which their tails start.
  const ended = new Int32Array(total);
  let endedCount = 0;
  let arrivedCount = 0;
  let servedCount = 0;
  // The idle workers, a ring: first the one that has been idle longest, of several the least.
  const idle = new Int32Array(workers);
  let idleFirst = 0;
  let idleCount = 0;

  const events = new EventHeap(total + fleet.length + busyMs.length + workers + 1);
  let now = 0;

  function startHead(row: number, processorFree: number): void {
    headStart[row] = Math.max(processorFree, release[row]!);
    headEnd[row] = headStart[row]! + p1[row]!;
    events.push(headEnd[row]!, HEAD_END, rankOf[row]!);
  }

  function startTensor(row: number, link: number): void {
    linkBusy[link] = 1;
    sent.push(row);
    uplinkStart[row] = now;
    uplinkEnd[row] = rates[link]?.endOf(now, p2[row]!) ?? now + p2[row]!;
    events.push(uplinkEnd[row]!, LINK_FREE, link);
    events.push(uplinkEnd[row]!, TENSOR_END, rankOf[row]!);
  }

  function startTail(worker: number): void {
    const row = ended[servedCount++]!;
    workerOf[row] = worker;
    tailStart[row] = now;
    tailEnd[row] = now + p3[row]!;
    end[row] = tailEnd[row]! + returnMs;
    events.push(tailEnd[row]!, WORKER_FREE, worker);
  }

  function headEnds(row: number): void {
    const vehicle = vehicleOf[row]!;
    if (row + 1 < firstRow[vehicle + 1]!) startHead(row + 1, now);
    if (!sends[row]) {
      end[row] = now;
      return;
    }
    const link = linkOf[vehicle]!;
    if (!linkBusy[link]) {
      startTensor(row, link);
      return;
    }
    if (firstWaiting[link] === NONE) firstWaiting[link] = row;
    else behind[lastWaiting[link]!] = row;
    lastWaiting[link] = row;
  }

  function linkIsFree(link: number): void {
    const row = firstWaiting[link]!;
    if (row === NONE) {
      linkBusy[link] = 0;
      return;
    }
    firstWaiting[link] = behind[row]!;
    startTensor(row, link);
  }

  function awaitArrival(): void {
    events.push(uplinkEnd[ended[arrivedCount]!]! + uplinkDelayMs, ARRIVAL, 0);
  }

  function tensorEnds(row: number): void {
    ended[endedCount++] = row;
    // One arrival at a time is enough, as all are under way for the same time.
    if (arrivedCount === endedCount - 1) awaitArrival();
  }

  function tensorArrives(): void {
    arrivedCount++;
    if (arrivedCount < endedCount) awaitArrival();
    if (idleCount === 0) return;
    const worker = idle[idleFirst]!;
    idleFirst = (idleFirst + 1) % workers;
    idleCount--;
    startTail(worker);
  }

  function workerIsFree(worker: number): void {
    if (servedCount < arrivedCount) {
      startTail(worker);
      return;
    }
    idle[(idleFirst + idleCount) % workers] = worker;
    idleCount++;
  }

  fleet.forEach(({ order, busy: own = busy }, vehicle) => {
    if (order.length > 0) startHead(firstRow[vehicle]!, own.vehicleMs ?? 0);
  });
  busyMs.forEach((until, link) => {
    events.push(until, LINK_FREE, link);
  });
  for (let worker = 0; worker < workers; worker++) events.push(busy.cloudMs ?? 0, WORKER_FREE, worker);
  while (events.pop()) {
    now = events.timeMs;
    const { subject } = events;
    if (events.kind === HEAD_END) headEnds(rowAt[subject]!);
    else if (events.kind === LINK_FREE) linkIsFree(subject);
    else if (events.kind === TENSOR_END) tensorEnds(rowAt[subject]!);
    else if (events.kind === ARRIVAL) tensorArrives();
    else workerIsFree(subject);
  }
  return times;
}

/** The jobs as rows, vehicle after vehicle in plan order, each with its rank by place in the plan, then by vehicle. */
function rowsOf(fleet: readonly VehicleJobs[]) {
  const firstRow = new Int32Array(fleet.length + 1);
  let longest = 0;
  fleet.forEach(({ order }, vehicle) => {
    firstRow[vehicle + 1] = firstRow[vehicle]! + order.length;
    longest = Math.max(longest, order.length);
  });
  const nextRank = new Int32Array(longest + 1);
  for (const { order } of fleet) for (let place = 0; place < order.length; place++) nextRank[place + 1]!++;
  for (let place = 0; place < longest; place++) nextRank[place + 1]! += nextRank[place]!;
  const total = firstRow[fleet.length]!;
  const times = emptyTimes(total);
  const rows = {
    times,
    firstRow,
    rowAt: new Int32Array(total),
    rankOf: new Int32Array(total),
    p1: new Float64Array(total),
    p2: new Float64Array(total),
    p3: new Float64Array(total),
    release: new Float64Array(total),
    sends: new Uint8Array(total),
  };
  fleet.forEach(({ jobs, order }, vehicle) => {
    for (let place = 0; place < order.length; place++) {
      const row = firstRow[vehicle]! + place;
      const rank = nextRank[place]!++;
      const job = jobs[order[place]!]!;
      rows.rankOf[row] = rank;
      rows.rowAt[rank] = row;
      times.vehicle[row] = vehicle;
      times.job[row] = order[place]!;
      rows.p1[row] = job.p1;
      rows.p2[row] = job.p2;
      rows.p3[row] = job.p3 ?? 0;
      rows.release[row] = job.releaseMs ?? 0;
      rows.sends[row] = job.local ? 0 : 1;
    }
  });
  return rows;
}

/** Each vehicle's link, numbered from 0; how long each link is busy at the start, and its rate if it has a profile. */
function linksOf(
  fleet: readonly VehicleJobs[],
  uplinkMs: number,
  profiles: Readonly<Record<number, RateProfile>>,
): { readonly linkOf: Int32Array; readonly busyMs: number[]; readonly rates: (Rate | undefined)[] } {
  const linkOf = new Int32Array(fleet.length);
  const busyMs: number[] = [];
  const rates: (Rate | undefined)[] = [];
  const shared = new Map<number, number>();
  fleet.forEach(({ link: name, busy }, vehicle) => {
    const known = name === undefined ? undefined : shared.get(name);
    const link = known ?? busyMs.length;
    const ownMs = busy ? (busy.uplinkMs ?? 0) : uplinkMs;
    linkOf[vehicle] = link;
    busyMs[link] = Math.max(busyMs[link] ?? 0, ownMs);
    if (name === undefined || known !== undefined) return;
    shared.set(name, link);
    const profile = profiles[name];
    if (profile) rates[link] = new Rate(name, profile);
  });
  return { linkOf, busyMs, rates };
}

/** The rate of one link, asked for tensors in the order of their starts. */
class Rate {
  readonly #link: number;
  // Until when each factor holds. Neighbours differ, so that an end is one sum as long as nothing changes.
  readonly #untilMs: number[] = [];
  readonly #factor = [1];
  #current = 0;

  constructor(link: number, { atMs, factor }: RateProfile) {
    this.#link = link;
    for (let at = 0; at < atMs.length; at++) {
      if (factor[at] === this.#factor.at(-1)) continue;
      this.#untilMs.push(atMs[at]!);
      this.#factor.push(factor[at]!);
    }
    this.#untilMs.push(Number.POSITIVE_INFINITY);
  }

  /** When a tensor ends that would take `p2` at the planned speed. @throws ScheduleError if it never does. */
  endOf(startMs: number, p2: number): number {
    while (this.#untilMs[this.#current]! <= startMs) this.#current++;
    let fromMs = startMs;
    let left = p2;
    while (left > 0) {
      const untilMs = this.#untilMs[this.#current]!;
      const factor = this.#factor[this.#current]!;
      const endMs = factor > 0 ? fromMs + left / factor : Number.POSITIVE_INFINITY;
      if (endMs <= untilMs && endMs < Number.POSITIVE_INFINITY) return endMs;
      if (untilMs === Number.POSITIVE_INFINITY)
        throw new ScheduleError(
          `link ${this.#link}: a tensor that starts at ${startMs} ms never ends, as the last factor is ${factor}`,
        );
      left -= (untilMs - fromMs) * factor;
      fromMs = untilMs;
      this.#current++;
    }
    return fromMs;
  }
}

/** Events to come, by time, kind and subject; a binary heap in arrays, the popped event in its fields. */
class EventHeap {
  timeMs = 0;
  kind = HEAD_END;
  subject = 0;
  readonly #times: Float64Array;
  // kind · span + subject: one number, compared where times are equal.
  readonly #codes: Float64Array;
  readonly #span: number;
  #size = 0;

  /** `span` is more than any subject, and at least the number of events that are ever to come together. */
  constructor(span: number) {
    this.#times = new Float64Array(span);
    this.#codes = new Float64Array(span);
    this.#span = span;
  }

  push(timeMs: number, kind: number, subject: number): void {
    const times = this.#times;
    const codes = this.#codes;
    const code = kind * this.#span + subject;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent]! < timeMs || (times[parent] === timeMs && codes[parent]! <= code)) break;
      times[at] = times[parent]!;
      codes[at] = codes[parent]!;
      at = parent;
    }
    times[at] = timeMs;
    codes[at] = code;
  }

  /** Takes the first event out; false if there is none. */
  pop(): boolean {
    if (this.#size === 0) return false;
    const times = this.#times;
    const codes = this.#codes;
    const code = codes[0]!;
    this.timeMs = times[0]!;
    this.kind = Math.floor(code / this.#span);
    this.subject = code - this.kind * this.#span;
    const size = --this.#size;
    const lastTime = times[size]!;
    const lastCode = codes[size]!;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      const right = child + 1;
      if (
        right < size &&
        (times[right]! < times[child]! || (times[right] === times[child] && codes[right]! < codes[child]!))
      )
        child = right;
      if (lastTime < times[child]! || (lastTime === times[child] && lastCode <= codes[child]!)) break;
      times[at] = times[child]!;
      codes[at] = codes[child]!;
      at = child;
    }
    times[at] = lastTime;
    codes[at] = lastCode;
    return true;
  }
}

/** @throws ScheduleError unless the times rise from 0 or more, and each has a factor that is finite and ≥ 0. */
function checkProfile(link: string, { atMs, factor }: RateProfile): void {
  if (atMs.length !== factor.length)
    throw new ScheduleError(`link ${link}: ${atMs.length} atMs, but ${factor.length} factor`);
  for (let at = 0; at < atMs.length; at++) {
    checkTimes(`link ${link}`, { [`atMs[${at}]`]: atMs[at], [`factor[${at}]`]: factor[at] });
    if (at > 0 && atMs[at]! <= atMs[at - 1]!)
      throw new ScheduleError(
        `link ${link}: atMs[${at}] must be more than the one before, ${atMs[at - 1]}, not ${atMs[at]}`,
      );
  }
}
