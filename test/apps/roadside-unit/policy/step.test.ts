/** Tables of what happens to the roadside unit and what it does about it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CoordinatorEffect, CoordinatorEvent } from '../../../../apps/roadside-unit/policy/events.ts';
import { type CoordinatorState, initialState, step } from '../../../../apps/roadside-unit/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import { Verdict } from '../../../../libs/proto/messages.ts';
import {
  beat,
  begun,
  cloudProfile,
  drive,
  gone,
  HASH,
  hello,
  JPS,
  measured,
  profile,
  type Row,
  ready,
  report,
  setup,
  timeout,
  transfer,
  V1,
  V2,
} from './drive.ts';

const plansIn = (effects: readonly CoordinatorEffect[]) => effects.filter((effect) => effect.kind === 'plan');
const gos: Row = [ready('vehicle-2', 1), 'go 1 vehicle-1 (warm-up)', 'go 1 vehicle-2 (warm-up)', 'wake go 1'];
/** From the capture of round 1 to that of round 2, which is measured. */
const round1: readonly Row[] = [
  [ready('vehicle-1', 1)],
  gos,
  [report('vehicle-1', 1)],
  [
    report('vehicle-2', 1),
    'progress jps 1 of 2',
    ...[`plan 2 ${V1}`, `plan 2 ${V2}`, 'capture 2 vehicle-1', 'capture 2 vehicle-2', 'wake capture 2'],
  ],
];

describe('Start-up', () => {
  test('Nodes measure one after another, and what nobody asked for is not learned.', () => {
    drive([
      [hello('vehicle-2'), 'accept vehicle-2', 'measure vehicle-2'],
      [hello('cloud-1'), 'accept cloud-1'],
      [measured('cloud-1')],
      [hello('vehicle-1'), 'accept vehicle-1'],
      [measured('vehicle-9')],
      [measured('vehicle-2'), 'measure cloud-1'],
      [measured('vehicle-2')],
      [measured('cloud-1'), 'measure vehicle-1'],
    ]);
  });

  test('A node that goes while it measures makes room for the next, and measures when it is back.', () => {
    drive([
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      [hello('vehicle-2'), 'accept vehicle-2'],
      [gone('vehicle-1'), 'fault node-gone: vehicle-1', 'measure vehicle-2'],
      [measured('vehicle-1')],
      [hello('vehicle-1'), 'accept vehicle-1'],
      [measured('vehicle-2'), 'measure vehicle-1'],
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
    ]);
  });

  test('A measurement that takes too long is given up; the timeout of one before it changes nothing.', () => {
    const late = (node: string, measurement: number): Row => [{ kind: 'measure-timeout', node, measurement }];
    const { effects } = drive([
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      [hello('vehicle-2'), 'accept vehicle-2'],
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      late('vehicle-1', 1),
      late('vehicle-2', 2),
      [
        ...late('vehicle-1', 2),
        ...['fault measure-timeout: vehicle-1', 'fault node-gone: vehicle-1', 'measure vehicle-2'],
      ],
      late('vehicle-2', 2),
      [measured('vehicle-2')],
      late('vehicle-2', 3),
    ]);
    const numbers = effects.flatMap((effect) => (effect.kind === 'measure' ? [effect.measurement] : []));
    assert.deepEqual(numbers, [1, 2, 3]);
  });

  test('Rounds begin when all vehicles and a cloud are there and measured, and not before.', () => {
    drive(begun);
    drive([
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      [measured('vehicle-1')],
      [hello('vehicle-2'), 'accept vehicle-2', 'measure vehicle-2'],
      [measured('vehicle-2')],
      [hello('cloud-1'), 'accept cloud-1', 'measure cloud-1'],
    ]);
  });

  test('The order in which the vehicles came changes no plan.', () => {
    const both = ['vehicle-1', 'vehicle-2'];
    const plans = [both, both.toReversed()].map((order) => {
      const events = order.flatMap((node) => [hello(node), measured(node)]);
      return plansIn(collect(initialState(setup()), [hello('cloud-1'), measured('cloud-1'), ...events]));
    });
    assert.equal(plans[0]!.length, 2);
    assert.deepEqual(plans[1], plans[0]);
  });

  test('The loss of a node that nobody knows changes nothing.', () => {
    drive([...begun, [gone('vehicle-7')]]);
  });
});

describe('Who is let in', () => {
  const other = 'b'.repeat(64);
  const refused = (...[node, more, reason]: [string, object, string]): Row => [
    hello(node, more),
    `refuse ${node}: ${reason}`,
    `fault node-refused: ${node}: ${reason}`,
  ];

  test('A node of another protocol is refused with both versions.', () => {
    drive([refused('vehicle-1', { protocol: 2 }, 'it speaks protocol 2, this roadside unit 1')]);
  });

  test('A node with another model than the first is refused with both hashes.', () => {
    const model = (hash: string): string => `${hash.slice(0, 12)}…`;
    const why = (its: string, ours: string): string =>
      `its model is ${model(its)}, the others have ${model(ours)}: give all nodes the same model and card`;
    drive([
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      refused('vehicle-2', { modelHash: other }, why(other, HASH)),
    ]);
    drive(
      [
        refused('vehicle-1', {}, why(HASH, other)),
        [hello('vehicle-1', { modelHash: other }), 'accept vehicle-1', 'measure vehicle-1'],
      ],
      initialState({ ...setup(), modelHash: other }),
    );
  });

  test('A refused node does not decide which model the others must have.', () => {
    drive([
      refused('vehicle-1', { modelHash: other, cameras: [] }, 'it has no camera'),
      [hello('vehicle-2'), 'accept vehicle-2', 'measure vehicle-2'],
    ]);
  });

  test('Any number of cloud workers is let in, and the same one may say hello again.', () => {
    drive([
      [hello('cloud-1'), 'accept cloud-1', 'measure cloud-1'],
      [hello('cloud-2'), 'accept cloud-2'],
      [measured('cloud-1'), 'measure cloud-2'],
      [hello('cloud-1'), 'accept cloud-1'],
      [measured('cloud-2'), 'measure cloud-1'],
    ]);
  });

  test('A vehicle without cameras or uplink, and a cloud without workers, are refused: no plan is possible.', () => {
    drive([
      refused('vehicle-1', { cameras: [] }, 'it has no camera'),
      refused('vehicle-1', { uplinkBps: 0 }, 'its uplink has no rate'),
      refused('cloud-1', { workers: 0 }, 'it has no worker'),
    ]);
  });

  test('A node that has seen more than any roadside unit can have made is refused, and nobody goes on from there.', () => {
    const why = (epoch: number, round: number): string =>
      `it says that it has seen epoch ${epoch} and round ${round}: nobody comes as far as that`;
    const { state } = drive([
      refused('vehicle-1', { epoch: 2 ** 31 + 1 }, why(2 ** 31 + 1, 0)),
      refused('cloud-1', { round: 0xffffffff }, why(0, 0xffffffff)),
      [hello('vehicle-1', { epoch: 2 ** 31 - 9 }), 'accept vehicle-1', 'measure vehicle-1'],
    ]);
    assert.deepEqual([state.epoch, state.lastRound], [2 ** 31 - 9, 0]);
  });

  test('A node that comes back as one that is not wanted is gone.', () => {
    drive([
      ...begun,
      [
        hello('vehicle-2', { cameras: [] }),
        'refuse vehicle-2: it has no camera',
        'fault node-refused: vehicle-2: it has no camera',
        'fault node-gone: vehicle-2',
        `plan 2 ${V1}`,
      ],
      [ready('vehicle-1', 1), 'go 1 vehicle-1 (warm-up)', 'wake go 1'],
    ]);
  });

  test('A vehicle on a channel that the roadside unit does not know is refused with those that it knows.', () => {
    const refusals = (channels?: Record<string, number>): string[] =>
      collect(
        initialState({ ...setup(), channels }),
        ['lte', 'constructor', ''].map((channel) => hello('vehicle-1', { channel })),
      ).flatMap((effect) => (effect.kind === 'verdict' ? [effect.reason] : []));
    assert.deepEqual(refusals({ lte: 1e6, nr: 2e6 }), [
      '',
      "it is on channel 'constructor', this roadside unit has lte, nr",
      '',
    ]);
    assert.deepEqual(refusals(), [
      "it is on channel 'lte', this roadside unit has none",
      "it is on channel 'constructor', this roadside unit has none",
      '',
    ]);
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`${index}x`.padStart(48, 'c'), 1]),
    );
    const [long] = refusals(many);
    assert.match(long!, /, …$/);
    assert.ok(Verdict.safeParse({ accepted: false, reason: long }).success);
  });
});

