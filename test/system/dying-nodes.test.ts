import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../../libs/clock/index.ts';
import type { LogReader } from '../../libs/journal/index.ts';
import { parseTopic } from '../../libs/proto/index.ts';
import {
  type Campaign,
  type CampaignOptions,
  endCampaign,
  HOST,
  Nodes,
  pictureCameras,
  startCampaign,
  summaryOf,
  WARM_UP_ROUNDS,
} from './nodes.ts';
import { PacketProxy } from './packet-proxy.ts';
import { recordedSteps, replay } from './recorded-steps.ts';

const PARENT = path.join(import.meta.dirname, 'parent.ts');
/** Slow enough that a tensor is on its way for a while: 12,288 bytes take 50 ms. */
const UPLINK_BPS = 2e6;
const CAMERAS = 2;
const VEHICLE_MS = 100;
const ROUNDS_BEFORE = 5;
/** Enough for a process to start again in the meantime, on a slow machine too. */
const CLOUD_ROUNDS = 36;
const VEHICLE_ROUNDS = 56;
const POOL_ROUNDS = 80;

let nodes: Nodes;
let onlookers: PacketProxy[];
beforeEach(() => {
  nodes = new Nodes();
  onlookers = [];
});
afterEach(async () => {
  await nodes.close();
  await Promise.all(onlookers.map((onlooker) => onlooker.stop()));
});

/** Starts a campaign under `ro`; returns once some rounds are done and a vehicle's tensor is on its way. */
async function inMidRound(
  options: Omit<CampaignOptions, 'policies' | 'onProgress'>,
  vehicle: string,
): Promise<Campaign> {
  let rounds = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], cameras: CAMERAS, uplinkBps: UPLINK_BPS, ...options },
    onProgress: () => rounds++,
    portOf: async (node, port) => {
      if (node !== vehicle) return port;
      const onlooker = new PacketProxy(port, {
        up: (message) => {
          if (rounds >= ROUNDS_BEFORE && parseTopic(message.topic)?.key === 'tensor') resolve();
          return message;
        },
      });
      onlookers.push(onlooker);
      return onlooker.start();
    },
  });
  await promise;
  return campaign;
}

test('Jobs of a cloud that is killed are finished by the vehicles, and it is used again when it is back.', {
  timeout: 120_000,
}, async (t) => {
  const campaign = await inMidRound({ vehicles: 2, rounds: CLOUD_ROUNDS }, 'vehicle-1');
  const killed = await campaign.cloud.stop('SIGKILL');
  assert.equal(killed.signal, 'SIGKILL');
  const back = nodes.start('cloud', campaign.cloudConfig);
  await back.ready;

  const { logs, summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, local, lost, dropped, rejected } = summary;
  assert.equal(jobs, 2 * CAMERAS * (WARM_UP_ROUNDS + CLOUD_ROUNDS));
  assert.deepEqual(
    { identical, lost, dropped, rejected },
    { identical: jobs, lost: 0, dropped: 0, rejected: 0 },
  );
  assert.ok(local > 0);

  const logOf = (name: string): LogReader => logs.find(({ file }) => path.basename(file) === name)!;
  const dead = logOf('cloud-1.sqlite');
  const again = logOf('cloud-1.2.sqlite');
  assert.ok(dead.rows('span').some(({ stage }) => stage === 'tail'));
  assert.equal(dead.rows('figure').length, 0);
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);

  // All clocks are the same machine's: what was captured after its return went through the cloud again.
  const returnMs = again.rows('run')[0]!.start_ms;
  const later = logs.flatMap((log) => {
    const outcomes = new Map(log.rows('result').map(({ frame, outcome }) => [frame, outcome]));
    return log
      .rows('frame')
      .filter(({ captured_ms }) => captured_ms > returnMs)
      .map(({ frame }) => outcomes.get(frame));
  });
  const served = later.filter((outcome) => outcome === 'cloud').length;
  t.diagnostic(`${jobs} frames, ${local} finished locally, ${served} by the cloud after its return`);
  assert.ok(served > 0);
  assert.equal(later.at(-1), 'cloud');
});

test('Of two workers one is killed: the other has its jobs, each frame ends once, and both share them when it is back.', {
  timeout: 180_000,
}, async (t) => {
  const warmUpRounds = 4;
  const options = { vehicles: 2, clouds: 2, warmUpRounds, rounds: POOL_ROUNDS };
  const campaign = await inMidRound(options, 'vehicle-1');
  await campaign.cloud.stop('SIGKILL');
  const goneMs = systemClock.now();
  const back = nodes.start('cloud', campaign.cloudConfig);
  await back.ready;

  const { logs, summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, local, lost, dropped, rejected } = summary;
  assert.equal(jobs, 2 * CAMERAS * (warmUpRounds + POOL_ROUNDS));
  assert.deepEqual(
    { identical, lost, dropped, rejected },
    { identical: jobs, lost: 0, dropped: 0, rejected: 0 },
  );
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);

  const tailsOf = (name: string) =>
    logs
      .find(({ file }) => path.basename(file) === name)!
      .rows('span')
      .filter(({ stage }) => stage === 'tail');
  const [dead, other, again] = ['cloud-1.sqlite', 'cloud-2.sqlite', 'cloud-1.2.sqlite'].map(tailsOf) as [
    ReturnType<typeof tailsOf>,
    ReturnType<typeof tailsOf>,
    ReturnType<typeof tailsOf>,
  ];
  // All clocks are the same machine's.
  const after = other.filter(({ start_ms }) => start_ms > goneMs);
  t.diagnostic(`${jobs} frames, ${local} finished locally; tails: ${dead.length} and ${again.length} of the`);
  t.diagnostic(`one that was killed, ${other.length - after.length} and ${after.length} of the other`);
  for (const tails of [dead, other.slice(0, other.length - after.length), after, again])
    assert.ok(tails.length > 0);
  const ran = [...dead, ...other, ...again].map(({ vehicle, frame }) => `${vehicle}/${frame}`);
  assert.equal(new Set(ran).size, ran.length, 'no tail is run by two workers');
  // Only what the dead one had, or was being sent, or was begun before the plan came, is finished on board: no more than
  // the frames of two rounds, where without the other worker it would be those of all rounds until the return.
  assert.ok(local <= 4 * CAMERAS, `${local} frames were finished by vehicles`);
});

