/** Steady streams: a vehicle does what the planner promised for them, and shares out fairly what cannot be done. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { planVehicles } from '../../../../apps/roadside-unit/policy/planning.ts';
import type { VehiclePlan } from '../../../../libs/proto/messages.ts';
import {
  captured,
  disconnected,
  drive,
  planOf,
  type Row,
  result,
  runDone,
  runEnded,
  sent,
  stream,
  TIMEOUT_MS,
} from './drive.ts';
import { type Ended, runStreams } from './timed-world.ts';

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));

/** A vehicle, its link and its cameras, planned for a period by the roadside unit. */
const planned = fc
  .record({
    cameras: fc.integer({ min: 1, max: 5 }),
    segmentMs: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 4 }),
    bytes: fc.array(fc.integer({ min: 500, max: 60_000 }), { minLength: 4, maxLength: 4 }),
    tailMs: fc.integer({ min: 0, max: 10 }),
    policy: fc.constantFrom('exact' as const, 'exact' as const, 'jps' as const, 'lo' as const),
    periodMs: fc.integer({ min: 20, max: 600 }),
  })
  .map(({ cameras, segmentMs, bytes, tailMs, policy, periodMs }) => {
    const cuts = Array.from({ length: segmentMs.length + 1 }, (_, cut) => ({
      ...{ id: `cut-${cut}`, dims: [1], bytes: bytes[cut % 4]! },
    }));
    const vehicle = {
      ...{ node: 'vehicle-1', uplinkBps: 4e6, rttMs: 0, slowdown: 1, jpegBytes: 6000, segmentMs, cuts },
      cameras: Array.from({ length: cameras }, (_, camera) => `camera-${camera + 1}`),
    };
    const cloud = { node: 'cloud-1', workers: 1, firstCut: 0, tailMs: () => tailMs, fixedMs: 0 };
    const rules = { keepFramesOnBoard: false, codecs: ['float32' as const], codedPoints: [], maxLoss: 0 };
    const { plans } = planVehicles(policy, [vehicle], [cloud], { ...rules, periodMs }, 1);
    return { plan: plans[0]!.plan, periodMs, cameras: vehicle.cameras };
  });

const countsOf = (ended: readonly Ended[], cameras: readonly string[], outcome: string): number[] =>
  cameras.map((name) => ended.filter((end) => end.camera === name && end.outcome === outcome).length);
const answeredOf = (ended: readonly Ended[]): Ended[] =>
  ended.filter(({ outcome }) => outcome === 'cloud' || outcome === 'local');
const holds = ({ periodMs = 0 }: VehiclePlan, askedMs: number): boolean => near(periodMs, askedMs);

describe('Streams and their plan', () => {
  test('A plan that holds the period is kept: nothing is shed, and the longest latency is the planned one.', () => {
    fc.assert(
      fc.property(planned, ({ plan: made, periodMs }) => {
        fc.pre(holds(made, periodMs));
        const ended = runStreams(made, { periodMs, ticks: 12 });
        assert.ok(ended.every(({ outcome }) => outcome === 'cloud' || outcome === 'local'));
        const longestMs = Math.max(...ended.map(({ ms }) => ms));
        assert.ok(
          near(longestMs, made.makespanMs),
          `${longestMs} ms where ${made.makespanMs} ms were planned`,
        );
      }),
      { numRuns: 1500 },
    );
  });

  test('Of too many frames the newest are answered, at the rate that the plan holds, and each camera has its share.', () => {
    fc.assert(
      fc.property(planned, ({ plan: made, periodMs, cameras }) => {
        fc.pre(!holds(made, periodMs));
        const ticks = 40;
        const ended = runStreams(made, { periodMs, ticks });
        const shed = countsOf(ended, cameras, 'shed');
        assert.equal(ended.length, ticks * cameras.length);
        assert.equal(answeredOf(ended).length + shed.reduce((a, b) => a + b, 0), ended.length);
        assert.ok(Math.max(...shed) - Math.min(...shed) <= 2, `shed of each camera: ${shed}`);
        // What was under way at the last tick is answered after it.
        const most = (ticks * periodMs + made.makespanMs) / made.periodMs! + 3;
        const least = (ticks * periodMs) / made.periodMs! - 2;
        const answered = cameras.map(
          (name) => answeredOf(ended).filter(({ camera }) => camera === name).length,
        );
        const isKept = answered.every((count) => count >= least && count <= most);
        assert.ok(isKept, `${answered} answered of each camera, planned ${least} to ${most}`);
        // The last frame of each camera is answered: no newer one comes.
        assert.ok(cameras.every((name) => ended.findLast((end) => end.camera === name)!.outcome !== 'shed'));
      }),
      { numRuns: 600 },
    );
  });
});

