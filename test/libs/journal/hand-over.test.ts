import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BEGINNING,
  HANDED_TABLES,
  type LogAck,
  type LogBatch,
  newSender,
  type OpenRun,
  type Position,
  positionAfter,
  type SenderEffect,
  type SenderEvent,
  type SenderState,
  stepSender,
  type Window,
} from '../../../libs/journal/hand-over.ts';

const UPLINK_BPS = 1e6;
/** More than any wait of the sender. */
const LONG_MS = 61_000;
const TABLES = HANDED_TABLES.length;

const positionOf = (...rows: number[]): Position => HANDED_TABLES.map((_, table) => rows[table] ?? 0);
const bytes = (length: number): Uint8Array => new Uint8Array(length);

/** Both ends and the wire between them, with what outlives the ends: the vehicle's logs and the roadside unit's. */
class World {
  atMs = 0;
  /** The vehicle's logs on its disk, by their starts: how many rows each table has. */
  readonly logs: number[][] = [];
  /** What of `handed_over` is on the vehicle's disk, and what waits for its batch. */
  #durable = new Map<string, { run: OpenRun; whole: boolean }>();
  #batched: { run: OpenRun; whole: boolean }[] = [];
  #sender!: SenderState;
  #reading: SenderEffect[] = [];
  up: LogBatch[] = [];
  down: LogAck[] = [];
  /** Each record as often as it was stored. */
  readonly stored = new Map<string, number>();
  #positions = new Map<string, Position>();
  isConnected = false;

  constructor() {
    this.startVehicle();
  }

  startVehicle(): void {
    this.#batched = [];
    this.#reading = [];
    this.isConnected = false;
    this.logs.push(HANDED_TABLES.map(() => 0));
    const open = this.logs.map((_, start): OpenRun => {
      const run = `run-${start + 1}`;
      return this.#durable.get(run)?.run ?? { run, start: start + 1, position: BEGINNING };
    });
    const left = open.filter(({ run }) => this.#durable.get(run)?.whole !== true);
    this.#sender = newSender(left, UPLINK_BPS);
  }

  /** Its positions come back from the records that it has. */
  restartRoadsideUnit(): void {
    this.#positions = new Map(
      this.logs.map((_, start) => {
        const run = `run-${start + 1}`;
        return [
          run,
          HANDED_TABLES.map((__, table) => {
            let row = 0;
            while (this.stored.has(`${run}/${table}/${row + 1}`)) row++;
            return row;
          }),
        ];
      }),
    );
  }

  write(table: number, rows: number): void {
    this.logs.at(-1)![table]! += rows;
  }

