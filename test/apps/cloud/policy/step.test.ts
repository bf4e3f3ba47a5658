/** Tables of what happens to a cloud worker, and what holds whatever happens. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { CloudEffect, CloudEvent, TailJob } from '../../../../apps/cloud/policy/events.ts';
import { type CloudState, initialState, refusal, step } from '../../../../apps/cloud/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import type { Codec, StreamPlan, TensorChunk } from '../../../../libs/proto/messages.ts';
import { deepFreeze } from '../../deep-freeze.ts';

/** Cuts 0 to 3 of a network; the last one sends nothing. */
const CUT_BYTES = [400, 200, 100, 40];
const SETUP = { node: 'cloud-1', workers: 2, firstCut: 0, cutBytes: CUT_BYTES };

function stream(camera: string, cut: number, codec: Codec = 'float32', cloud = ''): StreamPlan {
  const none = { headStartMs: 0, headEndMs: 0, uplinkStartMs: 0, uplinkEndMs: 0 };
  return { camera, cut, codec, cloud, ...none, tailStartMs: 0, tailEndMs: 0, endMs: 0 };
}

function plan(vehicle: string, epoch: number, ...streams: StreamPlan[]): Untimed<CloudEvent> {
  const figures = {
    makespanMs: 10,
    lowerBoundMs: 9,
    uplinkBps: 1e6,
    jobTimeoutMs: 1000,
    round: 0,
    granted: false,
  };
  const names = { policy: 'jps', cloud: 'cloud-1' };
  return { kind: 'plan', vehicle, plan: { epoch, ...names, streams, segmentMs: [1, 1, 1], ...figures } };
}

function chunk(frame: number, more: Partial<TensorChunk> = {}): TensorChunk {
  const cut = more.cut ?? 1;
  const totalBytes = CUT_BYTES[cut] ?? 8;
  const data = new Uint8Array(4);
  const size = { frameWidth: 960, frameHeight: 540 };
  const shape = { dims: [1, totalBytes / 4], totalBytes, offset: 0, data, ...size };
  return { frame, epoch: 1, camera: 'camera-1', cut: 1, codec: 'float32', ...shape, ...more };
}

function job(vehicle: string, frame: number, more: Partial<TailJob> = {}): TailJob {
  return { vehicle, frame, epoch: 1, camera: 'camera-1', cut: 1, codec: 'float32', ...more };
}

const tensor = (vehicle: string, frame: number, more: Partial<TailJob> = {}): Untimed<CloudEvent> => ({
  kind: 'tensor',
  job: job(vehicle, frame, more),
});

const top = [{ index: 1, label: 'one', score: 0.5 }];
const boxes = [{ index: 2, label: 'two', score: 0.75, left: 0, top: 1.5, width: 20, height: 30 }];
const digest = 'b'.repeat(32);
const done = (worker: number, startMs = 10, endMs = 15): Untimed<CloudEvent> => ({
  kind: 'tail-done',
  worker,
  startMs,
  endMs,
  top,
  boxes,
  digest,
});

function inShort(effect: CloudEffect): string {
  switch (effect.kind) {
    case 'run':
      return `run ${effect.job.frame} on ${effect.worker}`;
    case 'answer':
      return `answer ${effect.vehicle} ${effect.result.frame}`;
    case 'drop':
      return `drop ${effect.job.frame}: ${effect.reason}`;
    case 'refused':
      return `refused: ${effect.reason}`;
    case 'hello':
      return effect.epoch > 0 ? `hello, seen ${effect.epoch}` : 'hello';
    default:
      return effect.kind;
  }
}

function drive(
  rows: readonly (readonly [Untimed<CloudEvent>, ...string[]])[],
  initial: CloudState = initialState(SETUP),
): { state: CloudState; effects: CloudEffect[] } {
  let state = initial;
  const all: CloudEffect[] = [];
  rows.forEach(([event, ...expected], index) => {
    const next = step(state, { atMs: index, ...event } as CloudEvent);
    assert.deepEqual(next.effects.map(inShort), expected, `row ${index + 1}: ${JSON.stringify(event)}`);
    state = next.state;
    all.push(...next.effects);
  });
  return { state, effects: all };
}