describe('Deadlines', () => {
  const deadlineShare = fc.double({ min: 0.05, max: 2, noNaN: true });

  test('Whoever is answered is answered in time, whatever the link does.', () => {
    let [answered, tooLate] = [0, 0];
    fc.assert(
      fc.property(
        planned,
        deadlineShare,
        fc.double({ min: 0.5, max: 6, noNaN: true }),
        (of, share, uplinkTimes) => {
          const deadlineMs = share * of.plan.makespanMs;
          const ended = runStreams(of.plan, { periodMs: of.periodMs, ticks: 12, deadlineMs, uplinkTimes });
          for (const { ms } of answeredOf(ended))
            assert.ok(ms <= deadlineMs + 1e-6, `answered after ${ms} of ${deadlineMs} ms`);
          answered += answeredOf(ended).length;
          tooLate += ended.filter(({ outcome }) => outcome === 'deadline').length;
        },
      ),
      { numRuns: 1500 },
    );
    assert.ok(answered > 5000 && tooLate > 5000, `${answered} answered, ${tooLate} too late`);
  });

  test('A deadline that the plan keeps changes nothing.', () => {
    fc.assert(
      fc.property(planned, ({ plan: made, periodMs }) => {
        const of = { periodMs, ticks: 12 };
        fc.pre(holds(made, periodMs));
        assert.deepEqual(
          runStreams(made, { ...of, deadlineMs: made.makespanMs + 1e-6 }),
          runStreams(made, of),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('A frame that cannot make its deadline from the start costs nothing.', () => {
    fc.assert(
      fc.property(planned, ({ plan: made, periodMs }) => {
        const needMs = made.streams.map(
          ({ headStartMs, headEndMs, uplinkStartMs, uplinkEndMs, tailStartMs, endMs }) =>
            headEndMs - headStartMs + uplinkEndMs - uplinkStartMs + endMs - tailStartMs,
        );
        const deadlineMs = 0.99 * Math.min(...needMs);
        fc.pre(deadlineMs > 0);
        for (const { outcome, costMs } of runStreams(made, { periodMs, ticks: 6, deadlineMs })) {
          assert.equal(outcome, 'deadline');
          assert.equal(costMs, 0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('Streams, event by event', () => {
  const round = { round: 1, frameIndex: 0, measured: true, periodMs: 100, ticks: 3 };
  const one = [stream('camera-1', 2)];
  /** A new frame of camera-1. */
  const again = (frame: number) => ({
    kind: 'captured' as const,
    round: 1,
    frames: [{ frame, camera: 'camera-1' }],
  });
  const streamPlan = (epoch: number, streams = one) => ({
    kind: 'plan' as const,
    plan: planOf(epoch, streams, { periodMs: 100 }),
  });
  const tick = { kind: 'tick', round: 1 } as const;
  const wake = (frame: number): string => `wake ${frame} in ${TIMEOUT_MS} ms`;
  const underWay: Row[] = [
    [{ kind: 'connected' }, 'hello'],
    [streamPlan(1)],
    [{ kind: 'round', round: { ...round, phase: 'capture' } }, 'capture 1'],
    [captured(1, 1), 'ready 1: camera-1'],
    // The clock of a table's rows begins with 0.
    [{ kind: 'round', round: { ...round, phase: 'go' } }, 'tick in 100 ms', 'run 1 head 0-2 30 ms'],
  ];

  test('Cameras take their frames by the clock, as many as were asked for; when all have ended the round is over.', () => {
    drive([
      ...underWay,
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [tick, 'tick in 198 ms', 'capture 1'],
      [again(2), 'run 2 head 0-2 30 ms'],
      [sent(1)],
      [result(1), 'finish 1 cloud'],
      [tick, 'tick in 294 ms', 'capture 1'],
      [again(3)],
      [tick],
      [runDone(2), 'send 2 cut 2 float32', wake(2), 'run 3 head 0-2 30 ms'],
      [runDone(3)],
      [sent(2), 'send 3 cut 2 float32', wake(3)],
      [result(2), 'finish 2 cloud'],
      [sent(3)],
      [result(3), 'finish 3 cloud', 'round-done 1: camera-1 cloud, camera-1 cloud, camera-1 cloud'],
      [tick],
    ]);
  });

  test('Cameras that are busy when their time comes miss a frame, and that is said.', () => {
    drive([
      ...underWay,
      [tick, 'tick in 199 ms', 'capture 1'],
      [tick, 'tick in 298 ms', 'fault tick-missed: frame 2: the cameras are not ready'],
      [again(2)],
    ]);
  });

  test('The newest frame waits; the one that it replaces is shed, and one that is begun is not.', () => {
    drive([
      ...underWay,
      [tick, 'tick in 199 ms', 'capture 1'],
      [again(2)],
      [tick, 'tick in 297 ms', 'capture 1'],
      [again(3), 'finish 2 shed: a newer frame of its camera came'],
      [runDone(1), 'send 1 cut 2 float32', wake(1), 'run 3 head 0-2 30 ms'],
    ]);
  });

  test('A vehicle that is alone goes on beyond the frames that were asked for, and stops when it is back.', () => {
    drive([
      ...underWay,
      [disconnected],
      [runDone(1), 'run 1 local 2-3 70 ms'],
      [runEnded(1), 'finish 1 local: no cloud worker is there'],
      ...[2, 3, 4, 5].flatMap((frame): Row[] => [
        [tick, `tick in ${100 * frame - 8 - 4 * (frame - 2) + 4} ms`, 'capture 1'],
        [again(frame), `run ${frame} local 0-3 100 ms`],
        [runEnded(frame), `finish ${frame} local: no cloud worker is there`],
        [{ kind: 'timeout', frame }],
      ]),
      [
        { kind: 'connected' },
        'hello, seen 1 and 1',
        `round-done 1: ${new Array(5).fill('camera-1 local').join(', ')}`,
      ],
    ]);
  });

  test('A newer round ends the streams: what is under way is finished, and no frame comes any more.', () => {
    drive([
      ...underWay,
      [{ kind: 'round', round: { ...round, round: 2, phase: 'capture' } }, 'capture 2'],
      [tick],
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
    ]);
  });

  test('A vehicle that is left alone between its streams begins the last ones again.', () => {
    drive([
      ...underWay,
      [{ kind: 'round', round: { ...round, round: 2, phase: 'capture' } }, 'capture 2'],
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
      [{ ...again(2), round: 2 }, 'ready 2: camera-1'],
      [disconnected, 'tick in 100 ms', 'run 2 local 0-3 100 ms'],
      [{ kind: 'connected' }, 'hello, seen 1 and 2'],
      [{ kind: 'round', round: { ...round, round: 3, phase: 'capture' } }, 'capture 3'],
      [runEnded(2), 'finish 2 local: no cloud worker is there', 'round-done 2: camera-1 local'],
      [disconnected],
      [{ ...again(3), round: 3 }, 'ready 3: camera-1', 'tick in 100 ms', 'run 3 head 0-3'],
    ]);
    const { state } = drive([
      ...underWay.slice(0, 2),
      [{ kind: 'round', round: { ...round, ticks: 1, phase: 'capture' } }, 'capture 1'],
      [captured(1, 1), 'ready 1: camera-1'],
      [
        { kind: 'round', round: { ...round, ticks: 1, phase: 'go' } },
        'tick in 100 ms',
        'run 1 head 0-2 30 ms',
      ],
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
      [disconnected, 'capture 1'],
      [again(2), 'ready 1: camera-1', 'tick in 100 ms', 'run 2 local 0-3 100 ms'],
    ]);
    assert.equal(state.running?.jobs.length, 1);
  });

  test('A new plan is for frames that have not begun; those that have keep their cut.', () => {
    drive([
      ...underWay,
      [tick, 'tick in 199 ms', 'capture 1'],
      [again(2)],
      [streamPlan(2, [stream('camera-1', 1)])],
      [runDone(1), 'send 1 cut 2 float32', wake(1), 'run 2 head 0-1 10 ms'],
    ]);
  });

  test('Once a new plan is there after a broken connection, new frames go through the cloud again.', () => {
    drive([
      ...underWay,
      [disconnected],
      [runDone(1), 'run 1 local 2-3 70 ms'],
      [tick, 'tick in 197 ms', 'capture 1'],
      [again(2)],
      [{ kind: 'connected' }, 'hello, seen 1 and 1'],
      [streamPlan(2)],
      [runEnded(1), 'finish 1 local: no cloud worker is there', 'run 2 head 0-2 30 ms'],
      [runDone(2), 'send 2 cut 2 float32', wake(2)],
    ]);
  });
});
