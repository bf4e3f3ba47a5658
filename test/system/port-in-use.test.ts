import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import type { RoadsideUnitConfig } from '../../apps/roadside-unit/index.ts';
import { HOST, Nodes } from './nodes.ts';

const nodes = new Nodes();
const server: Server = createServer();
let takenPort: number;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  takenPort = typeof address === 'object' && address ? address.port : 0;
});
after(async () => {
  await nodes.close();
  server.close();
});

function roadsideUnitConfig(node: string, port: number): RoadsideUnitConfig {
  return {
    node,
    listen: { host: HOST, port },
    keepFramesOnBoard: false,
    codecs: ['float32'],
    codedPoints: [],
    maxLoss: 0,
    vehicles: 1,
    campaign: { policies: ['lo'], warmUpRounds: 1, rounds: 1, repeat: false },
    log: nodes.log,
  };
}

/** Runs a node that nobody listens to until it ends by itself: it must end for the user's fault. */
async function lineOf(role: string, file: string): Promise<string> {
  const { code, message } = await nodes.run(role, [role, '--config', file], { ipc: false }).ended;
  assert.equal(code, 2, message);
  assert.match(message, /^splitlane: [^\n]+\n$/);
  return message.trimEnd().replace('splitlane: ', '');
}

test('A roadside unit whose port is taken ends with one line that names the port.', {
  timeout: 30_000,
}, async () => {
  const config = roadsideUnitConfig('roadside-unit', takenPort);
  const file = nodes.write('taken.json', JSON.stringify(config));
  assert.equal(
    await lineOf('rsu', file),
    `broker: cannot listen on ${HOST}:${takenPort}: the port is in use`,
  );
  assert.equal(nodes.rows('roadside-unit', 'run').length, 1);
});

test('Its parent is told the same, and it ends with the same exit code.', { timeout: 30_000 }, async () => {
  const supervised = nodes.start('rsu', roadsideUnitConfig('roadside-unit-2', takenPort));
  const { code, message } = await supervised.ended;
  assert.deepEqual(
    { code, message },
    { code: 2, message: `broker: cannot listen on ${HOST}:${takenPort}: the port is in use` },
  );
});

test('All faults of a configuration are told at once, by their place in the file.', {
  timeout: 30_000,
}, async () => {
  const faulty = {
    rsu: {
      node: 'Roadside Unit',
      listen: { host: HOST, port: 70_000 },
      vehicles: 0,
      campaign: { policies: ['best'], warmUpRounds: 0, rounds: 1.5, repeat: false },
      colour: 'red',
    },
    cloud: { node: 'cloud-1', broker: { host: '', port: 0 }, model: 'alexnet', workers: -1, firstCut: '0' },
    vehicle: {
      node: 'vehicle-1',
      broker: { host: HOST, port: 1883 },
      model: 'alexnet',
      cameras: [{ name: 'camera-1', source: { kind: 'film' } }],
      link: { uplinkBps: 0, rttMs: -1, loss: 0.1 },
      log: nodes.log,
    },
  };
  const places = {
    rsu: [
      ...['node', 'listen.port', 'keepFramesOnBoard', 'vehicles', 'campaign.policies.0'],
      ...['campaign.warmUpRounds', 'campaign.rounds', 'log'],
    ],
    cloud: ['broker.host', 'broker.port', 'workers', 'firstCut', 'log'],
    vehicle: ['cameras.0.source.kind', 'link.uplinkBps', 'link.rttMs'],
  };
  const unknown = { rsu: '"colour"', cloud: undefined, vehicle: '"loss"' };
  for (const role of ['rsu', 'cloud', 'vehicle'] as const) {
    const file = nodes.write(`faulty-${role}.json`, JSON.stringify(faulty[role]));
    const line = await lineOf(role, file);
    assert.ok(line.startsWith(`config ${file}: `));
    const told = line.slice(`config ${file}: `.length).split('; ');
    for (const place of places[role])
      assert.ok(
        told.some((fault) => fault.startsWith(`${place}: `)),
        `${role}: ${place} is not in: ${line}`,
      );
    assert.equal(told.length, places[role].length + (unknown[role] === undefined ? 0 : 1), line);
    if (unknown[role] !== undefined) assert.ok(line.includes(unknown[role]), line);
  }
});

test('A configuration that is missing, a folder, not YAML or no mapping is told so by name.', {
  timeout: 30_000,
}, async () => {
  const missing = `${nodes.folder}/missing.yaml`;
  assert.equal(await lineOf('cloud', missing), `config ${missing}: cannot be read (ENOENT)`);
  assert.equal(await lineOf('cloud', nodes.log), `config ${nodes.log}: cannot be read (EISDIR)`);
  const broken = nodes.write('broken.yaml', 'node: [cloud-1\nbroker: }\n');
  assert.match(await lineOf('cloud', broken), /^config .*broken\.yaml: not YAML: /);
  const plain = nodes.write('plain.yaml', 'just some words\n');
  assert.match(await lineOf('cloud', plain), /^config .*plain\.yaml: file: .*expected object/);
});

test('A log that cannot be written is told so by name.', { timeout: 30_000 }, async () => {
  const log = nodes.write('no-folder', '');
  const file = nodes.write('no-log.json', JSON.stringify({ ...roadsideUnitConfig('rsu', 0), log }));
  assert.match(await lineOf('rsu', file), /^log .*no-folder\/rsu\.sqlite: cannot be written \(.+\)$/);
});
