import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoordinatorEffect, CoordinatorEvent } from '../../apps/roadside-unit/policy/events.ts';
import { systemClock } from '../../libs/clock/index.ts';
import { SharedChannel } from '../../libs/net/index.ts';
import { HOST, Nodes, pictureCameras, runCampaign } from './nodes.ts';

const CHANNEL_BPS = 2e6;
const VEHICLES = 3;
const CAMERAS = 2;
/** One that has the channel, and those whose grants are on their way. */
const MOST_GRANTS = 3;

/** A channel in front of a broker, begun by whoever asks for its port first. */
class Emulated {
  readonly bps: number;
  shared: SharedChannel | undefined;
  #port: Promise<number> | undefined;

  constructor(bps: number) {
    this.bps = bps;
  }

  portFor(port: number): Promise<number> {
    if (!this.shared) {
      this.shared = new SharedChannel({ host: HOST, port, bps: this.bps }, systemClock);
      this.#port = this.shared.start();
    }
    return this.#port!;
  }

  async stop(): Promise<void> {
    await this.shared?.stop();
  }
}

test('Vehicles that share a channel send one tensor at a time as it is granted under exact, and all at once otherwise.', {
  timeout: 120_000,
}, async (t) => {
  const nodes = new Nodes();
  const channel = new Emulated(CHANNEL_BPS);
  t.after(() => Promise.all([nodes.close(), channel.stop()]));
  const policies = ['uncoordinated', 'fair-share', 'exact'] as const;
  const { logs, summary } = await runCampaign(nodes, {
    ...{ policies, vehicles: VEHICLES, cameras: CAMERAS, rounds: 3, vehicleMs: 400 },
    channels: [{ name: 'lte', bps: CHANNEL_BPS }],
    portOf: (_, port) => channel.portFor(port),
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
  const { carriedBytes, busyMs } = channel.shared!.counters;
  assert.ok(carriedBytes > 0 && Math.abs(busyMs - (carriedBytes * 8000) / CHANNEL_BPS) < 1);
});

test('Vehicles on two channels and one with a link of its own are one fleet: each channel is granted by itself.', {
  timeout: 120_000,
}, async (t) => {
  const nodes = new Nodes();
  const channels = [
    { name: 'lte', bps: CHANNEL_BPS },
    { name: 'nr', bps: 2 * CHANNEL_BPS },
  ];
  const places = [channels[0], channels[1], undefined] as const;
  const emulated = new Map(channels.map(({ name, bps }) => [name, new Emulated(bps)]));
  t.after(() => Promise.all([nodes.close(), ...[...emulated.values()].map((channel) => channel.stop())]));
  const channelOf = (vehicle: string): string | undefined =>
    places[(Number(vehicle.slice('vehicle-'.length)) - 1) % places.length]?.name;
  const { logs, summary } = await runCampaign(nodes, {
    ...{ policies: ['exact'], vehicles: 5, cameras: CAMERAS, rounds: 3, vehicleMs: 400, uplinkBps: 8e6 },
    channels: places,
    portOf: async (vehicle, port) => emulated.get(channelOf(vehicle) ?? '')?.portFor(port) ?? port,
  });
  assert.equal(summary.identical, summary.jobs);
  assert.deepEqual([summary.lost, summary.dropped, summary.local, summary.rejected], [0, 0, 0, 0]);

  const rsu = logs.find((log) => log.rows('run')[0]?.node === 'roadside-unit')!;
  const effects = Map.groupBy(rsu.rows('effect'), ({ sequence }) => sequence);
  const inOrder = rsu
    .rows('event')
    .flatMap(({ sequence, event }) => [
      JSON.parse(event) as CoordinatorEvent,
      ...(effects.get(sequence) ?? []).map(({ effect }) => JSON.parse(effect) as CoordinatorEffect),
    ]);
  const asked = new Map<string, number>();
  const out = new Map<string, Set<string>>(channels.map(({ name }) => [name, new Set()]));
  const granted: string[] = [];
  for (const what of inOrder) {
    if (what.kind === 'channel-asked') asked.set(`${what.node} ${what.ask.frame}`, what.ask.bytes);
    if (what.kind === 'grant-channel') {
      const name = `${what.vehicle} ${what.grant.frame}`;
      granted.push(name);
      out.get(channelOf(what.vehicle)!)!.add(name);
    }
    if (what.kind === 'channel-ended')
      out.get(channelOf(what.node)!)!.delete(`${what.node} ${what.end.frame}`);
    for (const [name, of] of out) assert.ok(of.size <= MOST_GRANTS, `${of.size} grants are out on ${name}`);
  }
  assert.deepEqual(granted.toSorted(), [...asked.keys()].sort());
  const asking = new Set(granted.map((name) => name.split(' ')[0]!));
  assert.deepEqual([...asking].sort(), ['vehicle-1', 'vehicle-2', 'vehicle-4', 'vehicle-5']);
  const own = logs.find((log) => log.rows('run')[0]?.node === 'vehicle-3')!;
  assert.ok(own.rows('result').some(({ outcome }) => outcome === 'cloud'));
  for (const { name } of channels) {
    const { contendedMs, busyMs, carriedBytes } = emulated.get(name)!.shared!.counters;
    const share = contendedMs / busyMs;
    t.diagnostic(`${name}: ${carriedBytes} bytes, ${(100 * share).toFixed(0)} % of them beside others`);
    const sent = [...asked].filter(([frame]) => channelOf(frame.split(' ')[0]!) === name);
    assert.ok(carriedBytes > sent.reduce((sum, [, bytes]) => sum + bytes, 0));
    // Two that send all they have at once share most of it; here it is messages, and what a grant comes too early.
    assert.ok(share < 0.5, `${name}: ${share}`);
  }
});

test('A vehicle on a channel that the roadside unit does not know is refused in one line, which both say.', {
  timeout: 60_000,
}, async (t) => {
  const nodes = new Nodes();
  t.after(() => nodes.close());
  const [folder] = await Promise.all([nodes.pictures(), nodes.prepare()]);
  const rsu = nodes.start('rsu', {
    node: 'roadside-unit',
    listen: { host: HOST, port: 0 },
    ...{ keepFramesOnBoard: false, codecs: ['float32'], codedPoints: [], maxLoss: 0 },
    channels: { lte: 2e6, nr: 4e6 },
    vehicles: 1,
    campaign: { policies: ['exact'], warmUpRounds: 1, rounds: 1, repeat: false },
    log: nodes.log,
  });
  const port = (await rsu.ready)!;
  const vehicle = {
    node: 'vehicle-1',
    broker: { host: HOST, port },
    model: nodes.model,
    cameras: pictureCameras(folder, 1),
    link: { uplinkBps: 1e6, rttMs: 0, channel: 'wifi' },
    log: nodes.log,
  };
  const { code, message } = await nodes.start('vehicle', vehicle, { ipc: false }).ended;
  const reason = "it is on channel 'wifi', this roadside unit has lte, nr";
  assert.equal(message, `splitlane: vehicle-1: refused by the roadside unit: ${reason}\n`);
  assert.equal(code, 2);
  await nodes.stop();
  const refused = nodes.rows('roadside-unit', 'fault').filter(({ kind }) => kind === 'node-refused');
  assert.deepEqual(
    refused.map(({ detail }) => detail),
    [`vehicle-1: ${reason}`],
  );
});
