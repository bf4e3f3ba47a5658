/** The judge of a soak: of logs made by hand it finds what is wrong with them, and nothing in those that are right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogReader, Row, Table } from '../../libs/journal/index.ts';
import { verdictOf } from './verdict.ts';

type Rows = Partial<{ readonly [T in Table]: readonly Row<T>[] }>;

const logOf = (name: string, rows: Rows): LogReader => ({
  file: `${name}.sqlite`,
  rows: <T extends Table>(table: T) => [...((rows[table] ?? []) as readonly Row<T>[])],
  close: () => {},
});

const runOf = (node: string, role: string, start: number): Row<'run'> => ({
  ...{ id: `${node}/${start}`, node, role, start, software_version: '', config: '{}', model_hash: null },
  ...{ start_wall_ms: 0, start_ms: 0 },
});
const frame = (number: number): Row<'frame'> => ({
  ...{ frame: number, round: 1, frame_index: 0, camera: 'camera-1', measured: 1, captured_ms: 0 },
  ...{ jpeg_bytes: 1, jpeg_digest: 'j' },
});
const result = (number: number, more: Partial<Row<'result'>> = {}): Row<'result'> => ({
  ...{ frame: number, outcome: 'local', reason: null, epoch: null, cut: null, codec: null, digest: 'd' },
  ...{ top: null, boxes: null, start_ms: 0, end_ms: 1, ...more },
});
const plan = (sequence: number, epoch: number): Row<'event'> => ({
  ...{ sequence, at_ms: 0, event: JSON.stringify({ atMs: 0, kind: 'plan', plan: { epoch } }) },
});
const made = (epoch: number): Row<'plan'> => ({ at_ms: 0, vehicle: 'vehicle-1', epoch, plan: '{}' });

/** A vehicle that was killed over its third frame and started again, and a roadside unit that has it all. */
const FIRST: Rows = {
  run: [runOf('vehicle-1', 'vehicle', 1)],
  frame: [frame(1), frame(2), frame(3)],
  result: [result(1), result(2, { outcome: 'shed', digest: null, reason: 'a newer frame' })],
  event: [plan(0, 1), plan(1, 4)],
};
const LEFT: Row<'crash_left'> = {
  ...{ run: 'vehicle-1/1', start: 1, frame: 3, round: 1, camera: 'camera-1' },
};
const SECOND: Rows = { run: [runOf('vehicle-1', 'vehicle', 2)], crash_left: [LEFT] };
const HANDED: Rows = {
  run: [runOf('roadside-unit', 'roadside-unit', 1)],
  plan: [made(1), made(1), made(4)],
  received: [
    ...([1, 2, 3] as const).map((row) => received(1, 'frame', row, frame(row))),
    ...FIRST.result!.map((row, index) => received(1, 'result', index + 1, row)),
    received(2, 'crash_left', 1, LEFT),
  ],
};

function received(start: number, table: Table, row: number, record: object): Row<'received'> {
  const run = `vehicle-1/${start}`;
  return { at_ms: 0, node: 'vehicle-1', run, table_name: table, row, record: JSON.stringify(record) };
}

/** The verdict where the rows of one of the three logs are others. */
function breachesOf(first: Rows = {}, second: Rows = {}, unit: Rows = {}): readonly string[] {
  return verdictOf([
    logOf('vehicle-1', { ...FIRST, ...first }),
    logOf('vehicle-1.2', { ...SECOND, ...second }),
    logOf('roadside-unit', { ...HANDED, ...unit }),
  ]).breaches;
}

test('Logs in which every frame has one end, and the roadside unit every record, are right.', () => {
  const { frames, ends, records, breaches } = verdictOf([
    logOf('vehicle-1', FIRST),
    logOf('vehicle-1.2', SECOND),
    logOf('roadside-unit', HANDED),
    logOf('roadside-unit.2', {}),
  ]);
  assert.deepEqual(breaches, []);
  assert.deepEqual({ frames, records }, { frames: 3, records: 6 });
  assert.deepEqual(ends, { cloud: 0, local: 1, shed: 1, deadline: 0, dropped: 0, 'lost in a crash': 1 });
});

const WRONG: readonly (readonly [what: string, breaches: () => readonly string[], says: RegExp])[] = [
  ['a frame without an end', () => breachesOf({}, { crash_left: [] }), /frame 3 has no end/],
  [
    'a frame with two results',
    () => breachesOf({ result: [...FIRST.result!, result(1)] }),
    /frame 1 has two results/,
  ],
  [
    'a frame with a result that a crash is said to have left',
    () => breachesOf({ result: [...FIRST.result!, result(3)] }),
    /frame 3 has a result and was named/,
  ],
  [
    'a frame that is named twice',
    () => breachesOf({}, { crash_left: [LEFT, LEFT] }),
    /frame 3 was named twice/,
  ],
  [
    'a result of a frame that nobody took',
    () => breachesOf({ result: [...FIRST.result!, result(7)] }),
    /frame 7 has a result and was never captured/,
  ],
  [
    'an answer without what was answered',
    () => breachesOf({ result: [result(1, { digest: null }), FIRST.result![1]!] }),
    /frame 1 ended as local with the answer null/,
  ],
  [
    'a frame that was shed without a reason',
    () => breachesOf({ result: [result(1), result(2, { outcome: 'shed', digest: null })] }),
    /frame 2 ended as shed without a reason/,
  ],
  [
    'an old plan that was obeyed',
    () => breachesOf({ event: [plan(0, 4), plan(1, 1)] }),
    /vehicle-1.sqlite: plan 1 after plan 4/,
  ],
  [
    'epochs that fall',
    () => breachesOf({}, {}, { plan: [made(4), made(1)] }),
    /roadside-unit.sqlite: plan 1/,
  ],
  [
    'a record that was not handed over',
    () => breachesOf({}, {}, { received: HANDED.received!.slice(1) }),
    /vehicle-1.sqlite: frame: the roadside unit has 2 of 3 rows/,
  ],
];

for (const [what, breaches, says] of WRONG)
  test(`What is wrong is named: ${what}.`, () => {
    assert.ok(
      breaches().some((breach) => says.test(breach)),
      `${breaches()}`,
    );
  });
