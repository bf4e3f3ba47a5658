import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import {
  BEGINNING,
  HANDED_TABLES,
  type HandedTable,
  MAX_BATCH_BYTES,
} from '../../../libs/journal/hand-over.ts';
import {
  cutRow,
  type HandedRow,
  type HandedRows,
  handedColumns,
  LogBatchError,
  MAX_UNPACKED_BYTES,
  packRows,
  unpackRows,
} from '../../../libs/journal/log-batch.ts';
import { type Column, tables } from '../../../libs/journal/tables.ts';

const value = {
  TEXT: fc.string({ unit: 'grapheme', maxLength: 30 }),
  REAL: fc.double({ noNaN: true, noDefaultInfinity: true }).map((real) => (real === 0 ? 0 : real)),
  INTEGER: fc.integer(),
};

function rowOf(table: HandedTable): fc.Arbitrary<HandedRow> {
  const types: Readonly<Record<string, Column>> = tables[table];
  const columns = handedColumns(table).map((column) => {
    const of = value[types[column]!.replace('?', '') as keyof typeof value] as fc.Arbitrary<string | number>;
    return [column, types[column]!.endsWith('?') ? fc.option(of) : of] as const;
  });
  return fc.record(Object.fromEntries(columns), { noNullPrototype: true });
}

const allRows: fc.Arbitrary<HandedRows> = fc.record(
  Object.fromEntries(HANDED_TABLES.map((table) => [table, fc.array(rowOf(table), { maxLength: 5 })])),
  { requiredKeys: [], noNullPrototype: true },
);

const throughOf = (rows: HandedRows, after = BEGINNING) =>
  HANDED_TABLES.map((table, index) => after[index]! + (rows[table]?.length ?? 0));

test('Rows of all tables come out of a batch as they went in.', () => {
  fc.assert(
    fc.property(allRows, fc.array(fc.nat(1000), { minLength: 7, maxLength: 7 }), (rows, after) => {
      const batch = { after, through: throughOf(rows, after), rows: packRows(rows)! };
      assert.deepEqual(unpackRows(batch), rows);
    }),
    { numRuns: 200 },
  );
});

test('A run’s configuration stays on board, and everything else of the tables goes.', () => {
  for (const table of HANDED_TABLES) {
    const left = Object.keys(tables[table]).filter((column) => !handedColumns(table).includes(column));
    assert.deepEqual(left, table === 'run' ? ['config'] : [], table);
  }
});

const fault = (detail: string): HandedRow => ({ at_ms: 1, kind: 'k', detail, count: 1 });
const FAULT = HANDED_TABLES.indexOf('fault');
const throughFaults = (count: number) => BEGINNING.map((_, table) => (table === FAULT ? count : 0));

function refused(rows: Uint8Array, message: RegExp, through = throughFaults(1), after = BEGINNING): void {
  assert.throws(() => unpackRows({ after, through, rows }), { name: LogBatchError.name, message });
}

const json = (content: unknown): Uint8Array => zstdCompressSync(Buffer.from(JSON.stringify(content)));

test('A batch that unpacks to far more than it may is refused before it has taken the memory.', () => {
  const zeros = (bytes: number, window: number): Uint8Array =>
    zstdCompressSync(Buffer.alloc(bytes), { params: { [constants.ZSTD_c_windowLog]: window } });
  const bomb = zeros(512 * 1024 * 1024, 18);
  const greedy = zeros(32 * 1024 * 1024, 25);
  const { rss } = process.memoryUsage();
  for (let i = 0; i < 20; i++) {
    refused(bomb, /^cannot be unpacked \(.*larger than 262144 bytes\)$/);
    refused(greedy, /^cannot be unpacked \(.*too much memory.*\)$/);
  }
  const grown = process.memoryUsage().rss - rss;
  assert.ok(grown < 32 * 1024 * 1024, `${grown} bytes more`);
  assert.ok(bomb.length < MAX_BATCH_BYTES, 'it fits into a message');
});

test('A batch may unpack to its bound and to no byte more.', () => {
  const ofLength = (length: number): HandedRows => {
    const empty = JSON.stringify({ fault: [fault('')] }).length;
    return { fault: [fault('x'.repeat(length - empty))] };
  };
  const most = ofLength(MAX_UNPACKED_BYTES);
  assert.deepEqual(unpackRows({ after: BEGINNING, through: throughFaults(1), rows: packRows(most)! }), most);
  assert.equal(packRows(ofLength(MAX_UNPACKED_BYTES + 1)), undefined);
  refused(json(ofLength(MAX_UNPACKED_BYTES + 1)), /cannot be unpacked/);
});

test('Whatever is no batch is refused with a reason, and never otherwise.', () => {
  refused(Buffer.from('no zstd'), /^cannot be unpacked/);
  refused(json({ fault: [fault('')] }).subarray(0, 20), /^cannot be unpacked/);
  refused(zstdCompressSync(Buffer.from('{')), /^no JSON$/);
  for (const content of [null, 7, [], 'text']) refused(json(content), /^no rows by table$/);
  refused(json({ event: [] }), /^rows of 'event', which is not handed over$/);
  refused(json({ fault: {} }), /^fault: not the rows after 0 through 1$/);
  refused(json({ fault: [] }), /^fault: not the rows after 0 through 1$/);
  refused(json({ fault: [fault('a'), fault('b')] }), /^fault: not the rows after 0 through 1$/);
  refused(json({ fault: [7] }), /^fault: a row with other columns than at_ms, kind, detail, count$/);
  refused(json({ fault: [{ ...fault(''), more: 1 }] }), /^fault: a row with other columns/);
  const { count: _, ...withoutCount } = fault('');
  refused(json({ fault: [{ ...withoutCount, other: 1 }] }), /^fault: a row whose count is no INTEGER$/);
  refused(json({ fault: [{ ...fault(''), count: 1.5 }] }), /^fault: a row whose count is no INTEGER$/);
  refused(json({ fault: [{ ...fault(''), at_ms: '1' }] }), /^fault: a row whose at_ms is no REAL$/);
  refused(json({ fault: [{ ...fault(''), kind: null }] }), /^fault: a row whose kind is no TEXT$/);
  refused(json({ fault: [fault('')] }), /^a position of 6 tables, not 7$/, throughFaults(1).slice(1));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refused(bytes, /./)),
    { numRuns: 200 },
  );
});

test('A row that is too large even alone loses the texts that it can do without, and of others the end.', () => {
  const long = 'x'.repeat(5000);
  assert.deepEqual(cutRow('fault', fault(long)), fault('x'.repeat(1000)));
  const times = { epoch: 1, cut: 2, codec: 'float32', start_ms: 1, end_ms: 3 };
  const result = { frame: 1, outcome: 'cloud', reason: null, ...times, digest: 'd', top: '[]' };
  assert.deepEqual(cutRow('result', { ...result, boxes: long }), { ...result, boxes: null });
});
