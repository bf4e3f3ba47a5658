import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../libs/clock/index.ts';
import { Backoff } from '../../../libs/net/index.ts';

const BOUNDS = [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000];

test('Waits are spread evenly below a bound that doubles from a quarter of a second to ten seconds.', () => {
  const random = seededRandom(1);
  const runs = Array.from({ length: 4000 }, () => {
    const backoff = new Backoff(random);
    return BOUNDS.map(() => backoff.next(0));
  });
  BOUNDS.forEach((bound, attempt) => {
    const waits = runs.map((run) => run[attempt]!);
    assert.ok(waits.every((wait) => wait >= 0 && wait < bound));
    for (const part of [0, 1, 2, 3]) {
      const share = waits.filter((wait) => Math.floor((4 * wait) / bound) === part).length / waits.length;
      assert.ok(Math.abs(share - 0.25) < 0.03, `attempt ${attempt}, quarter ${part}: ${share}`);
    }
  });
});

test('After hundreds of attempts the bound is still ten seconds.', () => {
  const backoff = new Backoff(() => 0.5);
  const waits = Array.from({ length: 2000 }, () => backoff.next(0));
  assert.equal(waits.at(-1), 5000);
});

test('Only a connection that stood for ten seconds was one: after it the waits begin anew.', () => {
  const backoff = new Backoff(() => 0.5);
  const waits = [0, 0, 9999, 3, 10_000, 0, 1e9].map((stoodMs) => backoff.next(stoodMs));
  assert.deepEqual(waits, [125, 250, 500, 1000, 125, 250, 125]);
});
