import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Clock, FakeClock, seededRandom, systemClock } from '../../../libs/clock/index.ts';
import { Link, type LinkShape, LinkTrace, PlayedTrace } from '../../../libs/net/index.ts';
import { collect, type Loopback, lateBy, loopback, randomBytes, until } from './loopback.ts';

interface Wired {
  readonly link: Link;
  readonly pair: Loopback;
  /** What the far end received so far. */
  readonly arrived: () => Buffer;
}

async function wired(context: TestContext, shape: LinkShape, clock: Clock): Promise<Wired> {
  const pair = await loopback();
  const link = new Link(pair.client, shape, clock);
  link.on('error', () => {});
  context.after(() => {
    link.destroy();
    pair.close();
  });
  const { bytes } = collect(pair.server);
  pair.server.resume();
  return { link, pair, arrived: bytes };
}

/** Moves a fake clock in small steps, with turns of the event loop between them. */
async function pass(clock: FakeClock, ms: number, stepMs = 1): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const SHAPES: readonly (readonly [string, LinkShape])[] = [
  ['an unlimited link', {}],
  ['a link with a rate', { uplinkBps: 400e6 }],
  ['a link with a round-trip time', { rttMs: 4 }],
  ['a link with both', { uplinkBps: 400e6, rttMs: 4 }],
];

for (const [name, shape] of SHAPES) {
  test(`Bytes pass ${name} unchanged and in order in both directions, however they are written.`, async (context) => {
    const { link, pair, arrived } = await wired(context, shape, systemClock);
    const backwards = collect(link);
    const sent: Buffer[] = [];
    const returned: Buffer[] = [];
    const random = seededRandom(3);
    for (let i = 0; i < 120; i++) {
      const piece = randomBytes(1 + Math.floor(random() ** 4 * 40_000), i);
      const kind = Math.floor(random() * 4);
      if (kind === 0) {
        link.cork();
        for (let at = 0; at < piece.length; at += 1000) link.write(piece.subarray(at, at + 1000));
        link.uncork();
      } else if (kind === 1) await new Promise<unknown>((done) => link.write(piece, done));
      else link.write(piece);
      sent.push(piece);
      const answer = randomBytes(1 + Math.floor(random() * 2000), 1000 + i);
      pair.server.write(answer);
      returned.push(answer);
      if (kind === 2) await new Promise((resolve) => setImmediate(resolve));
    }
    const [there, back] = [Buffer.concat(sent), Buffer.concat(returned)];
    await until(() => arrived().length >= there.length && backwards.bytes().length >= back.length);
    assert.ok(arrived().equals(there));
    assert.ok(backwards.bytes().equals(back));
    assert.equal(link.acceptedBytes, there.length);
  });
}

test('Every mark is reached once, in order, when the bytes before it are sent and not earlier.', async (context) => {
  const writes = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), waitMs: fc.nat(30) }), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(writes, fc.constantFrom(1e6, 8e6, 64e6), async (pieces, uplinkBps) => {
      const clock = new FakeClock();
      const { link, arrived } = await wired(context, { uplinkBps }, clock);
      const reached: { atBytes: number; atMs: number }[] = [];
      let written = 0;
      for (const { bytes, waitMs } of pieces) {
        link.write(Buffer.alloc(bytes));
        written += bytes;
        assert.equal(link.acceptedBytes, written);
        const atBytes = written;
        link.whenSent(atBytes, (atMs) => reached.push({ atBytes, atMs }));
        await pass(clock, waitMs);
      }
      await pass(clock, 1 + (written * 8000) / uplinkBps, 2);
      await until(() => arrived().length === written);
      const sums = pieces.map((_, i) => pieces.slice(0, i + 1).reduce((sum, { bytes }) => sum + bytes, 0));
      assert.deepEqual(
        reached.map(({ atBytes }) => atBytes),
        sums,
      );
      // No sooner than the rate allows, less what a timer's grain lets go ahead.
      for (const { atBytes, atMs } of reached) assert.ok(atMs >= (atBytes * 8000) / uplinkBps - 0.7 - 1e-9);
      link.destroy();
    }),
    { numRuns: 15 },
  );
});

test('A mark that is set behind a later one is reached as soon as its own bytes are sent.', async (context) => {
  const clock = new FakeClock();
  const { link } = await wired(context, { uplinkBps: 8e6 }, clock);
  const reached: string[] = [];
  link.write(Buffer.alloc(10_000));
  link.write(Buffer.alloc(10_000));
  link.whenSent(20_000, () => reached.push('all'));
  link.whenSent(10_000, () => reached.push('half'));
  await pass(clock, 15);
  assert.deepEqual(reached, ['half']);
  await pass(clock, 10);
  assert.deepEqual(reached, ['half', 'all']);
});

