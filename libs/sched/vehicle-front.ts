import { exact } from './exact.ts';
import { type CameraProblem, type FleetProblem, type VehicleChoice, vehicleJobs } from './fleet.ts';
import { frontier, type Point } from './two-stages.ts';

/** As many choices of a vehicle's cuts are kept, camera after camera: of few vehicles more. */
const LEAST_WIDTH = 64;
const MOST_WIDTH = 512;
const ALL_CHOICES = 16_000;
/** With more cameras than this the front of one network may have lost its best choice. */
const MANY_CAMERAS = 4;

/**
 * The choices of cuts for all cameras of a vehicle that trade its time alone for its time on the channel: by rising
 * `aloneMs`, on vehicle and channel, and falling `channelMs`.
 */
export interface VehicleFront {
  readonly aloneMs: readonly number[];
  readonly channelMs: readonly number[];
  /** All heads, rising, and all transfers, falling, of the choices that no other beats in both. */
  readonly sums: { readonly head: readonly number[]; readonly channel: readonly number[] };
  /** None of these was left out. */
  readonly complete: boolean;
  /** The cut of each camera's job, and the jobs. Made when asked for: of most choices nobody does. */
  readonly choice: (index: number) => VehicleChoice;
  /** The choice that alone ends first where every vehicle has an equal part of the channel. */
  readonly fairChoice: number;
}

/** Every vehicle's front; vehicles whose cameras are the same have the same. */
export function frontsOf(problem: FleetProblem): VehicleFront[] {
  const known = new Map<CameraProblem, { cameras: readonly CameraProblem[]; front: VehicleFront }[]>();
  const candidates = { row: [], head: [], channel: [] };
  const room: Room = { frontiers: new Map(), candidates, sums: noSums(), other: noSums() };
  return problem.cameras.map((cameras, vehicle) => {
    const alike = known.get(cameras[0]!) ?? [];
    known.set(cameras[0]!, alike);
    const same = alike.find(
      (other) =>
        other.cameras.length === cameras.length &&
        cameras.every((camera, at) => camera === other.cameras[at]),
    );
    if (same) return same.front;
    const front = frontOf(problem, vehicle, room);
    alike.push({ cameras, front });
    return front;
  });
}

/** Sums over the cameras so far, by rising heads and falling transfers, a row of each; only so many rows count. */
interface Sums {
  rows: number;
  readonly head: number[];
  readonly channel: number[];
  /** The shortest head and the shortest transfer of a row. */
  readonly leastHead: number[];
  readonly leastTransfer: number[];
  /** The last camera's point, and the row of the cameras before: row · number of points + point. */
  readonly came: number[];
}

const noSums = (): Sums => ({
  rows: 0,
  head: [],
  channel: [],
  leastHead: [],
  leastTransfer: [],
  came: [],
});

/** What fronts are made in, one after another: getting and freeing memory would be most of the work. */
interface Room {
  readonly frontiers: Map<CameraProblem, Point[]>;
  /** For each point the first row of the sums before that may follow by it, and what both sum to. */
  readonly candidates: { readonly row: number[]; readonly head: number[]; readonly channel: number[] };
  /** Of the cameras so far, and what is made of them and one more. */
  sums: Sums;
  other: Sums;
}

/** Which point each row of a camera's sums came by, and from which row before. */
interface Level {
  readonly points: readonly Point[];
  readonly came: readonly number[];
}

function frontOf({ vehicles, channel, cameras }: FleetProblem, vehicle: number, room: Room): VehicleFront {
  const own = cameras[vehicle]!;
  const width = Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, Math.floor(ALL_CHOICES / vehicles.length)));
  const { levels, complete } = summed(own, width, room);
  const { rows: all, head, channel: sent, leastHead, leastTransfer } = room.sums;
  // From the least channel time on: whatever is no faster alone, but has the channel longer, is beaten.
  const rows: number[] = [];
  const aloneMs: number[] = [];
  const channelMs: number[] = [];
  const parts = vehicles.length;
  let fair = 0;
  let fairMs = Number.POSITIVE_INFINITY;
  for (let row = all - 1; row >= 0; row--) {
    // In Johnson's order the first job has the shortest head, and the last the shortest transfer.
    const ms = Math.max(leastHead[row]! + sent[row]!, head[row]! + leastTransfer[row]!);
    if (rows.length > 0 && ms >= aloneMs[aloneMs.length - 1]!) continue;
    const partMs = Math.max(leastHead[row]! + parts * sent[row]!, head[row]! + parts * leastTransfer[row]!);
    if (partMs <= fairMs) {
      fair = rows.length;
      fairMs = partMs;
    }
    rows.push(row);
    aloneMs.push(ms);
    channelMs.push(sent[row]!);
  }
  let single: readonly number[] = [];
  const { cameras: tables, uplinkBps = channel.uplinkBps } = vehicles[vehicle]!;
  if (own.length > MANY_CAMERAS && tables.every((cuts) => cuts === tables[0])) {
    const { jobCuts, makespanMs } = exact(tables[0]!, own.length, { ...channel, uplinkBps });
    if (makespanMs < aloneMs.at(-1)!) {
      single = jobCuts;
      rows.push(-1);
      aloneMs.push(makespanMs);
      channelMs.push(jobCuts.reduce((sum, cut, camera) => sum + own[camera]!.jobs[cut]!.p2, 0));
    }
  }
  const last = rows.length - 1;
  const known = new Map<number, VehicleChoice>();
  return {
    aloneMs: aloneMs.reverse(),
    channelMs: channelMs.reverse(),
    sums: { head: head.slice(0, all), channel: sent.slice(0, all) },
    complete,
    fairChoice: last - fair,
    choice: (index) => {
      const found = known.get(index);
      if (found) return found;
      const row = rows[last - index]!;
      const jobCuts = row < 0 ? single : cutsOf(levels, row);
      const choice = { jobCuts, jobs: vehicleJobs(own, jobCuts) };
      known.set(index, choice);
      return choice;
    },
  };
}

