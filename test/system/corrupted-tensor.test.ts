import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { decode, encode, parseTopic } from '../../libs/proto/index.ts';
import { Nodes, runCampaign } from './nodes.ts';
import { type Meddler, PacketProxy } from './packet-proxy.ts';

/** Byte and bit of a little-endian float32: the lowest bit of its exponent. The value doubles or halves. */
const CHANGED_BYTE = 2;
const CHANGED_BIT = 0x80;

const nodes = new Nodes();
const proxies: PacketProxy[] = [];
after(async () => {
  await nodes.close();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
});

test('One bit that changes on the way shows as one result that is not identical, and nothing is lost.', {
  timeout: 60_000,
}, async () => {
  let changed = 0;
  const changeOneBit: Meddler = (message) => {
    if (changed > 0 || parseTopic(message.topic)?.key !== 'tensor') return message;
    changed++;
    const chunk = decode('tensor', message.payload as Buffer);
    const data = Uint8Array.from(chunk.data);
    data[CHANGED_BYTE]! ^= CHANGED_BIT;
    return { ...message, payload: encode('tensor', { ...chunk, data }) };
  };
  const { summary } = await runCampaign(nodes, {
    policies: ['ro'],
    portOf: async (_, port) => {
      const proxy = new PacketProxy(port, { up: changeOneBit });
      proxies.push(proxy);
      return proxy.start();
    },
  });
  assert.equal(changed, 1);
  assert.equal(summary.jobs, 8);
  assert.equal(summary.identical, summary.jobs - 1);
  assert.equal(summary.lost, 0);
  assert.equal(summary.local, 0);
  assert.equal(summary.dropped, 0);
});
