import assert from 'node:assert/strict';
import { connect as connectSocket } from 'node:net';
import { after, test } from 'node:test';
import { connectAsync, type MqttClient } from 'mqtt';
import { seededRandom } from '../../libs/clock/index.ts';
import type { LogReader } from '../../libs/journal/index.ts';
import {
  decode,
  encode,
  MAX_PACKET_BYTES,
  type MessageOf,
  parseTopic,
  type TopicKey,
  topicOf,
  topics,
} from '../../libs/proto/index.ts';
import { endCampaign, HOST, Nodes, startCampaign } from './nodes.ts';
import { PacketProxy } from './packet-proxy.ts';

const MIB = 1024 * 1024;
const VEHICLES = ['vehicle-1', 'vehicle-2'];
const NAMES = [...VEHICLES, 'cloud-1', 'roadside-unit', 'nobody'];
const KEYS = Object.keys(topics) as TopicKey[];

const nodes = new Nodes();
const clients: MqttClient[] = [];
const proxies = new Map<string, PacketProxy>();
after(async () => {
  for (const client of clients) client.end(true);
  await nodes.close();
  await Promise.all([...proxies.values()].map((proxy) => proxy.stop()));
});

const random = seededRandom(3);

/** Random bytes that are no message of a topic. */
function garbage(key: TopicKey): Buffer {
  for (;;) {
    const bytes = Buffer.from(Uint8Array.from({ length: 80 }, () => 256 * random()));
    try {
      decode(key, bytes);
    } catch {
      return bytes;
    }
  }
}

/** Encodes what may well be wrong: an honest sender would not. */
function dishonest<K extends TopicKey>(key: K, message: { [F in keyof MessageOf<K>]: unknown }): Buffer {
  return encode(key, message as MessageOf<K>);
}

const FRAME = { frame: 4_000_000, camera: 'camera-1' };
const TENSOR = {
  ...FRAME,
  cut: 0,
  codec: 'float32',
  dims: [1, 3, 32, 32],
  totalBytes: 12_288,
  offset: 0,
  data: Buffer.alloc(2048, 1),
  frameWidth: 48,
  frameHeight: 48,
};
const RESULT = { ...FRAME, top: [], boxes: [], digest: '0'.repeat(32), queueMs: 0, tailMs: 1 };
const STREAM = {
  ...{ camera: 'camera-1', cut: 0, codec: 'float32', headStartMs: 0, headEndMs: 0, uplinkStartMs: 0 },
  ...{ uplinkEndMs: 1, tailStartMs: 1, tailEndMs: 2, endMs: 2 },
};
const PLAN = {
  ...{ epoch: 1, policy: 'ro', cloud: 'cloud-1', streams: [STREAM], makespanMs: 2, lowerBoundMs: 1 },
  ...{ segmentMs: [1, 1, 1, 1], uplinkBps: 4e6, jobTimeoutMs: 1000, round: 0, granted: false },
};
const HELLO = {
  ...{ protocol: 1, role: 'vehicle', modelHash: '0'.repeat(64), cameras: ['camera-1'], vehicleMs: 100 },
  ...{ uplinkBps: 4e6, rttMs: 0, workers: 0, firstCut: 0, epoch: 0, round: 0 },
};

