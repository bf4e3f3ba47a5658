import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import { FakeClock } from '../../../libs/clock/index.ts';
import { legacyOf, logFiles, nextLogFile } from '../../../libs/journal/earlier-logs.ts';
import { BEGINNING } from '../../../libs/journal/hand-over.ts';
import { NodeLog, openLog, type Row, SCHEMA_VERSION, type Table } from '../../../libs/journal/index.ts';
import { begun, folder } from './folder.ts';

const FACTS = { role: 'vehicle', softwareVersion: '0.1.0', config: {}, modelHash: null } as const;

async function started(place: string, node = 'vehicle-1'): Promise<NodeLog> {
  const log = new NodeLog({
    ...{ folder: place, node, clock: new FakeClock(1000) },
    onFailure: (error) => assert.fail(error),
  });
  await log.start(FACTS);
  return log;
}

/** A process that captures these frames, ends those, and is gone. */
async function drive(place: string, captured: readonly number[], ended: readonly number[]): Promise<void> {
  const log = await started(place);
  for (const number of captured) {
    const round = Math.ceil(number / 2);
    log.write('frame', {
      ...{ frame: number, round, frame_index: 0, camera: `camera-${number % 2}`, measured: 1 },
      ...{ captured_ms: 0, jpeg_bytes: 0, jpeg_digest: '' },
    });
  }
  for (const frame of ended)
    log.write('result', {
      ...{ frame, outcome: 'dropped', reason: 'r', epoch: null, cut: null, codec: null, digest: null },
      ...{ top: null, boxes: null, start_ms: null, end_ms: 1 },
    });
  await log.stop();
}

function rows<T extends Table>(file: string, table: T): Row<T>[] {
  const log = openLog(file);
  try {
    return log.rows(table).map((row) => ({ ...row }));
  } finally {
    log.close();
  }
}

const named = (file: string): unknown[] =>
  rows(file, 'crash_left').map(({ start, frame, round, camera }) => [start, frame, round, camera]);

test('What has no end in the log of a crash is named in the next one, with the first rows, and never again.', async (context) => {
  const place = folder(context);
  const at = (name: string): string => path.join(place, name);
  await drive(place, [1, 2, 3, 4], [1, 3]);
  const before = readFileSync(at('vehicle-1.sqlite'));
  await drive(place, [1, 2], [2]);
  await drive(place, [], []);
  await drive(place, [1], []);
  assert.deepEqual(named(at('vehicle-1.sqlite')), []);
  assert.deepEqual(named(at('vehicle-1.2.sqlite')), [
    [1, 2, 1, 'camera-0'],
    [1, 4, 2, 'camera-0'],
  ]);
  assert.deepEqual(named(at('vehicle-1.3.sqlite')), [[2, 1, 1, 'camera-1']]);
  assert.deepEqual(named(at('vehicle-1.4.sqlite')), []);
  const [first] = rows(at('vehicle-1.sqlite'), 'run');
  assert.ok(rows(at('vehicle-1.2.sqlite'), 'crash_left').every(({ run }) => run === first!.id));
  assert.deepEqual(readFileSync(at('vehicle-1.sqlite')), before, 'the log of the crash is as it was');
});

test('The names are there as soon as a node has begun, in one transaction with its own first row.', async (context) => {
  const place = folder(context);
  await drive(place, [1, 2], []);
  const log = await started(place);
  const file = path.join(place, 'vehicle-1.2.sqlite');
  // No batch was waited for: the clock stands still.
  assert.deepEqual(named(file).length, 2);
  assert.equal(rows(file, 'run').length, 1);
  await log.stop();
});

test('A process that was killed before its first row hides nothing from the one after it.', async (context) => {
  const place = folder(context);
  await drive(place, [1], []);
  const { journal } = await begun(context, path.join(place, 'vehicle-1.2.sqlite'));
  await journal.stop();
  writeFileSync(path.join(place, 'vehicle-1.3.sqlite'), '');
  await drive(place, [], []);
  const file = path.join(place, 'vehicle-1.4.sqlite');
  assert.deepEqual(named(file), [[1, 1, 1, 'camera-1']]);
  assert.deepEqual(
    rows(file, 'fault').map(({ kind }) => kind),
    ['log-unreadable'],
  );
});

