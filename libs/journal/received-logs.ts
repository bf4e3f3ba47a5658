/** What a roadside unit has of the logs of vehicles: it takes each record once, and gives each once. */
import type { Database } from 'better-sqlite3';
import { logFiles } from './earlier-logs.ts';
import {
  BEGINNING,
  covers,
  HANDED_TABLES,
  type HandedTable,
  type LogBatch,
  type Position,
  positionAfter,
} from './hand-over.ts';
import { JournalError } from './journal-error.ts';
import { unpackRows } from './log-batch.ts';
import { type LogReader, openDatabase } from './reader.ts';
import { insertSql, type Row } from './tables.ts';

/** So many logs are kept in mind; a record of another that comes again is found by its key. */
const MAX_RUNS = 10_000;

/** What a roadside unit learns from its earlier logs. */
export interface Remembered {
  /** Those that cannot be read, each with the reason. */
  readonly unreadable: readonly string[];
  /** The newest of the plans in them; 0 where there is none. */
  readonly epoch: number;
}

/** Takes batches into a roadside unit's log. For the thread that writes that. */
export class ReceivedLogs {
  readonly #database: Database;
  readonly #positions = new Map<string, Position>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Learns what earlier logs of this roadside unit have. */
  remember(folder: string, node: string, start: number): Remembered {
    const extents: Extent[] = [];
    const unreadable: string[] = [];
    let epoch = 0;
    for (const { file } of logFiles(folder, node).filter((earlier) => earlier.start < start)) {
      try {
        const earlier = readEarlier(file);
        extents.push(...earlier.extents);
        epoch = Math.max(epoch, earlier.epoch);
      } catch (error) {
        if (!(error instanceof JournalError)) throw error;
        unreadable.push(error.message);
      }
    }
    for (const [key, of] of Map.groupBy(extents, (extent) => keyOf(extent.node, extent.run)))
      this.#keep(
        key,
        HANDED_TABLES.map((table) => endOf(of.filter(({ table_name }) => table_name === table))),
      );
    return { unreadable, epoch };
  }

  /**
   * Stores what of a batch is new, durably. @returns what there is of its log now.
   * @throws LogBatchError where it is none.
   */
  take(node: string, batch: LogBatch, atMs: number): Position {
    const key = keyOf(node, batch.run);
    const known = this.#positions.get(key) ?? BEGINNING;
    const rows = unpackRows(batch);
    const position = positionAfter(known, batch);
    if (covers(known, position)) return known;
    const insert = this.#database.prepare(insertSql('received'));
    const insertAll = this.#database.transaction(() => {
      HANDED_TABLES.forEach((table, index) => {
        (rows[table] ?? []).forEach((record, place) => {
          const row = batch.after[index]! + place + 1;
          if (row > known[index]!) insert.run(atMs, node, batch.run, table, row, JSON.stringify(record));
        });
      });
    });
    // Whoever is told that it is here may forget it: it must outlast a power cut too.
    this.#database.pragma('synchronous = FULL');
    insertAll();
    this.#database.pragma('synchronous = NORMAL');
    this.#keep(key, position);
    return position;
  }

  #keep(key: string, position: Position): void {
    this.#positions.delete(key);
    this.#positions.set(key, position);
    const [oldest] = this.#positions.keys();
    if (this.#positions.size > MAX_RUNS) this.#positions.delete(oldest!);
  }
}

const keyOf = (node: string, run: string): string => `${node}/${run}`;

/** From which to which row a file has the records of a log's table. */
interface Extent {
  readonly node: string;
  readonly run: string;
  readonly table_name: string;
  readonly first: number;
  readonly last: number;
}

function readEarlier(file: string): { readonly extents: Extent[]; readonly epoch: number } {
  const database = openDatabase(file);
  try {
    const sql = `SELECT node, run, table_name, min(row) AS first, max(row) AS last
      FROM received GROUP BY node, run, table_name`;
    const extents = database.prepare(sql).all() as Extent[];
    const epoch = database.prepare('SELECT max(epoch) FROM plan').pluck().get() as number | null;
    return { extents, epoch: epoch ?? 0 };
  } catch (error) {
    throw new JournalError(`log ${file}: cannot be read (${(error as Error).message})`);
  } finally {
    database.close();
  }
}

/** The last row before which none is missing: a file that cannot be read any more may leave a gap. */
function endOf(extents: readonly Extent[]): number {
  let end = 0;
  for (const { first, last } of extents.toSorted((a, b) => a.first - b.first))
    if (first <= end + 1) end = Math.max(end, last);
  return end;
}

/** A record of a vehicle's log, and where it stood there. A run's configuration stays on board. */
export interface ReceivedRecord<T extends HandedTable> {
  readonly node: string;
  readonly run: string;
  readonly row: number;
  readonly record: Omit<Row<T>, 'config'>;
}

/**
 * The records of a table that were handed over to the roadside units whose logs these are: each once, whichever of them
 * have it, in the order of nodes, logs and rows.
 */
export function receivedRecords<T extends HandedTable>(
  logs: readonly LogReader[],
  table: T,
): ReceivedRecord<T>[] {
  const rows = logs.flatMap((log) => log.rows('received').filter(({ table_name }) => table_name === table));
  const once = new Map(rows.map((row) => [`${keyOf(row.node, row.run)}/${row.row}`, row]));
  return [...once.values()]
    .sort((a, b) => compare(a.node, b.node) || compare(a.run, b.run) || a.row - b.row)
    .map(({ node, run, row, record }) => ({ node, run, row, record: JSON.parse(record) }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