describe('Rounds and campaigns', () => {
  test('Everyone captures, and when the last is ready everyone goes; when the last has reported, the next begins.', () => {
    drive([
      ...begun,
      ...round1,
      [ready('vehicle-1', 2)],
      [ready('vehicle-2', 2), 'go 2 vehicle-1', 'go 2 vehicle-2', 'wake go 2'],
      [report('vehicle-2', 2)],
      [report('vehicle-1', 2), 'progress jps 2 of 2', 'campaign-done'],
      [report('vehicle-1', 2)],
      [gone('vehicle-1'), 'fault node-gone: vehicle-1'],
      [hello('vehicle-1'), 'accept vehicle-1'],
    ]);
  });

  test('What is not awaited changes nothing: answers of other rounds, of other phases, twice, or of strangers.', () => {
    drive([
      ...begun,
      [ready('vehicle-2', 1)],
      [ready('vehicle-2', 1, [])],
      [report('vehicle-1', 1)],
      [ready('vehicle-1', 2)],
      [ready('vehicle-9', 1)],
      [timeout(1, 'go')],
      [timeout(0, 'capture')],
      [ready('vehicle-1', 1), ...(gos.slice(1) as string[])],
      [ready('vehicle-1', 1, [])],
      [report('vehicle-1', 0)],
      [report('vehicle-1', 1)],
      [report('vehicle-1', 1)],
    ]);
  });

  test('Policies take turns, each with its warm-up, on the same frames; each of their rounds has its own number.', () => {
    const state = initialState(setup({ policies: ['lo', 'ro'], warmUpRounds: 2, rounds: 1 }, 1));
    const events = [hello('vehicle-1'), hello('cloud-1'), measured('vehicle-1'), measured('cloud-1')];
    const rounds = [1, 2, 3, 4, 5, 6].flatMap((n) => [ready('vehicle-1', n), report('vehicle-1', n)]);
    const effects = collect(state, [...events, ...rounds]);
    const captures = effects.flatMap((effect) =>
      effect.kind === 'round' && effect.round.phase === 'capture'
        ? [
            `${effect.round.round}: frame ${effect.round.frameIndex}${effect.round.measured ? '' : ' warm-up'}`,
          ]
        : [],
    );
    assert.deepEqual(captures, [
      ...['1: frame 0 warm-up', '2: frame 1 warm-up', '3: frame 2'],
      ...['4: frame 0 warm-up', '5: frame 1 warm-up', '6: frame 2'],
    ]);
    // What is left of a policy's three rounds, as the plan of the moment has it.
    const left = effects.flatMap((effect) => (effect.kind === 'progress' ? [effect.predictedMs] : []));
    const [lo, , ro] = plansIn(effects).map(({ plan }) => plan.makespanMs);
    assert.deepEqual(left, [3 * lo!, 2 * lo!, lo, 0, 3 * ro!, 2 * ro!, ro, 0]);
    // A plan for each policy, and one after its warm-up.
    assert.deepEqual(
      plansIn(effects).map(({ plan }) => `${plan.epoch} ${plan.policy}`),
      ['1 lo', '2 lo', '3 ro', '4 ro'],
    );
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === 'progress' ? [`${effect.policy} ${effect.done}`] : [])),
      ['lo 0', 'lo 1', 'lo 2', 'lo 3', 'ro 0', 'ro 1', 'ro 2', 'ro 3'],
    );
    assert.equal(effects.at(-1)!.kind, 'campaign-done');
  });

  test('A campaign that repeats begins again with the first policy, and never ends.', () => {
    const state = initialState(setup({ policies: ['lo', 'ro'], repeat: true }, 1));
    const events = [hello('vehicle-1'), hello('cloud-1'), measured('vehicle-1'), measured('cloud-1')];
    const rounds = [1, 2, 3, 4, 5].flatMap((n) => [ready('vehicle-1', n), report('vehicle-1', n)]);
    const effects = collect(state, [...events, ...rounds]);
    const policies = plansIn(effects).map(({ plan }) => `${plan.epoch} ${plan.policy}`);
    assert.deepEqual(policies, ['1 lo', '2 lo', '3 ro', '4 ro', '5 lo', '6 lo']);
    assert.ok(effects.every(({ kind }) => kind !== 'campaign-done'));
  });

  test('A vehicle that never answers is given up after the timeout, with its name, and the round goes on.', () => {
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      [
        timeout(1, 'capture'),
        'fault round-timeout: vehicle-2: round 1',
        ...['go 1 vehicle-1 (warm-up)', 'go 1 vehicle-2 (warm-up)', 'wake go 1'],
      ],
      [timeout(1, 'capture')],
      [report('vehicle-1', 1)],
      [
        timeout(1, 'go'),
        'fault round-timeout: vehicle-2: round 1',
        'progress jps 1 of 2',
        ...[`plan 2 ${V1}`, `plan 2 ${V2}`, 'capture 2 vehicle-1', 'capture 2 vehicle-2', 'wake capture 2'],
      ],
      [report('vehicle-2', 1)],
    ]);
  });

  test('A round is given ten times its plan and a minute, a capture a minute.', () => {
    const { effects } = drive([...begun, [ready('vehicle-1', 1)], gos]);
    const makespanMs = Math.max(...plansIn(effects).map(({ plan }) => plan.makespanMs));
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === 'wake' ? [effect.afterMs] : [])),
      [60_000, 10 * makespanMs + 60_000],
    );
  });
});

