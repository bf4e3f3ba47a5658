import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import type { PreparedModel } from '../../libs/dnn/index.ts';
import { TINY, writeTinyModel } from '../tiny-model.ts';
import { HOST, type NodeProcess, Nodes, pictureCameras } from './nodes.ts';
import { planAt, ScriptedRoadsideUnit } from './scripted-roadside-unit.ts';

const CLOUD = 'cloud-1';
const UPLINK_BPS = 100_000_000;
const CHANGES = 20;
const GROWTH = 1.05;
/** Two copies would be 2; the runtime's own room and what loading has left behind are in it. */
const WEIGHTS_HELD = 1.5;
const MIB = 2 ** 20;

const nodes = new Nodes();
const rsu = new ScriptedRoadsideUnit();
after(async () => {
  await nodes.close();
  await rsu.stop();
});

const elsewhere = process.platform === 'linux' ? false : 'resident size is read from /proc';

/** Resident size of a process, in bytes. */
function residentBytes({ child }: NodeProcess): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))!;
  return 1024 * Number(kib);
}

const sizeOf = ({ segments }: PreparedModel): number =>
  segments.reduce((sum, file) => sum + statSync(file).size, 0);

test('A vehicle holds its weights once, and changes its cut without loading anything or growing.', {
  timeout: 120_000,
  skip: elsewhere,
}, async (t) => {
  // 4096 × 4096 weights in its second last layer.
  const heavy = path.join(nodes.folder, 'model');
  const features = TINY.layers.slice(0, 4);
  const wide = { kind: 'fully-connected', channels: 4096, relu: true } as const;
  const model = writeTinyModel(heavy, {
    ...{ ...TINY, name: 'heavy' },
    layers: [...features, { ...wide, name: 'fc3' }, { ...wide, name: 'fc3b' }, TINY.layers.at(-1)!],
  });
  const port = await rsu.start();
  const [prepared, light, pictures] = await Promise.all([
    nodes.prepare(model),
    nodes.prepare(),
    nodes.pictures(),
  ]);
  const place = { broker: { host: HOST, port }, log: nodes.log };
  const vehicle = (node: string, of: string): NodeProcess =>
    nodes.start('vehicle', {
      ...{ node, model: of, ...place, cameras: pictureCameras(pictures, 1) },
      link: { uplinkBps: UPLINK_BPS, rttMs: 0 },
    });
  nodes.start('cloud', { node: CLOUD, workers: 1, firstCut: 0, model, ...place });
  const [heavyNode, lightNode] = [vehicle('vehicle-1', model), vehicle('vehicle-2', nodes.model)];
  await rsu.profiled(CLOUD, 'vehicle-1', 'vehicle-2');

  const held = (residentBytes(heavyNode) - residentBytes(lightNode)) / (sizeOf(prepared) - sizeOf(light));
  t.diagnostic(`resident size per byte of weights: ${held.toFixed(2)}`);
  assert.ok(held < WEIGHTS_HELD, `${held} bytes are held for each byte of weights`);

  // From here on there is nothing that a session could be made of.
  for (const file of prepared.segments) rmSync(file);
  const cuts = prepared.segments.length;
  let round = 0;
  const cutAt = async (cut: number): Promise<void> => {
    rsu.plan('vehicle-1', planAt(++round, cut, cuts, CLOUD));
    const { jobs } = await rsu.round('vehicle-1', round);
    const outcome = cut === cuts ? 'local' : 'cloud';
    assert.deepEqual(
      jobs.map((job) => [job.cut, job.outcome]),
      [[cut, outcome]],
    );
  };
  for (let cut = 0; cut <= cuts; cut++) await cutAt(cut);
  const before = residentBytes(heavyNode);
  for (let change = 0; change < CHANGES; change++) await cutAt(change % (cuts + 1));
  const growth = residentBytes(heavyNode) / before;
  t.diagnostic(
    `resident size after ${CHANGES} changes: ${growth.toFixed(3)} of ${(before / MIB).toFixed(0)} MiB`,
  );
  assert.ok(growth <= GROWTH, `it has grown by ${growth}`);
});
