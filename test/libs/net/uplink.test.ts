import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { FakeClock, seededRandom } from '../../../libs/clock/index.ts';
import { Link, type Session, sendTensor, type TensorHeader } from '../../../libs/net/index.ts';
import { chunkBytesFor, encode, type MessageOf, topicOf, wireBytes } from '../../../libs/proto/index.ts';
import { collect, loopback, until } from './loopback.ts';

const HEADER: TensorHeader = {
  ...{ frame: 300, epoch: 2, camera: 'camera-1', cut: 1, codec: 'float32', dims: [1, 10_000] },
  ...{ frameWidth: 960, frameHeight: 540 },
};
const RATE = 8e6;

const WAY = { vehicle: 'vehicle-1', cloud: 'cloud-1' };

/** A session that writes what it is given to the link at once, as MQTT.js does on an open connection. */
async function vehicle(context: TestContext, clock: FakeClock) {
  const pair = await loopback();
  const link = new Link(pair.client, { uplinkBps: RATE }, clock);
  link.on('error', () => {});
  context.after(() => {
    link.destroy();
    pair.close();
  });
  const { bytes } = collect(pair.server);
  pair.server.resume();
  const chunks: MessageOf<'tensor'>[] = [];
  const state = { connected: true, waiting: 0, mostWaiting: 0 };
  const session = {
    publish: (key: 'tensor', node: string, message: MessageOf<'tensor'>, cloud: string) => {
      if (!state.connected) return false;
      chunks.push({ ...message, data: Uint8Array.from(message.data) });
      state.mostWaiting = Math.max(state.mostWaiting, ++state.waiting);
      const payload = encode(key, message);
      const topic = topicOf(key, node, cloud);
      link.write(
        mqttPacket.generate({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }),
        () => state.waiting--,
      );
      return true;
    },
  };
  return { session: session as unknown as Session, link, chunks, state, arrived: bytes };
}

function tensor(length: number): Uint8Array {
  const random = seededRandom(length);
  return Uint8Array.from({ length }, () => random() * 256);
}

async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 0.5) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(0.5);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

test('A tensor goes out in chunks in order, two of them waiting at most, and is done when its last byte is sent.', async (context) => {
  const clock = new FakeClock(1000);
  const { session, link, chunks, state, arrived } = await vehicle(context, clock);
  const data = tensor(40_000);
  const options = { uplinkBps: RATE, now: () => clock.now() };
  const { done } = sendTensor(session, link, WAY, HEADER, data, options);
  await pass(clock, 45);
  const { startMs, endMs, wireBytes: sentBytes } = await done;

  const chunkBytes = chunkBytesFor(RATE);
  assert.deepEqual(Buffer.concat(chunks.map((chunk) => chunk.data)), Buffer.from(data));
  assert.deepEqual(
    chunks.map(({ offset, totalBytes }) => ({ offset, totalBytes })),
    Array.from({ length: Math.ceil(40_000 / chunkBytes) }, (_, i) => ({
      offset: i * chunkBytes,
      totalBytes: 40_000,
    })),
  );
  assert.ok(
    chunks.every(({ frame, epoch, camera, cut }) => `${frame}${epoch}${camera}${cut}` === '3002camera-11'),
  );
  assert.equal(state.mostWaiting, 2);
  assert.equal(startMs, 1000);
  const takesMs = (sentBytes * 8000) / RATE;
  assert.ok(Math.abs(endMs - startMs - takesMs) < 1, `${endMs - startMs} ms for ${takesMs}`);
  assert.ok(Math.abs(sentBytes - wireBytes(40_000, chunkBytes, WAY.vehicle, WAY.cloud)) < 40);
  await until(() => arrived().length === sentBytes);
});

test('Without a rate a tensor goes out in the largest chunks.', async (context) => {
  const clock = new FakeClock();
  const { session, link, chunks } = await vehicle(context, clock);
  const { done } = sendTensor(session, link, WAY, HEADER, tensor(100_000), {
    now: () => clock.now(),
  });
  await pass(clock, 120);
  await done;
  assert.deepEqual(
    chunks.map(({ data }) => data.length),
    [65_536, 100_000 - 65_536],
  );
});

test('What is written beside a tensor waits for two of its chunks at most.', async (context) => {
  const clock = new FakeClock();
  const { session, link } = await vehicle(context, clock);
  const options = { uplinkBps: RATE, now: () => clock.now() };
  const { done } = sendTensor(session, link, WAY, HEADER, tensor(100_000), options);
  await pass(clock, 20);
  const askedMs = clock.now();
  let controlMs = Number.NaN;
  link.write(Buffer.alloc(50));
  link.whenSent(link.acceptedBytes, (atMs) => {
    controlMs = atMs;
  });
  await pass(clock, 90);
  await done;
  assert.ok(controlMs - askedMs <= 15, `${controlMs - askedMs} ms`);
});

test('A transfer that is stopped leaves the rest unsent, and its promise is rejected.', async (context) => {
  const clock = new FakeClock();
  const { session, link, chunks } = await vehicle(context, clock);
  const options = { uplinkBps: RATE, now: () => clock.now() };
  const transfer = sendTensor(session, link, WAY, HEADER, tensor(100_000), options);
  const failed = assert.rejects(transfer.done, /^Error: the transfer was stopped$/);
  await pass(clock, 20);
  const sentSoFar = chunks.length;
  transfer.stop();
  await failed;
  await pass(clock, 100);
  assert.equal(chunks.length, sentSoFar);
  assert.ok(sentSoFar < 100_000 / chunkBytesFor(RATE));
  assert.equal(link.listenerCount('close'), 0);
});

test('A transfer whose connection is lost, or is not there, is rejected.', async (context) => {
  const clock = new FakeClock();
  const { session, link, state } = await vehicle(context, clock);
  const options = { uplinkBps: RATE, now: () => clock.now() };
  state.connected = false;
  const unsent = sendTensor(session, link, WAY, HEADER, tensor(100), options);
  await assert.rejects(unsent.done, /^Error: the connection was lost$/);
  state.connected = true;
  const broken = sendTensor(session, link, WAY, HEADER, tensor(100_000), options);
  const failed = assert.rejects(broken.done, /^Error: the connection was lost$/);
  await pass(clock, 10);
  link.destroy();
  await failed;
});

test('Transfers leave nothing behind that watches the connection.', async (context) => {
  const clock = new FakeClock();
  const { session, link } = await vehicle(context, clock);
  const options = { uplinkBps: RATE, now: () => clock.now() };
  for (let i = 0; i < 3; i++) {
    const { done } = sendTensor(session, link, WAY, HEADER, tensor(5000), options);
    await pass(clock, 8);
    await done;
  }
  assert.equal(link.listenerCount('close'), 0);
});
