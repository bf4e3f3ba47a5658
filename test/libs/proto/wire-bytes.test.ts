import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { chunkBytesFor, encode, packetBytes, topicOf, wireBytes } from '../../../libs/proto/index.ts';

const CLOUD = 'cloud-2';
const publish = (topic: string, payload: Buffer): number =>
  mqttPacket.generate({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }).length;

/** What a tensor takes on the wire, packet by packet. */
function realBytes(
  tensorBytes: number,
  chunkBytes: number,
  vehicle: string,
  dims: number[],
  cut: number,
): number {
  let total = 0;
  for (let offset = 0; offset < tensorBytes; offset += chunkBytes) {
    const data = new Uint8Array(Math.min(chunkBytes, tensorBytes - offset));
    const job = { frame: 300, epoch: 12, camera: 'camera-3', cut, codec: 'float32' } as const;
    const header = { ...job, dims, frameWidth: 1920, frameHeight: 1208 };
    total += publish(
      topicOf('tensor', vehicle, CLOUD),
      encode('tensor', { ...header, totalBytes: tensorBytes, offset, data }),
    );
  }
  return total;
}

const TENSORS = [
  { dims: [1, 3, 224, 224], cut: 0 },
  { dims: [1, 64, 27, 27], cut: 1 },
  { dims: [1, 192, 13, 13], cut: 2 },
  { dims: [1, 256, 6, 6], cut: 3 },
  { dims: [1, 4096], cut: 4 },
  { dims: [1, 1000], cut: 5 },
] as const;
const RATES = [0.13e6, 1.1e6, 5.85e6, 18.88e6, 54e6, 300e6];

test('The predicted bytes of a tensor are those of its real packets, within 0.1 %, or 4 bytes a packet.', () => {
  for (const { dims, cut } of TENSORS)
    for (const rate of RATES) {
      const tensorBytes = dims.reduce((a, b) => a * b, 4);
      const chunkBytes = chunkBytesFor(rate);
      const real = realBytes(tensorBytes, chunkBytes, 'vehicle-2', [...dims], cut);
      const predicted = wireBytes(tensorBytes, chunkBytes, 'vehicle-2', CLOUD);
      const slack = Math.max(real / 1000, 4 * Math.ceil(tensorBytes / chunkBytes));
      assert.ok(Math.abs(predicted - real) <= slack, `${dims} at ${rate}: ${predicted} for ${real}`);
      if (chunkBytes >= 4096 && tensorBytes > chunkBytes)
        assert.ok(Math.abs(predicted - real) <= real / 1000, `${dims} at ${rate}: ${predicted} for ${real}`);
    }
});

test('Protocol bytes weigh 7 % with pieces of 1 KiB and less than 0.2 % with pieces of 64 KiB.', () => {
  const bytes = 602_112;
  const overhead = (chunk: number): number => wireBytes(bytes, chunk, 'vehicle-1', CLOUD) / bytes - 1;
  assert.ok(overhead(1024) > 0.06 && overhead(1024) < 0.09, `${overhead(1024)}`);
  assert.ok(overhead(65_536) > 0.0005 && overhead(65_536) < 0.002, `${overhead(65_536)}`);
});

test('A tensor that fills its pieces has no empty one behind them.', () => {
  const two = wireBytes(8192, 4096, 'vehicle-1', CLOUD);
  assert.ok(wireBytes(8193, 4096, 'vehicle-1', CLOUD) > two + 50);
  assert.ok(Math.abs(realBytes(8192, 4096, 'vehicle-1', [1, 2048], 1) - two) < 8);
});

test('The bytes of a packet are those of the protocol’s own library, at every step of the length field.', () => {
  const topic = topicOf('tensor', 'vehicle-1');
  const variableHeader = 2 + topic.length;
  for (const step of [128, 16_384, 2_097_152])
    for (let remaining = step - 2; remaining <= step + 2; remaining++) {
      const payload = remaining - variableHeader;
      assert.equal(packetBytes(topic, payload), publish(topic, Buffer.alloc(payload)));
    }
  assert.equal(packetBytes('ä', 3), publish('ä', Buffer.alloc(3)));
});

test('A piece takes between 3.5 and 7 ms on the link, and has between 1 and 64 KiB.', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e12, noNaN: true }), (rate) => {
      const bytes = chunkBytesFor(rate);
      const ms = (bytes * 8000) / rate;
      assert.ok(bytes >= 1024 && bytes <= 65_536 && Number.isInteger(Math.log2(bytes)));
      assert.ok(ms <= 7 || bytes === 1024);
      assert.ok(ms > 3.5 || bytes === 65_536);
    }),
  );
  assert.equal(chunkBytesFor(18.88e6), 16_384);
  assert.equal(chunkBytesFor(1), 1024);
  assert.equal(chunkBytesFor(1e12), 65_536);
});