/** Everything that is wrong, for one vehicle: topic and payload. */
function hostileMessages(vehicle: string): (readonly [string, Buffer])[] {
  return [
    // Out of range, out of shape.
    [topicOf('hello', vehicle), dishonest('hello', { ...HELLO, vehicleMs: -1 })],
    [topicOf('hello', vehicle), dishonest('hello', { ...HELLO, role: 'king' })],
    [topicOf('ready', vehicle), dishonest('ready', { round: 1, cameras: ['Camera One'] })],
    [
      topicOf('report', vehicle),
      dishonest('report', { round: 1, makespanMs: Number.NaN, jobs: [], uplinkBps: 1 }),
    ],
    [
      topicOf('round', vehicle),
      dishonest('round', { round: 1, phase: 'stop', frameIndex: 0, measured: true }),
    ],
    [
      topicOf('plan', vehicle),
      dishonest('plan', { ...PLAN, epoch: 4_000_000, streams: [{ ...STREAM, cut: 9 }] }),
    ],
    [topicOf('result', vehicle), dishonest('result', { ...RESULT, epoch: 1, digest: 'none' })],
    [topicOf('tensor', vehicle, 'cloud-1'), dishonest('tensor', { ...TENSOR, epoch: 1, offset: 12_000 })],
    // Well formed, but of no plan and of nothing that anybody waits for.
    [topicOf('tensor', vehicle, 'cloud-1'), dishonest('tensor', { ...TENSOR, epoch: 4_000_000 })],
    [topicOf('tensor', 'nobody', 'cloud-1'), dishonest('tensor', { ...TENSOR, epoch: 1 })],
    [topicOf('tensor', vehicle, 'cloud-1'), dishonest('tensor', { ...TENSOR, epoch: 1, camera: 'camera-9' })],
    [
      topicOf('tensor', vehicle, 'cloud-1'),
      dishonest('tensor', { ...TENSOR, epoch: 1, dims: [1, 1, 1, 512], totalBytes: 2048 }),
    ],
    [topicOf('tensor', vehicle, 'cloud-1'), dishonest('tensor', { ...TENSOR, epoch: 1, offset: 2048 })],
    [topicOf('result', vehicle), dishonest('result', { ...RESULT, epoch: 1 })],
    [topicOf('plan', vehicle), dishonest('plan', PLAN)],
    [topicOf('ready', vehicle), dishonest('ready', { round: 4_000_000, cameras: [] })],
    [topicOf('report', vehicle), dishonest('report', { round: 0, makespanMs: 1, jobs: [], uplinkBps: 1 })],
    // No topics of ours.
    [topicOf('hello', 'No Name'), dishonest('hello', HELLO)],
    ['splitlane/v2/node/vehicle-1/hello', dishonest('hello', HELLO)],
    ['elsewhere', Buffer.from('hello')],
  ];
}

/** Random bytes, and none at all, on every topic. An empty `measure` is whole: it has no field. */
function malformedMessages(): (readonly [string, Buffer])[] {
  return KEYS.flatMap((key) =>
    NAMES.flatMap((name) => {
      const topic = topicOf(key, name, 'cloud-1');
      const empty = key === 'measure' ? [] : [[topic, Buffer.alloc(0)] as const];
      return [[topic, garbage(key)] as const, ...empty];
    }),
  );
}

/** Writes to the broker without a word of MQTT, until it has enough of it. */
async function push(port: number, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connectSocket({ host: HOST, port });
  socket.on('error', () => {});
  socket.on('close', () => resolve());
  socket.end(bytes);
  socket.resume();
  await promise;
}

async function hostileClient(port: number, name: string): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://${HOST}:${port}`, { clientId: name, reconnectPeriod: 0 });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

/** A tensor's piece that a vehicle sent; undefined for what is none. */
function vehiclesPiece(payload: Buffer): MessageOf<'tensor'> | undefined {
  try {
    const chunk = decode('tensor', payload);
    return chunk.frame === FRAME.frame ? undefined : chunk;
  } catch {
    return undefined;
  }
}

function faultsOf(logs: readonly LogReader[], node: string, kind: string): string {
  const log = logs.find((reader) => reader.rows('run')[0]?.node === node)!;
  const faults = log.rows('fault').filter((fault) => fault.kind === kind);
  return faults.map(({ detail }) => detail).join('\n');
}

/** Of a node whose software is hostile: what it says in its own name, and what is said to it. */
function sayAll(messages: readonly (readonly [string, Buffer])[]): void {
  for (const [topic, payload] of messages) {
    const parsed = parseTopic(topic);
    if (!parsed) continue;
    const to: readonly string[] = topics[parsed.key].to;
    if (to.includes('roadside-unit')) proxies.get(parsed.node)?.say('up', topic, payload);
    if (to.includes('vehicle'))
      for (const vehicle of VEHICLES)
        if (parsed.key === 'presence' || parsed.node === vehicle)
          proxies.get(vehicle)?.say('down', topic, payload);
    if (to.includes('cloud')) proxies.get('cloud-1')?.say('down', topic, payload);
  }
}