describe('Which tensors are taken', () => {
  const known = drive([
    [{ kind: 'connected' }, 'hello'],
    [plan('vehicle-1', 1, stream('camera-1', 1), stream('camera-2', 0, 'jpeg'), stream('camera-3', 3))],
  ]).state;
  const jpeg = { camera: 'camera-2', cut: 0, codec: 'jpeg' } as const;

  test('A tensor that a known plan asked for is taken.', () => {
    assert.equal(refusal(known, 'vehicle-1', chunk(5)), undefined);
    assert.equal(refusal(known, 'vehicle-1', chunk(5, { ...jpeg, totalBytes: 60_000 })), undefined);
  });

  const MIB = 1024 * 1024;
  const later = drive([[plan('vehicle-1', 2, stream('camera-1', 0))]], known).state;
  const served = drive([[plan('vehicle-1', 1, stream('camera-1', 1), stream('camera-2', 4))]], {
    ...initialState({ ...SETUP, firstCut: 2 }),
  }).state;
  const codedAt1 = drive([[plan('vehicle-1', 1, stream('camera-1', 1, 'uint8'))]]).state;
  const jpegAt1 = drive([[plan('vehicle-1', 1, stream('camera-1', 1, 'jpeg'))]]).state;
  const elsewhere = drive([
    [
      plan(
        'vehicle-1',
        1,
        stream('camera-1', 1, 'float32', 'cloud-2'),
        stream('camera-2', 1, 'float32', 'cloud-1'),
      ),
    ],
  ]).state;

  test('A tensor is taken by the worker that its stream names, whichever the plan names for the others.', () => {
    assert.equal(refusal(elsewhere, 'vehicle-1', chunk(5, { camera: 'camera-2' })), undefined);
    const other = { ...elsewhere, setup: { ...elsewhere.setup, node: 'cloud-2' } };
    assert.equal(refusal(other, 'vehicle-1', chunk(5)), undefined);
    assert.match(
      refusal(other, 'vehicle-1', chunk(5, { camera: 'camera-2' })) ?? '',
      /to cloud-1, not to cloud-2/,
    );
  });

  const cases: [string, CloudState, string, Partial<TensorChunk>, RegExp][] = [
    ['of a vehicle without a plan', known, 'vehicle-2', {}, /no plan of epoch 1 is known/],
    ['of a vehicle named like a property', known, 'constructor', {}, /no plan of epoch 1 is known/],
    ['of an epoch that is not known', known, 'vehicle-1', { epoch: 2 }, /no plan of epoch 2 is known/],
    ['of a camera without a stream', known, 'vehicle-1', { camera: 'camera-9' }, /no camera camera-9/],
    ['at another cut', known, 'vehicle-1', { cut: 0 }, /cuts camera-1 at 1 as float32, not at 0/],
    ['in another codec', known, 'vehicle-1', { codec: 'jpeg' }, /at 1 as float32, not at 1 as jpeg/],
    ['at a cut of an older plan', later, 'vehicle-1', { epoch: 2 }, /plan 2 cuts camera-1 at 0/],
    ['of another worker', elsewhere, 'vehicle-1', {}, /plan 1 gives camera-1 to cloud-2, not to cloud-1/],
    ['before the first cut served', served, 'vehicle-1', {}, /cut 1 is not served here/],
    ['past the last cut', served, 'vehicle-1', { camera: 'camera-2', cut: 4 }, /cut 4 is not served here/],
    ['of a local job', known, 'vehicle-1', { camera: 'camera-3', cut: 3 }, /cut 3 is not served here/],
    ['of the wrong size', known, 'vehicle-1', { totalBytes: 196 }, /196 bytes where cut 1 has 200/],
    ['of a huge JPEG', known, 'vehicle-1', { ...jpeg, totalBytes: 16 * MIB + 1 }, /a JPEG of 16777217 bytes/],
    [
      'of more coded bytes than the plain one has',
      codedAt1,
      'vehicle-1',
      { codec: 'uint8', totalBytes: 200 + 64 * 1024 + 1 },
      /65737 bytes of uint8 where cut 1 has 200 in float32/,
    ],
    ['of a JPEG at an inner cut', jpegAt1, 'vehicle-1', { codec: 'jpeg' }, /a JPEG of 200 bytes at cut 1/],
  ];
  for (const [name, state, vehicle, more, reason] of cases)
    test(`A tensor ${name} is refused with the reason, frame and vehicle.`, () => {
      const refused = refusal(state, vehicle, chunk(5, more));
      assert.match(refused ?? 'taken', reason);
      assert.match(refused ?? 'taken', new RegExp(`^frame 5 of ${vehicle}: `));
    });

  test('A tensor that waits or is worked on is not taken a second time, one that was answered is.', () => {
    const busy = drive(
      [
        [tensor('vehicle-1', 1), 'run 1 on 0'],
        [tensor('vehicle-1', 2), 'run 2 on 1'],
        [tensor('vehicle-1', 3)],
      ],
      known,
    ).state;
    for (const frame of [1, 3]) assert.match(refusal(busy, 'vehicle-1', chunk(frame))!, /it is here already/);
    assert.equal(refusal(busy, 'vehicle-1', chunk(4)), undefined);
    const other = drive([[plan('vehicle-2', 1, stream('camera-1', 1))]], busy).state;
    assert.equal(refusal(other, 'vehicle-2', chunk(1)), undefined);
    const free = drive([[done(0), 'answer vehicle-1 1', 'run 3 on 0']], busy).state;
    assert.equal(refusal(free, 'vehicle-1', chunk(1)), undefined);
  });

  test('Where 256 tensors wait, no further one is taken.', () => {
    let state = known;
    for (let frame = 1; frame <= 257; frame++)
      state = step(state, { atMs: 0, kind: 'tensor', job: job('vehicle-1', frame) }).state;
    assert.equal(refusal(state, 'vehicle-1', chunk(258)), undefined);
    state = step(state, { atMs: 0, kind: 'tensor', job: job('vehicle-1', 258) }).state;
    assert.match(refusal(state, 'vehicle-1', chunk(259))!, /256 tensors are waiting already/);
  });

  test('Of each vehicle the plans of the last sixteen epochs are known.', () => {
    const epochs = Array.from({ length: 17 }, (_, index) => index + 1);
    const plans = epochs.map((epoch) => [plan('vehicle-1', epoch, stream('camera-1', 1))] as const);
    const { state } = drive([[plan('vehicle-2', 1, stream('camera-1', 1))], ...plans]);
    const taken = epochs.filter((epoch) => !refusal(state, 'vehicle-1', chunk(1, { epoch })));
    assert.deepEqual(taken, epochs.slice(1));
    assert.equal(refusal(state, 'vehicle-2', chunk(1)), undefined);
  });

  test('A plan that is not newer than the newest is refused, with both epochs.', () => {
    const { effects, state } = drive(
      [
        [plan('vehicle-1', 1, stream('camera-1', 2)), 'fault'],
        [plan('vehicle-1', 3, stream('camera-1', 2))],
        [plan('vehicle-1', 2, stream('camera-1', 2)), 'fault'],
        [plan('vehicle-2', 2, stream('camera-1', 2))],
      ],
      known,
    );
    const refused = { kind: 'fault', fault: 'plan-refused' };
    assert.deepEqual(effects, [
      { ...refused, detail: 'vehicle-1: epoch 1 is not after 1' },
      { ...refused, detail: 'vehicle-1: epoch 2 is not after 3' },
    ]);
    assert.equal(refusal(state, 'vehicle-1', chunk(1)), undefined);
  });

  test('A vehicle may have any name that the wire allows.', () => {
    const { state } = drive([[plan('constructor', 1, stream('camera-1', 1))]]);
    assert.equal(refusal(state, 'constructor', chunk(1)), undefined);
  });

  test('After a new connection the plans are forgotten: they are retained, and come again.', () => {
    const { state } = drive(
      [[{ kind: 'disconnected', reason: 'gone' }], [{ kind: 'connected' }, 'hello, seen 1']],
      known,
    );
    assert.match(refusal(state, 'vehicle-1', chunk(1))!, /no plan of epoch 1/);
  });
});

