/** Hands a vehicle's log over: does what the pure sender says, with the log, the clock and a connection. */
import type { Clock, Timer } from '@splitlane/clock';
import {
  type LogAck,
  type LogBatch,
  newSender,
  type SenderEffect,
  type SenderEvent,
  type SenderState,
  stepSender,
  type Window,
} from './hand-over.ts';
import { JournalError } from './journal-error.ts';
import type { NodeLog } from './node-log.ts';

/** So often the sender looks whether it may send. */
const TICK_MS = 250;

type Untimed<Event> = Event extends unknown ? Omit<Event, 'atMs' | 'window'> : never;

export interface LogSenderOptions {
  readonly uplinkBps: number;
  /** Whether the uplink has room for a batch now. */
  readonly window: () => Window;
  readonly send: (batch: LogBatch) => void;
}

export class LogSender {
  readonly #log: NodeLog;
  readonly #clock: Clock;
  readonly #options: LogSenderOptions;
  #state: SenderState;
  #timer: Timer | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #isStopped = false;

  /** @param log which is begun. */
  constructor(log: NodeLog, clock: Clock, options: LogSenderOptions) {
    this.#log = log;
    this.#clock = clock;
    this.#options = options;
    this.#state = newSender(log.openRuns, options.uplinkBps);
    this.#await();
  }

  /** The roadside unit has let this node in. */
  letIn(): void {
    this.#take({ kind: 'let-in' });
  }

  /** The connection is gone. */
  lost(): void {
    this.#take({ kind: 'lost' });
    this.#drained?.resolve();
  }

  acked(ack: LogAck): void {
    this.#take({ kind: 'acked', ack });
  }

  /** The uplink may have room now. */
  look(): void {
    this.#take({ kind: 'tick' });
  }

  /** Hands over what is left, as long as there is a connection, for so long at most; then it sends no more. */
  async drain(mostMs: number): Promise<void> {
    if (this.#state.isIn) {
      this.#drained = Promise.withResolvers();
      const timer = this.#clock.after(mostMs, this.#drained.resolve);
      this.look();
      await this.#drained.promise;
      timer.cancel();
    }
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #await(): void {
    this.#timer = this.#clock.after(TICK_MS, () => {
      this.look();
      this.#await();
    });
  }

  #take(event: Untimed<SenderEvent>): void {
    if (this.#isStopped) return;
    const window = this.#drained ? 'open' : this.#options.window();
    const { state, effects } = stepSender(this.#state, { atMs: this.#clock.now(), window, ...event });
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SenderEffect): void {
    switch (effect.kind) {
      case 'read':
        this.#log.read(effect.run, effect.maxBytes).then(
          (rows) => this.#take({ kind: 'read', rows }),
          (error: Error) => {
            if (error instanceof JournalError) return this.lost();
            this.#log.fault('log-unreadable', error.message);
            this.#take({ kind: 'read-failed' });
          },
        );
        return;
      case 'send':
        return this.#options.send(effect.batch);
      case 'handed-over':
        return this.#log.handedOver(effect.run, effect.whole);
      case 'all-handed-over':
        return this.#drained?.resolve();
    }
  }
}
