import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  MAX_CHUNK_BYTES,
  MAX_PACKET_BYTES,
  mayPublish,
  maySubscribe,
  packetBytes,
  parseTopic,
  type TopicKey,
  topicOf,
  topics,
} from '../../../libs/proto/index.ts';
import { name } from './random-messages.ts';

const KEYS = Object.keys(topics) as TopicKey[];
const key = fc.constantFrom(...KEYS);

/** Whether a topic matches a filter with single-level wildcards. [MQTT-4.7.1-3] */
function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  return wanted.length === levels.length && wanted.every((level, i) => level === '+' || level === levels[i]);
}

test('A topic leads back to its entry of the table, its node, and the worker that a tensor is for.', () => {
  fc.assert(
    fc.property(key, name, name, (entry, node, cloud) => {
      const forCloud = entry === 'tensor' ? { cloud } : {};
      assert.deepEqual(parseTopic(topicOf(entry, node, cloud)), { key: entry, node, ...forCloud });
    }),
  );
});

test('A topic is matched by the filter of its own entry only.', () => {
  fc.assert(
    fc.property(key, name, name, (entry, node, cloud) => {
      const matched = KEYS.filter((other) => matches(topicOf(other, '+'), topicOf(entry, node, cloud)));
      assert.deepEqual(matched, [entry]);
      if (entry === 'tensor')
        assert.ok(!matches(topicOf(entry, '+', `${cloud}-2`), topicOf(entry, node, cloud)));
    }),
  );
});

test('No two entries or nodes have the same topic.', () => {
  fc.assert(
    fc.property(key, name, key, name, (one, node, other, otherNode) => {
      fc.pre(one !== other || node !== otherNode);
      assert.notEqual(topicOf(one, node), topicOf(other, otherNode));
    }),
  );
});

test('Topics stand under one root with the version of the protocol.', () => {
  assert.equal(topicOf('tensor', 'vehicle-1', 'cloud-2'), 'splitlane/v1/tensor/vehicle-1/cloud-2');
  assert.equal(topicOf('tensor', '+', 'cloud-2'), 'splitlane/v1/tensor/+/cloud-2');
  assert.equal(topicOf('clockPing', 'cloud'), 'splitlane/v1/node/cloud/clock/ping');
  assert.equal(topicOf('plan', '+'), 'splitlane/v1/vehicle/+/plan');
});

test('A topic that is not ours leads nowhere.', () => {
  for (const topic of [
    '',
    'splitlane',
    'splitlane/v1/',
    'splitlane/v1/vehicle/plan',
    'splitlane/v1/vehicle//plan',
    'splitlane/v1/vehicle/+/plan',
    'splitlane/v1/vehicle/Car/plan',
    'splitlane/v1/vehicle/a/b/plan',
    'splitlane/v1/vehicle/a/plan/',
    '/splitlane/v1/vehicle/a/plan',
    'splitlane/v2/vehicle/a/plan',
    'splitlane/v1/vehicle/a/unknown',
    'splitlane/v1/node/a/tensor',
    'splitlane/v1/tensor/a',
    'splitlane/v1/tensor/a/+',
    'splitlane/v1/tensor/a/b/c',
    `splitlane/v1/vehicle/${'a'.repeat(49)}/plan`,
    '$SYS/broker/uptime',
  ])
    assert.equal(parseTopic(topic), undefined, topic);
});

test('Any string is parsed to an entry that it is the topic of, or to nothing.', () => {
  const pieces = fc.constantFrom(
    'splitlane',
    'v1',
    'node',
    'vehicle',
    'hello',
    'clock',
    'ping',
    'plan',
    'tensor',
    'a',
    '',
  );
  const topic = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 7 }).map((levels) => levels.join('/')),
    fc.array(pieces, { maxLength: 4 }).map((levels) => `splitlane/v1/${levels.join('/')}`),
  );
  fc.assert(
    fc.property(topic, (some) => {
      const parsed = parseTopic(some);
      if (parsed) assert.equal(topicOf(parsed.key, parsed.node, parsed.cloud), some);
    }),
    { numRuns: 1000 },
  );
});

