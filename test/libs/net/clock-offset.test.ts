import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clockOffset, type Exchange } from '../../../libs/net/index.ts';

test('The offset is read from the exchange with the shortest round trip.', () => {
  const exchanges: Exchange[] = [
    { sentMs: 0, answeredMs: 1040, receivedMs: 50 },
    { sentMs: 100, answeredMs: 1104, receivedMs: 108 },
    { sentMs: 200, answeredMs: 1202, receivedMs: 230 },
  ];
  assert.deepEqual(clockOffset(exchanges), { offsetMs: 1000, rttMs: 8 });
  assert.deepEqual(clockOffset(exchanges.toReversed()), { offsetMs: 1000, rttMs: 8 });
});

test('The offset is off by half of the round trip at most, however long each way takes.', () => {
  const ways = fc.array(fc.record({ there: fc.nat(200), back: fc.nat(200) }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(ways, fc.integer({ min: -1_000_000, max: 1_000_000 }), (delays, trueOffset) => {
      const exchanges = delays.map(({ there, back }, i) => ({
        sentMs: 1000 * i,
        answeredMs: 1000 * i + there + trueOffset,
        receivedMs: 1000 * i + there + back,
      }));
      const { offsetMs, rttMs } = clockOffset(exchanges)!;
      assert.equal(rttMs, Math.min(...delays.map(({ there, back }) => there + back)));
      assert.ok(Math.abs(offsetMs - trueOffset) <= rttMs / 2);
    }),
  );
});

test('Without an exchange there is no offset.', () => {
  assert.equal(clockOffset([]), undefined);
});
