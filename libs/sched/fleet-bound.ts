import type { CameraProblem, FleetProblem } from './fleet.ts';
import { hull } from './hull.ts';
import type { VehicleFront } from './vehicle-front.ts';

/** A vehicle's trade of head time for channel time, by rising heads. */
interface Trade {
  /** All heads of the vehicle, and all its transfers, in ms. */
  readonly head: readonly number[];
  readonly channel: readonly number[];
  /** These are choices, and nothing lies between them; else they are the corners of a convex curve. */
  readonly whole: boolean;
  /** The least that follows the last head of any plan. */
  readonly afterMs: number;
}

const HALVINGS = 40;

/**
 * A time in ms before which no plan of a fleet on one channel can end. Let every vehicle take the choice with the least
 * channel time whose heads end by M; the channel must carry the sum of them behind the shortest head and before the
 * least tail. The least M for which it can is the bound; the cloud's workers are not counted. Where not all choices of a
 * vehicle are known its jobs may be divided into fractions.
 * @param fronts of the vehicles; those with the same front share what is made of it.
 */
export function fleetLowerBound({ cameras, channel }: FleetProblem, fronts: readonly VehicleFront[]): number {
  const { rttMs = 0 } = channel;
  const known = new Map<VehicleFront, Trade>();
  const trades = cameras.map((of, vehicle): Trade => {
    const front = fronts[vehicle]!;
    const found = known.get(front) ?? {
      ...(front.complete ? front.sums : curveOf(of)),
      whole: front.complete,
      afterMs: leastAfterMs(of, rttMs),
    };
    known.set(front, found);
    return found;
  });
  let leastHeadMs = Number.POSITIVE_INFINITY;
  let leastTailMs = Number.POSITIVE_INFINITY;
  for (const { jobs, allowed } of new Set(cameras.flat())) {
    for (const cut of allowed) {
      const { p1, p3 = 0, local } = jobs[cut]!;
      if (local) continue;
      leastHeadMs = Math.min(leastHeadMs, p1);
      leastTailMs = Math.min(leastTailMs, rttMs + p3);
    }
  }
  // No vehicle can be done before the heads of its leftmost choice are, and what must follow them.
  let low = 0;
  let high = 0;
  for (const { head, channel: sent, afterMs } of trades) {
    low = Math.max(low, head[0]! + afterMs);
    high = Math.max(high, head[head.length - 1]! + afterMs) + sent[0]!;
  }
  high += leastHeadMs === Number.POSITIVE_INFINITY ? 0 : leastHeadMs + leastTailMs;
  const fits = (ms: number): boolean => {
    let sum = 0;
    for (const curve of trades) sum += channelMs(curve, ms - curve.afterMs);
    return sum === 0 || leastHeadMs + sum + leastTailMs <= ms;
  };
  if (fits(low)) return low;
  for (let i = 0; i < HALVINGS && low < high; i++) {
    const middle = (low + high) / 2;
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return low;
}

function leastAfterMs(cameras: readonly CameraProblem[], rttMs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { jobs, allowed } of cameras)
    for (const cut of allowed) {
      const { p2, p3 = 0, local } = jobs[cut]!;
      least = Math.min(least, local ? 0 : p2 + rttMs + p3);
    }
  return least;
}

/** The sum of the cameras' hulls: from all leftmost corners on, the edges of all hulls, the steepest first. */
function curveOf(cameras: readonly CameraProblem[]): Pick<Trade, 'head' | 'channel'> {
  let head = 0;
  let channel = 0;
  const edges: { readonly head: number; readonly channel: number }[] = [];
  for (const { jobs, allowed } of cameras) {
    const points = allowed.map((cut) => jobs[cut]!);
    const line = hull(points).map((index) => points[index]!);
    head += line[0]!.p1;
    channel += line[0]!.p2;
    line.slice(1).forEach((point, index) => {
      edges.push({ head: point.p1 - line[index]!.p1, channel: point.p2 - line[index]!.p2 });
    });
  }
  edges.sort((a, b) => a.channel * b.head - b.channel * a.head);
  const curve = { head: [head], channel: [channel] };
  for (const edge of edges) {
    head += edge.head;
    channel += edge.channel;
    curve.head.push(head);
    curve.channel.push(Math.max(0, channel));
  }
  return curve;
}

/** The least channel time whose heads take at most `budgetMs`. */
function channelMs({ head, channel, whole }: Trade, budgetMs: number): number {
  let low = 0;
  for (let high = head.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (head[middle]! > budgetMs) high = middle;
    else low = middle + 1;
  }
  if (low === 0) return channel[0]!;
  if (whole || low === head.length) return channel[low - 1]!;
  const share = (budgetMs - head[low - 1]!) / (head[low]! - head[low - 1]!);
  return channel[low - 1]! + share * (channel[low]! - channel[low - 1]!);
}