describe('Which thread does what', () => {
  test('Tails are served in the order of their arrival by whichever thread is free.', () => {
    drive([
      [tensor('vehicle-1', 1), 'run 1 on 0'],
      [tensor('vehicle-2', 2), 'run 2 on 1'],
      [tensor('vehicle-1', 3)],
      [tensor('vehicle-2', 4)],
      [done(1), 'answer vehicle-2 2', 'run 3 on 1'],
      [done(1), 'answer vehicle-1 3', 'run 4 on 1'],
      [done(0), 'answer vehicle-1 1'],
      [tensor('vehicle-1', 5), 'run 5 on 0'],
    ]);
  });

  test('The answer says what the tail said, and how long the tensor waited and ran.', () => {
    const { effects } = drive([
      [tensor('vehicle-1', 1, { epoch: 7, camera: 'camera-2' }), 'run 1 on 0'],
      [done(0, 4, 9), 'answer vehicle-1 1'],
      [tensor('vehicle-1', 2), 'run 2 on 0'],
      [done(0, 1.5, 3), 'answer vehicle-1 2'],
    ]);
    const answers = effects.filter((effect) => effect.kind === 'answer').map(({ result }) => result);
    assert.deepEqual(answers[0], {
      frame: 1,
      epoch: 7,
      camera: 'camera-2',
      top,
      boxes,
      digest,
      queueMs: 4,
      tailMs: 5,
    });
    // It came in at 2 ms and began 0.5 ms earlier, says the thread's clock: it did not wait.
    assert.equal(answers[1]!.queueMs, 0);
  });

  test('A tail that fails is dropped with the reason, and its thread takes the next.', () => {
    drive([
      [tensor('vehicle-1', 1), 'run 1 on 0'],
      [tensor('vehicle-1', 2), 'run 2 on 1'],
      [tensor('vehicle-1', 3)],
      [{ kind: 'tail-failed', worker: 0, reason: 'a broken JPEG' }, 'drop 1: a broken JPEG', 'run 3 on 0'],
    ]);
  });

  test('When the connection is lost, what waits is dropped with the reason; what runs is ended.', () => {
    drive([
      [tensor('vehicle-1', 1), 'run 1 on 0'],
      [tensor('vehicle-1', 2), 'run 2 on 1'],
      [tensor('vehicle-1', 3)],
      [tensor('vehicle-1', 4)],
      [
        { kind: 'disconnected', reason: 'the cable is cut' },
        'drop 3: the cable is cut',
        'drop 4: the cable is cut',
      ],
      [done(0), 'answer vehicle-1 1'],
      [{ kind: 'connected' }, 'hello'],
      [done(1), 'answer vehicle-1 2'],
    ]);
  });
});