test('Whatever a hostile client sends is turned away and counted, and every frame comes to its end.', {
  timeout: 120_000,
}, async (t) => {
  let attack: () => void = () => {};
  const portOf = (node: string, port: number): Promise<number> => {
    // In the middle of a tensor too: between its first piece and the next.
    const proxy = new PacketProxy(port, {
      down: (message) => {
        if (node !== 'cloud-1' || vehiclesPiece(message.payload as Buffer)?.offset !== 0) return message;
        proxy.say('down', message.topic, dishonest('tensor', { ...TENSOR, epoch: 4_000_000 }));
        return message;
      },
    });
    proxies.set(node, proxy);
    return proxy.start();
  };
  const campaign = await startCampaign(nodes, {
    policies: ['ro', 'jps'],
    vehicles: VEHICLES.length,
    rounds: 10,
    ...{ portOf, cloudPortOf: portOf },
    onProgress: () => attack(),
  });
  const { port } = campaign;
  const client = await hostileClient(port, 'hostile');
  // Again in every round, so that it comes in the middle of tensors too.
  attack = () => {
    const wrong = VEHICLES.flatMap(hostileMessages);
    const malformed = malformedMessages();
    sayAll([...wrong, ...malformed]);
    for (const [topic, payload] of wrong) client.publish(topic, payload, { qos: 1 });
    for (const [topic, payload] of malformed) client.publish(topic, payload, { qos: 0 });
  };
  await push(port, Buffer.alloc(10 * MIB, 1));
  await push(port, Buffer.from(Uint8Array.from({ length: 2048 }, () => 256 * random())));
  const greedy = await hostileClient(port, 'greedy');
  const closed = Promise.withResolvers<void>();
  greedy.on('close', closed.resolve);
  greedy.publish(topicOf('tensor', 'vehicle-1', 'cloud-1'), Buffer.alloc(MAX_PACKET_BYTES + 1));
  await closed.promise;

  const { logs, summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, local, lost, dropped, rejected } = summary;
  assert.deepEqual(
    { jobs, identical, local, lost, dropped },
    { jobs: 88, identical: 88, local: 0, lost: 0, dropped: 0 },
  );
  t.diagnostic(`${rejected} messages were turned away`);
  for (const node of NAMES.filter((name) => name !== 'nobody'))
    assert.ok(faultsOf(logs, node, 'message-rejected').length > 0, `${node} rejected nothing`);

  const rsu = faultsOf(logs, 'roadside-unit', 'message-rejected');
  assert.match(rsu, /^vehicle-1: hello: vehicleMs: /m);
  assert.match(rsu, /^vehicle-1: hello: role: /m);
  assert.match(rsu, /^vehicle-1: ready: cameras\.0: /m);
  assert.match(rsu, /^vehicle-1: report: makespanMs: /m);
  assert.match(rsu, /^vehicle-1: presence: /m);
  const refused = faultsOf(logs, 'roadside-unit', 'publish-refused');
  assert.match(refused, /^hostile: splitlane\/v1\/node\/vehicle-1\/hello is not its own$/m);
  const door = faultsOf(logs, 'roadside-unit', 'door');
  assert.match(door, /bytes before it was accepted, at most 4096 are allowed/);
  assert.match(door, new RegExp(`a packet of \\d+ bytes, at most ${MAX_PACKET_BYTES} are allowed`));

  const cloud = faultsOf(logs, 'cloud-1', 'message-rejected');
  assert.match(cloud, /^vehicle-1: tensor: .*chunk ends past its tensor/m);
  const tensors = faultsOf(logs, 'cloud-1', 'tensor-refused');
  assert.match(tensors, /no plan of epoch 4000000 is known/);
  assert.match(tensors, /of nobody: no plan/);
  assert.match(tensors, /has no camera camera-9/);
  assert.match(tensors, /2048 bytes where cut 0 has 12288/);
  assert.match(tensors, /a chunk without its tensor's beginning/);
  assert.match(faultsOf(logs, 'cloud-1', 'plan-refused'), /vehicle-1: epoch 1 is not after/);

  for (const vehicle of VEHICLES) {
    const malformed = faultsOf(logs, vehicle, 'message-rejected');
    for (const key of ['verdict', 'plan', 'round', 'result', 'presence'])
      assert.match(malformed, new RegExp(`${key}: `));
    assert.match(malformed, /plan: Plan: cut is past the last/);
    assert.match(malformed, /round: phase: /);
    assert.match(malformed, /result: digest: /);
    assert.match(faultsOf(logs, vehicle, 'plan-refused'), /epoch 1 is not after/);
    assert.match(faultsOf(logs, vehicle, 'result-ignored'), /frame 4000000: nobody waits for it/);
  }
});
