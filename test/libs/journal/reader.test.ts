import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import Database from 'better-sqlite3';
import { seededRandom } from '../../../libs/clock/index.ts';
import { JournalError, openLog, openRun, SCHEMA_VERSION, tables } from '../../../libs/journal/index.ts';
import { begun, folder } from './folder.ts';

/** What goes wrong is said in one line that begins with the file. */
function refused(file: string, read: () => unknown, message: RegExp): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof JournalError, `${error}`);
    assert.match(error.message, message);
    assert.ok(error.message.startsWith(`log ${file}: `) && !error.message.includes('\n'), error.message);
    return true;
  });
}

async function log(context: TestContext, file: string, events: number): Promise<void> {
  const { journal } = await begun(context, file);
  for (let sequence = 0; sequence < events; sequence++)
    journal.write('event', { sequence, at_ms: 0, event: `{"text":"${'x'.repeat(200)}"}` });
  await journal.stop();
}

test('A file that is no log is refused.', (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const random = seededRandom(1);
  for (const content of [
    'some text',
    'x'.repeat(5000),
    Uint8Array.from({ length: 9000 }, () => 256 * random()),
  ]) {
    writeFileSync(file, content);
    refused(file, () => openLog(file), /cannot be read \(file is not a database\)/);
  }
});

test('An empty file is no log either.', (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  writeFileSync(file, '');
  refused(file, () => openLog(file), new RegExp(`schema 0, this version reads schema ${SCHEMA_VERSION}`));
});

test('A log that is not there, or is a folder, is refused, and none is made.', (context) => {
  const place = folder(context);
  const file = path.join(place, 'node.sqlite');
  refused(file, () => openLog(file), /cannot be read/);
  refused(place, () => openRun(place), /there is no run in this folder/);
  mkdirSync(file);
  refused(file, () => openLog(file), /cannot be read/);
});

test('A log of a newer schema is refused with both versions.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  await log(context, file, 1);
  const database = new Database(file);
  database.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
  database.close();
  refused(
    file,
    () => openLog(file),
    new RegExp(`schema ${SCHEMA_VERSION + 1}, this version reads schema ${SCHEMA_VERSION}`),
  );
});

test('A database of another program is refused when its rows are read.', (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const database = new Database(file);
  database.exec(`CREATE TABLE event (a TEXT); PRAGMA user_version = ${SCHEMA_VERSION};`);
  database.close();
  const other = openLog(file);
  refused(file, () => other.rows('event'), /cannot be read \(no such column: sequence\)/);
  refused(file, () => other.rows('run'), /cannot be read \(no such table: run\)/);
  other.close();
});

test('A log that is cut short or damaged is refused, at the latest when the damaged rows are read.', async (context) => {
  const place = folder(context);
  const whole = path.join(place, 'whole.sqlite');
  await log(context, whole, 2000);
  const { length } = readFileSync(whole);
  const file = path.join(place, 'node.sqlite');
  const read = (): void => {
    const damaged = openLog(file);
    try {
      for (const table of Object.keys(tables) as (keyof typeof tables)[]) damaged.rows(table);
    } finally {
      damaged.close();
    }
  };
  for (const part of [0.001, 0.3, 0.9]) {
    copyFileSync(whole, file);
    truncateSync(file, Math.ceil(part * length));
    refused(file, read, /cannot be read/);
  }
  const bytes = readFileSync(whole);
  const random = seededRandom(2);
  for (let at = 4096 * 20; at < 4096 * 60; at++) bytes[at] = 256 * random();
  writeFileSync(file, bytes);
  refused(file, read, /cannot be read/);
});

test('A run is all logs of its folder, in order of their names, and nothing else that lies there.', async (context) => {
  const place = folder(context);
  refused(place, () => openRun(place), /there is no run in this folder/);
  refused(path.join(place, 'missing'), () => openRun(path.join(place, 'missing')), /there is no run/);
  await log(context, path.join(place, 'vehicle-1.sqlite'), 2);
  await log(context, path.join(place, 'cloud.sqlite'), 3);
  writeFileSync(path.join(place, 'notes.txt'), 'no log');
  const logs = openRun(place);
  assert.deepEqual(
    logs.map(({ file, rows }) => [path.basename(file), rows('event').length]),
    [
      ['cloud.sqlite', 3],
      ['vehicle-1.sqlite', 2],
    ],
  );
  for (const each of logs) each.close();
});
