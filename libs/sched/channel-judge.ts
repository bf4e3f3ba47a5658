import type { FlowShopOptions, VehicleJobs } from './flowshop.ts';

/** A vehicle's jobs, as many in every choice, and their order; the channel is the link that all share. */
type Choice = Pick<VehicleJobs, 'jobs' | 'order'>;

/** Says when a fleet on one channel is done, for a search that asks again and again. */
export interface ChannelJudge {
  /** When the last job of these ends, in ms; from now on they are the fleet's. O(N log v) for N jobs of v vehicles. */
  readonly endOf: (vehicles: readonly Choice[]) => number;
  /** When the last job would end if this vehicle had these jobs instead, in ms. O(N). */
  readonly endWith: (vehicle: number, choice: Choice) => number;
  /** What `endWith` was last asked about holds from now on. O(N). */
  readonly keep: () => void;
}

/**
 * What `fleetTimes` says, to the last bit, of vehicles that share one link and begin with all stages free, their jobs
 * without release times. Each vehicle's heads end in its own order, so that the channel's order is merged from
 * theirs, and that of the tails is the channel's unless two transfers end at once; all of it in memory that is
 * reserved once, where `fleetTimes` makes a schedule each time.
 * @param jobCounts how many jobs each vehicle has, whichever choice it takes.
 */
