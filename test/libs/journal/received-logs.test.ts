import assert from 'node:assert/strict';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock, seededRandom, systemClock } from '../../../libs/clock/index.ts';
import {
  BEGINNING,
  HANDED_TABLES,
  type LogBatch,
  MAX_BATCH_BYTES,
  type OpenRun,
} from '../../../libs/journal/hand-over.ts';
import {
  LogSender,
  NodeLog,
  openLog,
  openRun,
  type Row,
  receivedRecords,
} from '../../../libs/journal/index.ts';
import { folder } from './folder.ts';
import { assertHandedOver } from './handed-over.ts';

const FACTS = { softwareVersion: '0.1.0', config: { secret: 7 }, modelHash: null } as const;

async function started(
  context: TestContext,
  place: string,
  node: string,
  role: 'vehicle' | 'roadside-unit',
): Promise<NodeLog> {
  const log = new NodeLog({
    ...{ folder: place, node, clock: new FakeClock(1000) },
    onFailure: (error) => assert.fail(error),
  });
  await log.start({ role, ...FACTS });
  context.after(() => log.stop());
  return log;
}

const frame = (number: number): Row<'frame'> => ({
  ...{ frame: number, round: 1 + (number >> 1), frame_index: 0, camera: `camera-${number % 2}`, measured: 1 },
  ...{ captured_ms: number, jpeg_bytes: 100, jpeg_digest: 'd' },
});
const result = (number: number, boxes: string | null = null): Row<'result'> => ({
  ...{ frame: number, outcome: 'cloud', reason: null, epoch: 1, cut: 1, codec: 'float32', digest: 'd' },
  ...{ top: '[]', boxes, start_ms: 1, end_ms: number + 0.5 },
});

/** A vehicle's log is handed over as far as it is there; returns how many batches that took. */
async function handOver(
  from: NodeLog,
  to: NodeLog,
  run = from.openRuns.at(-1)!,
  maxBytes = 4096,
): Promise<number> {
  let { position } = run;
  for (let number = 1; ; number++) {
    const rows = await from.read({ ...run, position }, maxBytes);
    if (!rows) return number - 1;
    const batch: LogBatch = { run: run.run, number, after: position, ...rows };
    const count = rows.through.reduce((sum, row, table) => sum + row - position[table]!, 0);
    assert.ok(rows.rows.length <= (count > 1 ? maxBytes : MAX_BATCH_BYTES));
    position = await to.receive('vehicle-1', batch);
    assert.deepEqual(position, rows.through);
    // A batch that comes twice changes nothing.
    assert.deepEqual(await to.receive('vehicle-1', batch), position);
  }
}

test('Batch by batch a log comes over whole, each record once, its configuration excepted.', async (context) => {
  const place = folder(context);
  const vehicle = await started(context, place, 'vehicle-1', 'vehicle');
  const unit = await started(context, place, 'roadside-unit', 'roadside-unit');
  for (let i = 1; i <= 400; i++) {
    vehicle.write('frame', frame(i));
    vehicle.write('result', result(i, JSON.stringify([{ left: Math.sin(i), top: Math.cos(i) }])));
  }
  vehicle.fault('kind', 'ünïcödé');
  const batches = await handOver(vehicle, unit);
  assert.ok(batches > 3, `${batches} batches`);
  await vehicle.stop();
  await unit.stop();
  assertHandedOver([place], 'vehicle-1', path.join(place, 'vehicle-1.sqlite'));
});

test('A row that is too large for a batch comes over without its long texts, and holds up none.', async (context) => {
  const place = folder(context);
  const vehicle = await started(context, place, 'vehicle-1', 'vehicle');
  const unit = await started(context, place, 'roadside-unit', 'roadside-unit');
  const random = seededRandom(1);
  const noise = Array.from({ length: 40_000 }, () =>
    String.fromCodePoint(0x4e00 + Math.floor(20_000 * random())),
  );
  vehicle.write('result', result(1));
  vehicle.write('result', result(2, JSON.stringify([noise.join('')])));
  vehicle.fault('long', 'x'.repeat(1_000_000));
  vehicle.write('result', result(3));
  await handOver(vehicle, unit, undefined, 2048);
  await unit.stop();
  const [log] = openRun(place);
  assert.deepEqual(
    receivedRecords([log!], 'result').map(({ record }) => [record.frame, record.boxes]),
    [1, 2, 3].map((number) => [number, null]),
  );
  assert.equal(receivedRecords([log!], 'fault')[0]!.record.detail.length, 1000);
  log!.close();
});

