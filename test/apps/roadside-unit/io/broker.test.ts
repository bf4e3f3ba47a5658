/** The embedded broker with real sockets on a free port. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connectAsync, type MqttClient } from 'mqtt';
import { generate, type IConnectPacket } from 'mqtt-packet';
import { Broker, BrokerError } from '../../../../apps/roadside-unit/io/broker.ts';
import { FakeClock, systemClock } from '../../../../libs/clock/clock.ts';
import { MAX_CHUNK_BYTES, MAX_PACKET_BYTES, topicOf } from '../../../../libs/proto/topics.ts';

const HOST = '127.0.0.1';
const OWNER = 'roadside-unit';
/** A link as fast as any. */
const FAST_BPS = 1e9;

async function start(t: TestContext): Promise<{ port: number; faults: string[]; broker: Broker }> {
  const faults: string[] = [];
  const broker = new Broker(OWNER, systemClock, (kind, detail) => faults.push(`${kind} ${detail}`));
  const port = await broker.start(HOST, 0);
  t.after(() => broker.stop());
  return { port, faults, broker };
}

async function client(t: TestContext, port: number, clientId: string): Promise<MqttClient> {
  const opened = await connectAsync({ host: HOST, port, clientId, reconnectPeriod: 0, protocolVersion: 4 });
  t.after(() => opened.endAsync(true));
  return opened;
}

function rawSocket(t: TestContext, port: number): Socket {
  const socket = connect({ host: HOST, port });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** Resolves when it is over, in whatever way. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.on('close', () => resolve()));

const connectPacket = (clientId: string): Buffer =>
  generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true, keepalive: 30 });

/** Random bytes that are the same in every run. */
function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = seed + 1; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

/** What a client receives, one message after another. */
function inbox(of: MqttClient): () => Promise<Buffer> {
  const waiting: ((payload: Buffer) => void)[] = [];
  const here: Buffer[] = [];
  of.on('message', (_, payload) => {
    const next = waiting.shift();
    if (next) next(payload);
    else here.push(payload);
  });
  return () =>
    here.length > 0 ? Promise.resolve(here.shift()!) : new Promise((resolve) => waiting.push(resolve));
}

test('Messages arrive byte for byte, from empty ones to the largest that a node sends, in their order.', async (t) => {
  const { port, faults, broker } = await start(t);
  const [sender, receiver] = [await client(t, port, 'sender'), await client(t, port, 'receiver')];
  broker.admit('sender', 'vehicle', FAST_BPS);
  await receiver.subscribeAsync(topicOf('tensor', '+', 'receiver'), { qos: 1 });
  const next = inbox(receiver);
  const sizes = [0, 1, 127, 128, 16_384, MAX_CHUNK_BYTES, MAX_PACKET_BYTES - 100];
  const sent = sizes.flatMap((size, index) => [bytesOf(size, index), bytesOf(size, index + 100)]);
  for (const [index, bytes] of sent.entries()) {
    const qos = index % 2 === 0 ? 0 : 1;
    sender.publish(topicOf('tensor', 'sender', 'receiver'), bytes, { qos });
    assert.deepEqual(await next(), bytes, `message ${index}, ${bytes.length} bytes, QoS ${qos}`);
  }
  assert.deepEqual(faults, []);
});

test('Whoever pushes megabytes before its CONNECT is cut off and counted, and others go on meanwhile.', async (t) => {
  const { port, faults } = await start(t);
  const other = await client(t, port, 'other');
  const echo = topicOf('presence', 'other');
  await other.subscribeAsync(echo, { qos: 1 });
  const next = inbox(other);

  const pusher = rawSocket(t, port);
  let wroteBytes = 0;
  const push = (): void => {
    while (!pusher.destroyed && pusher.writable) {
      wroteBytes += 1 << 20;
      if (!pusher.write(Buffer.alloc(1 << 20, 0x10))) break;
    }
  };
  pusher.on('drain', push);
  push();
  const cutOff = closed(pusher);
  for (let i = 0; i < 5; i++) {
    await other.publishAsync(echo, `message ${i}`, { qos: 1 });
    assert.equal((await next()).toString(), `message ${i}`);
  }
  await cutOff;
  assert.ok(wroteBytes >= 1 << 20);
  const offences = faults.filter((fault) => fault.startsWith('door'));
  assert.equal(offences.length, 1, faults.join('\n'));
  assert.match(
    offences[0]!,
    /^door 127\.0\.0\.1:\d+: \d+ bytes before it was accepted, at most 4096 are allowed$/,
  );
  await other.publishAsync(echo, 'still here', { qos: 1 });
  assert.equal((await next()).toString(), 'still here');
});