/** Leaves the sums of all cameras in the room's `sums`; at most `width` of each camera are kept. */
function summed(
  cameras: readonly CameraProblem[],
  width: number,
  room: Room,
): { readonly levels: Level[]; readonly complete: boolean } {
  let complete = true;
  room.sums.rows = 1;
  room.sums.head[0] = 0;
  room.sums.channel[0] = 0;
  room.sums.leastHead[0] = Number.POSITIVE_INFINITY;
  room.sums.leastTransfer[0] = Number.POSITIVE_INFINITY;
  const levels = cameras.map((camera): Level => {
    const points = room.frontiers.get(camera) ?? frontier(camera.jobs, camera.allowed);
    room.frontiers.set(camera, points);
    addCamera(room.sums, points, room);
    [room.sums, room.other] = [room.other, room.sums];
    complete &&= room.sums.rows <= width;
    thin(room.sums, width);
    return { points, came: room.sums.came.slice(0, room.sums.rows) };
  });
  return { levels, complete };
}

/**
 * The sums with one camera more, without those that others beat. Those of each of its cuts are sorted already: they are
 * merged, O(k) for each that stays.
 */
function addCamera(before: Sums, points: readonly Point[], { candidates, other: sums }: Room): void {
  const { rows, head, channel } = before;
  const count = points.length;
  const { row: next, head: nextHead, channel: nextChannel } = candidates;
  for (let point = 0; point < count; point++) {
    next[point] = 0;
    nextHead[point] = head[0]! + points[point]!.p1;
    nextChannel[point] = channel[0]! + points[point]!.p2;
  }
  let lastChannel = Number.POSITIVE_INFINITY;
  sums.rows = 0;
  for (;;) {
    let first = -1;
    let leastHead = Number.POSITIVE_INFINITY;
    let leastChannel = Number.POSITIVE_INFINITY;
    for (let point = 0; point < count; point++) {
      // All that come now have longer heads than the last that stayed: they must have the channel shorter.
      if (nextChannel[point]! >= lastChannel) {
        const { p1, p2 } = points[point]!;
        let row = next[point]!;
        while (row < rows && channel[row]! + p2 >= lastChannel) row++;
        next[point] = row;
        nextHead[point] = row < rows ? head[row]! + p1 : Number.POSITIVE_INFINITY;
        nextChannel[point] = row < rows ? channel[row]! + p2 : Number.NEGATIVE_INFINITY;
      }
      const ofHead = nextHead[point]!;
      if (ofHead > leastHead || (ofHead === leastHead && nextChannel[point]! >= leastChannel)) continue;
      first = point;
      leastHead = ofHead;
      leastChannel = nextChannel[point]!;
    }
    if (first < 0 || next[first] === rows) break;
    const row = next[first]!;
    const { p1, p2 } = points[first]!;
    const at = sums.rows++;
    sums.head[at] = leastHead;
    sums.channel[at] = leastChannel;
    sums.leastHead[at] = Math.min(before.leastHead[row]!, p1);
    sums.leastTransfer[at] = Math.min(before.leastTransfer[row]!, p2);
    sums.came[at] = row * count + first;
    lastChannel = leastChannel;
  }
}

/** At most `width` rows, evenly, with both ends. */
function thin(sums: Sums, width: number): void {
  const { rows, head, channel, leastHead, leastTransfer, came } = sums;
  if (rows <= width) return;
  const step = (rows - 1) / (width - 1);
  sums.rows = width;
  for (let to = 0; to < width; to++) {
    const row = Math.round(to * step);
    head[to] = head[row]!;
    channel[to] = channel[row]!;
    leastHead[to] = leastHead[row]!;
    leastTransfer[to] = leastTransfer[row]!;
    came[to] = came[row]!;
  }
}

/** The cuts of a row of the last level: from the last camera back to the first. */
function cutsOf(levels: readonly Level[], last: number): number[] {
  const cuts: number[] = [];
  let row = last;
  for (let level = levels.length - 1; level >= 0; level--) {
    const { points, came } = levels[level]!;
    const code = came[row]!;
    cuts.push(points[code % points.length]!.cut);
    row = Math.floor(code / points.length);
  }
  return cuts.reverse();
}
