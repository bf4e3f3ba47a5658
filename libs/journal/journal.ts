/** The log of one node: rows are handed over in batches to a thread of their own, off the hot path. */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '@splitlane/clock';
import { JournalError } from './journal-error.ts';
import { type Row, type Table, tables } from './tables.ts';
import type { Answers, Ask, WriterMessage, WriterReply } from './writer-worker.ts';

/** Rows wait so long for their batch: a crash loses the last one, and on a busy machine the one before it. */
export const BATCH_MS = 100;

/** The thread cannot do what it was asked for, and goes on. */
export class AskError extends Error {
  override readonly name = 'AskError';
}

/** Where a node writes down what happens. */
export interface Recorder {
  write<T extends Table>(table: T, row: Row<T>): void;
}

export class Journal implements Recorder {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #onFailure: (error: JournalError) => void;
  #worker: Worker | undefined;
  #rows: (readonly [Table, readonly unknown[]])[] = [];
  #timer: Timer | undefined;
  #failed = false;
  #closed = Promise.withResolvers<void>();
  #tickets = 0;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();

  /** @param onFailure told once if the log can no longer be written while the node runs. */
  constructor(file: string, clock: Clock, onFailure: (error: JournalError) => void) {
    this.#file = file;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** Creates the file. @throws JournalError where it exists, or the folder is full or read-only. */
  async start(): Promise<void> {
    const ready = Promise.withResolvers<void>();
    this.#worker = new Worker(new URL('./writer-worker.ts', import.meta.url), {
      workerData: { file: this.#file },
    });
    let started = false;
    const fail = (reason: string): void => {
      if (this.#failed) return;
      this.#failed = true;
      const error = new JournalError(`log ${this.#file}: cannot be written (${reason})`);
      if (started) this.#onFailure(error);
      else ready.reject(error);
      for (const { reject } of this.#asked.values()) reject(error);
      this.#asked.clear();
      this.#closed.resolve();
    };
    this.#worker.on('message', (reply: WriterReply) => {
      if (reply.kind === 'failed') return fail(reply.error);
      if (reply.kind === 'closed') return this.#closed.resolve();
      if (reply.kind === 'answer') return this.#hear(reply);
      started = true;
      ready.resolve();
    });
    this.#worker.on('error', (error) => fail((error as Error).message));
    try {
      await ready.promise;
    } catch (error) {
      await this.#worker.terminate();
      throw error;
    }
  }

  write<T extends Table>(table: T, row: Row<T>): void {
    const values = row as Readonly<Record<string, unknown>>;
    this.#rows.push([table, Object.keys(tables[table]).map((column) => values[column] ?? null)]);
    this.#timer ??= this.#clock.after(BATCH_MS, () => this.#flush());
  }

  /**
   * Asks the thread for something, once it has written what was written before.
   * @throws JournalError where the log cannot be written any more, and what the thread says of what it cannot do.
   */
  async ask<K extends Ask['kind']>(ask: Extract<Ask, { kind: K }>): Promise<Answers[K]> {
    this.#flush();
    if (this.#failed || !this.#worker) throw new JournalError(`log ${this.#file}: is not written`);
    const asked = Promise.withResolvers<unknown>();
    const ticket = this.#tickets++;
    this.#asked.set(ticket, asked);
    this.#worker.postMessage({ kind: 'ask', ticket, ask } satisfies WriterMessage);
    return (await asked.promise) as Answers[K];
  }

  /** Writes what is left and closes the file. */
  async stop(): Promise<void> {
    if (!this.#worker) return;
    this.#flush();
    if (!this.#failed) this.#worker.postMessage({ kind: 'close' } satisfies WriterMessage);
    await this.#closed.promise;
    await this.#worker.terminate();
  }

  #hear({ ticket, answer, error }: WriterReply & { kind: 'answer' }): void {
    const asked = this.#asked.get(ticket);
    this.#asked.delete(ticket);
    if (error === undefined) asked?.resolve(answer);
    else asked?.reject(new AskError(error));
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#rows.length > 0 && !this.#failed)
      this.#worker?.postMessage({ kind: 'rows', rows: this.#rows } satisfies WriterMessage);
    this.#rows = [];
  }
}
