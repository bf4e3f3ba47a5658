import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { FakeClock, systemClock } from '../../../libs/clock/index.ts';

test('A fake clock stands still until it is moved.', () => {
  const clock = new FakeClock(5);
  assert.equal(clock.now(), 5);
  clock.advance(10);
  assert.equal(clock.now(), 15);
  assert.equal(clock.wallMs(), 15);
});

test('Timers fire once, in order of time and then of creation, at the time they were set for.', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(20), { maxLength: 15 }),
      fc.array(fc.nat(9), { maxLength: 10 }),
      (delays, steps) => {
        const clock = new FakeClock(100);
        const fired: { index: number; atMs: number }[] = [];
        delays.forEach((delay, index) => {
          clock.after(delay, () => fired.push({ index, atMs: clock.now() }));
        });
        for (const step of steps) clock.advance(step);
        const passed = steps.reduce((a, b) => a + b, 0);
        const expected = delays
          .map((delay, index) => ({ index, atMs: 100 + delay }))
          .filter(({ atMs }) => steps.length > 0 && atMs <= 100 + passed)
          .sort((a, b) => a.atMs - b.atMs || a.index - b.index);
        assert.deepEqual(fired, expected);
        assert.equal(clock.now(), 100 + passed);
      },
    ),
  );
});

test('A timer that is set by a timer fires in the same move where it falls due in it.', () => {
  const clock = new FakeClock();
  const fired: number[] = [];
  const again = (): void => {
    fired.push(clock.now());
    clock.after(3, again);
  };
  clock.after(3, again);
  clock.advance(10);
  assert.deepEqual(fired, [3, 6, 9]);
});

test('A timer that is cancelled does not fire, and may be cancelled again or after it fired.', () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  const first = clock.after(1, () => fired.push('first'));
  const second = clock.after(2, () => fired.push('second'));
  clock.after(1, () => second.cancel());
  clock.advance(5);
  first.cancel();
  second.cancel();
  second.cancel();
  assert.deepEqual(fired, ['first']);
});

test('A negative delay is none.', () => {
  const clock = new FakeClock(7);
  let firedAt = Number.NaN;
  clock.after(-3, () => {
    firedAt = clock.now();
  });
  clock.advance(0);
  assert.equal(firedAt, 7);
});

test('A sleep ends when its time has come, and not before.', async () => {
  const clock = new FakeClock();
  let awake = false;
  const sleep = clock.sleep(10).then(() => {
    awake = true;
  });
  clock.advance(9.9);
  await Promise.resolve();
  assert.equal(awake, false);
  clock.advance(0.1);
  await sleep;
  assert.equal(awake, true);
});

test('The machine’s clock goes forward, and its timers fire no more than 2 ms too early.', async () => {
  const startMs = systemClock.now();
  let firedMs = Number.NaN;
  const fired = new Promise<void>((resolve) => {
    systemClock.after(10, () => {
      firedMs = systemClock.now();
      resolve();
    });
  });
  // A timer of the clock keeps no process alive, a sleep does.
  while (Number.isNaN(firedMs)) await systemClock.sleep(1);
  await fired;
  assert.ok(firedMs >= startMs + 8);
  assert.ok(systemClock.wallMs() > Date.UTC(2024));
});

test('A timer of the machine’s clock that is cancelled does not fire.', async () => {
  let fired = false;
  systemClock
    .after(1, () => {
      fired = true;
    })
    .cancel();
  await systemClock.sleep(10);
  assert.equal(fired, false);
});

test('Threads read the same clock: a time read in one lies between two of the other around it.', async () => {
  const source = `
    import { parentPort } from 'node:worker_threads';
    import { systemClock } from ${JSON.stringify(new URL('../../../libs/clock/index.ts', import.meta.url).href)};
    parentPort.on('message', () => parentPort.postMessage(systemClock.now()));
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  try {
    for (let round = 0; round < 5; round++) {
      const before = systemClock.now();
      const there = await new Promise<number>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.postMessage('read');
      });
      assert.ok(before <= there && there <= systemClock.now());
    }
  } finally {
    await worker.terminate();
  }
});
