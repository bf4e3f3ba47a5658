/** Time that only moves when somebody asks what comes next, and processes that die with their timers. */
import type { Clock, Timer } from '@splitlane/clock';

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  run: (() => void) | undefined;
}

/** A clock whose timers fire in order of time, then of creation, each when `runNext` is called. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  /** A binary heap, the earliest first. */
  readonly #heap: Entry[] = [];

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, run };
    this.#push(entry);
    return {
      cancel: () => {
        entry.run = undefined;
      },
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Moves time to the next timer and fires it. @returns false where there is none. */
  runNext(): boolean {
    const entry = this.#pop();
    if (!entry) return false;
    this.#nowMs = entry.atMs;
    entry.run?.();
    return true;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(entry, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/**
 * The clock of one process: its own zero, and timers that never fire once the process is killed; while it is frozen
 * they wait, and time goes on.
 */
export class ProcessClock implements Clock {
  readonly #world: Clock;
  readonly #offsetMs: number;
  #isAlive = true;
  #frozenMs: number | undefined;
  #held: (() => void)[] = [];

  constructor(world: Clock, offsetMs: number) {
    this.#world = world;
    this.#offsetMs = offsetMs;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  now(): number {
    return this.#world.now() + this.#offsetMs;
  }

  wallMs(): number {
    return this.#world.wallMs();
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#world.after(delayMs, () => this.whenRunning(run));
  }

  /** Lets the process do something that comes from outside: now, or once it is not frozen any more; never once it is killed. */
  whenRunning(run: () => void): void {
    if (!this.#isAlive) return;
    if (this.#frozenMs === undefined) run();
    else this.#held.push(run);
  }

  /** When it ran last, by its own clock. */
  get lastRanMs(): number {
    return this.#frozenMs ?? this.now();
  }

  get isFrozen(): boolean {
    return this.#frozenMs !== undefined;
  }

  freeze(): void {
    this.#frozenMs ??= this.now();
  }

  thaw(): void {
    const held = this.#held;
    this.#frozenMs = undefined;
    this.#held = [];
    for (const run of held) this.whenRunning(run);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  kill(): void {
    this.#isAlive = false;
  }
}
