import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../libs/clock/index.ts';
import { type ClockOffset, ClockSync, type Session } from '../../../libs/net/index.ts';
import type { MessageOf } from '../../../libs/proto/index.ts';

/** A session whose far end answers a ping after `thereMs`, and whose answer needs `backMs`. */
function answering(clock: FakeClock, ways: () => { thereMs: number; backMs: number }, offsetMs: number) {
  let pong: (message: MessageOf<'clockPong'>) => void = () => {};
  const asked: number[] = [];
  const session = {
    subscribe: (key: string, node: string, handler: typeof pong) => {
      assert.deepEqual([key, node], ['clockPong', 'cloud']);
      pong = handler;
    },
    publish: (key: string, node: string, { sentMs }: MessageOf<'clockPing'>) => {
      assert.deepEqual([key, node, sentMs], ['clockPing', 'cloud', clock.now()]);
      asked.push(sentMs);
      const { thereMs, backMs } = ways();
      clock.after(thereMs, () => {
        const answeredMs = clock.now() + offsetMs;
        clock.after(backMs, () => pong({ sentMs, answeredMs }));
      });
      return true;
    },
  };
  return { session: session as unknown as Session, asked };
}

test('A node asks once a second, and reports the offset of its best exchange with every answer.', () => {
  const clock = new FakeClock(500);
  const ways = [40, 2, 30, 60].map((backMs) => ({ thereMs: 10, backMs }));
  const { session, asked } = answering(clock, () => ways[asked.length - 1]!, 7000);
  const seen: (ClockOffset & { atMs: number })[] = [];
  const sync = new ClockSync(session, 'cloud', clock, (offset, atMs) => seen.push({ ...offset, atMs }));
  sync.start();
  clock.advance(3900);
  assert.deepEqual(asked, [500, 1500, 2500, 3500]);
  assert.deepEqual(seen, [
    { offsetMs: 6985, rttMs: 50, atMs: 550 },
    { offsetMs: 7004, rttMs: 12, atMs: 1512 },
    { offsetMs: 7004, rttMs: 12, atMs: 2540 },
    { offsetMs: 7004, rttMs: 12, atMs: 3570 },
  ]);
  sync.stop();
  clock.advance(5000);
  assert.equal(asked.length, 4);
});

test('An exchange is forgotten after fifteen others: a clock that drifts is followed.', () => {
  const clock = new FakeClock();
  let backMs = 2;
  const { session } = answering(clock, () => ({ thereMs: 10, backMs }), 0);
  let last: ClockOffset | undefined;
  const sync = new ClockSync(session, 'cloud', clock, (offset) => {
    last = offset;
  });
  sync.start();
  clock.advance(500);
  assert.equal(last!.rttMs, 12);
  backMs = 20;
  clock.advance(15_000);
  assert.equal(last!.rttMs, 12);
  clock.advance(1000);
  assert.equal(last!.rttMs, 30);
  sync.stop();
});
