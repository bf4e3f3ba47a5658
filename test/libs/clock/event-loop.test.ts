import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, watchEventLoop } from '../../../libs/clock/index.ts';

function block(ms: number): void {
  const untilMs = systemClock.now() + ms;
  while (systemClock.now() < untilMs);
}

test('A loop that is blocked is seen as delayed for about as long, and a reset forgets it.', async () => {
  const delay = watchEventLoop();
  try {
    await systemClock.sleep(20);
    block(200);
    await systemClock.sleep(20);
    assert.ok(delay.read().maxMs >= 150, `${delay.read().maxMs} ms`);
    delay.reset();
    assert.deepEqual(delay.read(), { p99Ms: 0, maxMs: 0 });
  } finally {
    delay.stop();
  }
});