describe('Who comes and goes', () => {
  const one = 'vehicle-1 (warm-up)';

  test('A vehicle that goes while all capture is not waited for, and the others have a new plan before they go.', () => {
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      [gone('vehicle-2'), 'fault node-gone: vehicle-2', `plan 2 ${V1}`, `go 1 ${one}`, 'wake go 1'],
    ]);
  });

  test('A vehicle that goes in mid-round is not waited for, and the next round has a plan without it.', () => {
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      gos,
      [gone('vehicle-2'), 'fault node-gone: vehicle-2', `plan 2 ${V1}`],
      [
        report('vehicle-1', 1),
        'progress jps 1 of 2',
        ...[`plan 3 ${V1}`, 'capture 2 vehicle-1', 'wake capture 2'],
      ],
    ]);
  });

  test('When the last vehicle goes nothing is planned; when one is back and measured, rounds go on.', () => {
    drive([
      ...begun,
      [gone('vehicle-1'), 'fault node-gone: vehicle-1', `plan 2 ${V2}`],
      [gone('vehicle-2'), 'fault node-gone: vehicle-2'],
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      [measured('vehicle-1'), `plan 3 ${V1}`, 'begin jps', `capture 2 ${one}`, 'wake capture 2'],
    ]);
  });

  test('A round that all vehicles have left does not count: it is run again with the same frames.', () => {
    const { effects } = drive([
      ...begun,
      [ready('vehicle-1', 1)],
      gos,
      [gone('vehicle-1'), 'fault node-gone: vehicle-1', `plan 2 ${V2}`],
      [gone('vehicle-2'), 'fault node-gone: vehicle-2'],
      [timeout(1, 'go')],
      [hello('vehicle-2'), 'accept vehicle-2', 'measure vehicle-2'],
      [measured('vehicle-2'), `plan 3 ${V2}`, 'begin jps', 'capture 2 vehicle-2 (warm-up)', 'wake capture 2'],
    ]);
    const rounds = effects.filter((effect) => effect.kind === 'round').map(({ round }) => round.frameIndex);
    assert.deepEqual(new Set(rounds), new Set([0]));
  });

  test('A vehicle that comes in mid-round measures when the round is over, and then has a plan.', () => {
    const V3 = `vehicle-3 jps cloud-1: ${JPS}`;
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      gos,
      [hello('vehicle-3'), 'accept vehicle-3', `plan 2 ${V1}`, `plan 2 ${V2}`],
      [ready('vehicle-3', 1)],
      [report('vehicle-3', 1)],
      [report('vehicle-1', 1)],
      [report('vehicle-2', 1), 'progress jps 1 of 2', 'measure vehicle-3'],
      [
        measured('vehicle-3'),
        ...[`plan 3 ${V1}`, `plan 3 ${V2}`, `plan 3 ${V3}`],
        ...['capture 2 vehicle-1', 'capture 2 vehicle-2', 'capture 2 vehicle-3', 'wake capture 2'],
      ],
    ]);
  });

  test('A vehicle that says hello again while all capture is not told to go: it has no frames of this round.', () => {
    drive([
      ...begun,
      [ready('vehicle-2', 1)],
      [hello('vehicle-2'), 'accept vehicle-2', `plan 2 ${V1}`],
      [ready('vehicle-1', 1), `go 1 ${one}`, 'wake go 1'],
    ]);
  });

  test('A vehicle that was away and says hello again takes no part in the round that went on without it.', () => {
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      gos,
      [hello('vehicle-2'), 'accept vehicle-2', `plan 2 ${V1}`],
      [report('vehicle-2', 1)],
      [report('vehicle-1', 1), 'progress jps 1 of 2', 'measure vehicle-2'],
    ]);
  });

  test('When the cloud goes in mid-round all are told that they are alone; when it is back it is used again.', () => {
    const alone = (epoch: number, vehicle: string): string =>
      `plan ${epoch} ${vehicle} jps alone: camera-1 3, camera-2 3`;
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      gos,
      [gone('cloud-1'), 'fault node-gone: cloud-1', alone(2, 'vehicle-1'), alone(2, 'vehicle-2')],
      [report('vehicle-1', 1)],
      [
        report('vehicle-2', 1),
        'progress jps 1 of 2',
        ...[alone(3, 'vehicle-1'), alone(3, 'vehicle-2')],
        ...['capture 2 vehicle-1', 'capture 2 vehicle-2', 'wake capture 2'],
      ],
      [hello('cloud-1'), 'accept cloud-1', alone(4, 'vehicle-1'), alone(4, 'vehicle-2')],
      [ready('vehicle-1', 2)],
      [ready('vehicle-2', 2), 'go 2 vehicle-1', 'go 2 vehicle-2', 'wake go 2'],
      [report('vehicle-1', 2)],
      [report('vehicle-2', 2), 'progress jps 2 of 2', 'campaign-done'],
    ]);
    const long = initialState(setup({ rounds: 2 }));
    const { effects } = drive(
      [
        ...begun,
        [gone('cloud-1'), 'fault node-gone: cloud-1', alone(2, 'vehicle-1'), alone(2, 'vehicle-2')],
        [hello('cloud-1'), 'accept cloud-1', alone(3, 'vehicle-1'), alone(3, 'vehicle-2')],
        [ready('vehicle-1', 1)],
        gos,
        [report('vehicle-1', 1)],
        [report('vehicle-2', 1), 'progress jps 1 of 3', 'measure cloud-1'],
        [
          measured('cloud-1'),
          ...[`plan 4 ${V1}`, `plan 4 ${V2}`],
          ...['capture 2 vehicle-1', 'capture 2 vehicle-2', 'wake capture 2'],
        ],
      ],
      long,
    );
    assert.ok(effects.length > 0);
  });

  test('A camera that fails is planned without from then on, and with again when it is back.', () => {
    const V2one = 'vehicle-2 jps cloud-1: camera-2 2';
    drive([
      ...begun,
      [ready('vehicle-1', 1)],
      [
        ready('vehicle-2', 1, ['camera-2']),
        ...[`plan 2 ${V1}`, `plan 2 ${V2one}`],
        ...['go 1 vehicle-1 (warm-up)', 'go 1 vehicle-2 (warm-up)', 'wake go 1'],
      ],
      [report('vehicle-1', 1)],
      [
        report('vehicle-2', 1),
        'progress jps 1 of 2',
        ...[`plan 3 ${V1}`, `plan 3 ${V2one}`],
        ...['capture 2 vehicle-1', 'capture 2 vehicle-2', 'wake capture 2'],
      ],
      [ready('vehicle-2', 2), `plan 4 ${V1}`, `plan 4 ${V2}`],
      [ready('vehicle-1', 2, []), `plan 5 ${V2}`, 'go 2 vehicle-1', 'go 2 vehicle-2', 'wake go 2'],
    ]);
  });
});

