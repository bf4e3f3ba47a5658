/** What a summary says of steady streams, on rows that are made by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StreamLog, streamSummary } from '../../field-tests/stream-summary.ts';

const ROUND = { epoch: 1, policy: 'exact', start_ms: 0, predicted_ms: 90, lower_bound_ms: 0 };
const STREAMS = { period_ms: 100, planned_period_ms: 125, deadline_ms: 80 };
const NO_WAY = { reason: null, epoch: null, cut: null, codec: null, digest: null, top: null, boxes: null };

/** Rows of one vehicle: of each frame its camera, its outcome, and from its start to its end. */
function logOf(
  node: string,
  ends: readonly (readonly [camera: string, outcome: string, ms: number])[],
): StreamLog {
  const round = (number: number, measured: number, makespan_ms: number) => ({
    ...{ ...ROUND, ...STREAMS, round: number, measured, makespan_ms },
  });
  const taken = { frame_index: 0, captured_ms: 0, jpeg_bytes: 0, jpeg_digest: '' };
  const frames = ends.map(([camera], index) => ({
    frame: index + 1,
    camera,
    round: 2,
    measured: 1,
    ...taken,
  }));
  const results = ends.map(([, outcome, ms], index) => ({
    ...{ ...NO_WAY, frame: index + 1, outcome, start_ms: 1000, end_ms: 1000 + ms },
  }));
  const warmUp = { frame: 99, camera: 'left', round: 1, measured: 0, ...taken };
  return {
    node,
    frames: [warmUp, ...frames],
    results: [...results, { ...NO_WAY, frame: 99, outcome: 'cloud', start_ms: 0, end_ms: 5000 }],
    rounds: [round(1, 0, 500), round(2, 1, 400)],
  };
}

const LOGS = [
  logOf('vehicle-1', [
    ['left', 'cloud', 50],
    ['right', 'local', 70],
    ['left', 'shed', 10],
    ['right', 'deadline', 80],
    ['left', 'cloud', 90],
    ['right', 'dropped', 5],
  ]),
  logOf('vehicle-2', [['left', 'cloud', 60]]),
];

test('Frames are counted by camera and outcome, and those of rounds that are not measured are not.', () => {
  assert.deepEqual(streamSummary(LOGS, 'exact')!.cameras, [
    { vehicle: 'vehicle-1', camera: 'left', captured: 3, answered: 2, shed: 1, deadline: 0, dropped: 0 },
    { vehicle: 'vehicle-1', camera: 'right', captured: 3, answered: 1, shed: 0, deadline: 1, dropped: 1 },
    { vehicle: 'vehicle-2', camera: 'left', captured: 1, answered: 1, shed: 0, deadline: 0, dropped: 0 },
  ]);
});

test('Latencies are those of answered frames, from their start to their answer; one past the deadline is late.', () => {
  const { latencyMs, late, deadlineMs, predictedMs } = streamSummary(LOGS, 'exact')!;
  assert.deepEqual(latencyMs, { median: 65, p95: 90, max: 90 });
  assert.deepEqual({ late, deadlineMs, predictedMs }, { late: 1, deadlineMs: 80, predictedMs: 90 });
});

test('Rates are of one camera: what was asked, what the plan holds, and what was answered in the time of the round.', () => {
  const { fps, heldFps, answeredFps } = streamSummary(LOGS, 'exact')!;
  assert.deepEqual({ fps, heldFps }, { fps: 10, heldFps: 8 });
  // Four answers of three cameras in 400 ms each.
  assert.ok(Math.abs(answeredFps - 4 / 1.2) < 1e-9);
});

test('Of a policy without steady streams there is no such summary.', () => {
  assert.equal(streamSummary(LOGS, 'lo'), undefined);
  const single = LOGS.map((log) => ({
    ...log,
    rounds: log.rounds.map((round) => ({ ...round, period_ms: 0 })),
  }));
  assert.equal(streamSummary(single, 'exact'), undefined);
});