  makeDurable(): void {
    for (const row of this.#batched) this.#durable.set(row.run.run, row);
    this.#batched = [];
  }

  take(event: { kind: 'let-in' | 'lost' | 'tick' } | { kind: 'acked'; ack: LogAck }, window: Window): void {
    if (event.kind === 'let-in') this.isConnected = true;
    if (event.kind === 'lost') this.isConnected = false;
    this.#step({ ...event, atMs: this.atMs, window });
  }

  /** The thread answers, of each table at most so many rows. */
  read(most: number, window: Window): void {
    const effect = this.#reading.shift();
    if (effect?.kind !== 'read') return;
    const { start, position } = effect.run;
    const has = this.logs[start - 1]!;
    const through = position.map((row, table) => Math.min(has[table]!, row + most));
    const isMore = through.some((row, table) => row > position[table]!);
    const rows = isMore ? { through, rows: bytes(100) } : undefined;
    this.#step({ kind: 'read', rows, atMs: this.atMs, window });
  }

  receive(batch: LogBatch): void {
    const known = this.#positions.get(batch.run) ?? BEGINNING;
    const position = positionAfter(known, batch);
    position.forEach((last, table) => {
      for (let row = known[table]! + 1; row <= last; row++) {
        const record = `${batch.run}/${table}/${row}`;
        this.stored.set(record, (this.stored.get(record) ?? 0) + 1);
      }
    });
    this.#positions.set(batch.run, position);
    this.down.push({ run: batch.run, number: batch.number, position });
  }

  #step(event: SenderEvent): void {
    const { state, effects } = stepSender(this.#sender, event);
    this.#sender = state;
    for (const effect of effects) {
      if (effect.kind === 'read') this.#reading.push(effect);
      else if (effect.kind === 'send') this.up.push(effect.batch);
      else if (effect.kind === 'handed-over') this.#batched.push(effect);
    }
    assert.ok(this.#reading.length <= 1, 'two things are read at once');
  }

  /** Nothing disturbs any more. */
  settle(): void {
    this.take({ kind: 'let-in' }, 'open');
    for (let turn = 0; turn < 2000; turn++) {
      this.atMs += LONG_MS;
      this.take({ kind: 'tick' }, 'open');
      this.read(3, 'open');
      for (const batch of this.up.splice(0)) this.receive(batch);
      for (const ack of this.down.splice(0)) this.take({ kind: 'acked', ack }, 'open');
      if (this.isWhole()) return;
    }
  }

  records(): string[] {
    return this.logs.flatMap((tables, start) =>
      tables.flatMap((rows, table) =>
        Array.from({ length: rows }, (_, row) => `run-${start + 1}/${table}/${row + 1}`),
      ),
    );
  }

  isWhole(): boolean {
    return this.records().every((record) => this.stored.has(record));
  }
}

const place = fc.nat(5);
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      table: fc.nat(TABLES - 1),
      rows: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('tick' as const),
      afterMs: fc.nat(5000),
      window: fc.constantFrom<Window>('open', 'share', 'closed'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('read' as const), most: fc.integer({ min: 1, max: 4 }) }),
  },
  // A message arrives: the one at a place of the queue, which stays there too where it is doubled.
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('up' as const, 'down' as const),
      place,
      twice: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('lose-up' as const, 'lose-down' as const), place }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('durable' as const, 'connect' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('cut' as const, 'vehicle-crash' as const, 'roadside-unit-crash' as const),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

function act(world: World, todo: Action): void {
  switch (todo.kind) {
    case 'write':
      return world.write(todo.table, todo.rows);
    case 'tick':
      world.atMs += todo.afterMs;
      return world.take({ kind: 'tick' }, todo.window);
    case 'read':
      return world.read(todo.most, 'open');
    case 'up': {
      const batch = world.up[todo.place];
      if (!batch) return;
      if (!todo.twice) world.up.splice(todo.place, 1);
      return world.receive(batch);
    }
    case 'down': {
      const ack = world.down[todo.place];
      if (!ack) return;
      if (!todo.twice) world.down.splice(todo.place, 1);
      return world.take({ kind: 'acked', ack }, 'open');
    }
    case 'lose-up':
      return void world.up.splice(todo.place, 1);
    case 'lose-down':
      return void world.down.splice(todo.place, 1);
    case 'durable':
      return world.makeDurable();
    case 'connect':
      return world.take({ kind: 'let-in' }, 'open');
    case 'cut':
      return world.take({ kind: 'lost' }, 'open');
    case 'vehicle-crash':
      return world.startVehicle();
    case 'roadside-unit-crash':
      return world.restartRoadsideUnit();
  }
}

test('Whatever is lost, doubled, late or out of order, and whoever restarts: each record is there once in the end.', () => {
  let stored = 0;
  fc.assert(
    fc.property(fc.array(action, { minLength: 20, maxLength: 200 }), (actions) => {
      const world = new World();
      for (const todo of actions) act(world, todo);
      world.settle();
      assert.deepEqual([...world.stored.keys()].sort(), world.records().sort());
      assert.ok([...world.stored.values()].every((times) => times === 1));
      stored += world.stored.size;
    }),
    { numRuns: 1500 },
  );
  assert.ok(stored > 10_000, `only ${stored} records were handed over`);
});

test('A roadside unit that has lost what it had is told all of it again.', () => {
  const world = new World();
  world.write(1, 8);
  world.settle();
  assert.ok(world.isWhole());
  world.stored.clear();
  world.restartRoadsideUnit();
  world.write(1, 1);
  world.settle();
  assert.equal(world.stored.size, 9);
});

const run = (name: string, start: number, ...rows: number[]): OpenRun => ({
  run: name,
  start,
  position: positionOf(...rows),
});

/** A sender that is let in, and what it is asked for and answered, step by step. */
function sender(...runs: OpenRun[]) {
  let state = newSender(runs, UPLINK_BPS);
  const take = (
    event:
      | Parameters<World['take']>[0]
      | { kind: 'read'; rows: { through: Position; rows: Uint8Array } | undefined }
      | { kind: 'read-failed' },
    atMs = 0,
    window: Window = 'open',
  ) => {
    const { state: next, effects } = stepSender(state, { ...event, atMs, window } as SenderEvent);
    state = next;
    return effects;
  };
  return { take, first: take({ kind: 'let-in' }) };
}

const kinds = (effects: readonly SenderEffect[]): string[] => effects.map(({ kind }) => kind);
const some = { kind: 'read' as const, rows: { through: positionOf(0, 5), rows: bytes(1000) } };

test('Logs are handed over one after another, the oldest first, each from where the roadside unit has it.', () => {
  const { take, first } = sender(run('a', 1, 1, 2), run('b', 2), run('c', 3));
  assert.deepEqual(first, [{ kind: 'read', run: run('a', 1, 1, 2), maxBytes: 2500 }]);
  const next = take({ kind: 'read', rows: undefined });
  assert.deepEqual(next, [
    { kind: 'handed-over', run: run('a', 1, 1, 2), whole: true },
    { kind: 'read', run: run('b', 2), maxBytes: 2500 },
  ]);
  const [sent] = take(some);
  const expected = { run: 'b', number: 1, after: positionOf(), through: positionOf(0, 5), rows: bytes(1000) };
  assert.deepEqual(sent, { kind: 'send', batch: expected });
  const ack = { run: 'b', number: 1, position: positionOf(0, 5) };
  assert.deepEqual(take({ kind: 'acked', ack }), [
    { kind: 'handed-over', run: run('b', 2, 0, 5), whole: false },
    { kind: 'read', run: run('b', 2, 0, 5), maxBytes: 2500 },
  ]);
});

test('The log that is being written is read again and again; when it has no more rows that is told.', () => {
  const { take } = sender(run('a', 1));
  assert.deepEqual(kinds(take({ kind: 'read', rows: undefined })), ['all-handed-over']);
  assert.deepEqual(kinds(take({ kind: 'tick' }, 250)), ['read']);
});

test('A log that cannot be read is left for the next start, and the ones after it are handed over.', () => {
  const { take } = sender(run('a', 1), run('b', 2));
  const effects = take({ kind: 'read-failed' });
  assert.deepEqual(effects, [{ kind: 'read', run: run('b', 2), maxBytes: 2500 }]);
  assert.deepEqual(take({ kind: 'read-failed' }), []);
  assert.deepEqual(take({ kind: 'tick' }, 250), []);
  assert.deepEqual(kinds(take({ kind: 'tick' }, LONG_MS)), ['read']);
});

test('One batch is under way; without an answer it is sent again, later each time; at once on a new connection.', () => {
  const { take } = sender(run('a', 1));
  assert.deepEqual(kinds(take(some)), ['send']);
  const sentAt: number[] = [];
  for (let atMs = 0; atMs < 200_000; atMs += 250)
    if (take({ kind: 'tick' }, atMs).length > 0) sentAt.push(atMs);
  assert.deepEqual(sentAt, [1000, 3000, 7000, 15_000, 31_000, 63_000, 123_000, 183_000]);
  assert.deepEqual(take({ kind: 'lost' }, 200_000), []);
  assert.deepEqual(take({ kind: 'tick' }, 200_001), []);
  assert.deepEqual(kinds(take({ kind: 'let-in' }, 200_002)), ['send']);
});

test('Nothing is read or sent while there are tensors to send; what is read waits.', () => {
  const { take } = sender(run('a', 1));
  assert.deepEqual(take(some, 0, 'closed'), []);
  assert.deepEqual(take({ kind: 'tick' }, 250, 'closed'), []);
  assert.deepEqual(kinds(take({ kind: 'tick' }, 500, 'open')), ['send']);
  const ack = { run: 'a', number: 1, position: positionOf(0, 5) };
  assert.deepEqual(kinds(take({ kind: 'acked', ack }, 510, 'closed')), ['handed-over']);
  assert.deepEqual(kinds(take({ kind: 'tick' }, 750, 'open')), ['read']);
});

test('Beside tensors that come all the time it takes a fiftieth of the link.', () => {
  const { take } = sender(run('a', 1));
  let sentBytes = 0;
  let number = 0;
  for (let atMs = 0; atMs < 100_000; atMs += 10) {
    const effects = [...take({ kind: 'tick' }, atMs, 'share'), ...take(some, atMs, 'share')];
    if (!effects.some(({ kind }) => kind === 'send')) continue;
    sentBytes += 1000;
    const ack = { run: 'a', number: ++number, position: positionOf(0, 5) };
    take({ kind: 'acked', ack }, atMs, 'share');
  }
  const mostBytes = (UPLINK_BPS / 8) * 100 * 0.02;
  assert.ok(sentBytes <= mostBytes + 1000 && sentBytes >= 0.9 * mostBytes, `${sentBytes} of ${mostBytes}`);
});

test('An answer to another batch than the one under way changes nothing.', () => {
  const { take } = sender(run('a', 1), run('b', 2));
  take(some);
  const position = positionOf(0, 5);
  for (const ack of [
    { run: 'a', number: 2, position },
    { run: 'a', number: 0, position },
    { run: 'b', number: 1, position },
  ])
    assert.deepEqual(take({ kind: 'acked', ack }), []);
  assert.deepEqual(kinds(take({ kind: 'acked', ack: { run: 'a', number: 1, position } })), [
    'handed-over',
    'read',
  ]);
});

test('A roadside unit that has less, or more, than was known is believed.', () => {
  const { take } = sender(run('a', 1, 1, 9));
  take({ kind: 'read', rows: { through: positionOf(1, 12), rows: bytes(10) } });
  const less = take({ kind: 'acked', ack: { run: 'a', number: 1, position: positionOf(0, 3) } });
  assert.deepEqual(less.at(-1), { kind: 'read', run: run('a', 1, 0, 3), maxBytes: 2500 });
  take(some);
  const more = take({ kind: 'acked', ack: { run: 'a', number: 2, position: positionOf(1, 20) } });
  assert.deepEqual(more.at(-1), { kind: 'read', run: run('a', 1, 1, 20), maxBytes: 2500 });
});

test('A roadside unit that never takes what begins where it stands is not asked without end.', () => {
  const { take } = sender(run('a', 1));
  take(some);
  assert.deepEqual(kinds(take({ kind: 'acked', ack: { run: 'a', number: 1, position: positionOf() } })), [
    'handed-over',
  ]);
  assert.deepEqual(take({ kind: 'tick' }, 1000), []);
  assert.deepEqual(kinds(take({ kind: 'tick' }, LONG_MS)), ['read']);
});

test('A batch with a gap before it is not taken; one that is known in part adds the rest.', () => {
  const known = positionOf(1, 4, 2);
  const after = (from: Position, through: Position) => positionAfter(known, { after: from, through });
  assert.deepEqual(after(positionOf(1, 5, 2), positionOf(1, 9, 2)), known);
  assert.deepEqual(after(positionOf(1, 4, 3), positionOf(1, 9, 3)), known);
  assert.deepEqual(after(positionOf(0, 0, 0), positionOf(1, 3, 2)), known);
  assert.deepEqual(after(positionOf(1, 2, 1), positionOf(1, 6, 2)), positionOf(1, 6, 2));
  assert.deepEqual(after(positionOf(1, 4, 2), positionOf(1, 4, 7)), positionOf(1, 4, 7));
});

test('A batch takes about 20 ms of the link, neither next to nothing nor more than a message holds.', () => {
  const sizes = [1e3, 1e6, 4e6, 1e9].map((bps) => {
    const { effects } = stepSender(newSender([run('a', 1)], bps), {
      kind: 'let-in',
      atMs: 0,
      window: 'open',
    });
    return effects[0]?.kind === 'read' && effects[0].maxBytes;
  });
  assert.deepEqual(sizes, [2048, 2500, 10_000, 30_720]);
});