describe('Nodes that have seen a roadside unit before this one', () => {
  test('Plans and rounds are numbered on from the highest that any of them has seen.', () => {
    drive([
      [hello('cloud-1', { epoch: 40 }), 'accept cloud-1', 'measure cloud-1'],
      [hello('vehicle-1', { epoch: 39, round: 17 }), 'accept vehicle-1'],
      [hello('vehicle-2', { epoch: 12, round: 18 }), 'accept vehicle-2'],
      [measured('cloud-1'), 'measure vehicle-1'],
      [measured('vehicle-1'), 'measure vehicle-2'],
      [
        measured('vehicle-2'),
        ...[`plan 41 ${V1}`, `plan 41 ${V2}`, 'begin jps'],
        ...['capture 19 vehicle-1 (warm-up)', 'capture 19 vehicle-2 (warm-up)', 'wake capture 19'],
      ],
    ]);
  });

  test('A unit that was here before goes on from its own plans too, whoever of its nodes comes first.', () => {
    drive([
      [{ kind: 'started-again', epoch: 50 }],
      [hello('cloud-1', { epoch: 40 }), 'accept cloud-1', 'measure cloud-1'],
      [hello('vehicle-1', { epoch: 39 }), 'accept vehicle-1'],
      [hello('vehicle-2', { epoch: 12 }), 'accept vehicle-2'],
      [measured('cloud-1'), 'measure vehicle-1'],
      [measured('vehicle-1'), 'measure vehicle-2'],
      [
        measured('vehicle-2'),
        ...[`plan 51 ${V1}`, `plan 51 ${V2}`, 'begin jps'],
        ...['capture 1 vehicle-1 (warm-up)', 'capture 1 vehicle-2 (warm-up)', 'wake capture 1'],
      ],
    ]);
  });

  test('One that comes later and has seen more is planned past that with all the others; its old answers count for nothing.', () => {
    const { state } = drive([
      ...begun,
      [gone('vehicle-2'), 'fault node-gone: vehicle-2', `plan 2 ${V1}`],
      [hello('vehicle-2', { epoch: 30, round: 9 }), 'accept vehicle-2', `plan 31 ${V1}`],
      [ready('vehicle-2', 1)],
      [report('vehicle-2', 9)],
      [ready('vehicle-1', 1), 'go 1 vehicle-1 (warm-up)', 'wake go 1'],
      [report('vehicle-1', 1), 'progress jps 1 of 2', 'measure vehicle-2'],
      [
        measured('vehicle-2'),
        ...[`plan 32 ${V1}`, `plan 32 ${V2}`],
        ...['capture 10 vehicle-1', 'capture 10 vehicle-2', 'wake capture 10'],
      ],
    ]);
    assert.equal(state.lastRound, 10);
  });

  test('One that has seen less takes nothing back.', () => {
    const { state } = drive([
      ...begun,
      [hello('cloud-2', { epoch: 0, round: 0 }), 'accept cloud-2', `plan 2 ${V1}`, `plan 2 ${V2}`],
    ]);
    assert.deepEqual([state.epoch, state.lastRound], [2, 1]);
  });
});

describe('Nodes that are not heard', () => {
  const all = ['cloud-1', 'vehicle-1', 'vehicle-2'];
  const silent = (node: string): string[] => [`fault node-silent: ${node}`, `disconnect ${node}`];

  test('Whoever is not heard for five heartbeats is gone, and its connection is ended.', () => {
    drive([
      ...begun,
      ...[1, 2, 3, 4].map((): Row => [beat('cloud-1', 'vehicle-1')]),
      [
        beat('cloud-1', 'vehicle-1', 'stranger'),
        ...[...silent('vehicle-2'), 'fault node-gone: vehicle-2', `plan 2 ${V1}`],
      ],
      [ready('vehicle-1', 1), 'go 1 vehicle-1 (warm-up)', 'wake go 1'],
      ...[1, 2, 3, 4, 5, 6].map((): Row => [beat('cloud-1', 'vehicle-1')]),
    ]);
  });

  test('Once heard all is forgiven, and whoever says hello begins without strikes.', () => {
    const none = beat('cloud-1', 'vehicle-1');
    drive([
      ...begun,
      ...[none, none, none, none, beat(...all), none, none, none, none].map((event): Row => [event]),
      [hello('vehicle-2'), 'accept vehicle-2', `plan 2 ${V1}`],
      ...[none, none, none, none].map((event): Row => [event]),
      [none, ...silent('vehicle-2'), 'fault node-gone: vehicle-2', `plan 3 ${V1}`],
    ]);
  });

  test('One that measures is heard too; one that does not say anything while it measures makes room for the next.', () => {
    drive([
      [hello('vehicle-1'), 'accept vehicle-1', 'measure vehicle-1'],
      [hello('vehicle-2'), 'accept vehicle-2'],
      ...[1, 2, 3, 4].map((): Row => [beat('vehicle-2')]),
      [beat('vehicle-2'), ...silent('vehicle-1'), 'fault node-gone: vehicle-1', 'measure vehicle-2'],
    ]);
  });
});

