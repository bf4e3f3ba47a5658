import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { RASPBERRY_PI_CLASS, type RunSummary, summarise } from '../../field-tests/index.ts';
import { type LogReader, openLog } from '../../libs/journal/index.ts';
import { begun, folder } from '../libs/journal/folder.ts';

type Span = readonly [stage: string, startMs: number, endMs: number];

interface HandMadeRound {
  readonly policy?: string;
  readonly measured?: boolean;
  readonly makespanMs: number;
  /** The spans of each frame. */
  readonly frames: readonly (readonly Span[])[];
}

const POWER = { cpuW: 4, radioW: 2, idleW: 1 };

/** The log of a node; its frames are numbered from 1 on, as in every log. */
async function handMade(
  context: TestContext,
  role: string,
  node: string,
  rounds: readonly HandMadeRound[],
  config = {},
): Promise<LogReader> {
  const file = path.join(folder(context), `${node}.sqlite`);
  const { journal, failures } = await begun(context, file);
  const nothing = { software_version: '', model_hash: null, start_wall_ms: 0, start_ms: 0 };
  journal.write('run', { id: node, node, start: 1, role, config: JSON.stringify(config), ...nothing });
  let frame = 0;
  rounds.forEach(({ policy = 'jps', measured = true, makespanMs, frames }, index) => {
    const of = { round: index + 1, measured: measured ? 1 : 0 };
    for (const spans of frames) {
      frame++;
      const taken = { captured_ms: 0, jpeg_bytes: 0, jpeg_digest: '' };
      if (role === 'vehicle') journal.write('frame', { ...of, frame, frame_index: 0, camera: '', ...taken });
      const none = { reason: null, epoch: null, cut: null, codec: null, top: null, boxes: null };
      const end = { ...none, outcome: 'local', digest: 'd', start_ms: 0, end_ms: makespanMs };
      if (role === 'vehicle') journal.write('result', { ...end, frame });
      for (const [stage, start_ms, end_ms] of spans)
        journal.write('span', { vehicle: 'vehicle-1', frame, stage, start_ms, end_ms, real_ms: null });
    }
    const times = { start_ms: 0, makespan_ms: makespanMs, predicted_ms: 1, lower_bound_ms: 1 };
    const single = { period_ms: 0, planned_period_ms: 0, deadline_ms: 0 };
    if (role === 'vehicle') journal.write('round', { ...of, ...single, ...times, epoch: 1, policy });
  });
  await journal.stop();
  assert.deepEqual(failures, []);
  const log = openLog(file);
  context.after(() => log.close());
  return log;
}

const summaryOf = (...logs: LogReader[]): RunSummary => summarise(logs, new Map(), [], POWER);
const energies = (summary: RunSummary): [string, number][] =>
  summary.policies.map(({ name, energyPerFrameJ }) => [name, energyPerFrameJ]);

test('A frame takes the energy of its heads, its uplink and its share of the makespan, and of nothing else.', async (context) => {
  const vehicle = await handMade(context, 'vehicle', 'vehicle-1', [
    { measured: false, makespanMs: 9000, frames: [[['head', 0, 9000]]] },
    {
      makespanMs: 450,
      frames: [
        [
          ['prepare', 0, 90],
          ['head', 100, 200],
          ['uplink', 200, 350],
        ],
        [
          ['prepare', 0, 90],
          ['head', 200, 310],
          ['uplink', 350, 400],
        ],
      ],
    },
  ]);
  const cloud = await handMade(context, 'cloud', 'cloud-1', [
    {
      makespanMs: 0,
      frames: [
        [],
        [
          ['queue', 350, 360],
          ['tail', 360, 460],
        ],
      ],
    },
  ]);
  // Of two frames: 210 ms at 4 W, 200 ms at 2 W, 450 ms at 1 W.
  const summary = summaryOf(vehicle, cloud);
  assert.deepEqual(energies(summary), [['jps', (0.84 + 0.4 + 0.45) / 2]]);
  assert.deepEqual(summary.byWorker, [{ node: 'cloud-1', tails: 1 }]);
});

test('A frame that the cloud left to its vehicle took the processor for its head and for the rest.', async (context) => {
  const left: Span[] = [
    ['head', 0, 100],
    ['uplink', 100, 150],
    ['local', 400, 600],
  ];
  const vehicle = await handMade(context, 'vehicle', 'vehicle-1', [{ makespanMs: 600, frames: [left] }]);
  assert.deepEqual(energies(summaryOf(vehicle)), [['jps', 4 * 0.3 + 2 * 0.05 + 0.6]]);
});