test('Whoever sends a packet larger than any of ours is cut off and counted, and others go on meanwhile.', async (t) => {
  const { port, faults } = await start(t);
  const other = await client(t, port, 'other');
  await other.subscribeAsync(topicOf('presence', '+'), { qos: 1 });
  const next = inbox(other);

  const sender = rawSocket(t, port);
  const cutOff = closed(sender);
  sender.write(connectPacket('sender'));
  const [connack] = (await once(sender, 'data')) as [Buffer];
  assert.deepEqual([...connack], [0x20, 2, 0, 0]);
  const payload = Buffer.alloc(MAX_PACKET_BYTES + 1);
  const topic = topicOf('presence', 'sender');
  sender.write(generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false }));
  await cutOff;
  const offences = faults.filter((fault) => fault.startsWith('door'));
  assert.equal(offences.length, 1, faults.join('\n'));
  assert.match(offences[0]!, /^door 127\.0\.0\.1:\d+: a packet of \d+ bytes, at most \d+ are allowed$/);
  await other.publishAsync(topicOf('presence', 'other'), 'still here', { qos: 1 });
  assert.equal((await next()).toString(), 'still here', 'the large packet was not delivered');
});

test('A client whose connection is ended is gone for the others too: its last will is spoken. Of others nothing is.', async (t) => {
  const { port, broker } = await start(t);
  const watcher = await client(t, port, 'watcher');
  await watcher.subscribeAsync(topicOf('presence', '+'), { qos: 1 });
  const next = inbox(watcher);
  const frozen = rawSocket(t, port);
  const ended = closed(frozen);
  const will = {
    topic: topicOf('presence', 'frozen'),
    payload: Buffer.from('it is gone'),
    qos: 1,
    retain: false,
  };
  const hello = {
    ...{ protocolId: 'MQTT', protocolVersion: 4 },
    clientId: 'frozen',
    clean: true,
    keepalive: 30,
  };
  frozen.write(generate({ cmd: 'connect', ...hello, will } as IConnectPacket));
  await once(frozen, 'data');
  broker.disconnect('nobody');
  broker.disconnect('constructor');
  broker.disconnect('frozen');
  assert.equal((await next()).toString(), 'it is gone');
  await ended;
});

test('A connection that breaks is no offence.', async (t) => {
  const { port, faults } = await start(t);
  const sender = rawSocket(t, port);
  sender.write(connectPacket('sender'));
  await once(sender, 'data');
  sender.resetAndDestroy();
  // Whoever comes later is served later: by now the broker has seen the end of the first.
  const other = await client(t, port, 'other');
  await other.publishAsync(topicOf('presence', 'other'), 'b', { qos: 1 });
  assert.deepEqual(
    faults.filter((fault) => fault.startsWith('door')),
    [],
  );
});

test('Bytes that are no MQTT are told, with the connection, and end it.', async (t) => {
  const { port, faults } = await start(t);
  const stranger = rawSocket(t, port);
  stranger.write('GET / HTTP/1.1\r\n\r\n');
  await closed(stranger);
  assert.ok(faults.length >= 1, 'the broker tells of it');
});