describe('Several workers of the cloud', () => {
  const slow = { segmentMs: [100, 200, 700] };
  /** Two vehicles and two workers of one thread each: what comes in at the same time is shared. */
  const twoWorkers = (...more: Untimed<CoordinatorEvent>[]): CoordinatorState =>
    collectState(initialState({ ...setup({ rounds: 4 }), clouds: 2 }), [
      ...['cloud-1', 'cloud-2'].flatMap((node) => [hello(node, { workers: 1 }), measured(node)]),
      ...['vehicle-1', 'vehicle-2'].flatMap((node) => [hello(node), measured(node)]),
      ...more,
    ]);
  const BOTH = 'camera-1 2 at cloud-2, camera-2 2 at cloud-2';
  const gone2 = [ready('vehicle-1', 1), ready('vehicle-2', 1)];

  test('The campaign begins when as many workers are there and measured as were asked for.', () => {
    drive(
      [
        [hello('cloud-1'), 'accept cloud-1', 'measure cloud-1'],
        [hello('vehicle-1'), 'accept vehicle-1'],
        [measured('cloud-1'), 'measure vehicle-1'],
        [measured('vehicle-1')],
        [hello('cloud-2'), 'accept cloud-2', 'measure cloud-2'],
        [
          measured('cloud-2'),
          `plan 1 ${V1}`,
          ...['begin jps', 'capture 1 vehicle-1 (warm-up)', 'wake capture 1'],
        ],
      ],
      initialState({ ...setup({}, 1), clouds: 2 }),
    );
  });

  test('What comes in at the same time goes to different workers; a slow one has what it finishes first, if anything.', () => {
    const cloudsOf = (state: CoordinatorState): string[] =>
      state.plans.flatMap(({ plan }) => plan.streams.map(({ cloud = '' }) => cloud));
    assert.deepEqual(new Set(cloudsOf(twoWorkers())), new Set(['cloud-1', 'cloud-2']));
    const uneven = collectState(initialState({ ...setup(), clouds: 2 }), [
      ...[hello('cloud-1'), measured('cloud-1', slow), hello('cloud-2'), measured('cloud-2')],
      ...['vehicle-1', 'vehicle-2'].flatMap((node) => [hello(node), measured(node)]),
    ]);
    assert.deepEqual(new Set(cloudsOf(uneven)), new Set(['cloud-2']));
  });

  test('When a worker goes in mid-round those that gave it tails have a plan for the round, and all one for the next.', () => {
    drive(
      [
        [
          gone('cloud-1'),
          'fault node-gone: cloud-1',
          'plan 2 vehicle-1 jps cloud-2 for round 1: camera-1 2, camera-2 2',
          ...['vehicle-1', 'vehicle-2'].map((node) => `plan 3 ${node} jps cloud-2: ${JPS}`),
        ],
        // A worker that nobody has anything at any more.
        [hello('cloud-1', { workers: 1 }), 'accept cloud-1', ...replanned(4)],
        [gone('cloud-1'), 'fault node-gone: cloud-1', ...replanned(5)],
        [report('vehicle-1', 1)],
        [
          gone('cloud-2'),
          'fault node-gone: cloud-2',
          ...['vehicle-1', 'vehicle-2'].map((node) => `plan 6 ${node} jps alone: camera-1 3, camera-2 3`),
        ],
      ],
      twoWorkers(...gone2),
    );
  });

  test('Of two workers that fall silent at once neither gets what the other was to do.', () => {
    const silent = ['cloud-1', 'cloud-2'];
    drive(
      [
        ...[1, 2, 3, 4].map((): Row => [beat('vehicle-1', 'vehicle-2')]),
        [
          beat('vehicle-1', 'vehicle-2'),
          ...silent.flatMap((node) => [`fault node-silent: ${node}`, `disconnect ${node}`]),
          ...silent.map((node) => `fault node-gone: ${node}`),
          ...['vehicle-1', 'vehicle-2'].map((node) => `plan 2 ${node} jps alone: camera-1 3, camera-2 3`),
        ],
      ],
      twoWorkers(...gone2),
    );
  });

  test('Whoever has reported has no plan for the round, nor has anybody while all capture.', () => {
    drive(
      [[gone('cloud-1'), 'fault node-gone: cloud-1', ...replanned(2)]],
      twoWorkers(...gone2, report('vehicle-1', 1)),
    );
    drive([[gone('cloud-1'), 'fault node-gone: cloud-1', ...replanned(2)]], twoWorkers());
  });

  test('A worker that comes is measured when the round is over, and used from the next plan on.', () => {
    const { state } = drive(
      [
        [gone('cloud-2'), 'fault node-gone: cloud-2', ...moved(2), ...replanned(3, 'cloud-1')],
        [hello('cloud-2', { workers: 1 }), 'accept cloud-2', ...replanned(4, 'cloud-1')],
        [report('vehicle-1', 1)],
        [report('vehicle-2', 1), 'progress jps 1 of 5', 'measure cloud-2'],
        [
          measured('cloud-2'),
          `plan 5 ${V1}`,
          `plan 5 vehicle-2 jps cloud-1: ${BOTH}`,
          ...['capture 2 vehicle-1', 'capture 2 vehicle-2', 'wake capture 2'],
        ],
      ],
      twoWorkers(...gone2),
    );
    assert.equal(state.epoch, 5);
  });

  test('What a worker was seen to take counts for that worker alone.', () => {
    const seen = report('vehicle-1', 1, [
      { cut: 2, tailMs: 7, fixedMs: 3 },
      { cut: 2, cloud: 'cloud-2', tailMs: 900, fixedMs: 3 },
    ]);
    const state = twoWorkers(...gone2, seen, report('vehicle-2', 1));
    const streams = state.plans.flatMap(({ plan }) => plan.streams);
    assert.deepEqual(new Set(streams.map(({ cloud }) => cloud)), new Set(['cloud-1']));
  });

  test('The way to a worker is its own: as it says at first, then as it was seen, and the next policy begins with that.', () => {
    const workers = (policies: readonly ['ro', 'ro'], ...more: Untimed<CoordinatorEvent>[]): string[][] => {
      const effects = collect(initialState({ ...setup({ policies }, 1), clouds: 2 }), [
        ...[hello('cloud-1'), measured('cloud-1'), hello('cloud-2', { rttMs: 80 }), measured('cloud-2')],
        ...[hello('vehicle-1'), measured('vehicle-1'), ready('vehicle-1', 1), ...more],
      ]);
      return plansIn(effects).map(({ plan }) => plan.streams.map(({ cloud = '' }) => cloud));
    };
    const near = ['cloud-1', 'cloud-1'];
    const other = ['cloud-2', 'cloud-2'];
    assert.deepEqual(workers(['ro', 'ro']), [near]);
    const seen = report('vehicle-1', 1, [{ cut: 0, tailMs: 10, fixedMs: 200 }]);
    const nextPolicy = [ready('vehicle-1', 2), report('vehicle-1', 2)];
    assert.deepEqual(workers(['ro', 'ro'], seen, ...nextPolicy), [near, other, other]);
  });

  const replanned = (epoch: number, cloud = 'cloud-2'): string[] =>
    ['vehicle-1', 'vehicle-2'].map((node) => `plan ${epoch} ${node} jps ${cloud}: ${JPS}`);
  const moved = (epoch: number): string[] => [`plan ${epoch} vehicle-2 jps cloud-1 for round 1: ${JPS}`];
});

