/** Steady streams with real processes: what is too much is shed fairly, and a vehicle that is alone does not stop seeing. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Row } from '../../libs/journal/index.ts';
import { Nodes, runCampaign, startCampaign, until } from './nodes.ts';
import { recordedSteps, replay } from './recorded-steps.ts';

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

const CAMERAS = 3;
const TICKS = 30;
/** A vehicle whose three cameras keep it busy for 300 ms of every 200 where it does everything itself. */
const STREAMS = { cameras: CAMERAS, vehicleMs: 100, rounds: 1, streams: { fps: 5, ticks: TICKS } };

test('A vehicle that cannot answer every frame sheds of each camera about as many, says so, and loses none.', {
  timeout: 120_000,
}, async (t) => {
  const { campaign, logs, summary } = await runCampaign(nodes, { ...STREAMS, policies: ['lo'] });
  const { streams } = summary.policies[0]!;
  const counts = streams!.cameras;
  assert.deepEqual(
    counts.map(({ camera }) => camera),
    ['camera-1', 'camera-2', 'camera-3'],
  );
  for (const { captured, answered, shed, deadline, dropped } of counts) {
    assert.equal(answered + shed, captured);
    assert.deepEqual({ deadline, dropped }, { deadline: 0, dropped: 0 });
    assert.ok(shed > 0 && answered > 0);
  }
  const shed = counts.map((camera) => camera.shed);
  assert.ok(Math.max(...shed) - Math.min(...shed) <= 2, `shed of each camera: ${shed}`);
  assert.equal(summary.lost, 0);
  assert.equal(summary.identical, summary.jobs - summary.shed);
  assert.equal(streams!.fps, 5);
  assert.ok(streams!.heldFps < 5);
  const told = nodes.rows('roadside-unit', 'fault').find(({ kind }) => kind === 'rate-not-held');
  assert.match(told!.detail, /vehicle-1: 5 frames a second are too many under lo, 3\.33 would hold/);
  for (const log of logs) assert.equal(replay(recordedSteps(log), campaign.model), undefined, log.file);
  t.diagnostic(`shed ${shed} of ${counts[0]!.captured} frames of a camera`);
});

test('A frame that cannot make its deadline is left out before it costs anything, and what is answered is in time.', {
  timeout: 120_000,
}, async () => {
  // The whole network takes 100 ms on this vehicle, and the uplink 98 ms for the input.
  const impossible = { ...STREAMS, deadlineMs: 40, policies: ['lo' as const] };
  const { logs, summary } = await runCampaign(nodes, impossible);
  const [{ streams }] = summary.policies as [(typeof summary.policies)[0]];
  const left = streams!.cameras.reduce((sum, { shed, deadline }) => sum + shed + deadline, 0);
  assert.equal(left, CAMERAS * streams!.cameras[0]!.captured);
  const isOfStreams = (of: readonly Row<'result'>[]): Set<number> =>
    new Set(of.flatMap(({ frame, outcome }) => (outcome === 'deadline' ? [frame] : [])));
  for (const log of logs) {
    const late = isOfStreams(log.rows('result'));
    const spans = log.rows('span').filter(({ frame, stage }) => stage !== 'prepare' && late.has(frame));
    assert.deepEqual(spans, []);
  }
  assert.ok(nodes.rows('roadside-unit', 'fault').some(({ kind }) => kind === 'deadline-not-held'));
});

test('Left alone in mid-stream a vehicle goes on by itself, beyond the frames it was asked for, and loses none.', {
  timeout: 120_000,
}, async (t) => {
  const campaign = await startCampaign(nodes, {
    ...STREAMS,
    ...{ policies: ['exact'], streams: { fps: 5, ticks: 10 } },
  });
  await until(() => nodes.rows('vehicle-1', 'frame').some(({ measured }) => measured === 1));
  await campaign.rsu.stop('SIGKILL');
  const taken = (): number =>
    new Set(
      nodes
        .rows('vehicle-1', 'frame')
        .filter(({ measured }) => measured === 1)
        .map(({ frame_index }) => frame_index),
    ).size;
  await until(() => taken() > 20);
  await campaign.vehicles[0]!.stop();
  const results = new Map(nodes.rows('vehicle-1', 'result').map((result) => [result.frame, result]));
  const frames = nodes.rows('vehicle-1', 'frame');
  assert.ok(frames.every(({ frame }) => results.has(frame)));
  const last = frames.slice(-10 * CAMERAS).map(({ frame }) => results.get(frame)!.outcome);
  assert.ok(last.includes('local'));
  assert.ok(last.every((outcome) => outcome === 'local' || outcome === 'shed' || outcome === 'dropped'));
  t.diagnostic(`${taken()} times the cameras took their frames, ten were asked for`);
});
