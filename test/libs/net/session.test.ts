import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Aedes } from 'aedes';
import { type Clock, FakeClock, systemClock } from '../../../libs/clock/index.ts';
import { Link, Session, type SessionOptions } from '../../../libs/net/index.ts';
import { encode, type MessageOf, topicOf } from '../../../libs/proto/index.ts';
import { until } from './loopback.ts';

/** A broker on a free port of this machine. */
async function broker(context: TestContext) {
  const aedes = await Aedes.createBroker();
  const subscribed: string[] = [];
  aedes.on('subscribe', (subscriptions) => subscribed.push(...subscriptions.map(({ topic }) => topic)));
  const retained: string[] = [];
  aedes.on('publish', ({ topic, retain, payload }) => {
    if (retain) retained.push(`${topic} ${Buffer.from(payload).toString('hex')}`);
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    aedes.handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    aedes.close();
  });
  const publish = (topic: string, payload: Buffer): void =>
    aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, () => {});
  return { port, sockets, subscribed, retained, publish };
}

interface Node {
  readonly session: Session;
  readonly seen: { connected: number; gone: string[]; rejected: string[] };
}

function node(context: TestContext, port: number, name: string, more: Partial<SessionOptions> = {}): Node {
  const seen: Node['seen'] = { connected: 0, gone: [], rejected: [] };
  const session = new Session({
    host: '127.0.0.1',
    port,
    node: name,
    clock: systemClock,
    onConnect: () => seen.connected++,
    onDisconnect: (reason) => seen.gone.push(reason),
    onRejected: (reason) => seen.rejected.push(reason),
    ...more,
  });
  context.after(() => session.stop());
  return { session, seen };
}

const CHUNK: MessageOf<'tensor'> = {
  ...{
    frame: 1,
    epoch: 2,
    camera: 'front',
    cut: 1,
    codec: 'float32',
    dims: [1, 2],
    totalBytes: 8,
    offset: 0,
    frameWidth: 960,
    frameHeight: 540,
  },
  data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
};

test('What a node publishes comes typed to those who subscribed to it, or to all nodes.', async (context) => {
  const { port, subscribed } = await broker(context);
  const vehicle = node(context, port, 'vehicle-1', {
    wrap: (socket) => new Link(socket, { uplinkBps: 50e6, rttMs: 2 }, systemClock),
  });
  const cloud = node(context, port, 'cloud');
  const tensors: [MessageOf<'tensor'>, string][] = [];
  const rounds: number[] = [];
  cloud.session.subscribe('tensor', '+', (chunk, from) => tensors.push([chunk, from]), 'cloud');
  vehicle.session.subscribe('round', 'vehicle-1', ({ round }) => rounds.push(round));
  vehicle.session.start();
  cloud.session.start();
  await until(() => subscribed.length === 2 && vehicle.seen.connected + cloud.seen.connected === 2);
  assert.deepEqual(
    subscribed.sort(),
    [topicOf('tensor', '+', 'cloud'), topicOf('round', 'vehicle-1')].sort(),
  );
  assert.equal(vehicle.session.publish('tensor', 'vehicle-1', { ...CHUNK, frame: 2 }, 'cloud-2'), true);
  assert.equal(vehicle.session.publish('tensor', 'vehicle-1', CHUNK, 'cloud'), true);
  const go = { round: 7, phase: 'go', frameIndex: 0, measured: true } as const;
  cloud.session.publish('round', 'vehicle-2', go);
  cloud.session.publish('round', 'vehicle-1', { ...go, round: 8 });
  await until(() => tensors.length === 1 && rounds.length > 0);
  const [[chunk, from]] = tensors as [[MessageOf<'tensor'>, string]];
  assert.equal(from, 'vehicle-1');
  assert.deepEqual({ ...chunk, data: [...chunk.data] }, { ...CHUNK, data: [...CHUNK.data] });
  assert.deepEqual(rounds, [8]);
});

