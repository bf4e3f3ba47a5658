/** Estimates the offset of the roadside unit's clock from a node's own. Pure. */

/** One exchange: sent and received by the own clock, answered by the other's. */
export interface Exchange {
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly receivedMs: number;
}

export interface ClockOffset {
  /** What has to be added to the own clock to read the other. */
  readonly offsetMs: number;
  /** Round trip of the exchange that it was read from: the offset is off by half of it at most. */
  readonly rttMs: number;
}

/**
 * The offset read from the exchange with the shortest round trip, which waited least in queues
 * (F. Cristian, "Probabilistic clock synchronization", 1989).
 */
export function clockOffset(exchanges: readonly Exchange[]): ClockOffset | undefined {
  let best: ClockOffset | undefined;
  for (const { sentMs, answeredMs, receivedMs } of exchanges) {
    const rttMs = receivedMs - sentMs;
    if (!best || rttMs < best.rttMs) best = { offsetMs: answeredMs - (sentMs + receivedMs) / 2, rttMs };
  }
  return best;
}