test('An earlier log that is damaged, of another schema, or no log is told as a fault, and the node starts.', async (context) => {
  const place = folder(context);
  const at = (name: string): string => path.join(place, name);
  await drive(place, [1, 2, 3], []);
  await drive(place, [1], []);
  await drive(place, [1], []);
  truncateSync(at('vehicle-1.3.sqlite'), 20_000);
  const older = new Database(at('vehicle-1.2.sqlite'));
  older.pragma('user_version = 2');
  older.close();
  mkdirSync(at('vehicle-1.4.sqlite'));
  await drive(place, [], []);
  const file = at('vehicle-1.5.sqlite');
  assert.deepEqual(
    rows(file, 'fault').map(({ kind, detail }) => [kind, detail.replace(place, '').replace(/\(.*/, '(…')]),
    [
      ['log-unreadable', 'log /vehicle-1.4.sqlite: cannot be read (…'],
      ['log-unreadable', 'log /vehicle-1.3.sqlite: cannot be read (…'],
      ['log-unreadable', `log /vehicle-1.2.sqlite: schema 2, this version reads schema ${SCHEMA_VERSION}`],
    ],
  );
  assert.equal(named(file).length, 3, 'those of the first log, which nobody that can be read has named');
});

test('Logs of other nodes, and of a node whose name begins alike, are none of its own.', async (context) => {
  const place = folder(context);
  const names = ['vehicle-1.sqlite', 'vehicle-1.10.sqlite', 'vehicle-1.9.sqlite', 'vehicle-1.2.3.sqlite'];
  const others = ['vehicle-10.sqlite', 'vehicle-1.1.sqlite', 'vehicle-1.02.sqlite', 'vehicle-1.sqlite-wal'];
  for (const name of [...names, ...others, 'vehicle-1.json']) writeFileSync(path.join(place, name), '');
  const found = logFiles(place, 'vehicle-1').map(({ file }) => path.basename(file));
  assert.deepEqual(found, ['vehicle-1.sqlite', 'vehicle-1.9.sqlite', 'vehicle-1.10.sqlite']);
  assert.equal(path.basename(nextLogFile(place, 'vehicle-1').file), 'vehicle-1.11.sqlite');
  assert.deepEqual(logFiles(path.join(place, 'missing'), 'vehicle-1'), []);
});

test('The number of a log that was taken away is not given again while a later one is there.', async (context) => {
  const place = folder(context);
  for (let start = 0; start < 2; start++) await drive(place, [], []);
  unlinkSync(path.join(place, 'vehicle-1.sqlite'));
  await drive(place, [], []);
  const left = readdirSync(place).filter((name) => name.endsWith('.sqlite'));
  assert.deepEqual(left.sort(), ['vehicle-1.2.sqlite', 'vehicle-1.3.sqlite']);
});

test('Logs stay open until they are handed over whole, however many starts that takes.', async (context) => {
  const place = folder(context);
  const open = (): [number, number[]][] =>
    legacyOf(place, 'vehicle-1', 100).open.map(({ start, position }) => [start, [...position]]);
  const first = await started(place);
  const [own] = first.openRuns;
  const some = own!.position.map((_, table) => table);
  first.handedOver({ ...own!, position: some.map(() => 0) }, false);
  first.handedOver({ ...own!, position: some }, false);
  await first.stop();
  assert.deepEqual(open(), [[1, some]]);
  await drive(place, [], []);
  assert.deepEqual(open(), [
    [1, some],
    [2, [...BEGINNING]],
  ]);
  const third = await started(place);
  third.handedOver(third.openRuns[0]!, true);
  await third.stop();
  assert.deepEqual(open(), [
    [2, [...BEGINNING]],
    [3, [...BEGINNING]],
  ]);
});
