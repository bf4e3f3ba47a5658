/** A roadside unit dies and is started again: the nodes come back by themselves, and its numbers go on rising. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { CoordinatorEvent } from '../../apps/roadside-unit/policy/events.ts';
import type { LogReader } from '../../libs/journal/index.ts';
import { HOST, Nodes, startCampaign, summaryOf, until, WARM_UP_ROUNDS } from './nodes.ts';
import { recordedSteps, replay } from './recorded-steps.ts';

const CAMERAS = 2;
const ROUNDS_BEFORE = 6;
const ROUNDS_AFTER = 6;

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

const rising = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number > numbers[index - 1]!);

test('A roadside unit that is killed and started again leads on: no frame is lost, and plans and rounds go on rising.', {
  timeout: 120_000,
}, async (t) => {
  let rounds = 0;
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], vehicles: 2, cameras: CAMERAS, uplinkBps: 2e6, rounds: 10_000 },
    onProgress: () => rounds++,
  });
  await until(() => rounds >= ROUNDS_BEFORE);
  await campaign.rsu.stop('SIGKILL');

  const { promise: done, resolve } = Promise.withResolvers<void>();
  const { port, rsuConfig } = campaign;
  const config = {
    ...{ ...rsuConfig, listen: { host: HOST, port } },
    campaign: { ...rsuConfig.campaign, rounds: ROUNDS_AFTER },
  };
  nodes.start('rsu', config, {
    onProgress: ({ kind }) => {
      if (kind === 'campaign-done') resolve();
    },
  });
  await done;
  for (const end of await nodes.stop()) assert.deepEqual(end, { code: 0, signal: null, message: '' });

  const logs = nodes.logs();
  const logOf = (name: string): LogReader =>
    logs.find(({ file }) => path.basename(file) === `${name}.sqlite`)!;
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);
  const { jobs, identical, lost, dropped, local } = await summaryOf(campaign, logs);
  assert.deepEqual({ identical, lost, dropped }, { identical: jobs, lost: 0, dropped: 0 });

  const [dead, again] = [logOf('roadside-unit'), logOf('roadside-unit.2')];
  const lastEpoch = Math.max(...dead.rows('plan').map(({ epoch }) => epoch));
  const newEpochs = again.rows('plan').map(({ epoch }) => epoch);
  assert.ok(lastEpoch > 0 && Math.min(...newEpochs) > lastEpoch, `${newEpochs} after ${lastEpoch}`);
  const events = again.rows('event').map(({ event }) => JSON.parse(event) as CoordinatorEvent);
  const came = new Set(events.flatMap((event) => (event.kind === 'hello' ? [event.node] : [])));
  assert.deepEqual([...came].sort(), ['cloud-1', 'vehicle-1', 'vehicle-2']);

  for (const vehicle of ['vehicle-1', 'vehicle-2']) {
    const log = logOf(vehicle);
    const captured = log.rows('frame').map(({ frame }) => frame);
    const ended = log.rows('result').map(({ frame }) => frame);
    assert.deepEqual(
      ended.toSorted((a, b) => a - b),
      captured,
      'every frame ends in one row',
    );
    assert.ok(rising(log.rows('round').map(({ round }) => round)), 'the numbers of rounds rise');
    const obeyed = [...new Set(log.rows('round').map(({ epoch }) => epoch))].filter((epoch) => epoch > 0);
    assert.ok(rising(obeyed), `epochs: ${obeyed}`);
    assert.ok(obeyed.at(-1)! > lastEpoch && obeyed[0]! <= lastEpoch);
    const refused = log.rows('fault').filter(({ kind }) => kind === 'plan-refused');
    assert.deepEqual(refused, []);
    const after = log.rows('result').slice(-CAMERAS * (WARM_UP_ROUNDS + ROUNDS_AFTER));
    assert.ok(after.every(({ outcome }) => outcome === 'cloud'));
  }
  t.diagnostic(
    `${jobs} frames, ${local} finished by vehicles; epochs up to ${lastEpoch}, then from ${newEpochs[0]}`,
  );
});