describe('What the plans stand on', () => {
  test('Vehicles of one kind share one profile, scaled to the time that they are to take.', () => {
    // Each was disturbed while it measured, at another time.
    const disturbed = { segmentMs: [1, 2, 70] };
    const slower = { segmentMs: [20, 20, 7] };
    const state = initialState(setup({}, 3));
    const { effects } = drive(
      [
        [hello('cloud-1'), 'accept cloud-1', 'measure cloud-1'],
        [measured('cloud-1')],
        [hello('vehicle-1', { vehicleMs: 400 }), 'accept vehicle-1', 'measure vehicle-1'],
        [measured('vehicle-1', disturbed)],
        [hello('vehicle-2', { vehicleMs: 400 }), 'accept vehicle-2', 'measure vehicle-2'],
        [measured('vehicle-2', slower)],
        [hello('vehicle-3', { vehicleMs: 0 }), 'accept vehicle-3', 'measure vehicle-3'],
      ],
      state,
    );
    assert.deepEqual(plansIn(effects), []);
    const all = collect(state, [
      ...[hello('cloud-1'), measured('cloud-1')],
      ...[hello('vehicle-1', { vehicleMs: 400 }), measured('vehicle-1', disturbed)],
      ...[hello('vehicle-2', { vehicleMs: 400 }), measured('vehicle-2', slower)],
      ...[hello('vehicle-3', { vehicleMs: 0 }), measured('vehicle-3', slower)],
    ]);
    const [first, second, own] = plansIn(all).map(({ plan }) => plan.segmentMs);
    assert.deepEqual(first, [40, 80, 280]);
    assert.deepEqual(second, first, 'both of a kind have one profile, the least time of each segment');
    assert.deepEqual(own, slower.segmentMs, 'a vehicle that is not emulated has its own');
  });

  test('A vehicle of the same speed but of another network does not get a profile that does not fit.', () => {
    const short = { segmentMs: [30, 30], cuts: profile.cuts.slice(0, 3) };
    const effects = collect(initialState(setup()), [
      ...[hello('cloud-1'), measured('cloud-1')],
      ...[hello('vehicle-1'), measured('vehicle-1', short)],
      ...[hello('vehicle-2'), measured('vehicle-2')],
    ]);
    const segments = plansIn(effects).map(({ plan }) => plan.segmentMs);
    assert.deepEqual(segments, [
      [50, 50],
      [10, 20, 70],
    ]);
  });

  test('A vehicle whose times are all 0 is planned on, and said to be so.', () => {
    const zero = { segmentMs: [0, 0, 0] };
    const effects = collect(initialState(setup({}, 1)), [
      ...[hello('cloud-1'), measured('cloud-1'), hello('vehicle-1'), measured('vehicle-1', zero)],
    ]);
    assert.ok(
      effects.some((effect) => effect.kind === 'fault' && effect.detail === 'vehicle-1: all times are 0'),
    );
    assert.deepEqual(plansIn(effects)[0]!.plan.segmentMs, zero.segmentMs);
  });

  test('Before anything was seen a tail takes what the cloud measured alone, and a JPEG its preparation too.', () => {
    for (const [policy, tailMs] of [
      ['ro', 10],
      ['ro-jpeg', 20],
    ] as const) {
      const plans = plansIn(collect(initialState(setup({ policies: [policy] }, 1)), oneVehicle));
      assert.deepEqual(timesOf(plans[0]!), { tailMs, backMs: 3 });
    }
  });

  test('What warm-up rounds saw of tails and results is in the plan of the measured ones, by cut and codec.', () => {
    const state = initialState(setup({ policies: ['ro'], warmUpRounds: 3, rounds: 2 }, 1));
    const jobs = [
      { cut: 0, tailMs: 12, fixedMs: 4 },
      { cut: 0, tailMs: 900, fixedMs: 9 },
      { cut: 0, tailMs: 28, fixedMs: 5 },
      // Of another cut, of another codec, and one that the cloud never answered.
      { cut: 2, tailMs: 99, fixedMs: 5 },
      { cut: 0, codec: 'jpeg' as const, tailMs: 99, fixedMs: 5 },
      { cut: 0, outcome: 'local' as const, tailMs: 0, fixedMs: 0 },
    ];
    const effects = collect(state, [
      ...oneVehicle,
      ...[ready('vehicle-1', 1), report('vehicle-1', 1, [{ cut: 0, tailMs: 500, fixedMs: 500 }])],
      ...[ready('vehicle-1', 2), report('vehicle-1', 2, jobs)],
      ...[ready('vehicle-1', 3), report('vehicle-1', 3, [{ cut: 0, tailMs: 20, fixedMs: 8 }])],
      ...[ready('vehicle-1', 4), report('vehicle-1', 4, [{ cut: 0, tailMs: 1000, fixedMs: 1000 }])],
      ready('vehicle-1', 5, ['camera-2']),
    ]);
    const times = plansIn(effects).map(timesOf);
    // The mean of 12, 20, 28 and 72, which is three times their median, 24, and the median of 4, 5, 5, 5, 8, 9.
    // The first round, where everything is done for the first time, does not count, and what measured rounds
    // see changes no plan.
    assert.deepEqual(times[0], { tailMs: 10, backMs: 3 });
    assert.deepEqual(times[1], { tailMs: 33, backMs: 5 });
    assert.deepEqual(times.slice(2), [{ tailMs: 33, backMs: 5 }]);
  });

  test('A tail that nobody has seen is as much longer than alone as those that were seen.', () => {
    const tailOf = (seenMs: number): number => {
      const state = initialState(setup({ policies: ['ro'], warmUpRounds: 2, rounds: 1 }, 1));
      const seen = report('vehicle-1', 2, [{ cut: 1, tailMs: seenMs, fixedMs: 3 }]);
      const effects = collect(state, [
        ...oneVehicle,
        ...[
          ready('vehicle-1', 1),
          report('vehicle-1', 1),
          ready('vehicle-1', 2),
          seen,
          ready('vehicle-1', 3),
        ],
      ]);
      return timesOf(plansIn(effects).at(-1)!).tailMs;
    };
    const aloneMs = cloudProfile.segmentMs.slice(1).reduce((sum, ms) => sum + ms, 0);
    assert.equal(tailOf(3 * aloneMs), 30);
    assert.equal(tailOf(aloneMs / 2), 10, 'one quick tail does not make the cloud faster');
  });

  test('The way back that one policy saw is what the next one begins with; its tails are not.', () => {
    const state = initialState(setup({ policies: ['ro', 'ro'] }, 1));
    const effects = collect(state, [
      ...oneVehicle,
      ...[ready('vehicle-1', 1), report('vehicle-1', 1, [{ cut: 0, tailMs: 30, fixedMs: 6 }])],
      ...[ready('vehicle-1', 2), report('vehicle-1', 2)],
    ]);
    assert.deepEqual(timesOf(plansIn(effects)[2]!), { tailMs: 10, backMs: 6 });
  });

  test('Where frames stay on board the plans say so.', () => {
    const keep = { ...setup({ policies: ['ro', 'ro-jpeg'] }, 1), keepFramesOnBoard: true };
    const rounds = [1, 2, 3].flatMap((n) => [ready('vehicle-1', n), report('vehicle-1', n)]);
    const plans = plansIn(collect(initialState(keep), [...oneVehicle, ...rounds]));
    assert.equal(plans.length, 4);
    for (const { plan } of plans)
      for (const { cut, codec } of plan.streams)
        assert.deepEqual({ cut, codec }, { cut: 1, codec: 'float32' });
  });
});