test('Hello is said until a verdict has come, a refusal ends the node, and it measures when asked.', () => {
  drive([
    [{ kind: 'hello-due' }],
    [{ kind: 'connected' }, 'hello'],
    [{ kind: 'hello-due' }, 'hello'],
    [{ kind: 'verdict', accepted: true, reason: '' }],
    [{ kind: 'hello-due' }],
    [{ kind: 'measure-asked' }, 'measure'],
    [{ kind: 'disconnected', reason: 'gone' }],
    [{ kind: 'hello-due' }],
    [{ kind: 'connected' }, 'hello'],
    [{ kind: 'hello-due' }, 'hello'],
    [{ kind: 'verdict', accepted: false, reason: 'one is there' }, 'refused: one is there'],
  ]);
});

test('Hello is said again where the roadside unit does not know the worker, and not for what was before the last one.', () => {
  drive([
    [{ kind: 'unknown', sentMs: 1 }],
    [{ kind: 'connected' }, 'hello'],
    [{ kind: 'unknown', sentMs: 1 }],
    [{ kind: 'verdict', accepted: true, reason: '' }],
    [{ kind: 'unknown', sentMs: 2 }, 'hello'],
    [{ kind: 'hello-due' }, 'hello'],
    [{ kind: 'unknown', sentMs: 4 }],
    [{ kind: 'disconnected', reason: 'gone' }],
    [{ kind: 'unknown', sentMs: 9 }],
  ]);
});

test('Hello says the highest epoch of any vehicle, of connections that are over too.', () => {
  drive([
    [{ kind: 'connected' }, 'hello'],
    [plan('vehicle-1', 8, stream('camera-1', 1))],
    [plan('vehicle-2', 5, stream('camera-1', 1))],
    [plan('vehicle-1', 7, stream('camera-1', 1)), 'fault'],
    [{ kind: 'disconnected', reason: 'gone' }],
    [{ kind: 'connected' }, 'hello, seen 8'],
    [plan('vehicle-2', 6, stream('camera-1', 1))],
    [{ kind: 'hello-due' }, 'hello, seen 8'],
  ]);
});

