import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { CoordinatorEffect, CoordinatorEvent } from '../../apps/roadside-unit/policy/events.ts';
import { systemClock } from '../../libs/clock/index.ts';
import { SharedChannel } from '../../libs/net/index.ts';
import { HOST, Nodes, runCampaign } from './nodes.ts';

const CHANNEL_BPS = 2e6;
const VEHICLES = 3;
const CAMERAS = 2;

const nodes = new Nodes();
const channels: SharedChannel[] = [];
after(async () => {
  await nodes.close();
  await Promise.all(channels.map((channel) => channel.stop()));
});

test('Vehicles that share a channel send one tensor at a time as it is granted under exact, and all at once otherwise.', {
  timeout: 120_000,
}, async (t) => {
  let shared: Promise<number> | undefined;
  const portOf = (_: string, port: number): Promise<number> => {
    if (shared) return shared;
    const channel = new SharedChannel({ host: HOST, port, bps: CHANNEL_BPS }, systemClock);
    channels.push(channel);
    shared = channel.start();
    return shared;
  };
  const policies = ['uncoordinated', 'fair-share', 'exact'] as const;
  const { logs, summary } = await runCampaign(nodes, {
    ...{ policies, vehicles: VEHICLES, cameras: CAMERAS, rounds: 3, vehicleMs: 400 },
    ...{ channelBps: CHANNEL_BPS, portOf },
  });
  assert.equal(summary.identical, summary.jobs);
  assert.deepEqual([summary.lost, summary.dropped, summary.local, summary.rejected], [0, 0, 0, 0]);
  for (const { name, makespanMs, predictedMs } of summary.policies)
    t.diagnostic(`${name}: ${makespanMs.toFixed(0)} ms, predicted ${predictedMs.toFixed(0)}`);

  const rsu = logs.find((log) => log.rows('run')[0]?.node === 'roadside-unit')!;
  const asks: string[] = [];
  const ends: string[] = [];
  for (const { event } of rsu.rows('event')) {
    const what = JSON.parse(event) as CoordinatorEvent;
    if (what.kind === 'channel-asked') asks.push(`${what.node} ${what.ask.frame}`);
    if (what.kind === 'channel-ended') {
      assert.ok(what.end.whole);
      ends.push(`${what.node} ${what.end.frame}`);
    }
  }
  const grants = rsu
    .rows('effect')
    .map(({ effect }) => JSON.parse(effect) as CoordinatorEffect)
    .flatMap((effect) =>
      effect.kind === 'grant-channel' ? [`${effect.vehicle} ${effect.grant.frame}`] : [],
    );
  assert.ok(asks.length > 0);
  assert.deepEqual(grants.toSorted(), asks.toSorted());
  assert.deepEqual(ends.toSorted(), asks.toSorted());
  assert.equal(new Set(asks).size, asks.length);
  // What is sent under exact is granted; of the others nothing is.
  const epochs = new Map(
    logs.flatMap((log) => log.rows('round').map(({ epoch, policy }) => [epoch, policy])),
  );
  const cloud = logs.flatMap((log) => log.rows('result')).filter(({ outcome }) => outcome === 'cloud');
  const underExact = cloud.filter(({ epoch }) => epochs.get(epoch!) === 'exact');
  assert.equal(asks.length, underExact.length);
  assert.ok(cloud.length > underExact.length);
  const { carriedBytes, busyMs } = channels[0]!.counters;
  assert.ok(carriedBytes > 0 && Math.abs(busyMs - (carriedBytes * 8000) / CHANNEL_BPS) < 1);
});
