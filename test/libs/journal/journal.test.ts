import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeClock } from '../../../libs/clock/index.ts';
import {
  BATCH_MS,
  JournalError,
  openLog,
  type Row,
  type Table,
  tables,
} from '../../../libs/journal/index.ts';
import { Journal } from '../../../libs/journal/journal.ts';
import { begun, folder, mounted, sequences, until } from './folder.ts';

const event = (sequence: number): Row<'event'> => ({
  sequence,
  at_ms: sequence / 8,
  event: `{"n":${sequence}}`,
});

const column = {
  TEXT: fc.string({ unit: 'grapheme', maxLength: 30 }),
  REAL: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
  INTEGER: fc.integer(),
};

/** Random rows of all tables, in one order. */
const rows: fc.Arbitrary<readonly [Table, Row<Table>][]> = fc.array(
  fc.constantFrom(...(Object.keys(tables) as Table[])).chain((table) => {
    const columns = Object.entries(tables[table]).map(([name, type]) => {
      const value = column[type.replace('?', '') as keyof typeof column];
      return [name, type.endsWith('?') ? fc.option(value as fc.Arbitrary<unknown>) : value] as const;
    });
    return fc
      .record(Object.fromEntries(columns), { noNullPrototype: true })
      .map((row) => [table, row as Row<Table>] as const);
  }),
  { maxLength: 60 },
) as never;

test('Rows that are written are the rows that are read, table by table and in order.', async (context) => {
  const place = folder(context);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(rows, async (random) => {
      // Records that were received differ by their key.
      const written = random.map(([table, row], index) =>
        table === 'received'
          ? ([table, { ...row, row: index } as Row<Table>] as const)
          : ([table, row] as const),
      );
      const file = path.join(place, `${run++}.sqlite`);
      const { journal, failures } = await begun(context, file);
      for (const [table, row] of written) journal.write(table, row);
      await journal.stop();
      assert.deepEqual(failures, []);
      const log = openLog(file);
      for (const table of Object.keys(tables) as Table[]) {
        const expected = written.filter(([other]) => other === table).map(([, row]) => row);
        assert.deepEqual(
          log.rows(table).map((row) => ({ ...row })),
          expected,
        );
      }
      log.close();
    }),
    { numRuns: 12 },
  );
});

test('Rows wait for their batch, which is written as a whole when its time has come.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const clock = new FakeClock();
  const { journal } = await begun(context, file, clock);
  for (let i = 0; i < 500; i++) journal.write('event', event(i));
  clock.advance(BATCH_MS - 1);
  assert.deepEqual(sequences(file), []);
  clock.advance(1);
  await until(() => {
    const { length } = sequences(file);
    assert.ok(length === 0 || length === 500, `a batch is there in part: ${length} rows`);
    return length === 500;
  });
  journal.write('event', event(500));
  clock.advance(BATCH_MS);
  await until(() => sequences(file).length === 501);
  await journal.stop();
});

test('A log that is stopped has all of its rows, and nothing but its own file is left.', async (context) => {
  const place = folder(context);
  const file = path.join(place, 'node.sqlite');
  const { journal } = await begun(context, file);
  for (let i = 0; i < 10; i++) journal.write('event', event(i));
  await journal.stop();
  assert.deepEqual(readdirSync(place), ['node.sqlite']);
  assert.equal(sequences(file).length, 10);
});

test('A log can be read while it is written.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const clock = new FakeClock();
  const { journal } = await begun(context, file, clock);
  const log = openLog(file);
  journal.write('event', event(0));
  clock.advance(BATCH_MS);
  await until(() => log.rows('event').length === 1);
  log.close();
  await journal.stop();
});

async function notBegun(file: string, message: RegExp): Promise<void> {
  const failures: JournalError[] = [];
  const journal = new Journal(file, new FakeClock(), (error) => failures.push(error));
  await assert.rejects(journal.start(), (error) => {
    assert.ok(error instanceof JournalError);
    assert.match(error.message, message);
    assert.ok(error.message.startsWith(`log ${file}: cannot be written (`) && !error.message.includes('\n'));
    return true;
  });
  await journal.stop();
  assert.deepEqual(failures, []);
}

test('A log in a folder that is not there, or in a file, is refused at its start.', async (context) => {
  const place = folder(context);
  await notBegun(path.join(place, 'missing', 'node.sqlite'), /directory does not exist/);
  writeFileSync(path.join(place, 'file'), '');
  await notBegun(path.join(place, 'file', 'node.sqlite'), /./);
});

test('A log in a folder that cannot be written to is refused at its start.', async () => {
  await notBegun('/proc/node.sqlite', /unable to open database file/);
});

test('A log on a read-only file system is refused at its start.', async (context) => {
  const place = mounted(context, 'ro');
  if (place) await notBegun(path.join(place, 'node.sqlite'), /./);
});

test('A log on a full disk is refused at its start.', async (context) => {
  const place = mounted(context, 'size=16k');
  if (!place) return;
  writeFileSync(path.join(place, 'other'), Buffer.alloc(16 * 1024));
  await notBegun(path.join(place, 'node.sqlite'), /full|disk I\/O error/);
});

test('A log whose file exists is refused at its start, and what is there stays as it is.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const { journal } = await begun(context, file);
  journal.write('event', event(7));
  await journal.stop();
  await notBegun(file, /the file exists already/);
  assert.deepEqual(sequences(file), [7]);
});

test('A folder by the name of the log is refused at its start.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  mkdirSync(file);
  await notBegun(file, /the file exists already/);
});

test('A disk that fills up while a node runs is told once, and what is there already stays readable.', async (context) => {
  const place = mounted(context, 'size=1m');
  if (!place) return;
  const file = path.join(place, 'node.sqlite');
  const clock = new FakeClock();
  const { journal, failures } = await begun(context, file, clock);
  const text = 'x'.repeat(4000);
  for (let batch = 0; batch < 30; batch++) {
    for (let i = 0; i < 50; i++) journal.write('event', { sequence: 50 * batch + i, at_ms: 0, event: text });
    clock.advance(BATCH_MS);
  }
  await until(() => failures.length > 0);
  await journal.stop();
  assert.equal(failures.length, 1);
  assert.match(
    failures[0]!.message,
    /^log .*node\.sqlite: cannot be written \(.*(full|disk I\/O error).*\)$/,
  );
  const kept = sequences(file);
  assert.ok(kept.length > 0 && kept.length % 50 === 0, `${kept.length} rows`);
  assert.deepEqual(
    kept,
    kept.map((_, i) => i),
  );
});

test('A row that does not fit its table fails the log, once, and keeps nothing of its batch.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const clock = new FakeClock();
  const { journal, failures } = await begun(context, file, clock);
  journal.write('event', event(1));
  clock.advance(BATCH_MS);
  await until(() => sequences(file).length === 1);
  journal.write('event', event(2));
  journal.write('event', { ...event(3), event: null as never });
  clock.advance(BATCH_MS);
  journal.write('event', { ...event(4), sequence: 'four' as never });
  clock.advance(BATCH_MS);
  await until(() => failures.length > 0);
  await journal.stop();
  assert.equal(failures.length, 1);
  assert.match(failures[0]!.message, /NOT NULL constraint failed: event\.event/);
  assert.deepEqual(sequences(file), [1]);
});

test('A log that was never begun can be stopped.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  await new Journal(file, new FakeClock(), () => {}).stop();
  assert.equal(existsSync(file), false);
});
