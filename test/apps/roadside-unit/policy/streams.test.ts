/** Steady streams: what the coordinator asks of its vehicles, what it plans for them, and what it says of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CoordinatorSetup, initialState } from '../../../../apps/roadside-unit/policy/step.ts';
import { beat, drive, hello, measured, type Row, ready, report, setup } from './drive.ts';

type Campaign = CoordinatorSetup['campaign'];
const streaming = (more: Partial<Campaign> = {}) =>
  initialState(setup({ policies: ['exact'], streams: { fps: 4, ticks: 20 }, ...more }, 1));

const registered: Row[] = [
  [hello('cloud-1'), 'accept cloud-1', 'measure cloud-1'],
  [hello('vehicle-1'), 'accept vehicle-1'],
  [measured('cloud-1'), 'measure vehicle-1'],
];
const WHOLE = 'plan 1 vehicle-1 exact cloud-1: camera-1 2, camera-2 2';
const CAPTURE = ['capture 1 vehicle-1 (warm-up)', 'wake capture 1'];

test('A round of steady streams says how often and how long; warm-up is short, and has no deadline.', () => {
  const { effects } = drive(
    [
      ...registered,
      [measured('vehicle-1'), WHOLE, 'begin exact', ...CAPTURE],
      [ready('vehicle-1', 1), 'go 1 vehicle-1 (warm-up)', 'wake go 1'],
      [
        report('vehicle-1', 1),
        ...['progress exact 1 of 2', 'plan 2 vehicle-1 exact cloud-1: camera-1 2, camera-2 2'],
        ...['capture 2 vehicle-1', 'wake capture 2'],
      ],
      [ready('vehicle-1', 2), 'go 2 vehicle-1', 'wake go 2'],
    ],
    streaming({ deadlineMs: 900 }),
  );
  const rounds = effects.flatMap((effect) => (effect.kind === 'round' ? [effect.round] : []));
  assert.deepEqual(
    rounds.map(({ phase, periodMs, ticks, deadlineMs }) => [phase, periodMs, ticks, deadlineMs]),
    [
      ['capture', 250, 5, 0],
      ['go', 250, 5, 0],
      ['capture', 250, 20, 900],
      ['go', 250, 20, 900],
    ],
  );
  const waits = effects.flatMap((effect) =>
    effect.kind === 'wake' && effect.phase === 'go' ? [effect.afterMs] : [],
  );
  assert.ok(waits[0]! > 5 * 250 && waits[1]! > 20 * 250, 'a vehicle is not given up while its streams run');
});

test('A plan of steady streams says which period it holds, and what a frame takes at worst.', () => {
  const { state } = drive(
    [...registered, [measured('vehicle-1'), WHOLE, 'begin exact', ...CAPTURE]],
    streaming(),
  );
  const [{ plan }] = state.plans as [(typeof state.plans)[0]];
  assert.equal(plan.periodMs, 250);
  assert.ok(plan.makespanMs < 250);
});

test('Where no plan holds the rate the one that would hold is said, once a policy.', () => {
  const WHY = '100 frames a second are too many under exact,';
  const { state, effects } = drive(
    [
      ...registered,
      [
        measured('vehicle-1'),
        `fault rate-not-held: vehicle-1: ${WHY} 16.7 would hold`,
        'plan 1 vehicle-1 exact cloud-1: camera-1 2, camera-2 2',
        ...['begin exact', ...CAPTURE],
      ],
    ],
    streaming({ streams: { fps: 100, ticks: 20 } }),
  );
  assert.ok(effects.length > 0);
  assert.ok(state.plans[0]!.plan.periodMs! > 10);
});

test('Where the plan takes longer than the deadline, that is said.', () => {
  const { effects } = drive(
    [
      ...registered,
      [
        measured('vehicle-1'),
        'fault deadline-not-held: vehicle-1: a frame may take 87 ms under exact, the deadline is 50 ms',
        ...[WHOLE, 'begin exact', ...CAPTURE],
      ],
    ],
    streaming({ deadlineMs: 50 }),
  );
  assert.ok(effects.length > 0);
});

test('A heartbeat in mid-stream changes nothing.', () => {
  drive(
    [
      ...registered,
      [measured('vehicle-1'), WHOLE, 'begin exact', ...CAPTURE],
      [beat('vehicle-1', 'cloud-1')],
    ],
    streaming(),
  );
});