test('The largest packet of every topic passes the broker’s door, for the longest name of a node.', () => {
  for (const entry of KEYS) {
    const topic = topicOf(entry, 'n'.repeat(48), 'c'.repeat(48));
    const packetIdentifier = 2;
    assert.ok(packetBytes(topic, topics[entry].maxBytes) + packetIdentifier <= MAX_PACKET_BYTES, entry);
  }
});

test('A tensor’s piece is small enough that a chunk and its header fit into the limit of their topic.', () => {
  assert.equal(MAX_CHUNK_BYTES, 65_536);
  assert.ok(topics.tensor.maxBytes - MAX_CHUNK_BYTES >= 200);
});

test('What is retained is state that a late comer needs, and travels with QoS 1.', () => {
  const retained = KEYS.filter((entry) => topics[entry].retain);
  assert.deepEqual(retained, ['presence', 'plan']);
  for (const entry of retained) assert.equal(topics[entry].qos, 1);
});

test('Every topic leads from some kind of node to another, and a vehicle’s own topics to or from vehicles.', () => {
  for (const entry of KEYS) {
    const { from, to, pattern } = topics[entry];
    const roles = ['vehicle', 'cloud', 'roadside-unit'];
    assert.ok(
      from.length > 0 && to.length > 0 && [...from, ...to].every((role) => roles.includes(role)),
      entry,
    );
    if (pattern.startsWith('vehicle/')) assert.ok(([...from, ...to] as string[]).includes('vehicle'), entry);
  }
});

test('A node speaks in its own name only, a worker answers any vehicle once it is let in, and the roadside unit is the roadside unit.', () => {
  const vehicle = { id: 'vehicle-1', role: 'vehicle' } as const;
  const cloud = { id: 'cloud-1', role: 'cloud' } as const;
  const unit = { id: 'unit', role: 'roadside-unit' } as const;
  const stranger = { id: 'vehicle-1' };
  for (const entry of KEYS) {
    const from: readonly string[] = topics[entry].from;
    const own = topicOf(entry, 'vehicle-1', 'cloud-1');
    const another = topicOf(entry, 'vehicle-2', 'cloud-1');
    const inOwnName = from.includes('vehicle');
    assert.equal(mayPublish(own, vehicle), inOwnName, entry);
    assert.equal(mayPublish(own, stranger), inOwnName, entry);
    assert.equal(mayPublish(another, vehicle), false, entry);
    assert.equal(mayPublish(own, unit), from.includes('roadside-unit'), entry);
    assert.equal(mayPublish(own, cloud), entry === 'result', entry);
    assert.equal(mayPublish(topicOf(entry, 'cloud-1'), cloud), from.includes('cloud'), entry);
    assert.equal(mayPublish(`${own}/more`, unit), false);
  }
  assert.equal(mayPublish(topicOf('result', 'vehicle-1'), { id: 'cloud-1' }), false);
});

test('A node hears what is for it, tensors for itself, and of all others their presence and plans.', () => {
  for (const id of ['vehicle-1', 'any', '0'])
    for (const entry of KEYS) {
      const hears = (filter: string): boolean => maySubscribe(filter, { id });
      const forAll = entry === 'presence' || entry === 'plan';
      if (entry === 'tensor') {
        assert.ok(hears(topicOf('tensor', '+', id)));
        for (const filter of [
          topicOf('tensor', '+', 'cloud-1'),
          topicOf('tensor', id, '+'),
          topicOf('tensor', '+'),
        ])
          assert.equal(hears(filter), false, filter);
        continue;
      }
      assert.ok(hears(topicOf(entry, id)), entry);
      assert.equal(hears(topicOf(entry, '+')), forAll, entry);
      assert.equal(hears(topicOf(entry, 'vehicle-2')), forAll, entry);
      assert.ok(maySubscribe(topicOf(entry, '+'), { id: 'unit', role: 'roadside-unit' }), entry);
    }
  for (const filter of ['#', 'splitlane/#', 'splitlane/v1/+/+/plan', '$SYS/+', ''])
    for (const role of ['vehicle', 'roadside-unit'] as const)
      assert.equal(maySubscribe(filter, { id: 'vehicle-1', role }), false, filter);
});