test('A mark on bytes that are sent already is reached at once.', async (context) => {
  const { link } = await wired(context, {}, systemClock);
  await new Promise<unknown>((done) => link.write('abc', done));
  let reached = false;
  link.whenSent(3, () => {
    reached = true;
  });
  assert.equal(reached, true);
});

for (const [name, shape] of SHAPES) {
  test(`What is written from within a mark of ${name} is not lost.`, async (context) => {
    const { link, arrived } = await wired(context, shape, systemClock);
    const whole = randomBytes(400_000, 5);
    let offset = 0;
    let marks = 0;
    const pump = (): void => {
      const piece = whole.subarray(offset, offset + 4000);
      if (piece.length === 0) return;
      offset += piece.length;
      // In parts, corked and not: MQTT.js writes header, topic and payload of a packet apart.
      link.cork();
      link.write(piece.subarray(0, 7));
      link.write(piece.subarray(7, 30));
      link.uncork();
      link.write(piece.subarray(30));
      link.whenSent(link.acceptedBytes, () => {
        marks++;
        pump();
      });
    };
    pump();
    pump();
    pump();
    await until(() => arrived().length >= whole.length && marks === 100);
    assert.ok(arrived().equals(whole));
    assert.equal(link.acceptedBytes, whole.length);
  });
}

const STEP_MS = 0.25;

test('N bytes at R bit/s are sent after N·8/R s, in one write or in many.', async (context) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 10 }),
      fc.constantFrom(0.5e6, 2e6, 18.88e6),
      async (sizes, uplinkBps) => {
        const clock = new FakeClock(1000);
        const { link } = await wired(context, { uplinkBps }, clock);
        for (const size of sizes) link.write(Buffer.alloc(size));
        let sentMs = Number.NaN;
        link.whenSent(link.acceptedBytes, (atMs) => {
          sentMs = atMs;
        });
        const takesMs = (sizes.reduce((a, b) => a + b, 0) * 8000) / uplinkBps;
        await pass(clock, takesMs + 2, STEP_MS);
        assert.ok(sentMs <= 1000 + takesMs + STEP_MS + 1e-6, `${sentMs - 1000} ms for ${takesMs}`);
        assert.ok(sentMs >= 1000 + takesMs - 0.7 - 1e-6, `${sentMs - 1000} ms for ${takesMs}`);
        link.destroy();
      },
    ),
    { numRuns: 15 },
  );
});

test('Nothing leaves a link before its time, and half of the round trip passes behind it.', async (context) => {
  const clock = new FakeClock();
  const { link, arrived } = await wired(context, { uplinkBps: 8e6, rttMs: 40 }, clock);
  link.write(Buffer.alloc(10_000));
  await pass(clock, 29, 0.5);
  assert.equal(arrived().length, 0);
  await pass(clock, 2, 0.5);
  await until(() => arrived().length === 10_000);
});

test('What comes back is half of the round trip late.', async (context) => {
  const clock = new FakeClock();
  const { link, pair } = await wired(context, { rttMs: 40 }, clock);
  const { bytes } = collect(link);
  const seen = once(pair.client, 'data');
  pair.server.write('answer');
  await seen;
  await pass(clock, 19);
  assert.equal(bytes().length, 0);
  await pass(clock, 2);
  assert.equal(bytes().toString(), 'answer');
});

/** Sends pieces one after another over a link with late timers; how long all of them took. */
async function inTurn(context: TestContext, pieces: number, lateMs: number): Promise<number> {
  const clock = new FakeClock();
  const { link } = await wired(context, { uplinkBps: 8e6 }, lateBy(clock, lateMs));
  let sent = 0;
  let endMs = Number.NaN;
  const next = (atMs: number): void => {
    if (sent === pieces) {
      endMs = atMs;
      return;
    }
    sent++;
    link.write(Buffer.alloc(10_000));
    link.whenSent(link.acceptedBytes, next);
  };
  next(0);
  for (let turn = 0; turn < 1000 && Number.isNaN(endMs); turn++) await pass(clock, 10, 0.5);
  return endMs;
}

test('A timer that is late costs no rate while it is no later than 5 ms.', async (context) => {
  assert.equal(await inTurn(context, 20, 0), 200);
  assert.equal(await inTurn(context, 20, 3), 203);
  assert.equal(await inTurn(context, 20, 5), 205);
});

