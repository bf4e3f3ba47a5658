/** The one place where time is read and timers are made. Everything else is handed a `Clock`. */

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic time in ms. All threads of a node, and all nodes of one machine, share its zero. */
  now(): number;
  /** Wall time in ms since the Unix epoch: for people and file names, never for durations. */
  wallMs(): number;
  /**
   * Calls `run` once, `delayMs` from now: the machine's timers are up to 1.5 ms early, and late under load.
   * A timer does not keep the process alive.
   */
  after(delayMs: number, run: () => void): Timer;
  /** Resolves `delayMs` from now, as precise as `after`; it does keep the process alive. */
  sleep(delayMs: number): Promise<void>;
}

/** The machine's clock. `now` is CLOCK_MONOTONIC, which worker threads read alike. */
export const systemClock: Clock = {
  now: () => Number(process.hrtime.bigint()) / 1e6,
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.max(0, delayMs));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, Math.max(0, delayMs))),
};

interface Pending {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** A clock that stands still until `advance` moves it; timers fire in order of time, then of creation. */
export class FakeClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  #pending: Pending[] = [];

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, run };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Moves time forward by `ms`, firing what falls due on the way. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#pending
        .filter((entry) => entry.atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence)[0];
      if (!due) break;
      this.#pending = this.#pending.filter((entry) => entry !== due);
      this.#nowMs = due.atMs;
      due.run();
    }
    this.#nowMs = untilMs;
  }
}
