/** Nodes that are there and say nothing are found, and come back; nodes that say little are left alone. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import type { VehicleEvent } from '../../apps/vehicle-node/policy/events.ts';
import { encode, topicOf } from '../../libs/proto/index.ts';
import {
  type Campaign,
  type CampaignOptions,
  endCampaign,
  Nodes,
  startCampaign,
  summaryOf,
  until,
} from './nodes.ts';
import { PacketProxy } from './packet-proxy.ts';
import { recordedSteps, replay } from './recorded-steps.ts';

const CAMERAS = 2;
const ROUNDS_BEFORE = 4;

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

/** A campaign that goes on until it is stopped, a few rounds after its start. */
async function underWay(options: Partial<CampaignOptions> = {}): Promise<Campaign> {
  let rounds = 0;
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], cameras: CAMERAS, uplinkBps: 2e6, rounds: 100_000, ...options },
    onProgress: () => rounds++,
  });
  await until(() => rounds >= ROUNDS_BEFORE);
  return campaign;
}

/** Stops everything; every frame must have ended in one row, with the right answer unless it was stopped before. */
async function endAndCheck(campaign: Campaign): Promise<void> {
  for (const end of await nodes.stop()) assert.deepEqual(end, { code: 0, signal: null, message: '' });
  const logs = nodes.logs();
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);
  const { jobs, identical, lost, dropped } = await summaryOf(campaign, logs);
  assert.deepEqual({ identical, lost }, { identical: jobs - dropped, lost: 0 });
  for (const log of logs) {
    const ended = log.rows('result').map(({ frame }) => frame);
    assert.equal(new Set(ended).size, ended.length);
  }
}

const faults = (node: string, kind: string): string[] =>
  nodes
    .rows(node, 'fault')
    .filter((fault) => fault.kind === kind)
    .map(({ detail }) => detail);

/** Why a vehicle lost its connections. */
const disconnections = (vehicle: string): string[] =>
  nodes
    .rows(vehicle, 'event')
    .map(({ event }) => JSON.parse(event) as VehicleEvent)
    .flatMap((event) => (event.kind === 'disconnected' ? [event.reason] : []));

const roundsOf = (vehicle: string): number => nodes.rows(vehicle, 'round').length;
const inCloud = (vehicle: string): number =>
  nodes.rows(vehicle, 'result').filter(({ outcome }) => outcome === 'cloud').length;

test('A vehicle that is frozen is found by its silence, the other goes on, and once it moves it takes part again.', {
  timeout: 120_000,
}, async () => {
  const campaign = await underWay({ vehicles: 2 });
  const frozen = campaign.vehicles[1]!.child;
  frozen.kill('SIGSTOP');
  await until(() => faults('roadside-unit', 'node-silent').length > 0);
  const before = roundsOf('vehicle-1');
  await until(() => roundsOf('vehicle-1') > before + 3);
  const own = inCloud('vehicle-2');
  frozen.kill('SIGCONT');
  await until(() => inCloud('vehicle-2') > own + 4 * CAMERAS);
  assert.deepEqual(faults('roadside-unit', 'node-silent'), ['vehicle-2']);
  await endAndCheck(campaign);
});

test('A cloud worker that is frozen is lost for its vehicles as if it were dead, and used again once it moves.', {
  timeout: 120_000,
}, async () => {
  const campaign = await underWay();
  campaign.cloud.child.kill('SIGSTOP');
  await until(() => faults('roadside-unit', 'node-silent').length > 0);
  const before = roundsOf('vehicle-1');
  await until(() => roundsOf('vehicle-1') > before + 3);
  const through = inCloud('vehicle-1');
  campaign.cloud.child.kill('SIGCONT');
  await until(() => inCloud('vehicle-1') > through + 4 * CAMERAS);
  assert.deepEqual(faults('roadside-unit', 'node-silent'), ['cloud-1']);
  assert.deepEqual(disconnections('vehicle-1'), []);
  await endAndCheck(campaign);
});

test('A vehicle that is taken for gone although it is there is told so, and takes part again.', {
  timeout: 120_000,
}, async (t) => {
  let isHonest = true;
  // As if the last will of a connection before this one came late: its next ping says that it is gone.
  const up = (message: IPublishPacket): IPublishPacket => {
    if (isHonest || message.topic !== topicOf('clockPing', 'vehicle-1')) return message;
    isHonest = true;
    const payload = encode('presence', { online: false });
    return { ...message, topic: topicOf('presence', 'vehicle-1'), payload };
  };
  const campaign = await underWay({
    portOf: async (_, port) => {
      const proxy = new PacketProxy(port, { up });
      t.after(() => proxy.stop());
      return proxy.start();
    },
  });
  isHonest = false;
  await until(() => faults('roadside-unit', 'node-gone').length > 0);
  const before = inCloud('vehicle-1');
  await until(() => inCloud('vehicle-1') > before + 4 * CAMERAS);
  assert.deepEqual(disconnections('vehicle-1'), []);
  await endAndCheck(campaign);
});

test('A roadside unit that is frozen is found by its nodes, and leads on once it moves.', {
  timeout: 120_000,
}, async () => {
  const campaign = await underWay();
  campaign.rsu.child.kill('SIGSTOP');
  await until(() => disconnections('vehicle-1').length > 0);
  assert.equal(disconnections('vehicle-1')[0], 'no answer from the roadside unit to 5 heartbeats');
  campaign.rsu.child.kill('SIGCONT');
  const before = inCloud('vehicle-1');
  await until(() => inCloud('vehicle-1') > before + 4 * CAMERAS);
  await endAndCheck(campaign);
});

test('On the slowest of links the heartbeat waits for a chunk and no longer: nobody is taken for gone.', {
  timeout: 120_000,
}, async () => {
  // A tensor of 12 kB takes three quarters of a second, and one follows the other for longer than five heartbeats.
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], cameras: 4, uplinkBps: 0.13e6, warmUpRounds: 1, rounds: 3 },
  });
  const { summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, local } = summary;
  assert.deepEqual({ identical, local }, { identical: jobs, local: 0 });
  assert.deepEqual(faults('roadside-unit', 'node-silent'), []);
  assert.deepEqual(disconnections('vehicle-1'), []);
});

test('On a link that is away for longer than five heartbeats a vehicle is lost, ends its frames, and comes back.', {
  timeout: 180_000,
}, async () => {
  const trace = nodes.write('link.txt', '0 4\n4 0\n13 4\n19 4\n');
  const campaign = await underWay({ trace, uplinkBps: 4e6 });
  await until(
    () => faults('roadside-unit', 'node-gone').length > 0 && disconnections('vehicle-1').length > 0,
  );
  const before = inCloud('vehicle-1');
  await until(() => inCloud('vehicle-1') > before + 4 * CAMERAS);
  await endAndCheck(campaign);
});