test('Of a timer’s lateness 5 ms are made good, and the rest is lost.', async (context) => {
  assert.equal(await inTurn(context, 20, 8), 200 + 19 * 3 + 8);
});

test('A link that was idle gives no burst: what is written then takes its whole time.', async (context) => {
  const clock = new FakeClock();
  const { link } = await wired(context, { uplinkBps: 8e6 }, clock);
  link.write(Buffer.alloc(10_000));
  await pass(clock, 500, 10);
  let sentMs = Number.NaN;
  link.write(Buffer.alloc(20_000));
  link.whenSent(30_000, (atMs) => {
    sentMs = atMs;
  });
  await pass(clock, 25, 0.5);
  assert.equal(sentMs, 520);
});

test('Small writes with pauses between them do not save up rate either.', async (context) => {
  const clock = new FakeClock();
  const { link } = await wired(context, { uplinkBps: 8e6 }, clock);
  for (let i = 0; i < 50; i++) {
    link.write(Buffer.alloc(10));
    await pass(clock, 10, 5);
  }
  let sentMs = Number.NaN;
  link.write(Buffer.alloc(20_000));
  link.whenSent(20_500, (atMs) => {
    sentMs = atMs;
  });
  await pass(clock, 25, 0.5);
  assert.equal(sentMs, 520);
});

test('A network that is slower than the link holds it back, and nothing is lost when it goes on.', async (context) => {
  const pair = await loopback();
  const link = new Link(pair.client, {}, systemClock);
  context.after(() => {
    link.destroy();
    pair.close();
  });
  const whole = randomBytes(12_000_000, 9);
  for (let at = 0; at < whole.length; at += 50_000) link.write(whole.subarray(at, at + 50_000));
  let sent = false;
  link.whenSent(whole.length, () => {
    sent = true;
  });
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sent, false);
  assert.equal(link.acceptedBytes, whole.length);
  const { bytes } = collect(pair.server);
  pair.server.resume();
  await until(() => sent && bytes().length === whole.length);
  assert.ok(bytes().equals(whole));
});

test('A link that is ended sends what is left first, and then closes the connection.', async (context) => {
  const { link, pair, arrived } = await wired(context, { uplinkBps: 80e6, rttMs: 2 }, systemClock);
  const ended = once(pair.server, 'end');
  link.end(Buffer.alloc(30_000, 1));
  await ended;
  assert.equal(arrived().length, 30_000);
});

for (const how of ['end', 'resetAndDestroy'] as const)
  test(`A far end that closes the connection (${how}) closes the link, and its marks are not reached.`, async (context) => {
    const { link, pair } = await wired(context, { uplinkBps: 1000 }, systemClock);
    link.resume();
    link.write(Buffer.alloc(10_000));
    link.whenSent(10_000, () => assert.fail('nothing was sent'));
    pair.server[how]();
    await new Promise((resolve) => link.once('close', resolve));
    assert.equal(link.destroyed, true);
    assert.equal(pair.client.destroyed, true);
  });

test('A link that is destroyed takes its socket with it, and its timers write no more.', async (context) => {
  const clock = new FakeClock();
  const { link, pair, arrived } = await wired(context, { uplinkBps: 8e6, rttMs: 10 }, clock);
  link.write(Buffer.alloc(1000));
  link.destroy();
  assert.equal(pair.client.destroyed, true);
  await pass(clock, 50, 10);
  assert.equal(arrived().length, 0);
});

test('A link with a trace sends at the rate of the moment, waits out an outage, and follows a restart.', async (context) => {
  const clock = new FakeClock();
  // 1,000 bytes in each first half of a second, none in the second half.
  const trace = new PlayedTrace(new LinkTrace([0, 500], [16_000, 0], 1000), clock.now());
  const { link } = await wired(context, { trace }, clock);
  const sentAt: number[] = [];
  const beganMs = clock.now();
  const send = (bytes: number): void => {
    link.write(Buffer.alloc(bytes));
    link.whenSent(link.acceptedBytes, (atMs) => sentAt.push(atMs - beganMs));
  };
  send(500);
  await pass(clock, 300);
  send(900);
  await pass(clock, 1000);
  trace.restart(clock.now());
  send(100);
  await pass(clock, 100);
  const expected = [250, 1250, 1350];
  assert.equal(sentAt.length, expected.length);
  for (const [index, atMs] of expected.entries())
    assert.ok(Math.abs(sentAt[index]! - atMs) <= 3, `${sentAt} for ${expected}`);
});