export function channelJudge(
  jobCounts: readonly number[],
  { cloudWorkers = 1, uplinkDelayMs = 0, returnMs = 0 }: Omit<FlowShopOptions, 'busy'> = {},
): ChannelJudge {
  const firstRow = new Int32Array(jobCounts.length + 1);
  jobCounts.forEach((count, vehicle) => {
    firstRow[vehicle + 1] = firstRow[vehicle]! + count;
  });
  const total = firstRow[jobCounts.length]!;
  // Behind the fleet's rows, vehicle after vehicle, those of the choice that is tried; of each the jobs that send only.
  const rows = total + jobCounts.reduce((most, count) => Math.max(most, count), 0);
  const vehicleOf = new Int32Array(rows);
  const placeOf = new Int32Array(rows);
  const headEnd = new Float64Array(rows);
  const transfer = new Float64Array(rows);
  const tail = new Float64Array(rows);
  const uplinkEnd = new Float64Array(rows);
  const senders = new Int32Array(jobCounts.length + 1);
  /** The last head of each vehicle that is all of its job; the tried choice's behind them. */
  const localEnd = new Float64Array(jobCounts.length + 1);
  const tried = jobCounts.length;
  let triedVehicle = -1;
  /** Rows in the order in which the channel takes them, of the fleet and of the fleet with the tried choice. */
  let order = new Int32Array(total);
  let other = new Int32Array(total);
  let sent = 0;
  let otherSent = 0;
  const runs = new Int32Array(jobCounts.length + 1);
  const workerFree = new Float64Array(Math.max(1, Math.min(cloudWorkers, total)));

  /** Writes the rows of a vehicle's choice from `first` on; `slot` is the vehicle, or `tried`. */
  function write(slot: number, first: number, vehicle: number, { jobs, order: own }: Choice): void {
    let row = first;
    let free = 0;
    localEnd[slot] = 0;
    for (let place = 0; place < own.length; place++) {
      const { p1, p2, p3 = 0, local } = jobs[own[place]!]!;
      free += p1;
      if (local) {
        localEnd[slot] = free;
        continue;
      }
      vehicleOf[row] = vehicle;
      placeOf[row] = place;
      headEnd[row] = free;
      transfer[row] = p2;
      tail[row] = p3;
      row++;
    }
    senders[slot] = row - first;
  }

  function isBefore(a: number, b: number): boolean {
    const first = headEnd[a]!;
    const second = headEnd[b]!;
    return first < second || (first === second && comesFirst(a, b));
  }

  /** Of two jobs that are ready at the same moment. */
  function comesFirst(a: number, b: number): boolean {
    return placeOf[a]! < placeOf[b]! || (placeOf[a] === placeOf[b] && vehicleOf[a]! < vehicleOf[b]!);
  }

  /** All rows in the channel's order: the vehicles' own orders are merged in pairs. */
  function sort(): void {
    sent = 0;
    let count = 0;
    for (let vehicle = 0; vehicle < tried; vehicle++) {
      if (senders[vehicle] === 0) continue;
      runs[count++] = sent;
      for (let row = firstRow[vehicle]!; row < firstRow[vehicle]! + senders[vehicle]!; row++)
        order[sent++] = row;
    }
    while (count > 1) {
      let merged = 0;
      for (let run = 0; run < count; run += 2) {
        const from = runs[run]!;
        const middle = run + 1 < count ? runs[run + 1]! : sent;
        const to = run + 2 < count ? runs[run + 2]! : sent;
        let left = from;
        let right = middle;
        for (let at = from; at < to; at++)
          other[at] =
            right === to || (left < middle && !isBefore(order[right]!, order[left]!))
              ? order[left++]!
              : order[right++]!;
        runs[merged++] = from;
      }
      count = merged;
      [order, other] = [other, order];
    }
  }

  /** When the last result of the rows in this order is there. Tails come in it too, but where transfers end at once. */
  function lastResult(of: Int32Array, length: number): number {
    let channelFree = 0;
    let tie = false;
    for (let at = 0; at < length; at++) {
      const row = of[at]!;
      const end = Math.max(headEnd[row]!, channelFree) + transfer[row]!;
      if (end === channelFree) tie = true;
      channelFree = end;
      uplinkEnd[row] = end;
    }
    const arrived = tie ? inOrderOfArrival(of, length) : of;
    const workers = Math.min(workerFree.length, length);
    workerFree.fill(0);
    let last = 0;
    for (let at = 0; at < length; at++) {
      const row = arrived[at]!;
      let worker = 0;
      for (let next = 1; next < workers; next++) if (workerFree[next]! < workerFree[worker]!) worker = next;
      const end = Math.max(uplinkEnd[row]! + uplinkDelayMs, workerFree[worker]!) + tail[row]!;
      workerFree[worker] = end;
      if (end + returnMs > last) last = end + returnMs;
    }
    return last;
  }

  /** Only neighbours that end at once may change places: the rest is sorted already. */
  function inOrderOfArrival(of: Int32Array, length: number): Int32Array {
    const arrived = of.slice(0, length);
    for (let at = 1; at < length; at++) {
      const row = arrived[at]!;
      let to = at;
      for (; to > 0; to--) {
        const before = arrived[to - 1]!;
        if (uplinkEnd[before]! < uplinkEnd[row]! || comesFirst(before, row)) break;
        arrived[to] = before;
      }
      arrived[to] = row;
    }
    return arrived;
  }

  function lastHead(without: number): number {
    let last = without < 0 ? 0 : localEnd[tried]!;
    for (let vehicle = 0; vehicle < tried; vehicle++)
      if (vehicle !== without && localEnd[vehicle]! > last) last = localEnd[vehicle]!;
    return last;
  }

  return {
    endOf: (vehicles) => {
      for (let vehicle = 0; vehicle < tried; vehicle++)
        write(vehicle, firstRow[vehicle]!, vehicle, vehicles[vehicle]!);
      sort();
      return Math.max(lastHead(-1), lastResult(order, sent));
    },
    endWith: (vehicle, choice) => {
      triedVehicle = vehicle;
      write(tried, total, vehicle, choice);
      const end = total + senders[tried]!;
      let next = total;
      otherSent = 0;
      for (let at = 0; at < sent; at++) {
        const row = order[at]!;
        if (vehicleOf[row] === vehicle) continue;
        while (next < end && isBefore(next, row)) other[otherSent++] = next++;
        other[otherSent++] = row;
      }
      while (next < end) other[otherSent++] = next++;
      return Math.max(lastHead(vehicle), lastResult(other, otherSent));
    },
    keep: () => {
      const to = firstRow[triedVehicle]!;
      for (let index = 0; index < senders[tried]!; index++) {
        vehicleOf[to + index] = triedVehicle;
        placeOf[to + index] = placeOf[total + index]!;
        headEnd[to + index] = headEnd[total + index]!;
        transfer[to + index] = transfer[total + index]!;
        tail[to + index] = tail[total + index]!;
      }
      senders[triedVehicle] = senders[tried]!;
      localEnd[triedVehicle] = localEnd[tried]!;
      for (let at = 0; at < otherSent; at++) if (other[at]! >= total) other[at] = to + other[at]! - total;
      [order, other] = [other, order];
      sent = otherSent;
    },
  };
}