const oneVehicle = [hello('vehicle-1'), measured('vehicle-1'), hello('cloud-1'), measured('cloud-1')];

/** What a plan predicts for the tail of its first job and for the way back, to a nanosecond. */
function timesOf({ plan }: CoordinatorEffect & { kind: 'plan' }): { tailMs: number; backMs: number } {
  const { tailStartMs, tailEndMs, endMs } = plan.streams[0]!;
  const round = (ms: number): number => Math.round(ms * 1e6) / 1e6;
  return { tailMs: round(tailEndMs - tailStartMs), backMs: round(endMs - tailEndMs) };
}

/** All effects of the events, whatever they are. */
function collect(initial: CoordinatorState, events: readonly Row[0][]): readonly CoordinatorEffect[] {
  let state = initial;
  return events.flatMap((event) => {
    const next = step(state, { atMs: 0, ...event } as CoordinatorEvent);
    state = next.state;
    return next.effects;
  });
}

function collectState(initial: CoordinatorState, events: readonly Row[0][]): CoordinatorState {
  return events.reduce(
    (state, event) => step(state, { atMs: 0, ...event } as CoordinatorEvent).state,
    initial,
  );
}

test('Profiles of one kind that contradict each other in every segment do not make its times 0.', () => {
  const plans = plansIn(
    collect(initialState(setup({ policies: ['lo'] })), [
      hello('cloud-1'),
      measured('cloud-1'),
      hello('vehicle-1'),
      measured('vehicle-1', { segmentMs: [100, 0, 0] }),
      hello('vehicle-2'),
      measured('vehicle-2', { segmentMs: [0, 100, 0] }),
    ]),
  );
  assert.equal(plans.length, 2);
  for (const { plan } of plans) assert.equal(plan.makespanMs, 200);
});

describe('Links that change', () => {
  /** One vehicle of four cameras under `adaptive`, in round 1, on a link that is said to have 1 Mbit/s. */
  const cameras = [1, 2, 3, 4].map((n) => `camera-${n}`);
  const under = (policy: 'adaptive' | 'fixed', rounds = 3): CoordinatorState =>
    collectState(initialState(setup({ policies: [policy], rounds, warmUpRounds: 1 }, 1)), [
      hello('cloud-1'),
      measured('cloud-1'),
      hello('vehicle-1', { cameras }),
      measured('vehicle-1'),
      ready('vehicle-1', 1, cameras),
    ]);
  const cutsOf = (effects: readonly CoordinatorEffect[]): (readonly [number, number, number[]])[] =>
    plansIn(effects).map(({ plan: { epoch, round, streams } }) => [
      epoch,
      round,
      streams.map(({ cut }) => cut),
    ]);
  /** 10,000 bytes in 80 ms are 1 Mbit/s; in 800 ms a tenth of it. */
  const slow = (more = {}) => transfer('vehicle-1', 1, 800, more);

  test('Three transfers at another rate plan the frames that have not begun, and whole rounds, anew.', () => {
    const state = collectState(under('adaptive'), [slow(), slow()]);
    const { state: after, effects } = step(state, {
      atMs: 9,
      ...slow({ waiting: ['camera-3', 'camera-4'], unsentBytes: 2000, vehicleMs: 12 }),
    } as CoordinatorEvent);
    // At a tenth of the rate a tensor of cut 2 takes 160 ms: the network itself takes 100.
    assert.deepEqual(cutsOf(effects), [
      [2, 1, [3, 3]],
      [3, 0, [2, 3, 3, 3]],
    ]);
    const [revised, whole] = plansIn(effects);
    assert.deepEqual(revised!.plan.streams.map(({ camera }) => camera).toSorted(), ['camera-3', 'camera-4']);
    assert.ok(revised!.plan.streams.every(({ headStartMs }) => headStartMs >= 12));
    for (const { plan } of [revised!, whole!]) assert.ok(Math.abs(plan.uplinkBps - 1e5) < 1);
    // The same again changes nothing.
    assert.deepEqual(step(after, { atMs: 10, ...slow() } as CoordinatorEvent).effects, []);
  });

  test('A single slow transfer changes nothing, nor do slow ones under a policy that does not adapt.', () => {
    const fast = transfer('vehicle-1', 1, 80);
    assert.deepEqual(collect(under('adaptive'), [fast, fast, slow(), fast, fast, slow(), slow(), fast]), []);
    assert.deepEqual(collect(under('fixed'), [slow(), slow(), slow(), slow()]), []);
  });

  test('Transfers of nodes that are not there, or that took no time, are not learned.', () => {
    const state = under('adaptive');
    const none = transfer('vehicle-1', 1, 0);
    const other = transfer('vehicle-9', 1, 800);
    assert.deepEqual(collectState(state, [none, none, none, other, other, other]).links, {});
  });

  test('A link of which nothing is heard for ten seconds is taken for what it is said to be.', () => {
    const slowed = collectState(under('adaptive'), [slow(), slow(), slow()]);
    const at = (atMs: number) => step(slowed, { atMs, ...report('vehicle-1', 1) } as CoordinatorEvent);
    assert.ok(plansIn(at(5000).effects).every(({ plan }) => Math.abs(plan.uplinkBps - 1e5) < 1));
    assert.ok(plansIn(at(20_000).effects).every(({ plan }) => plan.uplinkBps === 1e6));
    assert.ok(plansIn(at(20_000).effects).length > 0);
  });
});