/** What the world may do to a cloud worker; what it cannot do now is left out. */
const deed = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('connected', 'disconnected', 'hello-due') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('plan' as const),
      vehicle: fc.constantFrom('vehicle-1', 'constructor'),
      epoch: fc.integer({ min: 1, max: 9 }),
      cut: fc.constantFrom(0, 1, 1, 2, 2, 3),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('tensor' as const),
      vehicle: fc.constantFrom('vehicle-1', 'constructor'),
      frame: fc.integer({ min: 1, max: 8 }),
      /** Of which known plan, the newest first; 4: of none. */
      plan: fc.integer({ min: 0, max: 4 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('tail-done', 'tail-failed'), worker: fc.nat(2) }) },
);

test('Whatever happens, each tensor taken ends in one answer or one drop, in order, on bounded threads.', () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(deed, { maxLength: 100, size: 'max' }),
      (workers, deeds) => {
        let state = deepFreeze(initialState({ ...SETUP, workers }));
        let waiting: string[] = [];
        const running = new Map<number, string>();
        const keyOf = ({
          vehicle,
          frame,
          epoch,
        }: {
          vehicle: string;
          frame: number;
          epoch: number;
        }): string => `${vehicle}/${frame}/${epoch}`;

        const take = (untimed: Untimed<CloudEvent>): void => {
          const event = deepFreeze({ atMs: 0, ...untimed } as CloudEvent);
          const next = step(state, event);
          assert.deepEqual(step(state, JSON.parse(JSON.stringify(event))), next);
          state = deepFreeze(next.state);
          for (const effect of next.effects) {
            if (effect.kind === 'run') {
              assert.ok(effect.worker < workers && !running.has(effect.worker), 'the thread is busy');
              assert.equal(keyOf(effect.job), waiting.shift(), 'first come, first served');
              running.set(effect.worker, keyOf(effect.job));
            } else if (effect.kind === 'drop' || effect.kind === 'answer') {
              const key =
                effect.kind === 'drop'
                  ? keyOf(effect.job)
                  : keyOf({ ...effect.result, vehicle: effect.vehicle });
              const worker = [...running].find(([, other]) => other === key)?.[0];
              const isOf = 'worker' in event && worker === event.worker;
              assert.ok(isOf || waiting.includes(key), `${key} has ended already`);
              if (isOf) running.delete(worker);
              else waiting = waiting.filter((other) => other !== key);
            }
          }
          assert.ok(
            waiting.length === 0 || running.size === workers,
            'no thread is idle while a tensor waits',
          );
        };
        const end = (worker: number, fails: boolean): void => {
          if (!running.has(worker)) return;
          take(fails ? { kind: 'tail-failed', worker, reason: 'broken' } : done(worker));
        };

        for (const each of deeds) {
          if (each.do === 'plan') take(plan(each.vehicle, each.epoch, stream('camera-1', each.cut)));
          else if (each.do === 'tensor') {
            const { vehicle, frame } = each;
            const plans = Object.hasOwn(state.plans, vehicle) ? state.plans[vehicle]! : [];
            const { epoch, cut } = {
              epoch: 99,
              cut: 0,
              ...plans[each.plan],
              ...plans[each.plan]?.streams[0],
            };
            if (refusal(state, vehicle, chunk(frame, { epoch, cut })) !== undefined) continue;
            taken++;
            waiting.push(keyOf({ vehicle, frame, epoch }));
            take(tensor(vehicle, frame, { epoch, cut }));
          } else if ('worker' in each) end(each.worker, each.do === 'tail-failed');
          else if (each.do === 'disconnected') take({ kind: 'disconnected', reason: 'gone' });
          else take({ kind: each.do } as Untimed<CloudEvent>);
        }
        while (running.size > 0) end([...running.keys()][0]!, false);
        assert.deepEqual(waiting, []);
        assert.ok(state.waiting.length === 0 && state.running.every((each) => each === undefined));
      },
    ),
    { numRuns: 2500 },
  );
  assert.ok(taken > 3000, `${taken} tensors were taken`);
});
