import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LinkTrace, LinkTraceError, parseLinkTrace } from '../../../libs/net/index.ts';

const NAME = 'drive.up';

test("Mahimahi's format: 1,500 bytes at each line's ms, evenly since the time before.", () => {
  const trace = parseLinkTrace('0\n10\n30\n30\n', NAME);
  assert.deepEqual(trace.startsMs, [0, 10]);
  // What is at 0 counts with the first.
  assert.deepEqual(trace.bps, [(3000 * 8000) / 10, (3000 * 8000) / 20]);
  assert.equal(trace.lengthMs, 30);
  assert.equal(trace.meanBps, (6000 * 8000) / 30);
});

test('Two columns: seconds and Mbit/s, from the first line on, the last as long as the one before it.', () => {
  const trace = parseLinkTrace('5.0 2\r\n6.5 0\r\n7.5\t4\r\n\r\n', NAME);
  assert.deepEqual(trace.startsMs, [0, 1500, 2500]);
  assert.deepEqual(trace.bps, [2e6, 0, 4e6]);
  assert.equal(trace.lengthMs, 3500);
});

test('At its end a trace begins again, and what an outage holds back goes on after it.', () => {
  // 1,000 bytes in the first second, none in the second.
  const trace = new LinkTrace([0, 1000], [8000, 0], 2000);
  assert.equal(trace.endOf(0, 500), 500);
  assert.equal(trace.endOf(0, 1000), 1000);
  assert.equal(trace.endOf(500, 600), 2100);
  assert.equal(trace.endOf(1500, 1000), 3000);
  assert.equal(trace.endOf(1700, 0), 1700);
  assert.equal(trace.meanBps, 4000);
  assert.equal(trace.meanBetween(500, 1500), 4000);
  assert.equal(trace.meanBetween(2000, 3000), 8000);
  assert.equal(trace.meanBetween(3500, 3500), 0);
});

const traces = fc
  .array(
    fc.record({
      ms: fc.integer({ min: 1, max: 500 }),
      bps: fc.oneof(fc.constant(0), fc.integer({ min: 1000, max: 10_000_000 })),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .filter((pieces) => pieces.some(({ bps }) => bps > 0))
  .map((pieces) => {
    let atMs = 0;
    const startsMs = pieces.map(({ ms }) => {
      atMs += ms;
      return atMs - ms;
    });
    return new LinkTrace(
      startsMs,
      pieces.map(({ bps }) => bps),
      atMs,
    );
  });

/** Piece by piece. */
function walk(trace: LinkTrace, startMs: number, bytes: number): number {
  let nowMs = startMs;
  let bits = bytes * 8000;
  for (;;) {
    const turn = Math.floor(nowMs / trace.lengthMs + 1e-12);
    const inTurn = nowMs - turn * trace.lengthMs;
    const index = trace.startsMs.findLastIndex((start) => start <= inTurn + 1e-9);
    const untilMs = turn * trace.lengthMs + (trace.startsMs[index + 1] ?? trace.lengthMs);
    const through = trace.bps[index]! * (untilMs - nowMs);
    if (through >= bits && through > 0) return nowMs + bits / trace.bps[index]!;
    bits -= through;
    nowMs = untilMs;
  }
}

test('A tensor ends when a walk through the pieces says so, at whatever time it starts.', () => {
  fc.assert(
    fc.property(
      traces,
      fc.double({ min: 0, max: 5000, noNaN: true }),
      fc.integer({ min: 1, max: 2_000_000 }),
      (trace, startMs, bytes) => {
        fc.pre(bytes / (trace.meanBps / 8000) < 200 * trace.lengthMs);
        const endMs = trace.endOf(startMs, bytes);
        const expected = walk(trace, startMs, bytes);
        assert.ok(Math.abs(endMs - expected) <= 1e-6 * Math.max(1, expected), `${endMs} for ${expected}`);
        const mean = trace.meanBetween(startMs, endMs);
        if (endMs > startMs)
          assert.ok(Math.abs((mean * (endMs - startMs)) / 8000 - bytes) <= 1e-5 * bytes + 1e-3);
      },
    ),
  );
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['is empty', '', /there is no line in it/],
  ['has blank lines only', '\n \n', /there is no line in it/],
  ['has text in it', '1\n2\nthree\n', /line 3: 'three' is no number/],
  ['has a negative time', '-1\n', /line 1: '-1' is no number of 0 or more/],
  ['falls', '10\n20\n15\n', /line 3 falls from 20 to 15/],
  ['falls in two columns', '0 1\n2 1\n1 1\n', /line 3 falls from 2 to 1/],
  ['says two rates for one time', '0 1\n1 2\n1 3\n', /line 3 has the time of the line before it/],
  ['changes its columns', '0 1\n2\n', /line 2 has 1 column, line 1 has 2/],
  ['has three columns', '0 1 2\n', /line 1 has 3 columns/],
  ['has broken ms', '0\n1.5\n', /line 2: 1.5 must be whole ms/],
  ['lasts no time', '0\n0\n', /it lasts 0 ms/],
  ['lets nothing through', '0 0\n1 0\n', /nothing ever goes through/],
  ['has no finite number', '0 1\n1 1e999\n', /line 2: '1e999' is no number/],
];

for (const [what, text, message] of REFUSED)
  test(`A trace that ${what} is refused by its line.`, () => {
    assert.throws(
      () => parseLinkTrace(text, NAME),
      (error: Error) =>
        error instanceof LinkTraceError && error.message.startsWith(NAME) && message.test(error.message),
    );
  });
