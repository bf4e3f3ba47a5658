import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, FakeClock } from '../../../libs/clock/index.ts';
import { type ClockOffset, ClockSync, type Session } from '../../../libs/net/index.ts';
import type { MessageOf } from '../../../libs/proto/index.ts';
import { lateBy } from './loopback.ts';

interface Ways {
  readonly thereMs: number;
  readonly backMs: number;
  readonly unknown?: boolean;
}

/**
 * A session whose far end answers a ping after `thereMs`, and whose answer needs `backMs`; where no ways are given a ping is
 * lost.
 */
function answering(clock: FakeClock, ways: () => Ways | undefined, offsetMs = 0) {
  let pong: (message: MessageOf<'clockPong'>) => void = () => {};
  const seen = { asked: [] as number[], drops: [] as string[], isConnected: true };
  const session: Pick<Session, 'subscribe' | 'publish' | 'drop'> = {
    subscribe: (key, node, handler) => {
      assert.deepEqual([key, node], ['clockPong', 'cloud']);
      pong = handler as typeof pong;
    },
    publish: (key, node, message) => {
      const { sentMs } = message as MessageOf<'clockPing'>;
      assert.deepEqual([key, node, sentMs], ['clockPing', 'cloud', clock.now()]);
      if (!seen.isConnected) return false;
      seen.asked.push(sentMs);
      const way = ways();
      if (!way) return true;
      const { thereMs, backMs, unknown = false } = way;
      clock.after(thereMs, () => {
        const answeredMs = clock.now() + offsetMs;
        clock.after(backMs, () => pong({ sentMs, answeredMs, unknown }));
      });
      return true;
    },
    drop: (reason) => seen.drops.push(reason),
  };
  return { session, seen };
}

function syncOf(clock: Clock, session: ReturnType<typeof answering>['session'], isSending = () => false) {
  const offsets: (ClockOffset & { atMs: number })[] = [];
  const unknown: number[] = [];
  const sync = new ClockSync(session, 'cloud', clock, {
    onOffset: (offset, atMs) => offsets.push({ ...offset, atMs }),
    onUnknown: (sentMs) => unknown.push(sentMs),
    isSending,
  });
  sync.start();
  return { sync, offsets, unknown };
}

test('A node asks once a second, and reports the offset of its best exchange with every answer.', () => {
  const clock = new FakeClock(500);
  const ways = [40, 2, 30, 60].map((backMs) => ({ thereMs: 10, backMs }));
  const { session, seen } = answering(clock, () => ways[seen.asked.length - 1]!, 7000);
  const { sync, offsets } = syncOf(clock, session);
  clock.advance(3900);
  assert.deepEqual(seen.asked, [500, 1500, 2500, 3500]);
  assert.deepEqual(offsets, [
    { offsetMs: 6985, rttMs: 50, atMs: 550 },
    { offsetMs: 7004, rttMs: 12, atMs: 1512 },
    { offsetMs: 7004, rttMs: 12, atMs: 2540 },
    { offsetMs: 7004, rttMs: 12, atMs: 3570 },
  ]);
  sync.stop();
  clock.advance(5000);
  assert.equal(seen.asked.length, 4);
});

test('An exchange is forgotten after fifteen others: a clock that drifts is followed.', () => {
  const clock = new FakeClock();
  let backMs = 2;
  const { session } = answering(clock, () => ({ thereMs: 10, backMs }));
  const { sync, offsets } = syncOf(clock, session);
  clock.advance(500);
  assert.equal(offsets.at(-1)!.rttMs, 12);
  backMs = 20;
  clock.advance(15_000);
  assert.equal(offsets.at(-1)!.rttMs, 12);
  clock.advance(1000);
  assert.equal(offsets.at(-1)!.rttMs, 30);
  sync.stop();
});

test('A connection that brings no answer to five questions is broken off, and the next one begins without strikes.', () => {
  const clock = new FakeClock();
  const { session, seen } = answering(clock, () => undefined);
  const { sync } = syncOf(clock, session);
  clock.advance(4999);
  assert.deepEqual([seen.asked.length, seen.drops.length], [5, 0]);
  clock.advance(1);
  assert.deepEqual(
    [seen.asked.length, seen.drops],
    [5, ['no answer from the roadside unit to 5 heartbeats']],
  );
  clock.advance(5000);
  assert.deepEqual([seen.asked.length, seen.drops.length], [10, 1]);
  clock.advance(1000);
  assert.deepEqual([seen.asked.length, seen.drops.length], [10, 2]);
  sync.stop();
});

test('Answers that come late, or to one question of five, keep a connection; without one nothing is counted.', () => {
  const clock = new FakeClock();
  const fromSlow = () => ({ thereMs: 2000, backMs: 1900 });
  const { session, seen } = answering(clock, () => (seen.asked.length % 5 === 1 ? fromSlow() : undefined));
  const { sync } = syncOf(clock, session);
  clock.advance(60_000);
  assert.deepEqual(seen.drops, []);
  seen.isConnected = false;
  clock.advance(60_000);
  assert.deepEqual(seen.drops, []);
  sync.stop();
});

test('While a tensor is on its way nothing is counted: a question may wait behind it, on a channel that all fill.', () => {
  const clock = new FakeClock();
  const { session, seen } = answering(clock, () => undefined);
  let isSending = true;
  syncOf(clock, session, () => isSending);
  clock.advance(60_000);
  assert.deepEqual(seen.drops, []);
  isSending = false;
  clock.advance(6000);
  assert.equal(seen.drops.length, 1);
});

test('A node that was stopped for a minute asks again before it breaks anything off.', () => {
  const clock = new FakeClock();
  const { session, seen } = answering(clock, () => ({ thereMs: 1, backMs: 1 }));
  const { sync } = syncOf(lateBy(clock, 60_000), session);
  clock.advance(5 * 61_000 + 500);
  assert.deepEqual([seen.asked.length, seen.drops.length], [6, 0]);
  sync.stop();
});

test('That the roadside unit does not know the node is told with the time of the question.', () => {
  const clock = new FakeClock(100);
  const { session, seen } = answering(clock, () => ({
    thereMs: 1,
    backMs: 1,
    unknown: seen.asked.length === 2,
  }));
  const { sync, unknown } = syncOf(clock, session);
  clock.advance(5000);
  assert.deepEqual(unknown, [1100]);
  sync.stop();
});
