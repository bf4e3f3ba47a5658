import { exact } from './exact.ts';
import { type CameraProblem, type FleetProblem, vehicleJobs } from './fleet.ts';
import type { VehicleJobs } from './flowshop.ts';
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
  /** The cut of each camera's job. Made when asked for: of most choices nobody does. */
  readonly jobCuts: (choice: number) => readonly number[];
  readonly jobs: (choice: number) => VehicleJobs;
}

/** Every vehicle's front; vehicles whose cameras are the same have the same. */
export function frontsOf(problem: FleetProblem): VehicleFront[] {
  const known = new Map<CameraProblem, { cameras: readonly CameraProblem[]; front: VehicleFront }[]>();
  const frontiers = new Map<CameraProblem, Point[]>();
  return problem.cameras.map((cameras, vehicle) => {
    const alike = known.get(cameras[0]!) ?? [];
    known.set(cameras[0]!, alike);
    const same = alike.find(
      (other) =>
        other.cameras.length === cameras.length &&
        cameras.every((camera, at) => camera === other.cameras[at]),
    );
    if (same) return same.front;
    const front = frontOf(problem, vehicle, frontiers);
    alike.push({ cameras, front });
    return front;
  });
}

/** Sums over the cameras so far, by rising heads and falling transfers, a row of each. */
interface Sums {
  readonly points: readonly Point[];
  readonly head: number[];
  readonly channel: number[];
  /** The last camera's point, and the row of the cameras before: row · number of points + point. */
  readonly came: number[];
}

const NO_CAMERA: Sums = { points: [], head: [0], channel: [0], came: [0] };

function frontOf(
  { vehicles, channel, cameras }: FleetProblem,
  vehicle: number,
  frontiers: Map<CameraProblem, Point[]>,
): VehicleFront {
  const own = cameras[vehicle]!;
  const width = Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, Math.floor(ALL_CHOICES / vehicles.length)));
  let complete = true;
  const levels: Sums[] = [NO_CAMERA];
  for (const camera of own) {
    const points = frontiers.get(camera) ?? frontier(camera.jobs, camera.allowed);
    frontiers.set(camera, points);
    const sums = withCamera(levels.at(-1)!, points);
    complete &&= sums.head.length <= width;
    levels.push(thinned(sums, width));
  }
  const { head, channel: sent } = levels.at(-1)!;
  // From the least channel time on: whatever is no faster alone, but has the channel longer, is beaten.
  const rows: number[] = [];
  const aloneMs: number[] = [];
  const channelMs: number[] = [];
  for (let row = head.length - 1; row >= 0; row--) {
    // In Johnson's order the first job has the shortest head, and the last the shortest transfer.
    let leastHead = Number.POSITIVE_INFINITY;
    let leastTransfer = Number.POSITIVE_INFINITY;
    forEachPoint(levels, row, ({ p1, p2 }) => {
      if (p1 < leastHead) leastHead = p1;
      if (p2 < leastTransfer) leastTransfer = p2;
    });
    const ms = Math.max(leastHead + sent[row]!, head[row]! + leastTransfer);
    if (rows.length > 0 && ms >= aloneMs.at(-1)!) continue;
    rows.push(row);
    aloneMs.push(ms);
    channelMs.push(sent[row]!);
  }
  const known: (readonly number[])[] = [];
  const { cameras: tables, uplinkBps = channel.uplinkBps } = vehicles[vehicle]!;
  if (own.length > MANY_CAMERAS && tables.every((cuts) => cuts === tables[0])) {
    const { jobCuts, makespanMs } = exact(tables[0]!, own.length, { ...channel, uplinkBps });
    if (makespanMs < aloneMs.at(-1)!) {
      known[rows.length] = jobCuts;
      rows.push(-1);
      aloneMs.push(makespanMs);
      channelMs.push(jobCuts.reduce((sum, cut, camera) => sum + own[camera]!.jobs[cut]!.p2, 0));
    }
  }
  const last = rows.length - 1;
  const jobCuts = (choice: number): readonly number[] => {
    known[last - choice] ??= cutsOf(levels, rows[last - choice]!);
    return known[last - choice]!;
  };
  const jobs: VehicleJobs[] = [];
  return {
    aloneMs: aloneMs.reverse(),
    channelMs: channelMs.reverse(),
    sums: { head, channel: sent },
    complete,
    jobCuts,
    jobs: (choice) => {
      jobs[choice] ??= vehicleJobs(own, jobCuts(choice));
      return jobs[choice]!;
    },
  };
}

/**
 * The sums with one camera more, without those that others beat. Those of each of its cuts are sorted already: they are
 * merged, O(k) for each that stays.
 */
function withCamera(before: Sums, points: readonly Point[]): Sums {
  const rows = before.head.length;
  const sums: Sums = { points, head: [], channel: [], came: [] };
  const next = points.map(() => 0);
  let lastChannel = Number.POSITIVE_INFINITY;
  for (;;) {
    let first = -1;
    let leastHead = Number.POSITIVE_INFINITY;
    let leastChannel = Number.POSITIVE_INFINITY;
    for (let point = 0; point < points.length; point++) {
      const { p1, p2 } = points[point]!;
      let row = next[point]!;
      // All that come now have longer heads than the last that stayed: they must have the channel shorter.
      while (row < rows && before.channel[row]! + p2 >= lastChannel) row++;
      next[point] = row;
      if (row === rows) continue;
      const ofHead = before.head[row]! + p1;
      const ofChannel = before.channel[row]! + p2;
      if (ofHead > leastHead || (ofHead === leastHead && ofChannel >= leastChannel)) continue;
      first = point;
      leastHead = ofHead;
      leastChannel = ofChannel;
    }
    if (first < 0) break;
    sums.head.push(leastHead);
    sums.channel.push(leastChannel);
    sums.came.push(next[first]! * points.length + first);
    next[first]!++;
    lastChannel = leastChannel;
  }
  return sums;
}

/** At most `width` rows, evenly, with both ends. */
function thinned(sums: Sums, width: number): Sums {
  const size = sums.head.length;
  if (size <= width) return sums;
  const step = (size - 1) / (width - 1);
  const few = (of: readonly number[]): number[] =>
    Array.from({ length: width }, (_, index) => of[Math.round(index * step)]!);
  return { points: sums.points, head: few(sums.head), channel: few(sums.channel), came: few(sums.came) };
}

/** The points of a row of the last level, the last camera's first. */
function forEachPoint(levels: readonly Sums[], last: number, visit: (point: Point) => void): void {
  let row = last;
  for (let level = levels.length - 1; level > 0; level--) {
    const { points, came } = levels[level]!;
    const code = came[row]!;
    visit(points[code % points.length]!);
    row = Math.floor(code / points.length);
  }
}

function cutsOf(levels: readonly Sums[], last: number): number[] {
  const cuts: number[] = [];
  forEachPoint(levels, last, ({ cut }) => cuts.push(cut));
  return cuts.reverse();
}
