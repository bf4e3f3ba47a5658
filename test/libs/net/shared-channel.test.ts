import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Clock, FakeClock, seededRandom, systemClock } from '../../../libs/clock/index.ts';
import { SharedChannel } from '../../../libs/net/index.ts';
import { chunkBytesFor } from '../../../libs/proto/index.ts';
import { collect, lateBy, randomBytes, until } from './loopback.ts';

const HOST = '127.0.0.1';
const FORGIVEN_MS = 5;
const GRAIN_MS = 0.7;

interface Cell {
  readonly channel: SharedChannel;
  readonly port: number;
  /** Connects a vehicle; also the broker's end of its connection. */
  join(): Promise<{ readonly vehicle: Socket; readonly broker: Socket }>;
}

async function cell(
  context: { after(run: () => unknown): void },
  bps: number,
  clock: Clock = systemClock,
): Promise<Cell> {
  const atBroker: Socket[] = [];
  const broker = createServer((socket) => {
    socket.on('error', () => {});
    atBroker.push(socket);
  });
  broker.listen(0, HOST);
  await once(broker, 'listening');
  const channel = new SharedChannel(
    { host: HOST, port: (broker.address() as { port: number }).port, bps },
    clock,
  );
  const port = await channel.start();
  const vehicles: Socket[] = [];
  context.after(async () => {
    for (const socket of [...vehicles, ...atBroker]) socket.destroy();
    await channel.stop();
    broker.close();
  });
  const join: Cell['join'] = async () => {
    const before = atBroker.length;
    const vehicle = connect({ host: HOST, port, noDelay: true });
    vehicle.on('error', () => {});
    vehicles.push(vehicle);
    await until(() => atBroker.length > before);
    return { vehicle, broker: atBroker[before]! };
  };
  return { channel, port, join };
}

interface Sender {
  readonly vehicle: Socket;
  /** What it has not written yet. */
  readonly pieces: Buffer[];
  readonly whole: Buffer;
  readonly arrived: () => Buffer;
}

/** A cell for one run of a property. */
async function inCell(bps: number, clock: Clock, run: (made: Cell) => Promise<void>): Promise<void> {
  const cleanUp: (() => unknown)[] = [];
  try {
    await run(await cell({ after: (undo) => cleanUp.push(undo) }, bps, clock));
  } finally {
    for (const undo of cleanUp) await undo();
  }
}

/** Lets what is on its way through the kernel arrive. */
async function settle(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(clock: FakeClock, ms: number, stepMs = 1): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await settle();
  }
}

/** 1,000 bytes take 1 ms; a quantum is 4,096. */
const BPS = 8e6;
const QUANTUM = chunkBytesFor(BPS);

test('What several vehicles write arrives whole and in order, at no more than the rate in any stretch of time.', async () => {
  const writes = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(writes, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(2e6, 5.4e6, 54e6),
      fc.constantFrom(0, 1.5, 4, 9),
      fc.integer(),
      async (sizes, bps, lateMs, seed) => {
        const fake = new FakeClock(1000);
        await inCell(bps, lateBy(fake, lateMs), async ({ channel, join }) => {
          const random = seededRandom(seed);
          const all: Sender[] = [];
          for (const [index, of] of sizes.entries()) {
            const { vehicle, broker } = await join();
            const pieces = of.map((size, at) => randomBytes(size, index * 100 + at));
            all.push({ vehicle, pieces, whole: Buffer.concat(pieces), arrived: collect(broker).bytes });
          }
          const slack = chunkBytesFor(bps) + ((FORGIVEN_MS + GRAIN_MS + 0.5) * bps) / 8000;
          // By how much the channel is ahead of its rate, and the least of that so far.
          let leastAhead = Number.POSITIVE_INFINITY;
          const wholeBytes = all.reduce((sum, { whole }) => sum + whole.length, 0);
          for (let step = 0; channel.counters.carriedBytes < wholeBytes; step++) {
            assert.ok(step < 10_000, 'the channel stands still');
            for (const { vehicle, pieces } of all)
              if (pieces.length > 0 && random() < 0.3) vehicle.write(pieces.shift()!);
            await settle(2);
            fake.advance(0.5);
            const ahead = channel.counters.carriedBytes - (fake.now() * bps) / 8000;
            leastAhead = Math.min(leastAhead, ahead);
            assert.ok(ahead - leastAhead <= slack, `${ahead - leastAhead} bytes ahead, at most ${slack}`);
          }
          await until(() => all.every(({ whole, arrived }) => arrived().length >= whole.length));
          for (const { whole, arrived } of all) assert.ok(arrived().equals(whole));
          await pass(fake, 100, 20);
          const { carriedBytes, busyMs } = channel.counters;
          assert.equal(carriedBytes, wholeBytes);
          assert.ok(Math.abs(busyMs - (carriedBytes * 8000) / bps) < 1e-6);
        });
      },
    ),
    { numRuns: 12 },
  );
});