test('A malformed message is dropped with its sender and its fault named, and the next one arrives.', async (context) => {
  const { port, publish, subscribed } = await broker(context);
  const { session, seen } = node(context, port, 'cloud');
  const cameras: string[] = [];
  session.subscribe('tensor', '+', ({ camera }) => cameras.push(camera));
  session.start();
  await until(() => subscribed.length === 1);
  const topic = topicOf('tensor', 'vehicle-1', 'cloud');
  publish(topic, Buffer.from('no message'));
  publish(topic, encode('tensor', { ...CHUNK, dims: [3] }));
  publish(topic, Buffer.alloc(70_000));
  publish(topicOf('tensor', 'Vehicle', 'cloud'), encode('tensor', CHUNK));
  publish(topic, encode('tensor', CHUNK));
  await until(() => cameras.length === 1 && seen.rejected.length === 4);
  const [garbage, shape, size, name] = seen.rejected;
  assert.match(garbage!, /^vehicle-1: tensor: no TensorChunk in these 10 bytes/);
  assert.match(shape!, /^vehicle-1: tensor: TensorChunk: dims do not give/);
  assert.match(size!, /^vehicle-1: tensor: 70000 bytes, at most 66560 are allowed$/);
  assert.match(name!, /^a message on 'splitlane\/v1\/tensor\/Vehicle\/cloud', which is no topic of ours$/);
});

test('Without a connection nothing is published, and that is said.', async (context) => {
  const { session } = node(context, 1, 'cloud');
  assert.equal(session.publish('presence', 'cloud', { online: true }), false);
  await session.stop();
});

test('A broker that is not there is reported with the reason, and the session can be stopped all the same.', async (context) => {
  const { session, seen } = node(context, await freePort(), 'cloud');
  session.start();
  await until(() => seen.gone.length > 0);
  assert.match(seen.gone[0]!, /ECONNREFUSED/);
  await session.stop();
});

test('A broker that answers nothing any more does not keep a session from stopping.', async (context) => {
  const accepted = Buffer.from('20020000', 'hex');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.write(accepted));
  }).listen(0, '127.0.0.1');
  context.after(() => server.close());
  await once(server, 'listening');
  const { session, seen } = node(context, (server.address() as { port: number }).port, 'cloud');
  session.start();
  await until(() => seen.connected === 1);
  sockets[0]!.resume();
  await session.stop();
  await until(() => sockets[0]!.destroyed || sockets[0]!.readableEnded);
  assert.equal(sockets.length, 1);
});

/** The presence that the broker keeps for those who come later. */
async function keptPresence(context: TestContext, port: number): Promise<{ last?: boolean }> {
  const kept: { last?: boolean } = {};
  const { session, seen } = node(context, port, 'watcher');
  session.subscribe('presence', 'vehicle-1', ({ online }) => {
    kept.last = online;
  });
  session.start();
  await until(() => seen.connected === 1);
  return kept;
}

test('A node that comes, breaks off, comes back by itself and says goodbye is online, not, online, and not.', async (context) => {
  const { port, sockets, publish, retained } = await broker(context);
  const vehicle = node(context, port, 'vehicle-1');
  const rounds: number[] = [];
  vehicle.session.subscribe('round', 'vehicle-1', ({ round }) => rounds.push(round));
  vehicle.session.start();
  await until(() => vehicle.seen.connected === 1);
  const [connection] = sockets;
  const kept = await keptPresence(context, port);
  await until(() => kept.last === true);

  connection!.destroy();
  await until(() => kept.last === false);
  assert.equal(vehicle.seen.gone.length, 1);

  await until(() => vehicle.seen.connected === 2 && kept.last === true);
  const round = { round: 5, phase: 'go', frameIndex: 0, measured: true } as const;
  publish(topicOf('round', 'vehicle-1'), encode('round', round));
  await until(() => rounds.length === 1);

  await vehicle.session.stop();
  await until(() => kept.last === false);
  const late = await keptPresence(context, port);
  await until(() => late.last === false);
  const mine = retained.filter((packet) => packet.startsWith(topicOf('presence', 'vehicle-1')));
  const [online, offline] = [true, false].map(
    (each) => `${topicOf('presence', 'vehicle-1')} ${encode('presence', { online: each }).toString('hex')}`,
  );
  assert.deepEqual(mine, [online, offline, online, offline]);
});

/** A port of this machine where nobody listens, and where somebody may later. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A clock that stands still until it is moved, and what it was asked to wait. */
function recordingClock(): { fake: FakeClock; clock: Clock; waits: number[] } {
  const fake = new FakeClock();
  const waits: number[] = [];
  const clock: Clock = {
    ...{ now: () => fake.now(), wallMs: () => fake.wallMs(), sleep: (ms) => fake.sleep(ms) },
    after: (ms, run) => {
      waits.push(ms);
      return fake.after(ms, run);
    },
  };
  return { fake, clock, waits };
}

