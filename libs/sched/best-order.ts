import { eja } from './eja.ts';
import { makespan } from './flowshop.ts';
import { johnsonOrder } from './johnson.ts';
import type { Job } from './types.ts';

/** Up to this many paths every order is looked at: 8! = 40,320. */
const EXHAUSTIVE_PATHS = 8;

/**
 * A short order for paths through three stages (times in ms): of extended Johnson, Johnson's rule on
 * (p1, p2) and Johnson's rule on (p2, p3) the one of least makespan, the first named on a tie. For up
 * to 8 paths it is an order of least makespan, found depth-first with a bound; beyond that a rule's
 * order, without a claim that it is optimal.
 * Source: docs/theory.md.
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function bestOrder(paths: readonly Job[]): number[] {
  let best = eja(paths);
  let least = makespan(paths, best);
  for (const order of [
    johnsonOrder(paths, ({ p1, p2, local }) => ({ p1, p2: local ? 0 : p2 })),
    // Nothing waits for a local path: its key is one of those that go last.
    johnsonOrder(paths, ({ p2, p3 = 0, local }) => (local ? { p1: 1, p2: 0 } : { p1: p2, p2: p3 })),
  ]) {
    const length = makespan(paths, order);
    if (length < least) {
      least = length;
      best = order;
    }
  }
  return paths.length <= EXHAUSTIVE_PATHS ? (shorterOrder(paths, least) ?? best) : best;
}

/** An order of the least makespan below `limitMs`; undefined where no order ends before `limitMs`. */
function shorterOrder(paths: readonly Job[], limitMs: number): number[] | undefined {
  // Nothing waits for a local path, so the last places are the best for all of them.
  const indices = paths.map((_, index) => index);
  const senders = indices.filter((index) => !paths[index]!.local);
  const locals = indices.filter((index) => paths[index]!.local);
  let least = limitMs;
  let best: number[] | undefined;
  const order: number[] = [];
  const used = paths.map(() => false);

  /** Extends `order`; the arguments are when each stage becomes free, in ms since the start. */
  function extend(vehicleFree: number, uplinkFree: number, cloudFree: number): void {
    if (order.length === senders.length) {
      // The bound is only a guide: an order counts as shorter when the judge says so.
      const complete = [...order, ...locals];
      const length = makespan(paths, complete);
      if (length < least) {
        least = length;
        best = complete;
      }
      return;
    }
    // What is left of each stage runs without a pause at best, and the last path's later stages follow.
    let vehicleEnd = vehicleFree;
    let uplinkEnd = uplinkFree;
    let cloudEnd = cloudFree;
    let leastAfterHead = Number.POSITIVE_INFINITY;
    let leastTail = Number.POSITIVE_INFINITY;
    for (const index of senders) {
      if (used[index]) continue;
      const { p1, p2, p3 = 0 } = paths[index]!;
      vehicleEnd += p1;
      uplinkEnd += p2;
      cloudEnd += p3;
      leastAfterHead = Math.min(leastAfterHead, p2 + p3);
      leastTail = Math.min(leastTail, p3);
    }
    if (Math.max(vehicleEnd + leastAfterHead, uplinkEnd + leastTail, cloudEnd) >= least) return;
    for (const index of senders) {
      if (used[index]) continue;
      const { p1, p2, p3 = 0 } = paths[index]!;
      used[index] = true;
      order.push(index);
      const headEnd = vehicleFree + p1;
      const sent = Math.max(headEnd, uplinkFree) + p2;
      extend(headEnd, sent, Math.max(sent, cloudFree) + p3);
      order.pop();
      used[index] = false;
    }
  }

  extend(0, 0, 0);
  return best;
}
