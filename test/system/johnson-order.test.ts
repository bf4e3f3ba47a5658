import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { median } from '../../field-tests/quantile.ts';
import { chunkBytesFor, type StreamPlan, type VehiclePlan, wireBytes } from '../../libs/proto/index.ts';
import { endOf, gantt, type Job, johnson, transferMs } from '../../libs/sched/index.ts';
import { HOST, Nodes, pictureCameras } from './nodes.ts';
import { ScriptedRoadsideUnit } from './scripted-roadside-unit.ts';

const VEHICLE = 'vehicle-1';
const CLOUD = 'cloud-1';
const UPLINK_BPS = 330_000;
/** Emulated times of the tiny model's four segments. */
const SEGMENT_MS = [20, 200, 1, 1];
/** The first camera's head is short and its tensor long, the second's the other way round. */
const CUTS = [1, 2] as const;
const ROUNDS = 3;
const TOLERANCE = 0.25;

const nodes = new Nodes();
const rsu = new ScriptedRoadsideUnit();
after(async () => {
  await nodes.close();
  await rsu.stop();
});

function handMadePlan(epoch: number, jobs: readonly Job[], order: readonly number[]): VehiclePlan {
  const schedule = gantt(jobs, order);
  const streams = schedule.map(
    ({ job, head, uplink, tail, endMs }): StreamPlan => ({
      camera: `camera-${job + 1}`,
      cut: CUTS[job]!,
      codec: 'float32',
      headStartMs: head.startMs,
      headEndMs: head.endMs,
      uplinkStartMs: uplink!.startMs,
      uplinkEndMs: uplink!.endMs,
      tailStartMs: tail!.startMs,
      tailEndMs: tail!.endMs,
      endMs,
    }),
  );
  return {
    epoch,
    policy: 'hand-made',
    cloud: CLOUD,
    streams,
    makespanMs: endOf(schedule),
    lowerBoundMs: 0,
    segmentMs: SEGMENT_MS,
    uplinkBps: UPLINK_BPS,
    jobTimeoutMs: 30_000,
    round: 0,
    granted: false,
  };
}

test("Two cuts in Johnson's order are faster than in the other order by what the judge predicts.", {
  timeout: 60_000,
}, async (t) => {
  const port = await rsu.start();
  const [model, folder] = await Promise.all([nodes.prepare(), nodes.pictures()]);
  const broker = { host: HOST, port };
  const place = { broker, model: nodes.model, log: nodes.log };
  nodes.start('cloud', { node: CLOUD, workers: 2, firstCut: 0, ...place });
  const cameras = pictureCameras(folder, CUTS.length);
  nodes.start('vehicle', {
    node: VEHICLE,
    cameras,
    link: { uplinkBps: UPLINK_BPS, rttMs: 0 },
    vehicleMs: SEGMENT_MS.reduce((sum, ms) => sum + ms, 0),
    ...place,
  });
  await rsu.profiled(CLOUD, VEHICLE);

  const jobs = CUTS.map((cut): Job => {
    const bytes = wireBytes(model.cuts[cut]!.bytes, chunkBytesFor(UPLINK_BPS), VEHICLE, CLOUD);
    const p1 = SEGMENT_MS.slice(0, cut).reduce((sum, ms) => sum + ms, 0);
    return { p1, p2: transferMs(bytes, { uplinkBps: UPLINK_BPS }) };
  });
  const best = johnson(jobs);
  const orders = [best, best.toReversed()];
  const predicted = orders.map((order) => endOf(gantt(jobs, order)));
  const measured: number[] = [];
  let round = 0;
  for (const [index, order] of orders.entries()) {
    rsu.plan(VEHICLE, handMadePlan(index + 1, jobs, order));
    const makespans: number[] = [];
    for (let turn = 0; turn < ROUNDS; turn++) {
      const report = await rsu.round(VEHICLE, ++round);
      assert.deepEqual(
        report.jobs
          .map(({ camera, cut, outcome }) => ({ camera, cut, outcome }))
          .toSorted((a, b) => a.camera.localeCompare(b.camera)),
        CUTS.map((cut, job) => ({ camera: `camera-${job + 1}`, cut, outcome: 'cloud' })),
      );
      makespans.push(report.makespanMs);
    }
    measured.push(median(makespans));
  }

  const predictedGainMs = predicted[1]! - predicted[0]!;
  const gainMs = measured[1]! - measured[0]!;
  t.diagnostic(
    `Johnson's order: ${measured[0]!.toFixed(1)} ms (predicted ${predicted[0]!.toFixed(1)}), ` +
      `the other: ${measured[1]!.toFixed(1)} ms (predicted ${predicted[1]!.toFixed(1)})`,
  );
  assert.ok(predictedGainMs > 150);
  assert.ok(
    Math.abs(gainMs - predictedGainMs) <= TOLERANCE * predictedGainMs,
    `gained ${gainMs} ms where ${predictedGainMs} ms were predicted`,
  );
  assert.equal(rsu.results.length, 2 * ROUNDS * CUTS.length);
});