test('A policy has the median energy of its rounds and vehicles, whose frames share their numbers.', async (context) => {
  const round = (policy: string, ms: number): HandMadeRound => ({
    policy,
    makespanMs: ms,
    frames: [[['head', 0, ms]]],
  });
  const first = await handMade(context, 'vehicle', 'vehicle-1', [
    round('lo', 100),
    round('ro', 1000),
    round('lo', 300),
  ]);
  const second = await handMade(context, 'vehicle', 'vehicle-2', [round('lo', 200)]);
  assert.deepEqual(energies(summaryOf(first, second)), [
    ['lo', 5 * 0.2],
    ['ro', 5 * 1],
  ]);
});

test('A round of vehicles on one channel is as long as its longest; of groups and rounds the median counts.', async (context) => {
  const of = async (node: string, channel: string | undefined, ...times: number[]) => {
    const rounds = times.map((makespanMs) => ({ makespanMs, frames: [[['head', 0, 1] as const]] }));
    const link = channel === undefined ? {} : { channel };
    return await handMade(context, 'vehicle', node, rounds, { link });
  };
  const makespan = (...logs: LogReader[]): number => summaryOf(...logs).policies[0]!.makespanMs;
  const first = [await of('vehicle-1', 'lte', 100, 900), await of('vehicle-2', 'lte', 700, 200)];
  const second = await of('vehicle-3', 'nr', 300, 400);
  const own = [await of('vehicle-4', undefined, 10, 20), await of('vehicle-5', undefined, 30, 40)];
  assert.equal(makespan(...first), (700 + 900) / 2);
  assert.equal(makespan(...first, second), (400 + 700) / 2);
  // 10, 20, 30, 40, 300, 400, 700, 900
  assert.equal(makespan(...own, ...first, second), (40 + 300) / 2);
  assert.equal(summaryOf(...own, ...first, second).policies[0]!.rounds, 10);
});

test('A round in which no camera gave a frame says nothing of the energy of one.', async (context) => {
  const vehicle = await handMade(context, 'vehicle', 'vehicle-1', [
    { makespanMs: 0, frames: [] },
    { makespanMs: 500, frames: [[['uplink', 0, 500]]] },
  ]);
  assert.deepEqual(energies(summaryOf(vehicle)), [['jps', 3 * 0.5]]);
});

test('A frame without an end is lost in a crash where its vehicle has named it after a restart, else it is lost.', async (context) => {
  const place = folder(context);
  const logs = await Promise.all(
    [1, 2].map(async (start) => {
      const file = path.join(place, `${start}.sqlite`);
      const { journal } = await begun(context, file);
      const nothing = { software_version: '', config: '{}', model_hash: null, start_wall_ms: 0, start_ms: 0 };
      journal.write('run', { id: `run-${start}`, node: 'vehicle-1', start, role: 'vehicle', ...nothing });
      for (const frame of [1, 2, 3]) {
        const taken = { camera: '', measured: 1, captured_ms: 0, jpeg_bytes: 0, jpeg_digest: '' };
        journal.write('frame', { frame, round: 1, frame_index: 0, ...taken });
      }
      // Of the frames of the first log, which have the same numbers as those of the second.
      const left = { run: 'run-1', start: 1, round: 1, camera: '' };
      if (start === 2) for (const frame of [1, 3]) journal.write('crash_left', { frame, ...left });
      const ending = { outcome: 'dropped', reason: 'r', epoch: null, cut: null, codec: null, digest: null };
      const frame = start === 1 ? 1 : 2;
      journal.write('result', { frame, ...ending, top: null, boxes: null, start_ms: null, end_ms: 1 });
      await journal.stop();
      return openLog(file);
    }),
  );
  context.after(() => {
    for (const log of logs) log.close();
  });
  const { jobs, dropped, lost, lostInCrash } = summaryOf(...logs);
  // Whoever is named and has a result all the same has ended.
  assert.deepEqual({ jobs, dropped, lostInCrash, lost }, { jobs: 6, dropped: 2, lostInCrash: 1, lost: 3 });
  const onlyFirst = summaryOf(logs[0]!);
  assert.deepEqual([onlyFirst.lostInCrash, onlyFirst.lost], [0, 2]);
});

test('The summary names its power model, which is a Raspberry Pi of sorts unless told otherwise.', async (context) => {
  const vehicle = await handMade(context, 'vehicle', 'vehicle-1', [
    { makespanMs: 1000, frames: [[['head', 0, 1000]]] },
  ]);
  assert.deepEqual(summaryOf(vehicle).power, POWER);
  const assumed = summarise([vehicle], new Map(), []);
  assert.equal(assumed.power, RASPBERRY_PI_CLASS);
  assert.deepEqual(energies(assumed), [['jps', 3.7 + 2.7]]);
});
