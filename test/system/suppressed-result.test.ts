import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import Database from 'better-sqlite3';
import { decode, parseTopic } from '../../libs/proto/index.ts';
import { type Campaign, Nodes, runCampaign, summaryOf } from './nodes.ts';
import { type Meddler, PacketProxy } from './packet-proxy.ts';

const nodes = new Nodes();
const proxies: PacketProxy[] = [];
after(async () => {
  await nodes.close();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
});

let campaign: Campaign;

test('A frame whose result never comes is finished by its vehicle, and is not lost.', {
  timeout: 60_000,
}, async () => {
  const swallowed: number[] = [];
  const swallowOne: Meddler = (message) => {
    if (swallowed.length > 0 || parseTopic(message.topic)?.key !== 'result') return message;
    swallowed.push(decode('result', message.payload as Buffer).frame);
    return undefined;
  };
  const run = await runCampaign(nodes, {
    policies: ['ro'],
    portOf: async (_, port) => {
      const proxy = new PacketProxy(port, { down: swallowOne });
      proxies.push(proxy);
      return proxy.start();
    },
  });
  campaign = run.campaign;
  const { jobs, identical, local, lost, dropped } = run.summary;
  assert.deepEqual(
    { jobs, identical, local, lost, dropped },
    { jobs: 8, identical: 8, local: 1, lost: 0, dropped: 0 },
  );
  const results = run.logs.flatMap((log) => log.rows('result'));
  const finishedHere = results.filter(({ outcome }) => outcome === 'local');
  assert.deepEqual(
    finishedHere.map(({ frame, reason }) => ({ frame, reason })),
    [{ frame: swallowed[0], reason: 'no result in time' }],
  );
});

test('A frame whose end is missing in the log is counted as lost.', { timeout: 60_000 }, async () => {
  const copy = path.join(nodes.folder, 'copy');
  cpSync(nodes.log, copy, { recursive: true });
  const database = new Database(path.join(copy, 'vehicle-1.sqlite'));
  database.exec('DELETE FROM result WHERE frame = 3');
  database.close();
  const { jobs, identical, lost } = await summaryOf(campaign, nodes.logs(copy));
  assert.deepEqual({ jobs, identical, lost }, { jobs: 8, identical: 7, lost: 1 });
});
