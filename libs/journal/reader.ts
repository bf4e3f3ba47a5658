/** Reads logs back, those of a killed process too. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { JournalError } from './journal-error.ts';
import { type Row, SCHEMA_VERSION, type Table, tables } from './tables.ts';

/** One node's log, opened for reading. */
export interface LogReader {
  readonly file: string;
  /** All rows of a table in the order in which they were written. @throws JournalError where it is damaged. */
  rows<T extends Table>(table: T): Row<T>[];
  close(): void;
}

/** A log's database, for reading. @throws JournalError where the file is no log, damaged, or of another schema. */
export function openDatabase(file: string): Database.Database {
  const database = reading(file, () => new Database(file, { readonly: true, fileMustExist: true }));
  let version: unknown;
  try {
    version = reading(file, () => database.pragma('user_version', { simple: true }));
  } catch (error) {
    database.close();
    throw error;
  }
  if (version === SCHEMA_VERSION) return database;
  database.close();
  throw new JournalError(`log ${file}: schema ${version}, this version reads schema ${SCHEMA_VERSION}`);
}

/** @throws JournalError where the file is no log, damaged, or of another schema. */
export function openLog(file: string): LogReader {
  const database = openDatabase(file);
  return {
    file,
    rows: <T extends Table>(table: T) => {
      const columns = Object.keys(tables[table]).join(', ');
      const sql = `SELECT ${columns} FROM ${table} ORDER BY rowid`;
      return reading(file, () => database.prepare(sql).all() as Row<T>[]);
    },
    close: () => database.close(),
  };
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new JournalError(`log ${file}: cannot be read (${(error as Error).message})`);
  }
}

/** Whether a process has made this file and got no further: it is no log yet, and no damaged one. */
function isUnbegun(file: string): boolean {
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { readonly: true, fileMustExist: true });
    return database.prepare('SELECT count(*) FROM sqlite_master').pluck().get() === 0;
  } catch {
    return false;
  } finally {
    database?.close();
  }
}

/**
 * The logs of all nodes in a run's folder, those left out that a process has only just made, or was killed over.
 * @throws JournalError where there is none.
 */
export function openRun(folder: string): LogReader[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.sqlite')) : [];
  if (files.length === 0) throw new JournalError(`log ${folder}: there is no run in this folder`);
  return files
    .sort()
    .map((name) => path.join(folder, name))
    .filter((file) => !isUnbegun(file))
    .map(openLog);
}
