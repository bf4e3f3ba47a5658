/** Reads a log piece by piece, for its hand-over. For a thread that may wait for the disk. */
import type { Database } from 'better-sqlite3';
import {
  HANDED_TABLES,
  type HandedTable,
  type LogBatch,
  MAX_BATCH_BYTES,
  type Position,
} from './hand-over.ts';
import { cutRow, type HandedRow, type HandedRows, handedColumns, packRows } from './log-batch.ts';

/** Records are read until their JSON has so many bytes for each byte of the batch: so far they may shrink. */
const SHRINKING = 8;

/**
 * The rows after a position, as many as fit into `maxBytes` packed but one at least; undefined where there are none.
 * @throws Error where the log cannot be read.
 */
export function readBatch(
  database: Database,
  after: Position,
  maxBytes: number,
): Pick<LogBatch, 'through' | 'rows'> | undefined {
  for (let budget = maxBytes * SHRINKING; ; budget /= 2) {
    const { rows, through, count } = readRows(database, after, budget);
    if (count === 0) return undefined;
    const packed = packRows(rows, count > 1 ? maxBytes : MAX_BATCH_BYTES);
    if (packed) return { through, rows: packed };
    if (count > 1) continue;
    const cut = HANDED_TABLES.map((table) => [table, rows[table]?.map((row) => cutRow(table, row))]);
    return { through, rows: packRows(Object.fromEntries(cut) as HandedRows)! };
  }
}

function readRows(
  database: Database,
  after: Position,
  budget: number,
): { readonly rows: HandedRows; readonly through: Position; readonly count: number } {
  const rows: Partial<Record<HandedTable, HandedRow[]>> = {};
  const through = [...after];
  let bytes = 0;
  let count = 0;
  HANDED_TABLES.forEach((table, index) => {
    const columns = handedColumns(table).join(', ');
    const statement = database.prepare(`SELECT ${columns} FROM ${table} WHERE rowid > ? ORDER BY rowid`);
    for (const row of statement.iterate(after[index]) as Iterable<HandedRow>) {
      bytes += Buffer.byteLength(JSON.stringify(row));
      if (count > 0 && bytes > budget) return;
      rows[table] ??= [];
      rows[table].push(row);
      through[index]!++;
      count++;
    }
  });
  return { rows, through, count };
}