test('A vehicle that is killed leaves a readable log, the other goes on, and it takes part when it is back.', {
  timeout: 120_000,
}, async (t) => {
  const campaign = await inMidRound({ vehicles: 2, rounds: VEHICLE_ROUNDS }, 'vehicle-2');
  const rounds = WARM_UP_ROUNDS + VEHICLE_ROUNDS;
  await campaign.vehicles[1]!.stop('SIGKILL');
  const back = nodes.start('vehicle', campaign.vehicleConfigs[1]!);
  await back.ready;
  const { logs, summary } = await endCampaign(nodes, campaign);

  const survivor = nodes.rows('vehicle-1', 'result');
  assert.equal(survivor.length, rounds * CAMERAS);
  assert.ok(survivor.every(({ outcome }) => outcome === 'cloud'));
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);

  const roundsIn = (file: string): number =>
    logs.find((log) => path.basename(log.file) === file)!.rows('round').length;
  const dead = roundsIn('vehicle-2.sqlite');
  const again = roundsIn('vehicle-2.2.sqlite');
  t.diagnostic(`vehicle-2: ${dead} rounds before its death, ${again} after, of ${rounds}`);
  // The last batch of its log has died with it.
  assert.ok(dead > 0 && dead <= ROUNDS_BEFORE);
  assert.ok(again > 0 && again < rounds - dead);
  // At most the frames of the round in which it died have no end, and it names them when it is back.
  assert.equal(summary.lost, 0);
  assert.ok(summary.lostInCrash <= CAMERAS);
  assert.equal(summary.identical, summary.jobs - summary.lostInCrash);
  assert.equal(summary.local, 0);
  const gone = nodes.rows('roadside-unit', 'fault').filter(({ kind }) => kind === 'node-gone');
  assert.equal(gone[0]?.detail, 'vehicle-2');
});

test('Nodes that are told to stop while the roadside unit hangs end all the same, and no frame is lost.', {
  timeout: 60_000,
}, async () => {
  const campaign = await inMidRound({ vehicles: 1, rounds: 200 }, 'vehicle-1');
  campaign.rsu.child.kill('SIGSTOP');
  for (const node of [...campaign.vehicles, campaign.cloud])
    assert.deepEqual(await node.stop(), { code: 0, signal: null, message: '' });
  campaign.rsu.child.kill('SIGCONT');
  assert.deepEqual(await campaign.rsu.stop(), { code: 0, signal: null, message: '' });
  for (const node of ['vehicle-1', 'cloud-1', 'roadside-unit'])
    assert.ok(nodes.rows(node, 'figure').length > 0, `${node} did not close its log`);

  const logs = nodes.logs();
  const { jobs, identical, lost, dropped } = await summaryOf(campaign, logs);
  assert.deepEqual({ identical, lost }, { identical: jobs - dropped, lost: 0 });
  assert.ok(dropped > 0 && dropped <= CAMERAS);
  const ends = nodes.rows('vehicle-1', 'result').filter(({ outcome }) => outcome === 'dropped');
  assert.ok(ends.every(({ reason }) => reason === 'the vehicle was stopped'));
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);
});

test('Nodes whose parent is killed end by themselves, and close their logs.', {
  timeout: 60_000,
}, async (t) => {
  const [model, folder] = await Promise.all([nodes.prepare(), nodes.pictures()]);
  const common = { model: model.file, log: nodes.log };
  const told = {
    folder: nodes.folder,
    rsu: {
      node: 'roadside-unit',
      listen: { host: HOST, port: 0 },
      keepFramesOnBoard: false,
      codecs: ['float32'],
      codedPoints: [],
      maxLoss: 0,
      vehicles: 1,
      campaign: { policies: ['ro'], warmUpRounds: 1, rounds: 1000, repeat: false },
      log: nodes.log,
    },
    others: [
      { role: 'cloud', config: { node: 'cloud-1', workers: 2, firstCut: 0, ...common } },
      {
        role: 'vehicle',
        config: {
          ...{ node: 'vehicle-1', cameras: pictureCameras(folder, CAMERAS), vehicleMs: VEHICLE_MS },
          ...{ link: { uplinkBps: UPLINK_BPS, rttMs: 0 }, ...common },
        },
      },
    ],
  };
  const parent = spawn(process.execPath, [PARENT, JSON.stringify(told)], {
    detached: true,
    env: nodes.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => {
    try {
      process.kill(-parent.pid!, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  });
  let said = '';
  parent.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(parent.stdout, 'data');
  parent.kill('SIGKILL');
  // The nodes share this pipe: it closes when the last of them has ended.
  await once(parent.stderr, 'close');
  assert.equal(said, '');
  for (const node of ['roadside-unit', 'cloud-1', 'vehicle-1'])
    assert.ok(nodes.rows(node, 'figure').length > 0, `${node} did not close its log`);
});
