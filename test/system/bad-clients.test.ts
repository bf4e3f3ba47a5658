import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { connectAsync, type MqttClient } from 'mqtt';
import { encode, MAX_CHUNK_BYTES, topicOf } from '../../libs/proto/index.ts';
import { endCampaign, HOST, Nodes, startCampaign, until } from './nodes.ts';

const NAME_TAKEN = 'another client wants the name of a node that is connected';
const REFUSED =
  'vehicle-1: refused by the roadside unit: another node of this name is connected; every node needs a name of its own';

let nodes: Nodes;
let clients: MqttClient[];
beforeEach(() => {
  nodes = new Nodes();
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.end(true);
  await nodes.close();
});

async function client(port: number, clientId: string): Promise<MqttClient> {
  const opened = await connectAsync({ host: HOST, port, clientId, reconnectPeriod: 100 });
  opened.on('error', () => {});
  clients.push(opened);
  return opened;
}

/** A folder of its own for the log of a process that should not be there. */
function otherLog(): string {
  const folder = path.join(nodes.folder, 'other-run');
  mkdirSync(folder);
  return folder;
}

const faultsOf = (kind: string): string[] =>
  nodes
    .rows('roadside-unit', 'fault')
    .filter((fault) => fault.kind === kind)
    .map(({ detail }) => detail);

test('A second vehicle of the same name is told so and ends, the roadside unit counts it, and the first is not disturbed.', {
  timeout: 120_000,
}, async () => {
  const campaign = await startCampaign(nodes, { policies: ['ro'], rounds: 20 });
  const twin = nodes.start('vehicle', {
    ...campaign.vehicleConfigs[0]!,
    log: otherLog(),
  });
  assert.deepEqual(await twin.ended, { code: 2, signal: null, message: REFUSED });
  const { summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, local, lost, dropped } = summary;
  assert.deepEqual({ identical, local, lost, dropped }, { identical: jobs, local: 0, lost: 0, dropped: 0 });
  assert.deepEqual(new Set(faultsOf('name-taken')), new Set([`vehicle-1: ${NAME_TAKEN}`]));
  const gone = faultsOf('node-gone').filter((node) => node === 'vehicle-1');
  assert.equal(gone.length, 1, 'it was never gone before the end');
});

test('A vehicle that is started again gets in though its old connection stands, and the old process is told when it wakes.', {
  timeout: 120_000,
}, async () => {
  let done = 0;
  const campaign = await startCampaign(nodes, {
    policies: ['ro'],
    rounds: 100_000,
    onProgress: () => done++,
  });
  await until(() => done > 3);
  const [old] = campaign.vehicles;
  old!.child.kill('SIGSTOP');
  const again = nodes.start('vehicle', {
    ...campaign.vehicleConfigs[0]!,
    log: otherLog(),
  });
  await again.ready;
  const before = done;
  await until(() => done > before + 3);
  old!.child.kill('SIGCONT');
  assert.deepEqual(await old!.ended, { code: 2, signal: null, message: REFUSED });
  const then = done;
  await until(() => done > then + 3);
  assert.ok(again.running);
});

test('While one client floods the broker and another does not read what it is sent, every frame comes to its end in the cloud.', {
  timeout: 120_000,
}, async (t) => {
  let done = 0;
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro', 'jps'], vehicles: 2, rounds: 10 },
    onProgress: () => done++,
  });
  const frozen = await client(campaign.port, 'frozen');
  await frozen.subscribeAsync([
    topicOf('plan', '+'),
    topicOf('presence', '+'),
    topicOf('tensor', '+', 'frozen'),
  ]);
  await assert.rejects(frozen.subscribeAsync(topicOf('tensor', '+', 'cloud-1')));
  await assert.rejects(frozen.subscribeAsync('#'));
  frozen.stream.pause();

  const flooder = await client(campaign.port, 'flooder');
  const large = Buffer.alloc(MAX_CHUNK_BYTES);
  const small = encode('presence', { online: true });
  let flooded = 0;
  const flood = async (): Promise<void> => {
    while (!flooder.disconnecting) {
      for (const topic of [topicOf('presence', 'flooder'), topicOf('round', 'vehicle-1'), 'elsewhere'])
        flooder.publish(topic, flooded++ % 2 === 0 ? small : large);
      if (flooder.stream.writableNeedDrain)
        await new Promise((resolve) => flooder.stream.once('drain', resolve));
      else await new Promise(setImmediate);
    }
  };
  void flood();
  const { summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, local, lost, dropped } = summary;
  assert.deepEqual({ identical, local, lost, dropped }, { identical: jobs, local: 0, lost: 0, dropped: 0 });
  t.diagnostic(`${flooded} messages were sent in a flood`);
  assert.ok(faultsOf('publish-refused').includes('flooder: elsewhere is not its own'));
  assert.ok(faultsOf('publish-refused').some((detail) => detail.includes('vehicle-1/round is not its own')));
  assert.deepEqual(faultsOf('slowed'), ['flooder: it sends more than it may, and is read more slowly']);
  assert.ok(faultsOf('subscribe-refused').includes('frozen: # is not for it'));
});
