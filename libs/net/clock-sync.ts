/** Keeps a node's estimate of the roadside unit's clock: one small exchange a second. */
import type { Clock, Timer } from '@splitlane/clock';
import { type ClockOffset, clockOffset, type Exchange } from './clock-offset.ts';
import type { Session } from './session.ts';

const INTERVAL_MS = 1000;
/** The shortest round trip is looked for among so many of the last exchanges. */
const EXCHANGES = 16;

export class ClockSync {
  readonly #session: Session;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #onOffset: (offset: ClockOffset, atMs: number) => void;
  #exchanges: Exchange[] = [];
  #timer: Timer | undefined;

  constructor(
    session: Session,
    node: string,
    clock: Clock,
    onOffset: (offset: ClockOffset, atMs: number) => void,
  ) {
    this.#session = session;
    this.#node = node;
    this.#clock = clock;
    this.#onOffset = onOffset;
  }

  start(): void {
    this.#session.subscribe('clockPong', this.#node, ({ sentMs, answeredMs }) => {
      const receivedMs = this.#clock.now();
      this.#exchanges = [...this.#exchanges.slice(1 - EXCHANGES), { sentMs, answeredMs, receivedMs }];
      this.#onOffset(clockOffset(this.#exchanges)!, receivedMs);
    });
    this.#ask();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #ask(): void {
    this.#session.publish('clockPing', this.#node, { sentMs: this.#clock.now() });
    this.#timer = this.#clock.after(INTERVAL_MS, () => this.#ask());
  }
}
