/**
 * Rows of a log as bytes: JSON by table and column, in one zstd frame. What comes from outside is bounded before it
 * grows, and checked against the tables before it is believed.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HANDED_TABLES, type HandedTable, type LogBatch, MAX_BATCH_BYTES } from './hand-over.ts';
import { type Column, tables } from './tables.ts';

/** Received bytes are no rows of a log; the message says why. */
export class LogBatchError extends Error {
  override readonly name = 'LogBatchError';
}

/** What a batch unpacks to at most, and so much is its window. */
export const MAX_UNPACKED_BYTES = 256 * 1024;
const WINDOW_LOG = Math.log2(MAX_UNPACKED_BYTES);
/** Texts of a row that is too large for a batch are cut to so many characters. */
const CUT_TEXT = 1000;

/** A record by its columns' names. */
export type HandedRow = Readonly<Record<string, string | number | null>>;
export type HandedRows = Partial<Record<HandedTable, readonly HandedRow[]>>;

/** A run's configuration names folders of its vehicle, and may hold what is nobody's business: it stays on board. */
const ON_BOARD: Partial<Record<HandedTable, string>> = { run: 'config' };

/** The columns of a table that are handed over. */
export function handedColumns(table: HandedTable): string[] {
  return Object.keys(tables[table]).filter((column) => column !== ON_BOARD[table]);
}

/** The bytes of rows; undefined where they are more than a batch may have. */
export function packRows(rows: HandedRows, maxBytes = MAX_BATCH_BYTES): Uint8Array | undefined {
  const plain = Buffer.from(JSON.stringify(rows));
  if (plain.length > MAX_UNPACKED_BYTES) return undefined;
  const packed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_windowLog]: WINDOW_LOG } });
  return packed.length > maxBytes ? undefined : packed;
}

/** A row that is too large even alone: the texts that it can do without are gone, the others cut. */
export function cutRow(table: HandedTable, row: HandedRow): HandedRow {
  const types: Readonly<Record<string, Column>> = tables[table];
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (typeof value !== 'string' || value.length <= CUT_TEXT) return [column, value];
      return [column, types[column] === 'TEXT?' ? null : value.slice(0, CUT_TEXT)];
    }),
  );
}

/** The rows of a batch. @throws LogBatchError */
export function unpackRows({
  after,
  through,
  rows,
}: Pick<LogBatch, 'after' | 'through' | 'rows'>): HandedRows {
  for (const position of [after, through])
    if (position.length !== HANDED_TABLES.length)
      throw new LogBatchError(`a position of ${position.length} tables, not ${HANDED_TABLES.length}`);
  const unpacked = parsed(unzipped(rows));
  const unknown = Object.keys(unpacked).find((name) => !(HANDED_TABLES as readonly string[]).includes(name));
  if (unknown !== undefined) throw new LogBatchError(`rows of '${unknown}', which is not handed over`);
  HANDED_TABLES.forEach((table, index) => {
    const of = unpacked[table] ?? [];
    const [from, to] = [after[index]!, through[index]!];
    if (!Array.isArray(of) || of.length !== to - from)
      throw new LogBatchError(`${table}: not the rows after ${from} through ${to}`);
    for (const row of of) checkRow(table, row);
  });
  return unpacked as HandedRows;
}

function unzipped(rows: Uint8Array): Buffer {
  try {
    return zstdDecompressSync(rows, {
      maxOutputLength: MAX_UNPACKED_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
    });
  } catch (error) {
    throw new LogBatchError(`cannot be unpacked (${(error as Error).message})`);
  }
}

function parsed(json: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch {
    throw new LogBatchError('no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LogBatchError('no rows by table');
  return value as Record<string, unknown>;
}

function checkRow(table: HandedTable, row: unknown): void {
  const columns = handedColumns(table);
  const values = typeof row === 'object' && row !== null ? (row as Record<string, unknown>) : {};
  const types: Readonly<Record<string, Column>> = tables[table];
  if (Object.keys(values).length !== columns.length)
    throw new LogBatchError(`${table}: a row with other columns than ${columns.join(', ')}`);
  for (const column of columns)
    if (!Object.hasOwn(values, column) || !fits(values[column], types[column]!))
      throw new LogBatchError(`${table}: a row whose ${column} is no ${types[column]}`);
}

function fits(value: unknown, type: Column): boolean {
  if (value === null) return type.endsWith('?');
  if (type.startsWith('TEXT')) return typeof value === 'string';
  return type.startsWith('REAL') ? typeof value === 'number' : Number.isSafeInteger(value);
}