test('A roadside unit that is started again knows how far its plans had come, in whichever of its logs.', async (context) => {
  const place = folder(context);
  const epochs: number[] = [];
  for (const made of [[3, 7, 7], [], [5]]) {
    const unit = await started(context, place, 'roadside-unit', 'roadside-unit');
    epochs.push(unit.earlierEpoch);
    for (const epoch of made) unit.write('plan', { at_ms: 0, vehicle: 'vehicle-1', epoch, plan: '{}' });
    await unit.stop();
  }
  epochs.push((await started(context, place, 'roadside-unit', 'roadside-unit')).earlierEpoch);
  assert.deepEqual(epochs, [0, 7, 7, 7]);
});

test('A roadside unit that is started again knows what it has, and goes on from there in its new log.', async (context) => {
  const place = folder(context);
  const vehicle = await started(context, place, 'vehicle-1', 'vehicle');
  const first = await started(context, place, 'roadside-unit', 'roadside-unit');
  for (let i = 1; i <= 10; i++) vehicle.write('frame', frame(i));
  await handOver(vehicle, first);
  await first.stop();
  const second = await started(context, place, 'roadside-unit', 'roadside-unit');
  const [run] = vehicle.openRuns;
  vehicle.write('frame', frame(11));
  // Its vehicle has forgotten what was acknowledged, and begins anew.
  assert.equal(await handOver(vehicle, second, run), 1);
  await vehicle.stop();
  await second.stop();
  const log = openLog(path.join(place, 'roadside-unit.2.sqlite'));
  assert.deepEqual(
    log.rows('received').map(({ table_name, row }) => [table_name, row]),
    [['frame', 11]],
  );
  log.close();
  assertHandedOver([place], 'vehicle-1', path.join(place, 'vehicle-1.sqlite'));
});

test('Where an earlier log of the roadside unit is damaged it is told all again, and a reader gets each record once.', async (context) => {
  const place = folder(context);
  const vehicle = await started(context, place, 'vehicle-1', 'vehicle');
  const [run] = vehicle.openRuns as [OpenRun];
  const kept = path.join(folder(context), 'roadside-unit.sqlite');
  let known = BEGINNING;
  // The first log has rows 1 to 10, the second 11 to 20.
  for (const upTo of [10, 20]) {
    const unit = await started(context, place, 'roadside-unit', 'roadside-unit');
    for (let i = upTo - 9; i <= upTo; i++) vehicle.write('frame', frame(i));
    await handOver(vehicle, unit, { ...run, position: known });
    known = HANDED_TABLES.map((table) => (table === 'frame' ? upTo : table === 'run' ? 1 : 0));
    await unit.stop();
  }
  const damaged = path.join(place, 'roadside-unit.sqlite');
  copyFileSync(damaged, kept);
  writeFileSync(damaged, 'x'.repeat(5000));
  const third = await started(context, place, 'roadside-unit', 'roadside-unit');
  vehicle.write('frame', frame(21));
  const rows = (await vehicle.read({ ...run, position: known }, 4096))!;
  const after = await third.receive('vehicle-1', { run: run.run, number: 1, after: known, ...rows });
  assert.deepEqual(after, BEGINNING, 'rows before it are missing');
  await handOver(vehicle, third);
  await vehicle.stop();
  await third.stop();
  const log = openLog(path.join(place, 'roadside-unit.3.sqlite'));
  const [fault] = log.rows('fault');
  assert.equal(fault!.kind, 'log-unreadable');
  assert.equal(fault!.detail, `log ${damaged}: cannot be read (file is not a database)`);
  log.close();
  rmSync(damaged);
  copyFileSync(kept, damaged);
  assertHandedOver([place], 'vehicle-1', path.join(place, 'vehicle-1.sqlite'));
  // The same where the damaged one is read from elsewhere, and in any order of files.
  assertHandedOver([path.dirname(kept), place], 'vehicle-1', path.join(place, 'vehicle-1.sqlite'));
});

