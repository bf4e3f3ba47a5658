/**
 * A node's heartbeat: one small exchange with the roadside unit a second. It keeps the estimate of the unit's clock, and
 * sees where the connection brings nothing any more, or the unit does not know the node.
 */
import type { Clock, Timer } from '@splitlane/clock';
import { HEARTBEAT_MS, STRIKES } from '@splitlane/proto';
import { type ClockOffset, clockOffset, type Exchange } from './clock-offset.ts';
import type { Session } from './session.ts';

/** The shortest round trip is looked for among so many of the last exchanges. */
const EXCHANGES = 16;

export interface ClockSyncListeners {
  readonly onOffset: (offset: ClockOffset, atMs: number) => void;
  /** The roadside unit said that it does not know this node, in answer to what was sent at `sentMs`, own clock. */
  readonly onUnknown: (sentMs: number) => void;
  /** Whether a tensor is on its way: what is asked then may wait behind it, and is no strike. */
  readonly isSending?: () => boolean;
}

export class ClockSync {
  readonly #session: Pick<Session, 'subscribe' | 'publish' | 'drop'>;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #listeners: ClockSyncListeners;
  #exchanges: Exchange[] = [];
  /** Questions since the last answer of this connection. */
  #strikes = 0;
  #timer: Timer | undefined;

  constructor(
    session: Pick<Session, 'subscribe' | 'publish' | 'drop'>,
    node: string,
    clock: Clock,
    listeners: ClockSyncListeners,
  ) {
    this.#session = session;
    this.#node = node;
    this.#clock = clock;
    this.#listeners = listeners;
  }

  start(): void {
    this.#session.subscribe('clockPong', this.#node, ({ sentMs, answeredMs, unknown }) => {
      const receivedMs = this.#clock.now();
      this.#strikes = 0;
      this.#exchanges = [...this.#exchanges.slice(1 - EXCHANGES), { sentMs, answeredMs, receivedMs }];
      this.#listeners.onOffset(clockOffset(this.#exchanges)!, receivedMs);
      if (unknown) this.#listeners.onUnknown(sentMs);
    });
    this.#ask();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Strikes are counted and not timed: whoever was stopped for a while has missed nothing. */
  #ask(): void {
    if (this.#strikes >= STRIKES) {
      this.#strikes = 0;
      this.#session.drop(`no answer from the roadside unit to ${STRIKES} heartbeats`);
    } else {
      const isSent = this.#session.publish('clockPing', this.#node, { sentMs: this.#clock.now() });
      const counts = this.#listeners.isSending?.() ? 0 : 1;
      this.#strikes = isSent ? this.#strikes + counts : 0;
    }
    this.#timer = this.#clock.after(HEARTBEAT_MS, () => this.#ask());
  }
}
