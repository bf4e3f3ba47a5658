import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface EventLoopDelay {
  /** 99th percentile and maximum of the delay since the watch began, in ms. */
  read(): { readonly p99Ms: number; readonly maxMs: number };
  /** Forgets what was seen so far: called once start-up is over. */
  reset(): void;
  stop(): void;
}

const RESOLUTION_MS = 1;

/** Watches by how much this thread's event loop comes late; the timer's own interval is taken off. */
export function watchEventLoop(): EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const delayMs = (ns: number): number =>
    histogram.count === 0 ? 0 : Math.max(0, Math.round((ns / 1e6 - RESOLUTION_MS) * 1000) / 1000);
  return {
    read: () => ({ p99Ms: delayMs(histogram.percentile(99)), maxMs: delayMs(histogram.max) }),
    reset: () => histogram.reset(),
    stop: () => histogram.disable(),
  };
}
