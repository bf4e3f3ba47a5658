import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { openRun } from '../../../libs/journal/index.ts';
import { folder, sequences, until } from './folder.ts';

const writer = path.join(import.meta.dirname, 'endless-writer.ts');

function start(file: string, mode: string): ChildProcess {
  return spawn(process.execPath, [writer, file, mode], { stdio: ['ignore', 'inherit', 'inherit'] });
}

function written(file: string): number {
  try {
    return existsSync(file) ? sequences(file).length : 0;
  } catch {
    // Its tables are not there yet.
    return 0;
  }
}

test('A process that kills itself between two batches leaves all but the last one in its log.', async (context) => {
  const file = path.join(folder(context), 'node.sqlite');
  const [, signal] = await once(start(file, 'three-batches'), 'exit');
  assert.equal(signal, 'SIGKILL');
  assert.deepEqual(
    sequences(file),
    Array.from({ length: 30 }, (_, i) => i),
  );
});

test('A process that is killed while it writes leaves a log without a gap, in whole batches.', async (context) => {
  const place = folder(context);
  const file = path.join(place, 'node.sqlite');
  const child = start(file, 'endless');
  const exit = once(child, 'exit');
  context.after(() => child.kill('SIGKILL'));
  await until(() => written(file) >= 200);
  const before = written(file);
  child.kill('SIGKILL');
  await exit;
  const [log] = openRun(place);
  const events = log!.rows('event');
  const effects = log!.rows('effect');
  log!.close();
  assert.ok(events.length >= before, `${events.length} of ${before} that were there before`);
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map((_, i) => i),
  );
  // What was written together is there together.
  assert.deepEqual(
    effects.map(({ sequence }) => sequence),
    events.map(({ sequence }) => sequence),
  );
});
