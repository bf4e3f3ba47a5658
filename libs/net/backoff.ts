/**
 * How long to wait before the next attempt to connect: exponential backoff with full jitter (M. Brooker, "Exponential Backoff
 * and Jitter", AWS Architecture Blog, 2015). Nodes that lose the same broker at once do not come back at once.
 */

/** The first wait is at most so long, and each further one at most twice as long as the one before. */
const FIRST_MS = 250;
const LONGEST_MS = 10_000;
/** A connection that has stood for so long was no failed attempt. */
const STEADY_MS = 10_000;

export class Backoff {
  readonly #random: () => number;
  #attempts = 0;

  /** @param random uniform numbers in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * The next wait, in ms: uniform below a bound that doubles from 250 ms to 10 s, and is the first again after a connection
   * that stood for 10 s.
   * @param stoodMs how long the connection stood that is lost; 0 where none was made.
   */
  next(stoodMs: number): number {
    if (stoodMs >= STEADY_MS) this.#attempts = 0;
    const mostMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#attempts++);
    return mostMs * this.#random();
  }
}
