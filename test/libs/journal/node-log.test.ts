import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../../libs/clock/index.ts';
import { NodeLog, openLog, openRun } from '../../../libs/journal/index.ts';
import { folder } from './folder.ts';

const FACTS = { role: 'vehicle', softwareVersion: '0.1.0', config: { cameras: 4 }, modelHash: null } as const;

function nodeLog(context: TestContext, place = folder(context)) {
  const clock = new FakeClock(1000);
  const log = new NodeLog({
    ...{ folder: place, node: 'vehicle-1', clock },
    onFailure: (error) => assert.fail(error),
  });
  return { log, clock, place };
}

test('A node’s log begins with who wrote it, with what software, configuration and model, and when.', async (context) => {
  const { log, place } = nodeLog(context);
  await log.start(FACTS);
  await log.stop();
  const [reader] = openRun(place);
  assert.equal(reader!.file, path.join(place, 'vehicle-1.sqlite'));
  const [run] = reader!.rows('run');
  assert.match(run!.id, /^[0-9a-f]{32}$/);
  assert.deepEqual(
    reader!.rows('run').map((row) => ({ ...row })),
    [
      {
        ...{
          id: run!.id,
          start: 1,
          node: 'vehicle-1',
          role: 'vehicle',
          software_version: '0.1.0',
          config: '{"cameras":4}',
        },
        ...{ model_hash: null, start_wall_ms: 1000, start_ms: 1000 },
      },
    ],
  );
  reader!.close();
});

test('Faults and spans are written with the node’s own clock.', async (context) => {
  const { log, clock, place } = nodeLog(context);
  await log.start(FACTS);
  clock.advance(50);
  log.fault('message-rejected', 'tensor: no message');
  log.span('vehicle-1', 3, 'head', 1010, 1040, 12.5);
  log.span('vehicle-1', 3, 'uplink', 1040, 1050);
  await log.stop();
  const reader = openLog(path.join(place, 'vehicle-1.sqlite'));
  assert.deepEqual(
    { ...reader.rows('fault')[0] },
    { at_ms: 1050, kind: 'message-rejected', detail: 'tensor: no message', count: 1 },
  );
  const job = { vehicle: 'vehicle-1', frame: 3 };
  assert.deepEqual(
    reader.rows('span').map((row) => ({ ...row })),
    [
      { ...job, stage: 'head', start_ms: 1010, end_ms: 1040, real_ms: 12.5 },
      { ...job, stage: 'uplink', start_ms: 1040, end_ms: 1050, real_ms: null },
    ],
  );
  reader.close();
});

test('A flood of faults is counted to the last, and takes a bounded number of rows.', async (context) => {
  const { log, clock, place } = nodeLog(context);
  await log.start(FACTS);
  for (let second = 0; second < 3; second++) {
    for (let i = 0; i < 5000; i++) log.fault('door', `${second}/${i}`);
    log.fault('broken-picture', `${second}`);
    clock.advance(1000);
  }
  await log.stop();
  const reader = openLog(path.join(place, 'vehicle-1.sqlite'));
  const faults = reader.rows('fault');
  const flood = faults.filter(({ kind }) => kind === 'door');
  assert.equal(
    flood.reduce((sum, { count }) => sum + count, 0),
    15_000,
  );
  assert.equal(flood.length, 3 * 201);
  assert.equal(flood.at(-1)!.detail, '2/4999');
  assert.equal(faults.length - flood.length, 3);
  reader.close();
});

/** The figures of a run whose event loop is blocked before and after `warm`, in ms. */
async function blocked(
  context: TestContext,
  beforeMs: number,
  afterMs: number,
): Promise<Map<string, number>> {
  const { log, place } = nodeLog(context);
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
  const block = async (ms: number): Promise<void> => {
    await turn();
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs);
    await turn();
  };
  await log.start(FACTS);
  await block(beforeMs);
  log.warm();
  await block(afterMs);
  log.warm();
  await log.stop();
  const reader = openLog(path.join(place, 'vehicle-1.sqlite'));
  const figures = new Map(reader.rows('figure').map(({ name, value }) => [name, value]));
  reader.close();
  return figures;
}

test('A log ends with the delay of the event loop since start-up was over, which later calls do not reset.', async (context) => {
  const figures = await blocked(context, 0, 250);
  assert.deepEqual([...figures.keys()], ['event_loop_p99_ms', 'event_loop_max_ms']);
  assert.ok(figures.get('event_loop_max_ms')! >= 200);
});

test('The delay of the event loop during start-up does not count.', async (context) => {
  const figures = await blocked(context, 1500, 0);
  assert.ok(figures.get('event_loop_max_ms')! < 1400);
});

test('A node that is started again in the same run gets a file of its own.', async (context) => {
  const place = folder(context);
  for (let start = 0; start < 3; start++) {
    const { log } = nodeLog(context, place);
    await log.start(FACTS);
    await log.stop();
  }
  const logs = readdirSync(place).filter((name) => name.endsWith('.sqlite'));
  assert.deepEqual(logs.sort(), ['vehicle-1.2.sqlite', 'vehicle-1.3.sqlite', 'vehicle-1.sqlite']);
  const readers = openRun(place);
  assert.deepEqual(
    readers.map((reader) => reader.rows('run')[0]!.start),
    [2, 3, 1],
  );
  assert.equal(new Set(readers.map((reader) => reader.rows('run')[0]!.id)).size, 3);
  for (const reader of readers) reader.close();
});