describe('A channel that vehicles share', () => {
  /** Two vehicles under exact on a channel of 1 Mbit/s, in round 1. */
  const onChannel = collectState(
    initialState({ ...setup({ policies: ['exact'], rounds: 2 }), channels: { lte: 1e6 } }),
    [
      hello('cloud-1'),
      measured('cloud-1'),
      hello('vehicle-1', { channel: 'lte' }),
      measured('vehicle-1'),
      hello('vehicle-2', { channel: 'lte' }),
      measured('vehicle-2'),
      ready('vehicle-1', 1),
      ready('vehicle-2', 1),
    ],
  );
  const asked = (node: string, frame: number, camera = 'camera-1'): Row[0] => ({
    kind: 'channel-asked',
    node,
    ask: { frame, epoch: 1, camera, bytes: 2000 },
  });
  const ended = (node: string, frame: number, whole = true): Row[0] => ({
    kind: 'channel-ended',
    node,
    end: { frame, whole },
  });
  const grants = (state: CoordinatorState, events: readonly Row[0][]): string[] =>
    collect(state, events).flatMap((effect) =>
      effect.kind === 'grant-channel' ? [`${effect.vehicle} ${effect.grant.frame}`] : [],
    );

  test('Plans on a channel say that it is granted, and are for all vehicles together.', () => {
    const state = initialState({ ...setup({ policies: ['exact'] }), channels: { lte: 1e6 } });
    const nodes = ['cloud-1', 'vehicle-1', 'vehicle-2'];
    const plans = plansIn(
      collect(
        state,
        nodes.flatMap((node) => [hello(node, { channel: 'lte' }), measured(node)]),
      ),
    );
    assert.deepEqual(
      plans.map(({ vehicle, plan }) => [vehicle, plan.granted]),
      [
        ['vehicle-1', true],
        ['vehicle-2', true],
      ],
    );
    const sends = plans
      .flatMap(({ plan: { streams } }) => streams)
      .filter(({ uplinkEndMs, uplinkStartMs }) => uplinkEndMs > uplinkStartMs)
      .toSorted((a, b) => a.uplinkStartMs - b.uplinkStartMs);
    for (const [index, { uplinkStartMs }] of sends.slice(1).entries())
      assert.ok(uplinkStartMs >= sends[index]!.uplinkEndMs - 1e-9);
    const alone = setup({ policies: ['exact'] });
    const own = plansIn(
      collect(
        initialState(alone),
        nodes.flatMap((node) => [hello(node), measured(node)]),
      ),
    );
    assert.ok(own.every(({ plan }) => !plan.granted));
  });

  test('Where no camera of any vehicle delivers there is nothing to plan; once one does again there is.', () => {
    const reported = [report('vehicle-1', 1), report('vehicle-2', 1)];
    const blind = collectState(onChannel, [
      ...reported,
      ready('vehicle-1', 2, []),
      ready('vehicle-2', 2, []),
    ]);
    const goes = [report('vehicle-1', 2), report('vehicle-2', 2), ready('vehicle-1', 3)];
    const [plan] = plansIn(collect(blind, [...goes, ready('vehicle-2', 3, [])]));
    assert.equal(plan?.vehicle, 'vehicle-1');
  });

  test('One tensor has the channel at a time; the next one has it when that has left, or its vehicle.', () => {
    const waiting = [asked('vehicle-1', 1), asked('vehicle-2', 1), asked('vehicle-1', 2, 'camera-2')];
    assert.deepEqual(grants(onChannel, waiting), ['vehicle-1 1']);
    assert.equal(grants(onChannel, [...waiting, ended('vehicle-1', 1)]).length, 2);
    assert.equal(grants(onChannel, [...waiting, ended('vehicle-1', 1, false)]).length, 2);
    assert.deepEqual(grants(onChannel, [...waiting, gone('vehicle-1')]), ['vehicle-1 1', 'vehicle-2 1']);
    assert.deepEqual(grants(onChannel, [...waiting, ended('vehicle-9', 1)]), ['vehicle-1 1']);
  });

  /** A vehicle on each of two channels, a second one on the first, and one with a link of its own; in round 1. */
  const onTwo = collectState(
    initialState({
      ...setup({ policies: ['exact'], rounds: 2 }, 4),
      channels: { lte: 1e6, constructor: 5e5 },
    }),
    [
      ...[hello('cloud-1'), measured('cloud-1')],
      ...['lte', 'constructor', '', 'lte'].flatMap((channel, index) => [
        hello(`vehicle-${index + 1}`, { channel }),
        measured(`vehicle-${index + 1}`),
      ]),
      ...[1, 2, 3, 4].map((index) => ready(`vehicle-${index}`, 1)),
    ],
  );

  test('A channel that is busy does not hold up another one, and what happens on one changes nothing on the other.', () => {
    const both = [asked('vehicle-1', 1), asked('vehicle-4', 1), asked('vehicle-2', 1)];
    assert.deepEqual(grants(onTwo, both), ['vehicle-1 1', 'vehicle-2 1']);
    assert.deepEqual(grants(onTwo, [...both, ended('vehicle-2', 1), gone('vehicle-2')]).length, 2);
    assert.deepEqual(grants(onTwo, [...both, ended('vehicle-1', 1)]).at(-1), 'vehicle-4 1');
    assert.deepEqual(grants(onTwo, [...both, gone('vehicle-1')]).at(-1), 'vehicle-4 1');
    const wakes = collect(onTwo, both).flatMap((effect) =>
      effect.kind === 'wake-channel' ? [effect.channel] : [],
    );
    assert.deepEqual(new Set(wakes), new Set(['lte', 'constructor']));
    const due = (channel: string): CoordinatorEvent => ({ kind: 'channel-due', channel, atMs: 60_000 });
    const waiting = collectState(onTwo, both);
    const granted = (channel: string): number =>
      step(waiting, due(channel)).effects.filter(({ kind }) => kind === 'grant-channel').length;
    assert.deepEqual([granted('lte'), granted('constructor'), granted('toString')], [1, 0, 0]);
  });

  test('A vehicle with a link of its own, and whoever is not there, is granted nothing beside channels.', () => {
    assert.deepEqual(grants(onTwo, [asked('vehicle-3', 1), asked('vehicle-9', 1)]), []);
  });

  test('A vehicle that comes again on another channel leaves nothing behind on the one before.', () => {
    const moved = collectState(onTwo, [
      asked('vehicle-1', 1),
      hello('vehicle-1', { channel: 'constructor' }),
    ]);
    assert.deepEqual(moved.grants.lte!.granted, []);
    assert.deepEqual(grants(moved, [asked('vehicle-4', 1), asked('vehicle-1', 1)]), [
      'vehicle-4 1',
      'vehicle-1 1',
    ]);
  });

  test('Where vehicles have links of their own nobody is granted anything.', () => {
    const own = collectState(initialState(setup()), [hello('cloud-1'), measured('cloud-1')]);
    assert.deepEqual(
      collect(own, [asked('vehicle-1', 1), ended('vehicle-1', 1), { kind: 'channel-due', channel: 'lte' }]),
      [],
    );
  });
});
