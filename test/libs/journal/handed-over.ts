/** Compares what a roadside unit has of a vehicle's log with that log itself. */
import assert from 'node:assert/strict';
import { HANDED_TABLES, openLog, openRun, receivedRecords } from '../../../libs/journal/index.ts';

/**
 * The records in the folders' logs are the rows of a vehicle's log, in their order, each once, a run's configuration
 * excepted. @returns how many rows that are.
 */
export function assertHandedOver(folders: readonly string[], vehicle: string, file: string): number {
  const logs = folders.flatMap((place) => openRun(place));
  const own = openLog(file);
  try {
    const { id } = own.rows('run')[0]!;
    let rows = 0;
    for (const table of HANDED_TABLES) {
      const received = receivedRecords(logs, table).filter(({ run }) => run === id);
      const expected = own.rows(table).map((row, index) => {
        const { config: _, ...record } = { config: '', ...row };
        return { node: vehicle, run: id, row: index + 1, record };
      });
      assert.deepEqual(received, expected, `${file}: ${table}`);
      rows += expected.length;
    }
    return rows;
  } finally {
    for (const log of [...logs, own]) log.close();
  }
}
