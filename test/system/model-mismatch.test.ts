import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TINY } from '../tiny-model.ts';
import { HOST, Nodes, pictureCameras, until } from './nodes.ts';

const OTHER_SEED = 2;
const HASH_SHOWN = 12;

const nodes = new Nodes();
const files = {
  right: nodes.model,
  other: nodes.writeModel('other', OTHER_SEED),
  carded: nodes.writeModel('carded', TINY.seed, 'fit: letterbox\n'),
};
type Model = keyof typeof files;
const hashes = {} as Record<Model, string>;
let pictures: string;

after(() => nodes.close());
before(async () => {
  pictures = await nodes.pictures();
  for (const model of Object.keys(files) as Model[]) hashes[model] = (await nodes.prepare(files[model])).hash;
});

/** Starts a roadside unit; returns its port. */
async function roadsideUnit(node: string, modelHash: string | undefined): Promise<number> {
  const rsu = nodes.start('rsu', {
    node,
    listen: { host: HOST, port: 0 },
    ...(modelHash === undefined ? {} : { modelHash }),
    keepFramesOnBoard: false,
    codecs: ['float32'],
    codedPoints: [],
    maxLoss: 0,
    vehicles: 1,
    campaign: { policies: ['lo'], warmUpRounds: 1, rounds: 1, repeat: false },
    log: nodes.log,
  });
  return (await rsu.ready)!;
}

/** A process that nobody listens to is refused: what it writes, how it ends, and its log. */
async function assertRefused(
  role: 'cloud' | 'vehicle',
  node: string,
  port: number,
  model: Model,
  expected: Model,
): Promise<void> {
  const common = { node, broker: { host: HOST, port }, model: files[model], log: nodes.log };
  const config =
    role === 'cloud'
      ? { ...common, workers: 1, firstCut: 0 }
      : {
          ...common,
          cameras: pictureCameras(pictures, 1),
          link: { uplinkBps: 1e6, rttMs: 0 },
        };
  const { code, message } = await nodes.start(role, config, { ipc: false }).ended;
  const its = hashes[model].slice(0, HASH_SHOWN);
  const theirs = hashes[expected].slice(0, HASH_SHOWN);
  assert.equal(
    message,
    `splitlane: ${node}: refused by the roadside unit: its model is ${its}…, the others have ${theirs}…: ` +
      'give all nodes the same model and card\n',
  );
  assert.equal(code, 2);
  assert.deepEqual(
    nodes.rows(node, 'run').map(({ model_hash }) => model_hash),
    [hashes[model]],
  );
}

test('A node with another model, or the same with another card, is refused in one line with both hashes.', {
  timeout: 60_000,
}, async () => {
  assert.equal(new Set(Object.values(hashes)).size, 3);
  const port = await roadsideUnit('roadside-unit', hashes.right);
  await assertRefused('cloud', 'cloud-other', port, 'other', 'right');
  await assertRefused('vehicle', 'vehicle-other', port, 'other', 'right');
  await assertRefused('vehicle', 'vehicle-carded', port, 'carded', 'right');
  await nodes.stop();
  assert.deepEqual(
    nodes
      .rows('roadside-unit', 'fault')
      .filter(({ kind }) => kind === 'node-refused')
      .map(({ detail }) => detail.split(':')[0]),
    ['cloud-other', 'vehicle-other', 'vehicle-carded'],
  );
});

test('Where the roadside unit was told no model, the first node that comes decides.', {
  timeout: 60_000,
}, async () => {
  const port = await roadsideUnit('roadside-unit-2', undefined);
  const first = nodes.start('cloud', {
    node: 'cloud-first',
    broker: { host: HOST, port },
    model: files.other,
    workers: 1,
    firstCut: 0,
    log: nodes.log,
  });
  const accepted = '"kind":"verdict","accepted":true';
  await until(() => nodes.rows('cloud-first', 'event').some(({ event }) => event.includes(accepted)));
  await assertRefused('vehicle', 'vehicle-late', port, 'right', 'other');
  assert.ok(first.running);
});
