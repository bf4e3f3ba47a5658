import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Aedes } from 'aedes';
import { systemClock } from '../../../libs/clock/index.ts';
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
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const { session, seen } = node(context, port, 'cloud');
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