for (const vehicles of [2, 3, 7])
  test(`Of ${vehicles} vehicles that always send each has its equal part, and the channel is never idle.`, async (context) => {
    const clock = new FakeClock();
    const { channel, join } = await cell(context, BPS, clock);
    const arrived: number[] = [];
    for (let index = 0; index < vehicles; index++) {
      const { vehicle, broker } = await join();
      arrived.push(0);
      broker.on('data', (bytes) => {
        arrived[index]! += bytes.length;
      });
      vehicle.write(Buffer.alloc(1_000_000));
    }
    await settle(20);
    const before = [...arrived];
    for (let round = 0; round < 10; round++) {
      await pass(clock, 30);
      const parts = arrived.map((bytes, index) => bytes - before[index]!);
      assert.ok(Math.max(...parts) - Math.min(...parts) <= 2 * QUANTUM, `${parts}`);
    }
    const { carriedBytes, busyMs, contendedMs, lostMs } = channel.counters;
    assert.ok(Math.abs(carriedBytes - 300_000) <= 2 * QUANTUM, `${carriedBytes} of 300000`);
    assert.ok(Math.abs(busyMs - 300) <= 1, `${busyMs} of 300 ms`);
    assert.ok(contendedMs >= 290, `${contendedMs} of 300 ms`);
    assert.equal(lostMs, 0);
  });

test('Who sends alone is served at once and has the whole channel.', async (context) => {
  const clock = new FakeClock();
  const { channel, join } = await cell(context, BPS, clock);
  const { vehicle, broker } = await join();
  await join();
  const { bytes } = collect(broker);
  vehicle.write(Buffer.alloc(500));
  await until(() => bytes().length === 500);
  await pass(clock, 10);
  vehicle.write(Buffer.alloc(100_000));
  await until(() => bytes().length === 500 + QUANTUM);
  await pass(clock, 99, 0.5);
  await until(() => bytes().length === 100_500);
  assert.equal(channel.counters.contendedMs, 0);
});

/** How long the channel takes for 20 quanta where its timers are late. */
async function takesMs(context: TestContext, lateMs: number): Promise<number> {
  const clock = new FakeClock();
  const { channel, join } = await cell(context, BPS, lateBy(clock, lateMs));
  const { vehicle } = await join();
  vehicle.write(Buffer.alloc(20 * QUANTUM));
  while (channel.counters.carriedBytes < 20 * QUANTUM) await pass(clock, 0.5, 0.5);
  return clock.now();
}

test('A timer that is late costs no rate while it is no later than 5 ms; what is more is lost, and counted.', async (context) => {
  const alwaysMs = (19 * QUANTUM) / 1000;
  assert.ok(Math.abs((await takesMs(context, 0)) - alwaysMs) <= 1.5);
  assert.ok(Math.abs((await takesMs(context, 4)) - (alwaysMs + 4)) <= 4.5);
  const clock = new FakeClock();
  const { channel, join } = await cell(context, BPS, lateBy(clock, 8));
  const { vehicle } = await join();
  vehicle.write(Buffer.alloc(20 * QUANTUM));
  while (channel.counters.carriedBytes < 20 * QUANTUM) await pass(clock, 0.5, 0.5);
  assert.ok(channel.counters.lostMs > 0);
  const { busyMs, lostMs } = channel.counters;
  assert.ok(Math.abs(busyMs + lostMs - (clock.now() - FORGIVEN_MS + QUANTUM / 1000)) <= 5);
});

test('A channel that was idle gives no burst.', async (context) => {
  const clock = new FakeClock();
  const { channel, join } = await cell(context, BPS, clock);
  const { vehicle } = await join();
  await pass(clock, 500, 50);
  vehicle.write(Buffer.alloc(50_000));
  await until(() => channel.counters.carriedBytes > 0);
  await settle();
  assert.equal(channel.counters.carriedBytes, QUANTUM);
});

