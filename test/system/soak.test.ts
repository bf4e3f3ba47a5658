/** A short soak; `npm run soak` is the long one. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { soak } from '../soak/soak.ts';
import { Nodes } from './nodes.ts';

const nodes = new Nodes();
after(() => nodes.close());

test('Whoever is killed, cut off or held up: every frame has one end, every record is handed over, no old plan is obeyed.', {
  timeout: 240_000,
}, async (t) => {
  const options = { forMs: 20_000, seed: 7, killEveryMs: 2500, cutEveryMs: 400 };
  const { kills, sockets, frames, ends, wrong, breaches } = await soak(nodes, options);
  t.diagnostic(JSON.stringify({ kills, sockets, frames, ends }));
  assert.deepEqual(breaches, []);
  assert.equal(wrong, 0);
  assert.ok(Object.values(kills).reduce((a, b) => a + b, 0) >= 3);
  assert.ok(sockets.cut > 0 && sockets.stalled > 0);
  assert.ok(ends.cloud > 0 && ends.local > 0);
});
