/** The thread that writes a log: SQLite is synchronous, and a disk may take its time. */
import { existsSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { readBatch } from './batch-reader.ts';
import { type Legacy, legacyOf } from './earlier-logs.ts';
import type { LogBatch, Position } from './hand-over.ts';
import { LogBatchError } from './log-batch.ts';
import { openDatabase } from './reader.ts';
import { ReceivedLogs, type Remembered } from './received-logs.ts';
import { insertSql, schemaSql, type Table, tables } from './tables.ts';

interface Place {
  readonly folder: string;
  readonly node: string;
  readonly start: number;
}

/** What the thread does besides writing rows; whatever was written before is in the file by then. */
export type Ask =
  | { readonly kind: 'written' }
  | ({ readonly kind: 'legacy' } & Place)
  | ({ readonly kind: 'remember' } & Place)
  /** `file`: of an earlier log; this one's own unless given. */
  | {
      readonly kind: 'read';
      readonly file?: string | undefined;
      readonly after: Position;
      readonly maxBytes: number;
    }
  | { readonly kind: 'receive'; readonly node: string; readonly batch: LogBatch; readonly atMs: number };

export interface Answers {
  readonly written: undefined;
  readonly legacy: Legacy;
  readonly remember: Remembered;
  readonly read: Pick<LogBatch, 'through' | 'rows'> | undefined;
  readonly receive: Position;
}

export type WriterMessage =
  | { readonly kind: 'rows'; readonly rows: readonly (readonly [Table, readonly unknown[]])[] }
  | { readonly kind: 'ask'; readonly ticket: number; readonly ask: Ask }
  | { readonly kind: 'close' };
export type WriterReply =
  | { readonly kind: 'ready' | 'closed' }
  /** With an error where it could not be done, and the thread goes on. */
  | { readonly kind: 'answer'; readonly ticket: number; readonly answer?: unknown; readonly error?: string }
  | { readonly kind: 'failed'; readonly error: string };

const { file } = workerData as { file: string };
const port = parentPort!;
const reply = (message: WriterReply): void => port.postMessage(message);

try {
  if (existsSync(file)) throw new Error('the file exists already');
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec(`BEGIN; ${schemaSql()} COMMIT;`);
  const inserts = new Map(
    (Object.keys(tables) as Table[]).map((table) => [table, database.prepare(insertSql(table))]),
  );
  const received = new ReceivedLogs(database);
  const insertAll = database.transaction((rows: readonly (readonly [Table, readonly unknown[]])[]) => {
    for (const [table, values] of rows) inserts.get(table)!.run(...values);
  });
  const answer = (ask: Ask): Answers[keyof Answers] => {
    switch (ask.kind) {
      case 'written':
        return undefined;
      case 'legacy':
        return legacyOf(ask.folder, ask.node, ask.start);
      case 'remember':
        return received.remember(ask.folder, ask.node, ask.start);
      case 'receive':
        return received.take(ask.node, ask.batch, ask.atMs);
      case 'read': {
        if (ask.file === undefined) return readBatch(database, ask.after, ask.maxBytes);
        const earlier = openDatabase(ask.file);
        try {
          return readBatch(earlier, ask.after, ask.maxBytes);
        } finally {
          earlier.close();
        }
      }
    }
  };
  const answerTo = (ticket: number, ask: Ask): void => {
    try {
      reply({ kind: 'answer', ticket, answer: answer(ask) });
    } catch (error) {
      // What was received and what is read may be broken; that the log itself is not written ends it.
      if (ask.kind !== 'read' && !(error instanceof LogBatchError)) throw error;
      reply({ kind: 'answer', ticket, error: (error as Error).message });
    }
  };
  port.on('message', (message: WriterMessage) => {
    try {
      if (message.kind === 'rows') return insertAll(message.rows);
      if (message.kind === 'ask') return answerTo(message.ticket, message.ask);
      database.close();
      reply({ kind: 'closed' });
    } catch (error) {
      reply({ kind: 'failed', error: (error as Error).message });
    }
  });
  reply({ kind: 'ready' });
} catch (error) {
  reply({ kind: 'failed', error: (error as Error).message });
}
