import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeClock } from '../../../libs/clock/index.ts';
import { type Recorder, replaySteps, StepRunner } from '../../../libs/journal/index.ts';

type Event =
  | { readonly kind: 'add'; readonly atMs: number; readonly value: number }
  | { readonly kind: 'say'; readonly atMs: number };
interface Effect {
  readonly kind: 'said' | 'late';
  readonly value: number;
}

/** Adds up what it is given, and says the sum; with a time in it, so that the event's time is proved. */
function step(state: number, event: Event): { state: number; effects: Effect[] } {
  if (event.kind === 'add') return { state: state + event.value, effects: [] };
  return {
    state,
    effects: [
      { kind: 'said', value: state },
      { kind: 'late', value: event.atMs },
    ],
  };
}

/** A recorder that keeps what it is given in memory. */
function memory() {
  const events: { sequence: number; at_ms: number; event: string }[] = [];
  const effects: { sequence: number; place: number; effect: string }[] = [];
  const recorder = {
    write: (table: string, row: never) => {
      if (table === 'event') events.push(row);
      else if (table === 'effect') effects.push(row);
      else assert.fail(table);
    },
  } as Recorder;
  return { events, effects, recorder };
}

function running() {
  const clock = new FakeClock(10);
  const log = memory();
  const performed: (Effect & { atMs: number })[] = [];
  const runner = new StepRunner<number, Event, Effect>(0, step, {
    recorder: log.recorder,
    clock,
    perform: (effect, atMs) => performed.push({ ...effect, atMs }),
  });
  return { clock, log, performed, runner };
}

test('An event is stamped, decided and written down with its effects, which are then performed.', () => {
  const { clock, log, performed, runner } = running();
  runner.take({ kind: 'add', value: 5 });
  clock.advance(3);
  runner.take({ kind: 'say' });
  assert.equal(runner.state, 5);
  assert.deepEqual(
    log.events.map(({ sequence, at_ms, event }) => ({ sequence, at_ms, event: JSON.parse(event) })),
    [
      { sequence: 0, at_ms: 10, event: { kind: 'add', value: 5, atMs: 10 } },
      { sequence: 1, at_ms: 13, event: { kind: 'say', atMs: 13 } },
    ],
  );
  assert.deepEqual(
    log.effects.map(({ sequence, place, effect }) => ({ sequence, place, effect: JSON.parse(effect) })),
    [
      { sequence: 1, place: 0, effect: { kind: 'said', value: 5 } },
      { sequence: 1, place: 1, effect: { kind: 'late', value: 13 } },
    ],
  );
  assert.deepEqual(performed, [
    { kind: 'said', value: 5, atMs: 13 },
    { kind: 'late', value: 13, atMs: 13 },
  ]);
});

test('Both sides are written down before the first effect is performed.', () => {
  const log = memory();
  const writtenBefore: number[][] = [];
  const runner = new StepRunner<number, Event, Effect>(0, step, {
    recorder: log.recorder,
    clock: new FakeClock(),
    perform: () => writtenBefore.push([log.events.length, log.effects.length]),
  });
  runner.take({ kind: 'say' });
  assert.deepEqual(writtenBefore, [
    [1, 2],
    [1, 2],
  ]);
});

test('A runner that is stopped takes, writes and performs nothing more.', () => {
  const { log, performed, runner } = running();
  runner.take({ kind: 'add', value: 1 });
  runner.stop();
  runner.take({ kind: 'add', value: 1 });
  runner.take({ kind: 'say' });
  assert.deepEqual([runner.state, log.events.length, performed.length], [1, 1, 0]);
});

const untimed = fc.oneof(
  fc.integer({ min: 1, max: 99 }).map((value) => ({ kind: 'add' as const, value })),
  fc.constant({ kind: 'say' as const }),
);

function record(events: readonly Parameters<ReturnType<typeof running>['runner']['take']>[0][]) {
  const { clock, log, runner } = running();
  for (const event of events) {
    runner.take(event);
    clock.advance(1.5);
  }
  return log;
}

test('A replay of what was recorded finds no difference.', () => {
  fc.assert(
    fc.property(fc.array(untimed, { maxLength: 30 }), (events) => {
      assert.equal(replaySteps(0, step, record(events)), undefined);
    }),
  );
});

test('A replay of an effect that was changed, lost or put in finds the first event where it shows.', () => {
  const spoiled = fc.record({
    before: fc.array(untimed, { maxLength: 10 }),
    after: fc.array(untimed, { maxLength: 10 }),
    how: fc.constantFrom('change', 'lose', 'repeat', 'swap'),
  });
  fc.assert(
    fc.property(spoiled, ({ before, after, how }) => {
      const log = record([...before, { kind: 'say' }, ...after]);
      const sequence = before.length;
      const place = log.effects.findIndex((effect) => effect.sequence === sequence);
      const [first, second] = log.effects.slice(place, place + 2);
      if (how === 'change') log.effects[place] = { ...first!, effect: '{"kind":"said","value":-1}' };
      else if (how === 'lose') log.effects.splice(place, 1);
      else if (how === 'repeat') log.effects.splice(place, 0, first!);
      else log.effects.splice(place, 2, second!, first!);
      const difference = replaySteps(0, step, log)!;
      assert.equal(difference.sequence, sequence);
      assert.equal(difference.event, log.events[sequence]!.event);
      assert.deepEqual(difference.replayed, [first!.effect, second!.effect]);
      assert.notDeepEqual(difference.recorded, difference.replayed);
    }),
  );
});

test('A replay of an event that was changed or lost finds the first event that is decided otherwise.', () => {
  const log = record([
    { kind: 'add', value: 2 },
    { kind: 'add', value: 3 },
    { kind: 'say' },
    { kind: 'say' },
  ]);
  const changed = log.events.map((row) => ({ ...row, event: row.event.replace('"value":3', '"value":4') }));
  assert.equal(replaySteps(0, step, { ...log, events: changed })!.sequence, 2);
  assert.equal(replaySteps(0, step, { ...log, events: log.events.toSpliced(0, 1) })!.sequence, 2);
});

test('A replay of effects whose event is not in the log finds them.', () => {
  const log = record([{ kind: 'add', value: 2 }, { kind: 'say' }]);
  const difference = replaySteps(0, step, { ...log, events: log.events.slice(0, 1) })!;
  assert.equal(difference.sequence, 1);
  assert.deepEqual(difference.replayed, []);
  assert.equal(difference.recorded.length, 2);
});

test('A replay by another step, or from another state, finds the difference.', () => {
  const log = record([{ kind: 'add', value: 2 }, { kind: 'say' }]);
  assert.equal(replaySteps(1, step, log)!.sequence, 1);
  const mute = (state: number): { state: number; effects: Effect[] } => ({ state, effects: [] });
  assert.deepEqual(replaySteps(0, mute, log)!.replayed, []);
});