test('A subscriber that does not read does not hold up the others for good.', async (t) => {
  const { port, faults, broker } = await start(t);
  const frozen = rawSocket(t, port);
  frozen.write(connectPacket('frozen'));
  await once(frozen, 'data');
  const subscriptions = [{ topic: topicOf('presence', '+'), qos: 0 as const }];
  frozen.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
  await once(frozen, 'data');
  frozen.pause();

  const [sender, receiver] = [await client(t, port, 'sender'), await client(t, port, 'receiver')];
  await receiver.subscribeAsync(topicOf('presence', 'sender'), { qos: 0 });
  broker.admit('sender', 'vehicle', FAST_BPS);
  const next = inbox(receiver);
  // It is let in.
  await next();
  // More than the sockets hold, and then more messages than the broker has at a time.
  const payload = bytesOf(MAX_CHUNK_BYTES / 8, 1);
  for (let i = 0; i < 2500; i++) {
    sender.publish(topicOf('presence', 'sender'), payload, { qos: 0 });
    assert.equal((await next()).length, payload.length);
  }
  assert.deepEqual(faults, ['client-error frozen: drain timeout'], 'it is let go, and named once');
});

/** The answer to a CONNECT. */
async function connack(t: TestContext, port: number, packet: Partial<IConnectPacket>): Promise<number> {
  const socket = rawSocket(t, port);
  const session = { protocolId: 'MQTT' as const, protocolVersion: 4 as const, clean: true, keepalive: 30 };
  socket.write(generate({ cmd: 'connect', ...session, clientId: 'node-1', ...packet }));
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes[3]!;
}

test('A node’s name is not given to another while it is heard of, but to itself when it comes back, and to another once it is silent.', async (t) => {
  const clock = new FakeClock(1e6);
  const faults: string[] = [];
  const broker = new Broker(OWNER, clock, (kind, detail) => faults.push(`${kind} ${detail}`));
  const port = await broker.start(HOST, 0);
  t.after(() => broker.stop());
  assert.equal(await connack(t, port, { username: 'first' }), 0);
  assert.equal(await connack(t, port, { username: 'second' }), 2);
  assert.equal(await connack(t, port, {}), 2);
  assert.deepEqual(
    faults,
    Array(2).fill('name-taken node-1: another client wants the name of a node that is connected'),
  );
  assert.equal(await connack(t, port, { username: 'first' }), 0);
  clock.advance(3000);
  assert.equal(await connack(t, port, { username: 'second' }), 0);
  assert.equal(await connack(t, port, { username: 'first' }), 2);
});

test('The name of the roadside unit is for whoever knows its secret.', async (t) => {
  const { port, faults, broker } = await start(t);
  for (const password of [undefined, Buffer.from('guessed')])
    assert.equal(
      await connack(t, port, { clientId: OWNER, username: 'a', ...(password && { password }) }),
      2,
    );
  assert.equal(faults.length, 2);
  const password = Buffer.from(broker.secret);
  assert.equal(await connack(t, port, { clientId: OWNER, username: 'a', password }), 0);
});

test('What a client may not say nobody hears, and what it may not hear it is not told; both are counted, and it may go on.', async (t) => {
  const { port, faults, broker } = await start(t);
  const [vehicle, other] = [await client(t, port, 'vehicle-1'), await client(t, port, 'vehicle-2')];
  await vehicle.subscribeAsync([
    topicOf('plan', '+'),
    topicOf('result', 'vehicle-1'),
    topicOf('presence', '+'),
  ]);
  const next = inbox(vehicle);
  const foreign = [
    topicOf('plan', 'vehicle-1'),
    topicOf('result', 'vehicle-1'),
    topicOf('presence', 'vehicle-1'),
  ];
  for (const topic of [...foreign, 'elsewhere', '$SYS/it'])
    await other.publishAsync(topic, 'a lie', { qos: 1, retain: true });
  for (const filter of ['#', 'splitlane/#', topicOf('result', '+'), topicOf('tensor', 'vehicle-1', '+')])
    await assert.rejects(other.subscribeAsync(filter));
  await other.publishAsync(topicOf('presence', 'vehicle-2'), 'its own', { qos: 1 });
  assert.equal((await next()).toString(), 'its own');
  const counted = (kind: string): number => faults.filter((fault) => fault.startsWith(kind)).length;
  assert.deepEqual([counted('publish-refused'), counted('subscribe-refused'), faults.length], [5, 4, 9]);
  assert.equal(faults[0], `publish-refused vehicle-2: ${foreign[0]} is not its own`);

  broker.admit('vehicle-2', 'cloud', FAST_BPS);
  assert.match((await next()).toString('hex'), /^0801$/);
  await other.publishAsync(topicOf('result', 'vehicle-1'), 'a result', { qos: 1 });
  assert.equal((await next()).toString(), 'a result', 'a cloud worker answers vehicles');
});

