/** The log of one node: rows are handed over in batches to a thread of their own, off the hot path. */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '@splitlane/clock';
import { type Row, type Table, tables } from './tables.ts';
import type { WriterMessage, WriterReply } from './writer-worker.ts';

/** The log cannot be written; the message names the file and says why. For users. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

/** Rows wait so long for their batch: a crash loses the last one, and on a busy machine the one before it. */
export const BATCH_MS = 100;

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
      this.#closed.resolve();
    };
    this.#worker.on('message', (reply: WriterReply) => {
      if (reply.kind === 'failed') return fail(reply.error);
      if (reply.kind === 'closed') return this.#closed.resolve();
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

  /** Writes what is left and closes the file. */
  async stop(): Promise<void> {
    if (!this.#worker) return;
    this.#flush();
    if (!this.#failed) this.#worker.postMessage({ kind: 'close' } satisfies WriterMessage);
    await this.#closed.promise;
    await this.#worker.terminate();
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#rows.length > 0 && !this.#failed)
      this.#worker?.postMessage({ kind: 'rows', rows: this.#rows } satisfies WriterMessage);
    this.#rows = [];
  }
}
