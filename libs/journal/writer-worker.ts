/** The thread that writes a log: SQLite is synchronous, and a disk may take its time. */
import { existsSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { schemaSql, type Table, tables } from './tables.ts';

export type WriterMessage =
  | { readonly kind: 'rows'; readonly rows: readonly (readonly [Table, readonly unknown[]])[] }
  | { readonly kind: 'close' };
export type WriterReply =
  | { readonly kind: 'ready' | 'closed' }
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
    Object.entries(tables).map(([table, columns]) => {
      const names = Object.keys(columns);
      const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
      return [table as Table, database.prepare(sql)];
    }),
  );
  const insertAll = database.transaction((rows: readonly (readonly [Table, readonly unknown[]])[]) => {
    for (const [table, values] of rows) inserts.get(table)!.run(...values);
  });
  port.on('message', (message: WriterMessage) => {
    try {
      if (message.kind === 'rows') {
        insertAll(message.rows);
        return;
      }
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
