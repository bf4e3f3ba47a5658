/** Reads logs back, those of a killed process too. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { JournalError } from './journal.ts';
import { type Row, SCHEMA_VERSION, type Table, tables } from './tables.ts';

/** One node's log, opened for reading. */
export interface LogReader {
  readonly file: string;
  /** All rows of a table in the order in which they were written. @throws JournalError where it is damaged. */
  rows<T extends Table>(table: T): Row<T>[];
  close(): void;
}

/** @throws JournalError where the file is no log, damaged, or of a newer schema. */
export function openLog(file: string): LogReader {
  const reading = <T>(read: () => T): T => {
    try {
      return read();
    } catch (error) {
      throw new JournalError(`log ${file}: cannot be read (${(error as Error).message})`);
    }
  };
  const database = reading(() => new Database(file, { readonly: true, fileMustExist: true }));
  const version = reading(() => database.pragma('user_version', { simple: true }));
  if (version !== SCHEMA_VERSION) {
    database.close();
    throw new JournalError(`log ${file}: schema ${version}, this version reads schema ${SCHEMA_VERSION}`);
  }
  return {
    file,
    rows: <T extends Table>(table: T) => {
      const columns = Object.keys(tables[table]).join(', ');
      const sql = `SELECT ${columns} FROM ${table} ORDER BY rowid`;
      return reading(() => database.prepare(sql).all() as Row<T>[]);
    },
    close: () => database.close(),
  };
}

/** The logs of all nodes in a run's folder. @throws JournalError where there is none. */
export function openRun(folder: string): LogReader[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.sqlite')) : [];
  if (files.length === 0) throw new JournalError(`log ${folder}: there is no run in this folder`);
  return files.sort().map((name) => openLog(path.join(folder, name)));
}
