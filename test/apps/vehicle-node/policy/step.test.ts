/** Tables of what happens to a vehicle node and what it does about it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VehicleEffect } from '../../../../apps/vehicle-node/policy/events.ts';
import {
  answer,
  begun,
  capture,
  captured,
  disconnected,
  drive,
  go,
  lost,
  plan,
  type Row,
  result,
  runDone,
  runEnded,
  sent,
  stream,
  TIMEOUT_MS,
  timeout,
} from './drive.ts';

const FOUR = [1, 2, 3, 4];
const four = (cut: number, codec?: 'jpeg') => FOUR.map((n) => stream(`camera-${n}`, cut, codec));
const two = (cut: number) => four(cut).slice(0, 2);
const wake = (frame: number): string => `wake ${frame} in ${TIMEOUT_MS} ms`;
const all = (outcome: string): string =>
  `round-done 1: ${FOUR.map((n) => `camera-${n} ${outcome}`).join(', ')}`;

describe('A round as it should be', () => {
  test('Under jps the next head runs while a tensor is on the uplink, and tensors go one at a time.', () => {
    drive([
      ...begun(four(2), 4, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [runDone(2), 'run 3 head 0-2 30 ms'],
      [sent(1), 'send 2 cut 2 float32', wake(2)],
      [result(1), 'finish 1 cloud'],
      [runDone(3), 'run 4 head 0-2 30 ms'],
      [runDone(4)],
      [sent(2), 'send 3 cut 2 float32', wake(3)],
      [sent(3), 'send 4 cut 2 float32', wake(4)],
      [result(3), 'finish 3 cloud'],
      [sent(4)],
      [result(2), 'finish 2 cloud'],
      [
        result(4),
        'finish 4 cloud',
        'round-done 1: camera-1 cloud, camera-3 cloud, camera-2 cloud, camera-4 cloud',
      ],
    ]);
  });

  test('A coded tensor is coded at the end of its head, in the time that the plan has for it, at cut 0 too.', () => {
    const coded = (camera: string, cut: number, headMs: number, codec: 'uint8' | 'raw-uint8') => ({
      ...stream(camera, cut),
      codec,
      headStartMs: 5,
      headEndMs: 5 + headMs,
    });
    const streams = [coded('camera-1', 2, 34, 'uint8'), coded('camera-2', 0, 3, 'raw-uint8')];
    drive([
      ...begun(streams, 2, ['run 1 head 0-2 as uint8 34 ms']),
      [runDone(1), 'run 2 head 0-0 as raw-uint8 3 ms', 'send 1 cut 2 uint8', wake(1)],
      [runDone(2)],
      [sent(1), 'send 2 cut 0 raw-uint8', wake(2)],
      // What the cloud does not finish is finished from the tensor as it was: nothing is lost by a codec then.
      [lost(), 'stop 2', 'run 1 local 2-3 70 ms'],
      [runEnded(1), 'finish 1 local: cloud worker cloud-1 was lost', 'run 2 local 0-3 100 ms'],
    ]);
  });

  test("Jobs run in the plan's order, whatever the order of the cameras.", () => {
    const streams = [stream('camera-3', 2), stream('camera-1', 2), stream('camera-2', 2)];
    drive([
      ...begun(streams, 3, ['run 3 head 0-2 30 ms']),
      [runDone(3), 'run 1 head 0-2 30 ms', 'send 3 cut 2 float32', wake(3)],
      [runDone(1), 'run 2 head 0-2 30 ms'],
      [sent(3), 'send 1 cut 2 float32', wake(1)],
    ]);
  });

  test('Under lo every frame runs whole on the vehicle, one after another, and no reason is given.', () => {
    drive([
      ...begun(four(3), 4, ['run 1 head 0-3 100 ms']),
      [runEnded(1), 'finish 1 local', 'run 2 head 0-3 100 ms'],
      [runEnded(2), 'finish 2 local', 'run 3 head 0-3 100 ms'],
      [runEnded(3), 'finish 3 local', 'run 4 head 0-3 100 ms'],
      [runEnded(4), 'finish 4 local', all('local')],
    ]);
  });

  for (const [name, codec] of [
    ['ro', undefined],
    ['ro-jpeg', 'jpeg'],
  ] as const)
    test(`Under ${name} nothing runs on the vehicle, and inputs go one at a time.`, () => {
      const send = (frame: number): string => `send ${frame} cut 0 ${codec ?? 'float32'}`;
      drive([
        ...begun(four(0, codec), 4, [send(1), wake(1)]),
        [sent(1), send(2), wake(2)],
        [sent(2), send(3), wake(3)],
        [result(1), 'finish 1 cloud'],
        [result(2), 'finish 2 cloud'],
        [sent(3), send(4), wake(4)],
        [sent(4)],
        [result(3), 'finish 3 cloud'],
        [result(4), 'finish 4 cloud', all('cloud')],
      ]);
    });

  test('The round-done effect carries the prediction, the times and what was measured of each job.', () => {
    const { effects } = drive([
      ...begun([stream('camera-1', 2)], 1, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [{ ...sent(1), endMs: 6.5 } as never],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
    ]);
    // The round began with event 5 and ended with event 8; of the 2.5 ms after the last byte, 6 were
    // queue and tail by the cloud's own clock: the rest is not negative.
    assert.deepEqual(effects.at(-1), {
      kind: 'round-done',
      summary: {
        round: 1,
        epoch: 1,
        policy: 'jps',
        measured: true,
        ...{ periodMs: 0, plannedPeriodMs: 0, deadlineMs: 0 },
        startMs: 5,
        makespanMs: 3,
        predictedMs: 100,
        lowerBoundMs: 90,
      },
      report: {
        round: 1,
        makespanMs: 3,
        uplinkBps: 1e6,
        jobs: [
          {
            ...{ camera: 'camera-1', cut: 2, codec: 'float32', cloud: 'cloud-1' },
            ...{ outcome: 'cloud', tailMs: 5, fixedMs: 0 },
          },
        ],
      },
    });
  });

  test("What neither queue nor tail took between a tensor's last byte and its result is its fixed time.", () => {
    const rows: Row[] = [
      ...begun([stream('camera-1', 0)], 1, ['send 1 cut 0 float32', wake(1)]),
      [{ ...sent(1), endMs: -10.5 } as never],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
    ];
    const done = drive(rows).effects.at(-1) as VehicleEffect & { kind: 'round-done' };
    assert.equal(done.report.jobs[0]!.fixedMs, 7 + 10.5 - 1 - 5);
  });

  test('A finished frame carries the answer of the cloud, or its own.', () => {
    const { effects } = drive([
      ...begun([stream('camera-1', 2), stream('camera-2', 3)], 2, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'run 2 head 0-3 100 ms', 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [result(1), 'finish 1 cloud'],
      [runEnded(2), 'finish 2 local', 'round-done 1: camera-1 cloud, camera-2 local'],
    ]);
    assert.deepEqual(
      effects.filter(({ kind }) => kind === 'finish'),
      [
        {
          ...{ kind: 'finish', frame: 1, camera: 'camera-1', startMs: 5, outcome: 'cloud', answer },
          through: { epoch: 1, cut: 2, codec: 'float32' },
        },
        { kind: 'finish', frame: 2, camera: 'camera-2', startMs: 5, outcome: 'local', answer },
      ],
    );
  });

  test('A machine that is the vehicle itself runs in its own time.', () => {
    const rows: Row[] = [
      ...begun(two(2), 2, ['run 1 head 0-2']),
      [runDone(1), 'run 2 head 0-2', 'send 1 cut 2 float32', wake(1)],
    ];
    drive(rows, { emulated: false });
  });

  test('A head that took longer than its emulated time is counted, and its job goes on.', () => {
    drive([
      ...begun([stream('camera-1', 2)], 1, ['run 1 head 0-2 30 ms']),
      [
        { kind: 'run-done', frame: 1, overrun: true },
        'fault overrun: frame 1 took longer than emulated',
        'send 1 cut 2 float32',
        wake(1),
      ],
    ]);
  });

  test('A go that comes before the frames are captured begins the round when they are.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(1, two(3))],
      [capture(1), 'capture 1'],
      [go(1)],
      [captured(1, 1, 2), 'ready 1: camera-1 camera-2', 'run 1 head 0-3 100 ms'],
    ]);
  });

  test('A round in which no camera delivered a frame ends as it begins.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(1, two(2))],
      [capture(1), 'capture 1'],
      [captured(1), 'ready 1: '],
      [go(1), 'round-done 1: '],
    ]);
  });

  test('A round that waits for the one before it begins as soon as that one has ended.', () => {
    drive([
      ...begun([stream('camera-1', 3)], 1, ['run 1 head 0-3 100 ms']),
      [capture(2), 'capture 2'],
      [captured(2, 2), 'ready 2: camera-2'],
      [go(2)],
      [runEnded(1), 'finish 1 local', 'round-done 1: camera-1 local', 'run 2 head 0-3 100 ms'],
      [runEnded(2), 'finish 2 local', 'round-done 2: camera-2 local'],
    ]);
  });
});

describe('Timeouts', () => {
  test('A tensor that is not through in time is stopped, and its frame finished from its cut.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [timeout(1), 'stop 1'],
      [{ kind: 'send-failed', frame: 1, reason: 'the transfer was stopped' }],
      [runDone(2), 'send 2 cut 2 float32', wake(2), 'run 1 local 2-3 70 ms'],
      [runEnded(1), 'finish 1 local: no result in time'],
      [sent(2)],
      [result(2), 'finish 2 cloud', 'round-done 1: camera-1 local, camera-2 cloud'],
    ]);
  });

  test('A frame whose result does not come in time is finished from its cut.', () => {
    drive([
      ...begun([stream('camera-1', 1)], 1, ['run 1 head 0-1 10 ms']),
      [runDone(1), 'send 1 cut 1 float32', wake(1)],
      [sent(1)],
      [timeout(1), 'run 1 local 1-3 90 ms'],
      [runEnded(1), 'finish 1 local: no result in time', 'round-done 1: camera-1 local'],
    ]);
  });

  test('A frame that was sent as it is runs whole on the vehicle.', () => {
    drive([
      ...begun([stream('camera-1', 0, 'jpeg')], 1, ['send 1 cut 0 jpeg', wake(1)]),
      [sent(1)],
      [timeout(1), 'run 1 local 0-3 100 ms'],
    ]);
  });

  test('A timeout of a frame that has ended, that is being finished or that nobody knows changes nothing.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [timeout(1)],
      [timeout(99)],
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [timeout(1)],
      [timeout(1)],
      [runDone(2), 'send 2 cut 2 float32', wake(2), 'run 1 local 2-3 70 ms'],
      [timeout(1)],
      [sent(2)],
      [result(2), 'finish 2 cloud'],
      [timeout(2)],
    ]);
  });

  test('A tensor that cannot be sent is finished here, with the reason.', () => {
    drive([
      ...begun([stream('camera-1', 2)], 1, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [{ kind: 'send-failed', frame: 1, reason: 'the connection was lost' }, 'run 1 local 2-3 70 ms'],
      [runEnded(1), 'finish 1 local: the connection was lost', 'round-done 1: camera-1 local'],
    ]);
  });

  test('A frame whose inference fails is dropped with the reason, and the others go on.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [
        { kind: 'run-failed', frame: 1, reason: 'out of memory' },
        'fault inference: out of memory',
        'finish 1 dropped: inference failed: out of memory',
        'run 2 head 0-2 30 ms',
      ],
    ]);
  });
});

describe('A cloud that is lost, and a connection that is', () => {
  const GONE = 'cloud worker cloud-1 was lost';
  const CUT = 'the cable is cut';
  const NONE = 'no cloud worker is there';
  const causes = [
    { name: 'cloud-lost', event: lost(), reason: GONE },
    { name: 'disconnected', event: disconnected, reason: CUT },
  ] as const;

  for (const { name, event, reason } of causes) {
    test(`${name} while the heads run: the job is finished from its cut, those that wait run whole.`, () => {
      drive([
        ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
        [event],
        [runDone(1), 'run 2 local 0-3 100 ms'],
        [runEnded(2), `finish 2 local: ${NONE}`, 'run 1 local 2-3 70 ms'],
        [runEnded(1), `finish 1 local: ${NONE}`, 'round-done 1: camera-2 local, camera-1 local'],
      ]);
    });

    test(`${name} while a tensor is sent and one waits for the uplink: both are finished from their cut.`, () => {
      drive([
        ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
        [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
        [runDone(2)],
        [event, 'stop 1', 'run 1 local 2-3 70 ms'],
        [runEnded(1), `finish 1 local: ${reason}`, 'run 2 local 2-3 70 ms'],
        [runEnded(2), `finish 2 local: ${reason}`, 'round-done 1: camera-1 local, camera-2 local'],
      ]);
    });

    test(`${name} while a tail is out: its frame is finished from its cut, and a late result changes nothing.`, () => {
      drive([
        ...begun([stream('camera-1', 2)], 1, ['run 1 head 0-2 30 ms']),
        [runDone(1), 'send 1 cut 2 float32', wake(1)],
        [sent(1)],
        [event, 'run 1 local 2-3 70 ms'],
        [result(1), 'fault result-ignored: frame 1: nobody waits for it'],
        [runEnded(1), `finish 1 local: ${reason}`, 'round-done 1: camera-1 local'],
      ]);
    });

    test(`${name} while a frame is being finished here, or runs whole, changes nothing of it.`, () => {
      drive([
        ...begun([stream('camera-1', 2), stream('camera-2', 3)], 2, ['run 1 head 0-2 30 ms']),
        [runDone(1), 'run 2 head 0-3 100 ms', 'send 1 cut 2 float32', wake(1)],
        [timeout(1), 'stop 1'],
        [event],
        [runEnded(2), 'finish 2 local', 'run 1 local 2-3 70 ms'],
        [event],
        [runEnded(1), 'finish 1 local: no result in time', 'round-done 1: camera-2 local, camera-1 local'],
        [event],
      ]);
    });
  }

  test('Frames that are captured when the connection is lost are finished here without a go.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(1, two(2))],
      [capture(1), 'capture 1'],
      [captured(1, 1, 2), 'ready 1: camera-1 camera-2'],
      [disconnected, 'run 1 local 0-3 100 ms'],
      [runEnded(1), `finish 1 local: ${NONE}`, 'run 2 local 0-3 100 ms'],
      [runEnded(2), `finish 2 local: ${NONE}`, 'round-done 1: camera-1 local, camera-2 local'],
    ]);
  });

  test('Frames that come in after the connection was lost are finished here too.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [capture(1), 'capture 1'],
      [disconnected],
      [captured(1, 1), 'ready 1: camera-1', 'run 1 head 0-3'],
      [runEnded(1), 'finish 1 local', 'round-done 1: camera-1 local'],
    ]);
  });

  test('Frames that wait behind a round when the connection is lost begin when that round has ended.', () => {
    drive([
      ...begun([stream('camera-1', 3)], 1, ['run 1 head 0-3 100 ms']),
      [capture(2), 'capture 2'],
      [captured(2, 2), 'ready 2: camera-2'],
      [disconnected],
      [runEnded(1), 'finish 1 local', 'round-done 1: camera-1 local', 'run 2 head 0-3 100 ms'],
    ]);
  });

  test('A round that lost its cloud ends here even if the vehicle is connected again.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [disconnected],
      [{ kind: 'connected' }, 'hello, seen 1 and 1'],
      [plan(2, two(2))],
      [runDone(1), 'run 2 local 0-3 100 ms'],
    ]);
  });

  test('The loss of another node is none of its business.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [lost('vehicle-2')],
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [lost('cloud-2')],
      [sent(1)],
    ]);
  });

  test('The loss of a worker that only the next plan names leaves the running round alone.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [plan(2, two(2), { cloud: 'cloud-2' })],
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [lost('cloud-2')],
      [sent(1)],
      [result(1), 'finish 1 cloud'],
    ]);
  });

  test('A worker that was lost between two rounds is not used until a plan names one again.', () => {
    const between: Row[] = [
      ...begun([stream('camera-1', 0)], 1, ['send 1 cut 0 float32', wake(1)]),
      [sent(1)],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
      [lost()],
      [capture(2), 'capture 2'],
      [captured(2, 1), 'ready 2: camera-1'],
    ];
    drive([...between, [go(2), 'run 1 local 0-3 100 ms']]);
    const without = plan(2, [stream('camera-1', 3)], { cloud: '' });
    drive([...between, [without], [go(2), 'run 1 head 0-3 100 ms']]);
    const again = plan(3, [stream('camera-1', 0)]);
    drive([...between, [without], [again], [go(2), 'send 1 cut 0 float32', wake(1)]]);
    drive([...between, [again], [go(2), 'send 1 cut 0 float32', wake(1)]]);
  });

  test('A round that began without its worker ends without it: a worker that comes knows newer plans only.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(1, two(2))],
      [lost()],
      [capture(1), 'capture 1'],
      [captured(1, 1, 2), 'ready 1: camera-1 camera-2'],
      [go(1), 'run 1 local 0-3 100 ms'],
      [plan(2, two(2))],
      [runEnded(1), `finish 1 local: ${NONE}`, 'run 2 local 0-3 100 ms'],
    ]);
  });
});

describe('Several workers of the cloud', () => {
  const GONE = 'cloud worker cloud-2 was lost';
  const at2 = (...clouds: string[]) =>
    clouds.map((cloud, index) => stream(`camera-${index + 1}`, 2, 'float32', cloud));
  const three: Row[] = [
    ...begun(at2('cloud-1', 'cloud-2', 'cloud-2'), 3, ['run 1 head 0-2 30 ms']),
    [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
  ];

  test('Each tensor goes to the worker that the plan names for its stream.', () => {
    const { effects } = drive([
      ...three,
      [sent(1)],
      [runDone(2), 'run 3 head 0-2 30 ms', 'send 2 cut 2 float32 to cloud-2', wake(2)],
      [result(1), 'finish 1 cloud'],
      [sent(2)],
      [runDone(3), 'send 3 cut 2 float32 to cloud-2', wake(3)],
      [sent(3)],
      [result(2), 'finish 2 cloud'],
      [result(3), 'finish 3 cloud', 'round-done 1: camera-1 cloud, camera-2 cloud, camera-3 cloud'],
    ]);
    const done = effects.at(-1) as VehicleEffect & { kind: 'round-done' };
    assert.deepEqual(
      done.report.jobs.map(({ cloud }) => cloud),
      ['cloud-1', 'cloud-2', 'cloud-2'],
    );
  });

  test('What a lost worker has is finished here; what is not sent goes where the next plan for the round says.', () => {
    drive([
      ...three,
      [sent(1)],
      [runDone(2), 'run 3 head 0-2 30 ms', 'send 2 cut 2 float32 to cloud-2', wake(2)],
      [lost('cloud-2'), 'stop 2'],
      [plan(2, at2('cloud-1', 'cloud-1', 'cloud-1'), { round: 1 })],
      [runDone(3), 'send 3 cut 2 float32', wake(3), 'run 2 local 2-3 70 ms'],
      [sent(3)],
      [result(1), 'finish 1 cloud'],
      [result(3, 1), 'fault result-ignored: frame 3: nobody waits for it'],
      [result(3, 2), 'finish 3 cloud'],
      [
        runEnded(2),
        `finish 2 local: ${GONE}`,
        'round-done 1: camera-1 cloud, camera-3 cloud, camera-2 local',
      ],
    ]);
  });

  test('Frames that have not begun still run their head when their worker is lost, for whoever will have them.', () => {
    drive([
      ...three,
      [lost('cloud-2')],
      [sent(1)],
      [runDone(2), 'run 3 head 0-2 30 ms'],
      [plan(2, at2('cloud-1', 'cloud-1', 'cloud-1'), { round: 1 }), 'send 2 cut 2 float32', wake(2)],
      [runDone(3)],
      [sent(2), 'send 3 cut 2 float32', wake(3)],
    ]);
  });

  test('Without a plan for the round they are finished here, from the cut that they have reached.', () => {
    drive([
      ...three,
      [lost('cloud-2')],
      [runDone(2), 'run 3 head 0-2 30 ms'],
      [runDone(3), 'run 2 local 2-3 70 ms'],
      [sent(1)],
      [result(1), 'finish 1 cloud'],
      [runEnded(2), 'finish 2 local: no cloud worker is there', 'run 3 local 2-3 70 ms'],
    ]);
  });

  test('Frames that wait for the uplink when their worker is lost go to another, unless they are being finished.', () => {
    const inputs = (cloud: string) =>
      [1, 2, 3].map((camera) => stream(`camera-${camera}`, 0, 'float32', camera === 1 ? 'cloud-1' : cloud));
    drive([
      ...begun(inputs('cloud-2'), 3, ['send 1 cut 0 float32', wake(1)]),
      [lost('cloud-2'), 'run 2 local 0-3 100 ms'],
      [plan(2, inputs('cloud-3'), { round: 1 })],
      [sent(1), 'send 3 cut 0 float32 to cloud-3', wake(3)],
      [runEnded(2), `finish 2 local: ${GONE}`],
    ]);
  });

  test('A plan that moves a begun frame to another cut or codec as well leaves it as it is.', () => {
    drive([
      ...three,
      [plan(2, [stream('camera-2', 1, 'float32', 'cloud-3')], { round: 1 })],
      [sent(1)],
      [runDone(2), 'run 3 head 0-2 30 ms', 'send 2 cut 2 float32 to cloud-2', wake(2)],
    ]);
  });

  test('A worker that was lost is used again in a running round only if a plan for that round names it.', () => {
    const back = at2('cloud-1', 'cloud-2', 'cloud-2');
    const lostAndBack: Row[] = [...three, [lost('cloud-2')], [sent(1)]];
    drive([...lostAndBack, [plan(2, back)], [runDone(2), 'run 3 head 0-2 30 ms']]);
    drive([
      ...lostAndBack,
      [plan(2, back, { round: 1 })],
      [runDone(2), 'run 3 head 0-2 30 ms', 'send 2 cut 2 float32 to cloud-2', wake(2)],
    ]);
  });

  test('On a shared channel what goes to another worker asks again in the new epoch; what has asked keeps its own.', () => {
    const granted = { granted: true };
    drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(1, at2('cloud-1', 'cloud-1', 'cloud-2'), granted)],
      [capture(1), 'capture 1'],
      [captured(1, 1, 2, 3), 'ready 1: camera-1 camera-2 camera-3'],
      [go(1), 'run 1 head 0-2 30 ms'],
      [runDone(1), 'run 2 head 0-2 30 ms', 'ask 1 cut 2 float32', wake(1)],
      [lost('cloud-2')],
      [plan(2, at2('cloud-1', 'cloud-1', 'cloud-1'), { ...granted, round: 1 })],
      [{ kind: 'granted', frame: 1, epoch: 1 }, 'send 1 cut 2 float32'],
      [runDone(2), 'run 3 head 0-2 30 ms', 'ask 2 cut 2 float32', wake(2)],
      [sent(1), 'end 1 whole'],
      [{ kind: 'granted', frame: 2, epoch: 2 }, 'send 2 cut 2 float32'],
    ]);
  });
});

describe('Results', () => {
  const IGNORED = 'fault result-ignored: frame 1: nobody waits for it';

  test('A second result of a frame changes nothing.', () => {
    drive([
      ...begun(two(0), 2, ['send 1 cut 0 float32', wake(1)]),
      [sent(1), 'send 2 cut 0 float32', wake(2)],
      [result(1), 'finish 1 cloud'],
      [result(1), IGNORED],
      [sent(2)],
      [result(2), 'finish 2 cloud', 'round-done 1: camera-1 cloud, camera-2 cloud'],
      [result(2), 'fault result-ignored: frame 2: nobody waits for it'],
    ]);
  });

  test('A result of another epoch, of an unknown frame, or before the tensor was sent is ignored.', () => {
    drive([
      ...begun([stream('camera-1', 2)], 1, ['run 1 head 0-2 30 ms']),
      [result(1), IGNORED],
      [runDone(1), 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [result(1, 2), IGNORED],
      [result(77), 'fault result-ignored: frame 77: nobody waits for it'],
      [result(1), 'finish 1 cloud', 'round-done 1: camera-1 cloud'],
    ]);
  });

  test('A result that comes after the timeout is ignored: its frame is being finished here.', () => {
    drive([
      ...begun([stream('camera-1', 0)], 1, ['send 1 cut 0 float32', wake(1)]),
      [sent(1)],
      [timeout(1), 'run 1 local 0-3 100 ms'],
      [result(1), IGNORED],
      [runEnded(1), 'finish 1 local: no result in time', 'round-done 1: camera-1 local'],
    ]);
  });

  test('A result for a tensor of which bytes still go out ends its transfer before the next begins.', () => {
    drive([
      ...begun(two(0), 2, ['send 1 cut 0 float32', wake(1)]),
      [result(1), 'stop 1', 'finish 1 cloud', 'send 2 cut 0 float32', wake(2)],
      [sent(1)],
      [sent(2)],
    ]);
  });

  test('A result between two rounds is ignored.', () => {
    drive([[result(1), IGNORED]]);
  });
});

describe('Plans', () => {
  test('A plan that is not newer is refused, and so is one for another number of segments.', () => {
    const { state } = drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(3, two(2))],
      [plan(3, two(0)), 'fault plan-refused: epoch 3 is not after 3'],
      [plan(2, two(0)), 'fault plan-refused: epoch 2 is not after 3'],
      [plan(4, two(0), { segmentMs: [1, 2] }), 'fault plan-refused: 2 segments where the model has 3'],
    ]);
    assert.equal(state.plan?.epoch, 3);
  });

  test('After a new connection no plan holds, and those of old epochs are refused all the same.', () => {
    const { state } = drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(8, two(2))],
      [plan(9, two(1), { round: 5 })],
      [disconnected],
      [{ kind: 'connected' }, 'hello, seen 9 and 0'],
      [plan(9, two(2)), 'fault plan-refused: epoch 9 is not after 9'],
      [plan(1, two(2)), 'fault plan-refused: epoch 1 is not after 9'],
    ]);
    assert.equal(state.plan, undefined);
    drive([[plan(10, two(2))]], { state });
  });

  test('A plan that comes during a round waits for the next one.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [plan(2, two(0))],
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [runDone(2)],
      [sent(1), 'send 2 cut 2 float32', wake(2)],
      [sent(2)],
      [result(1, 2), 'fault result-ignored: frame 1: nobody waits for it'],
      [result(1, 1), 'finish 1 cloud'],
      [result(2, 1), 'finish 2 cloud', 'round-done 1: camera-1 cloud, camera-2 cloud'],
      [capture(2), 'capture 2'],
      [captured(2, 1, 2), 'ready 2: camera-1 camera-2'],
      [go(2), 'send 1 cut 0 float32', wake(1)],
    ]);
  });

  test('A plan for the running round gives frames that have not begun another cut, in its order; others keep theirs.', () => {
    const four = [1, 2, 3, 4].map((n) => stream(`camera-${n}`, 2));
    const later = [stream('camera-4', 1), stream('camera-3', 3), stream('camera-1', 0)];
    const { state, effects } = drive([
      ...begun(four, 4, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [plan(2, later, { round: 1 })],
      [sent(1)],
      [runDone(2), 'run 4 head 0-1 10 ms', 'send 2 cut 2 float32', wake(2)],
      [result(1, 2), 'fault result-ignored: frame 1: nobody waits for it'],
      [result(1, 1), 'finish 1 cloud'],
      [runDone(4), 'run 3 head 0-3 100 ms'],
      [sent(2), 'send 4 cut 1 float32', wake(4)],
      [result(2, 1), 'finish 2 cloud'],
      [sent(4)],
      [result(4, 1), 'fault result-ignored: frame 4: nobody waits for it'],
      [result(4, 2), 'finish 4 cloud'],
      [
        runEnded(3),
        'finish 3 local',
        'round-done 1: camera-1 cloud, camera-2 cloud, camera-4 cloud, camera-3 local',
      ],
    ]);
    // The next round is the plan's of whole rounds.
    assert.deepEqual([state.plan?.epoch, state.epoch], [1, 2]);
    const sends = effects.filter((effect) => effect.kind === 'send');
    assert.deepEqual(
      sends.map(({ frame, epoch }) => [frame, epoch]),
      [
        [1, 1],
        [2, 1],
        [4, 2],
      ],
    );
  });

  test('A plan for another round changes nothing but the epoch that later plans must exceed.', () => {
    drive([
      ...begun(two(2), 2, ['run 1 head 0-2 30 ms']),
      [plan(5, two(0), { round: 7 })],
      [plan(4, two(0)), 'fault plan-refused: epoch 4 is not after 5'],
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
    ]);
  });

  test('Each confirmed tensor is told with its time on the wire, and with what is left of the round.', () => {
    // At the plan's 1 Mbit/s 16 ms are 2,000 bytes.
    const four = [1, 2, 3, 4].map((n) => ({ ...stream(`camera-${n}`, 2), uplinkEndMs: 16 }));
    const { effects } = drive([
      ...begun(four, 4, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [runDone(2), 'run 3 head 0-2 30 ms'],
      [{ kind: 'sent', frame: 1, endMs: 8, wireBytes: 2100, wireMs: 16.5 }, 'send 2 cut 2 float32', wake(2)],
      [result(1), 'finish 1 cloud'],
    ]);
    // The third head has begun with event 7 and takes 30 ms; this is event 9.
    assert.deepEqual(effects.at(-1), {
      kind: 'transferred',
      report: {
        ...{ round: 1, wireBytes: 2100, wireMs: 16.5, vehicleMs: 28 },
        // Half of the second, which is on the wire, and all of the third.
        ...{ waiting: ['camera-4'], unsentBytes: 3000 },
      },
    });
  });

  test('A stream that says when to give up is given up then, and that is told of its link unless it was sent.', () => {
    const hasty = { ...stream('camera-1', 2), uplinkEndMs: 16, giveUpMs: 250 };
    const rows: Row[] = [
      ...begun([hasty], 1, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'send 1 cut 2 float32', 'wake 1 in 250 ms'],
    ];
    const late = (atMs: number): Row[0] => ({ ...timeout(1), atMs }) as never;
    const { effects } = drive([...rows, [late(256), 'stop 1', 'run 1 local 2-3 70 ms']]);
    assert.deepEqual(
      effects.find(({ kind }) => kind === 'transferred'),
      {
        kind: 'transferred',
        report: { round: 1, wireBytes: 2000, wireMs: 250, waiting: [], unsentBytes: 0, vehicleMs: 0 },
      },
    );
    const after = drive([...rows, [sent(1)], [late(257), 'run 1 local 2-3 70 ms']]);
    assert.ok(!after.effects.some(({ kind }) => kind === 'transferred'));
  });

  test('Cameras that the plan does not know run here, after those that it knows.', () => {
    drive([
      ...begun([stream('camera-2', 1)], 3, ['run 2 head 0-1 10 ms']),
      [runDone(2), 'run 1 head 0-3 100 ms', 'send 2 cut 1 float32', wake(2)],
      [runEnded(1), 'finish 1 local', 'run 3 head 0-3 100 ms'],
      [runEnded(3), 'finish 3 local'],
    ]);
  });

  test('Without any plan everything runs here, in the time of the machine.', () => {
    const { effects } = drive([
      [{ kind: 'connected' }, 'hello'],
      [capture(1), 'capture 1'],
      [captured(1, 1), 'ready 1: camera-1'],
      [go(1), 'run 1 head 0-3'],
      [runEnded(1), 'finish 1 local', 'round-done 1: camera-1 local'],
    ]);
    const done = effects.at(-1) as VehicleEffect & { kind: 'round-done' };
    const { epoch, policy, predictedMs } = done.summary;
    assert.deepEqual({ epoch, policy, predictedMs }, { epoch: 0, policy: 'lo', predictedMs: 0 });
  });

  test('A plan without a cloud says so for each of its jobs, unless nobody wanted a cloud.', () => {
    const local = (policy: string): Row[] => [
      [{ kind: 'connected' }, 'hello'],
      [plan(1, [stream('camera-1', 3)], { cloud: '', policy })],
      [capture(1), 'capture 1'],
      [captured(1, 1), 'ready 1: camera-1'],
      [go(1), 'run 1 head 0-3 100 ms'],
    ];
    const done = 'round-done 1: camera-1 local';
    drive([...local('jps'), [runEnded(1), 'finish 1 local: no cloud worker is there', done]]);
    drive([...local('lo'), [runEnded(1), 'finish 1 local', done]]);
  });
});

describe('Rounds', () => {
  const NEWER = 'a newer round was asked for';

  test('Frames that no go came for are dropped, with the reason, when the next round is asked for.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [plan(1, two(3))],
      [capture(1), 'capture 1'],
      [captured(1, 1, 2), 'ready 1: camera-1 camera-2'],
      [capture(2), `finish 1 dropped: ${NEWER}`, `finish 2 dropped: ${NEWER}`, 'capture 2'],
      [go(1)],
      [captured(2, 3), 'ready 2: camera-3'],
      [go(2), 'run 3 head 0-3 100 ms'],
    ]);
  });

  test('Frames that come too late for their round are dropped, with the reason.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [capture(1), 'capture 1'],
      [capture(2), 'capture 2'],
      [captured(1, 1, 2), `finish 1 dropped: ${NEWER}`, `finish 2 dropped: ${NEWER}`],
      [captured(2, 3), 'ready 2: camera-3'],
    ]);
  });

  test('A round that is asked for twice, or late, changes nothing, even after a new connection.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [capture(3), 'capture 3'],
      [capture(3)],
      [captured(3, 1), 'ready 3: camera-1'],
      [capture(2)],
      [capture(3)],
      [go(3), 'run 1 head 0-3'],
      [capture(3)],
      [disconnected],
      [{ kind: 'connected' }, 'hello, seen 0 and 3'],
      [capture(3)],
      [capture(4), 'capture 4'],
    ]);
  });

  test('Of a round that was captured twice the second frames are dropped, and none is forgotten.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [capture(1), 'capture 1'],
      [captured(1, 1), 'ready 1: camera-1'],
      [captured(1, 2), 'finish 2 dropped: the round has its frames already'],
      [go(1), 'run 1 head 0-3'],
    ]);
  });

  test('A go for a round that nobody knows, or that runs already, changes nothing.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [go(1)],
      [plan(1, two(3))],
      [capture(1), 'capture 1'],
      [captured(1, 1), 'ready 1: camera-1'],
      [go(2)],
      [go(1), 'run 1 head 0-3 100 ms'],
      [go(1)],
    ]);
  });
});

describe('The end of the node', () => {
  const STOPPED = 'the vehicle was stopped';

  test('When it stops, every frame that has not ended is dropped with the reason, and no round is reported.', () => {
    drive([
      ...begun(four(2), 4, ['run 1 head 0-2 30 ms']),
      [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)],
      [sent(1)],
      [result(1), 'finish 1 cloud'],
      [capture(2), 'capture 2'],
      [captured(2, 5), 'ready 2: camera-5'],
      [{ kind: 'stopping' }, ...[5, 2, 3, 4].map((frame) => `finish ${frame} dropped: ${STOPPED}`)],
    ]);
  });

  test('When it stops between two rounds, nothing happens.', () => {
    drive([[{ kind: 'connected' }, 'hello'], [{ kind: 'stopping' }]]);
  });
});

describe('The roadside unit and the vehicle', () => {
  test('Hello is said again until a verdict has come.', () => {
    drive([
      [{ kind: 'hello-due' }],
      [{ kind: 'connected' }, 'hello'],
      [{ kind: 'hello-due' }, 'hello'],
      [{ kind: 'hello-due' }, 'hello'],
      [{ kind: 'verdict', accepted: true, reason: '' }],
      [{ kind: 'hello-due' }],
      [disconnected],
      [{ kind: 'hello-due' }],
      [{ kind: 'connected' }, 'hello'],
      [{ kind: 'hello-due' }, 'hello'],
    ]);
  });

  test('Hello is said again where the roadside unit does not know the vehicle, accepted or not.', () => {
    const unknown = (sentMs: number): Row => [{ kind: 'unknown', sentMs }];
    drive([
      unknown(1),
      [{ kind: 'connected' }, 'hello'],
      [...unknown(2), 'hello'],
      [{ kind: 'verdict', accepted: true, reason: '' }],
      [plan(4, two(2))],
      [capture(7), 'capture 7'],
      [...unknown(5), 'hello, seen 4 and 7'],
      // Its verdict may be lost with what it was told of.
      [{ kind: 'hello-due' }, 'hello, seen 4 and 7'],
      [{ kind: 'verdict', accepted: true, reason: '' }],
      [{ kind: 'hello-due' }],
      [disconnected],
      unknown(10),
    ]);
  });

  test('That it was not known before its hello is no reason to say it again.', () => {
    drive([
      [{ kind: 'hello-due' }],
      [{ kind: 'hello-due' }],
      [{ kind: 'connected' }, 'hello'],
      [{ kind: 'unknown', sentMs: 1 }],
      [{ kind: 'unknown', sentMs: 2 }],
      [{ kind: 'verdict', accepted: true, reason: '' }],
      [{ kind: 'unknown', sentMs: 2 }],
      [{ kind: 'unknown', sentMs: 3 }, 'hello'],
      [{ kind: 'unknown', sentMs: 7 }],
    ]);
  });

  test('A refusal ends the node, with the reason of the roadside unit.', () => {
    drive([
      [{ kind: 'connected' }, 'hello'],
      [{ kind: 'verdict', accepted: false, reason: 'it has no camera' }, 'refused: it has no camera'],
    ]);
  });

  test('It measures when it is asked to.', () => {
    drive([[{ kind: 'measure-asked' }, 'measure']]);
  });

  test('Runs, transfers and failures of frames that nobody knows change nothing.', () => {
    const rows: Row[] = [
      [runDone(8)],
      [runEnded(8)],
      [{ kind: 'run-failed', frame: 8, reason: 'broken' }, 'fault inference: broken'],
      [sent(8)],
      [{ kind: 'send-failed', frame: 8, reason: 'gone' }],
    ];
    drive(rows);
    const { state } = drive(begun(two(2), 2, ['run 1 head 0-2 30 ms']));
    drive(rows, { state });
    // Known, but not what the processor or the uplink works on.
    const elsewhere = rows.map(([event, ...effects]): Row => [{ ...event, frame: 2 } as never, ...effects]);
    drive([...elsewhere, [runDone(1), 'run 2 head 0-2 30 ms', 'send 1 cut 2 float32', wake(1)]], { state });
  });
});

describe('A channel that vehicles share', () => {
  const ask = (frame: number, cut = 2): string => `ask ${frame} cut ${cut} float32`;
  const grant = (frame: number, epoch = 1): Row[0] => ({ kind: 'granted', frame, epoch });
  const twoGranted = two(2);
  /** Both heads are done, and both tensors have asked. */
  const asked: readonly Row[] = begun(twoGranted, 2, ['run 1 head 0-2 30 ms'])
    .map((row) => (row[0].kind === 'plan' ? ([plan(1, twoGranted, { granted: true })] as const) : row))
    .concat([
      [runDone(1), 'run 2 head 0-2 30 ms', ask(1), wake(1)],
      [runDone(2), ask(2), wake(2)],
    ]);

  test('A tensor is sent once it has the channel, and gives it back when it has left.', () => {
    drive([
      ...asked,
      [grant(1), 'send 1 cut 2 float32'],
      // The next grant travels ahead.
      [grant(2)],
      [sent(1), 'end 1 whole', 'send 2 cut 2 float32'],
      [sent(2), 'end 2 whole'],
      [result(1), 'finish 1 cloud'],
      [result(2), 'finish 2 cloud', 'round-done 1: camera-1 cloud, camera-2 cloud'],
    ]);
  });

  test('A grant that is not wanted any more is given back; one that comes twice changes nothing.', () => {
    drive([
      ...asked,
      [grant(1), 'send 1 cut 2 float32'],
      [grant(1)],
      [timeout(2), 'run 2 local 2-3 70 ms'],
      [grant(2), 'end 2 not whole'],
      [grant(9), 'end 9 not whole'],
      [grant(1, 7)],
    ]);
  });

  test('A grant of another epoch is given back.', () => {
    drive([...asked, [grant(1, 2), 'end 1 not whole'], [grant(1, 1), 'send 1 cut 2 float32']]);
  });

  test('Whatever ends a transfer early gives the channel back.', () => {
    const sending: readonly Row[] = [...asked, [grant(1), 'send 1 cut 2 float32'], [grant(2)]];
    drive([
      ...sending,
      [timeout(1), 'stop 1', 'end 1 not whole', 'send 2 cut 2 float32', 'run 1 local 2-3 70 ms'],
    ]);
    drive([
      ...sending,
      [
        { kind: 'send-failed', frame: 1, reason: 'broken' },
        ...['end 1 not whole', 'send 2 cut 2 float32', 'run 1 local 2-3 70 ms'],
      ],
    ]);
    drive([...sending, [timeout(2), 'end 2 not whole', 'run 2 local 2-3 70 ms']]);
    drive([...sending, [lost(), 'stop 1', 'end 1 not whole', 'end 2 not whole', 'run 1 local 2-3 70 ms']]);
    drive([...sending, [result(1), 'stop 1', 'end 1 not whole', 'finish 1 cloud', 'send 2 cut 2 float32']]);
  });
});
