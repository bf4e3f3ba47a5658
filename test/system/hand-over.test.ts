import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { systemClock } from '../../libs/clock/index.ts';
import { decode, encode } from '../../libs/proto/index.ts';
import { assertHandedOver } from '../libs/journal/handed-over.ts';
import { endCampaign, Nodes, startCampaign, until } from './nodes.ts';
import { PacketProxy } from './packet-proxy.ts';

const CAMERAS = 2;
const ROUNDS = 20;
/** Long enough that a frame is on the disk before it has ended. */
const VEHICLE_MS = 300;
const CUT_MS = 2000;

/** A batch whose rows unpack to 64 MiB, where 256 KiB are allowed. */
function spoilt(payload: Buffer): Buffer {
  const rows = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), {
    params: { [constants.ZSTD_c_windowLog]: 17 },
  });
  return encode('logBatch', { ...decode('logBatch', payload), rows });
}

const nodes = new Nodes();
const proxies: PacketProxy[] = [];
after(async () => {
  await nodes.close();
  for (const proxy of proxies) await proxy.stop();
});

test('A vehicle that is cut off, killed and started again has handed over all of its logs, each record once.', {
  timeout: 120_000,
}, async (t) => {
  let rounds = 0;
  let [batches, doubled, bytes] = [0, 0, 0];
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['lo'], vehicles: 2, cameras: CAMERAS, rounds: ROUNDS, vehicleMs: VEHICLE_MS },
    portOf: async (vehicle, port) => {
      if (vehicle !== 'vehicle-2') return port;
      const proxy = new PacketProxy(port, {
        up: (message) => {
          if (!message.topic.endsWith('/log/batch')) return message;
          batches++;
          bytes += message.payload.length;
          return batches === 3 ? { ...message, payload: spoilt(message.payload as Buffer) } : message;
        },
        // Of three acknowledgements one is lost: what it is about comes twice.
        down: (message) => {
          if (!message.topic.endsWith('/log/ack') || ++doubled % 3 > 0) return message;
          return undefined;
        },
      });
      proxies.push(proxy);
      return proxy.start();
    },
    onProgress: () => rounds++,
  });
  await until(() => rounds >= 4);
  proxies[0]!.cut();
  await systemClock.sleep(CUT_MS);
  proxies[0]!.mend();

  const underWay = (): number => {
    const ended = new Set(nodes.rows('vehicle-2', 'result').map(({ frame }) => frame));
    return nodes.rows('vehicle-2', 'frame').filter(({ frame }) => !ended.has(frame)).length;
  };
  const roundsBefore = nodes.rows('vehicle-2', 'round').length;
  await until(() => nodes.rows('vehicle-2', 'round').length > roundsBefore && underWay() > 0);
  await campaign.vehicles[1]!.stop('SIGKILL');
  const left = underWay();
  const back = nodes.start('vehicle', campaign.vehicleConfigs[1]!);
  await back.ready;
  await campaign.done;
  const [dead] = nodes.rows('vehicle-2', 'run');
  await until(() =>
    nodes.rows('vehicle-2.2', 'handed_over').some(({ run, whole }) => run === dead!.id && whole === 1),
  );
  const { logs, summary } = await endCampaign(nodes, campaign);

  const logOf = (name: string) => logs.find(({ file }) => path.basename(file) === name)!;
  const named = logOf('vehicle-2.2.sqlite').rows('crash_left');
  t.diagnostic(`${left} frames without an end, ${named.length} named; ${summary.jobs} frames in all`);
  assert.ok(left > 0 && left <= CAMERAS);
  assert.equal(named.length, left);
  assert.equal(summary.lostInCrash, left);
  assert.equal(summary.lost, 0);
  assert.equal(summary.identical, summary.jobs - left);

  const files = ['vehicle-1.sqlite', 'vehicle-2.sqlite', 'vehicle-2.2.sqlite'];
  const rows = files.map((name) =>
    assertHandedOver([nodes.log], name.split('.')[0]!, path.join(nodes.log, name)),
  );
  const received = logOf('roadside-unit.sqlite').rows('received');
  assert.equal(
    received.length,
    rows.reduce((sum, of) => sum + of, 0),
  );
  t.diagnostic(`rows ${rows.join(', ')}; of vehicle-2 ${batches} batches, ${bytes} bytes`);
  const refused = logOf('roadside-unit.sqlite')
    .rows('fault')
    .filter(({ kind }) => kind === 'log-batch-refused');
  assert.deepEqual(
    refused.map(({ detail }) => detail),
    ['vehicle-2: cannot be unpacked (Cannot create a Buffer larger than 262144 bytes)'],
  );
  assert.ok(summary.rejected >= 1);
});
