import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../../libs/clock/index.ts';
import type { LogReader, Row } from '../../libs/journal/index.ts';
import { endCampaign, Nodes, startCampaign, until } from './nodes.ts';
import { recordedSteps, replay } from './recorded-steps.ts';

const CAMERAS = 2;
const VEHICLES = 2;
const WARM_UP_ROUNDS = 3;
const EDGE = 'roadside-unit-edge';
/** A tail in the cloud takes hardly any time, but the way there does; on the edge it is the other way round. */
const FAR_AND_NEAR = { cloudRttMs: 60, edgeMs: 40 };

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

function tailsOf(logs: readonly LogReader[], node: string): Row<'span'>[] {
  const own = logs.filter(({ file }) => path.basename(file).replace(/\..*/, '') === node);
  return own.flatMap((log) => log.rows('span')).filter(({ stage }) => stage === 'tail');
}

test('A slow worker that is near and a fast one that is far share the tails, and every result is the whole model’s.', {
  timeout: 120_000,
}, async (t) => {
  const rounds = 8;
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], vehicles: VEHICLES, cameras: CAMERAS, warmUpRounds: WARM_UP_ROUNDS, rounds },
    ...FAR_AND_NEAR,
  });
  const { logs, summary } = await endCampaign(nodes, campaign);
  const jobs = VEHICLES * CAMERAS * (WARM_UP_ROUNDS + rounds);
  const { identical, local, lost, dropped, rejected } = summary;
  assert.deepEqual(
    { jobs: summary.jobs, identical, local, lost, dropped, rejected },
    { jobs, identical: jobs, local: 0, lost: 0, dropped: 0, rejected: 0 },
  );
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);
  const [near, far] = [tailsOf(logs, EDGE), tailsOf(logs, 'cloud-1')];
  t.diagnostic(`${near.length} tails near, ${far.length} far`);
  assert.equal(near.length + far.length, jobs);
  assert.deepEqual(summary.byWorker, [
    { node: 'cloud-1', tails: far.length },
    { node: EDGE, tails: near.length },
  ]);
  assert.ok(near.length > 0 && far.length > 0);
  // A slow machine is emulated: no tail is done before its time, whatever this machine is.
  for (const { start_ms, end_ms } of near) assert.ok(end_ms - start_ms >= FAR_AND_NEAR.edgeMs - 1);
  const offsets = logs.find(({ file }) => file.includes('cloud-1'))!.rows('clock_offset');
  for (const { rtt_ms } of offsets) assert.ok(rtt_ms >= FAR_AND_NEAR.cloudRttMs);
});

test('When the cloud is killed the edge worker has its tails, and no frame is lost or answered twice.', {
  timeout: 120_000,
}, async () => {
  const rounds = 30;
  let done = 0;
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], vehicles: VEHICLES, cameras: CAMERAS, warmUpRounds: WARM_UP_ROUNDS, rounds },
    ...FAR_AND_NEAR,
    onProgress: () => done++,
  });
  await until(() => done > WARM_UP_ROUNDS + 2);
  await campaign.cloud.stop('SIGKILL');
  const goneMs = systemClock.now();
  const { logs, summary } = await endCampaign(nodes, campaign);
  const { jobs, identical, lost, dropped, local } = summary;
  assert.equal(jobs, VEHICLES * CAMERAS * (WARM_UP_ROUNDS + rounds));
  assert.deepEqual({ identical, lost, dropped }, { identical: jobs, lost: 0, dropped: 0 });
  // What the dead one had, or was being sent, is finished on board: the frames of two rounds at most.
  assert.ok(local <= 2 * VEHICLES * CAMERAS, `${local} frames were finished by vehicles`);
  assert.ok(tailsOf(logs, EDGE).some(({ start_ms }) => start_ms > goneMs));
});