test('A record that comes again is no other one, even where nobody remembers that it is there.', async (context) => {
  const place = folder(context);
  const unit = await started(context, place, 'roadside-unit', 'roadside-unit');
  const key = { node: 'vehicle-1', run: 'a', table_name: 'fault', row: 1 };
  for (const at_ms of [1, 2]) unit.write('received', { at_ms, ...key, record: '{}' });
  unit.write('received', { at_ms: 3, ...key, row: 2, record: '{}' });
  await unit.stop();
  const [log] = openRun(place);
  assert.deepEqual(
    log!.rows('received').map(({ at_ms }) => at_ms),
    [1, 3],
  );
  log!.close();
});

test('What is no batch is refused, and the roadside unit goes on.', async (context) => {
  const unit = await started(context, folder(context), 'roadside-unit', 'roadside-unit');
  const batch = { run: 'a', number: 1, after: BEGINNING, through: BEGINNING, rows: Buffer.from('nothing') };
  await assert.rejects(unit.receive('vehicle-1', batch), {
    name: 'AskError',
    message: /^cannot be unpacked/,
  });
  const vehicle = await started(context, folder(context), 'vehicle-1', 'vehicle');
  assert.equal(await handOver(vehicle, unit), 1);
});

test('The same name and the same rows in another log are other records.', async (context) => {
  const unitPlace = folder(context);
  const unit = await started(context, unitPlace, 'roadside-unit', 'roadside-unit');
  for (let drive = 0; drive < 2; drive++) {
    const vehicle = await started(context, folder(context), 'vehicle-1', 'vehicle');
    vehicle.write('frame', frame(1));
    await handOver(vehicle, unit);
  }
  await unit.stop();
  const logs = openRun(unitPlace);
  assert.equal(receivedRecords(logs, 'frame').length, 2);
  for (const log of logs) log.close();
});

test('A sender hands over what is left when its vehicle stops, older logs first, and waits for no one who does not answer.', async (context) => {
  const place = folder(context);
  const unitPlace = folder(context);
  const crashed = await started(context, place, 'vehicle-1', 'vehicle');
  for (let i = 1; i <= 50; i++) crashed.write('frame', frame(i));
  await crashed.stop();
  const vehicle = await started(context, place, 'vehicle-1', 'vehicle');
  for (let i = 1; i <= 50; i++) vehicle.write('frame', frame(i));
  const unit = await started(context, unitPlace, 'roadside-unit', 'roadside-unit');
  let isDeaf = true;
  const sent: string[] = [];
  const senderOf = (): LogSender => {
    const sender: LogSender = new LogSender(vehicle, systemClock, {
      ...{ uplinkBps: 1e6, window: () => 'closed' },
      send: (batch) => {
        sent.push(batch.run);
        if (isDeaf) return;
        void unit.receive('vehicle-1', batch).then((position) => sender.acked({ ...batch, position }));
      },
    });
    sender.letIn();
    return sender;
  };
  const before = senderOf();
  assert.deepEqual(sent, [], 'its window is closed');
  await before.drain(50);
  isDeaf = false;
  await senderOf().drain(10_000);
  await vehicle.stop();
  await unit.stop();
  const order = [...new Set(sent)];
  assert.deepEqual(
    order,
    vehicle.openRuns.map(({ run }) => run),
  );
  for (const file of ['vehicle-1.sqlite', 'vehicle-1.2.sqlite'])
    assertHandedOver([unitPlace], 'vehicle-1', path.join(place, file));

  // The next start finds nothing to do but what it writes itself, and its predecessor's last rows.
  const last = await started(context, place, 'vehicle-1', 'vehicle');
  assert.deepEqual(
    last.openRuns.map(({ start }) => start),
    [2, 3],
  );
  assert.equal(await last.read(last.openRuns[0]!, 4096), undefined);
});