test('Of a client that was not let in nothing is retained; of a node its presence is, and its last will.', async (t) => {
  const { port, broker } = await start(t);
  const will = { topic: topicOf('presence', 'node-1'), payload: 'gone', qos: 1 as const, retain: true };
  const [stranger, node] = [await client(t, port, 'stranger'), rawSocket(t, port)];
  const session = { protocolId: 'MQTT' as const, protocolVersion: 4 as const, clean: true, keepalive: 30 };
  node.write(
    generate({
      cmd: 'connect',
      ...session,
      clientId: 'node-1',
      will: { ...will, payload: Buffer.from('gone') },
    }),
  );
  await once(node, 'data');
  await stranger.publishAsync(topicOf('presence', 'stranger'), 'here', { qos: 1, retain: true });
  broker.admit('node-1', 'vehicle', FAST_BPS);
  const heard = async (clientId: string): Promise<string> => {
    const late = await client(t, port, clientId);
    const next = inbox(late);
    await late.subscribeAsync(topicOf('presence', '+'), { qos: 1 });
    return (await next()).toString();
  };
  assert.equal(Buffer.from(await heard('late-1')).toString('hex'), '0801');
  const watcher = await client(t, port, 'watcher');
  const next = inbox(watcher);
  await watcher.subscribeAsync(topicOf('presence', 'node-1'), { qos: 1 });
  await next();
  node.destroy();
  assert.equal((await next()).toString(), 'gone');
  assert.equal(await heard('late-2'), 'gone');
});

test('The 1025th connection is turned away and counted; when one of the others ends its place is free.', async (t) => {
  const { port, faults } = await start(t);
  const sockets: Socket[] = [];
  while (sockets.length < 1024) {
    // No more at a time than a server has waiting.
    const some = Array.from({ length: 128 }, () => rawSocket(t, port));
    await Promise.all(some.map((socket) => once(socket, 'connect')));
    sockets.push(...some);
  }
  await closed(rawSocket(t, port));
  assert.equal(faults.length, 1, faults.join('\n'));
  assert.match(faults[0]!, /^door 127\.0\.0\.1:\d+: turned away, 1024 connections are open$/);

  sockets[0]!.end();
  await closed(sockets[0]!);
  const served = rawSocket(t, port);
  served.write(connectPacket('late'));
  const [connack] = (await once(served, 'data')) as [Buffer];
  assert.deepEqual([...connack], [0x20, 2, 0, 0]);
});

test('A port in use, an address that is not ours and a name that does not exist each give one line.', async (t) => {
  const server = createServer();
  server.listen(0, HOST);
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const cases = [
    [HOST, port, `broker: cannot listen on ${HOST}:${port}: the port is in use`],
    ['192.0.2.1', 0, 'broker: cannot listen on 192.0.2.1:0: EADDRNOTAVAIL'],
  ] as const;
  for (const [host, wanted, message] of cases) {
    const broker = new Broker(OWNER, systemClock, () => {});
    await assert.rejects(broker.start(host, wanted), (error: Error) => {
      assert.ok(error instanceof BrokerError);
      assert.equal(error.message, message);
      return true;
    });
    await broker.stop();
  }
});

test('When it stops, every connection ends and its port is free.', async (t) => {
  const { port, broker } = await start(t);
  const connected = rawSocket(t, port);
  connected.write(connectPacket('a'));
  await once(connected, 'data');
  const silent = rawSocket(t, port);
  await once(silent, 'connect');
  const ended = Promise.all([closed(connected), closed(silent)]);
  await broker.stop();
  await ended;
  const again = new Broker(OWNER, systemClock, () => {});
  assert.equal(await again.start(HOST, port), port);
  await again.stop();
});