test('A connection that breaks at once is no success: only after one that stood do the waits begin anew.', async (context) => {
  const { port, sockets } = await broker(context);
  const { fake, clock, waits } = recordingClock();
  const { session, seen } = node(context, port, 'vehicle-1', { clock });
  session.start();
  const lose = async (after: number): Promise<void> => {
    await until(() => seen.connected === waits.length + 1);
    fake.advance(after);
    for (const socket of sockets) socket.destroy();
    const { length } = waits;
    await until(() => waits.length > length);
    fake.advance(waits.at(-1)!);
  };
  for (let loss = 0; loss < 12; loss++) await lose(9000);
  assert.ok(Math.max(...waits.slice(-6)) > 2000, `${waits}`);
  for (let loss = 0; loss < 6; loss++) await lose(10_000);
  assert.ok(Math.max(...waits.slice(-6)) < 250, `${waits}`);
});

test('A broker that is gone is tried again after waits that grow, in which nothing is tried.', async (context) => {
  let attempts = 0;
  const server = createServer((socket) => {
    attempts++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { fake, clock, waits } = recordingClock();
  const { port } = server.address() as { port: number };
  const { session, seen } = node(context, port, 'vehicle-1', { clock });
  session.start();
  const bounds = [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000];
  for (const [index, bound] of bounds.entries()) {
    await until(() => waits.length === index + 1);
    assert.deepEqual([attempts, seen.gone.length], [index + 1, index + 1]);
    const wait = waits[index]!;
    assert.ok(wait >= 0 && wait < bound, `wait ${index}: ${wait}`);
    fake.advance(Math.max(0, wait - 1e-6));
    await new Promise(setImmediate);
    assert.equal(attempts, index + 1);
    fake.advance(1e-3);
  }
  await until(() => attempts === bounds.length + 1);
  assert.ok(Math.max(...waits) > 1000, `${waits}`);
  // Another node, or another start, waits otherwise.
  const other = node(context, port, 'vehicle-2', { clock });
  other.session.start();
  await until(() => other.seen.gone.length === 1);
  assert.notEqual(waits.at(-1), waits[0]);
});

test('A session that is stopped while it waits tries nothing any more.', async (context) => {
  const clock = new FakeClock();
  const { session, seen } = node(context, await freePort(), 'vehicle-1', { clock });
  session.start();
  await until(() => seen.gone.length === 1);
  await session.stop();
  clock.advance(1e6);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(seen.gone.length, 1);
});

test('A connection that is dropped is gone with the reason, and is made anew; without one nothing is dropped.', async (context) => {
  const { port, sockets } = await broker(context);
  const { session, seen } = node(context, port, 'vehicle-1');
  session.drop('nothing is there');
  session.start();
  session.drop('nothing is there yet');
  await until(() => seen.connected === 1);
  session.drop('nobody answers');
  await until(() => seen.connected === 2);
  assert.deepEqual(seen.gone, ['nobody answers']);
  await until(() => sockets.size === 1);
});

test('What was not acknowledged when the connection broke comes after the next one is made.', async (context) => {
  const { port, sockets } = await broker(context);
  const listener = node(context, port, 'listener');
  const rounds: number[] = [];
  listener.session.subscribe('ready', '+', ({ round }) => rounds.push(round));
  listener.session.start();
  await until(() => listener.seen.connected === 1);
  const before = new Set(sockets);
  let held = false;
  const { session, seen } = node(context, port, 'vehicle-1', {
    // What is written is lost on its way, as with a cable that is cut.
    wrap: (socket) => {
      const write = socket.write.bind(socket);
      socket.write = ((...args: Parameters<typeof write>) => (held ? true : write(...args))) as never;
      return new Link(socket, {}, systemClock);
    },
  });
  session.start();
  await until(() => seen.connected === 1);
  held = true;
  assert.equal(session.publish('ready', 'vehicle-1', { round: 3, cameras: [] }), true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  held = false;
  for (const socket of sockets) if (!before.has(socket)) socket.destroy();
  await until(() => seen.connected === 2 && rounds.length > 0);
  assert.deepEqual(rounds, [3]);
});