test('What comes back passes at once, however long the way up is taken.', async (context) => {
  const clock = new FakeClock();
  const { join } = await cell(context, 1000, clock);
  const { vehicle, broker } = await join();
  vehicle.write(Buffer.alloc(100_000));
  const whole = randomBytes(300_000, 4);
  const { bytes } = collect(vehicle);
  broker.write(whole);
  await until(() => bytes().length === whole.length);
  assert.ok(bytes().equals(whole));
});

test('A vehicle that sends more than the channel carries is held back and not kept in memory.', async (context) => {
  const { channel, join } = await cell(context, 1000, new FakeClock());
  const { vehicle } = await join();
  // More than the kernel takes for both ends of a connection.
  const total = 64_000_000;
  const chunk = Buffer.alloc(1_000_000);
  for (let sent = 0; sent < total; sent += chunk.length) vehicle.write(chunk);
  await until(() => channel.counters.carriedBytes > 0);
  await settle(500);
  assert.ok(vehicle.writableLength > total / 4, `${vehicle.writableLength} bytes wait at the vehicle`);
});

test('A broker’s end that does not read holds up its own vehicle only, and nothing is lost when it goes on.', async (context) => {
  const { join } = await cell(context, 2e9);
  const slow = await join();
  const quick = await join();
  slow.broker.pause();
  const whole = randomBytes(16_000_000, 7);
  slow.vehicle.write(whole);
  const { bytes } = collect(quick.broker);
  quick.vehicle.write(Buffer.alloc(3_000_000, 1));
  await until(() => bytes().length === 3_000_000);
  const late = collect(slow.broker);
  slow.broker.resume();
  await until(() => late.bytes().length === whole.length);
  assert.ok(late.bytes().equals(whole));
});

test('What a vehicle has sent before it ends its connection still arrives, and then the end does.', async (context) => {
  const { join } = await cell(context, 4e6);
  const { vehicle, broker } = await join();
  const { bytes } = collect(broker);
  const ended = once(broker, 'end');
  const whole = randomBytes(60_000, 8);
  vehicle.end(whole);
  await ended;
  assert.ok(bytes().equals(whole));
  await until(() => vehicle.closed);
});

test('A vehicle that resets its connection closes the broker’s end, and what waited of it is dropped.', async (context) => {
  const clock = new FakeClock();
  const { channel, join } = await cell(context, BPS, clock);
  const { vehicle, broker } = await join();
  broker.resume();
  vehicle.write(Buffer.alloc(8000));
  await until(() => channel.counters.carriedBytes === QUANTUM);
  vehicle.resetAndDestroy();
  await until(() => broker.closed);
  await pass(clock, 20);
  assert.equal(channel.counters.carriedBytes, QUANTUM);
});

for (const how of ['end', 'resetAndDestroy'] as const)
  test(`A broker that closes a connection (${how}) closes the vehicle’s end, and others go on.`, async (context) => {
    const { join } = await cell(context, BPS);
    const first = await join();
    const second = await join();
    first.vehicle.resume();
    first.vehicle.write(Buffer.alloc(100_000));
    first.broker[how]();
    await until(() => first.vehicle.closed);
    const { bytes } = collect(second.broker);
    second.vehicle.write(Buffer.alloc(20_000));
    await until(() => bytes().length === 20_000);
  });

test('Where there is no broker the vehicle’s connection is closed.', async (context) => {
  const nobody = createServer().listen(0, HOST);
  await once(nobody, 'listening');
  const { port } = nobody.address() as { port: number };
  nobody.close();
  await once(nobody, 'close');
  const channel = new SharedChannel({ host: HOST, port, bps: BPS }, systemClock);
  context.after(() => channel.stop());
  const vehicle = connect(await channel.start(), HOST);
  vehicle.on('error', () => {});
  vehicle.write('abc');
  await until(() => vehicle.closed);
  assert.equal(channel.counters.carriedBytes, 0);
});

test('To stop closes all connections, those that never read among them, and takes no new ones.', async (context) => {
  const { channel, port, join } = await cell(context, 1000);
  const busy = await join();
  busy.vehicle.resume();
  busy.broker.resume();
  busy.vehicle.write(Buffer.alloc(50_000));
  const deaf = await join();
  deaf.vehicle.pause();
  deaf.broker.end(Buffer.alloc(16_000_000));
  await until(() => channel.counters.carriedBytes > 0);
  await channel.stop();
  await until(() => busy.vehicle.closed && busy.broker.destroyed);
  const refused = connect(port, HOST);
  await assert.rejects(once(refused, 'connect'), /ECONNREFUSED/);
});
