/** The door in front of the broker: what goes through, and what closes it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { Door, type DoorLimits, ExcessError, PacketMeter } from '../../../../apps/roadside-unit/io/door.ts';
import { FakeClock } from '../../../../libs/clock/clock.ts';

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.nat(70_000).map((length) => new Uint8Array(length)),
);
const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.constant<Packet>({ cmd: 'pingreq' }),
  fc.nat(60_000).map((messageId): Packet => ({ cmd: 'puback', messageId: messageId + 1 })),
  fc.string({ minLength: 1, maxLength: 40 }).map((clientId): Packet => {
    const session = { clean: true, keepalive: 30 };
    return { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: `a${clientId}`, ...session };
  }),
  fc.tuple(payload, fc.constantFrom(0, 1) as fc.Arbitrary<0 | 1>).map(([data, qos]): Packet => {
    const flags = { dup: false, retain: false, ...(qos === 1 ? { messageId: 7 } : {}) };
    return {
      cmd: 'publish',
      topic: 'splitlane/v1/vehicle/a/tensor',
      payload: Buffer.from(data),
      qos,
      ...flags,
    };
  }),
);

describe('The meter of packets', () => {
  /** How many bytes a packet has after its first byte and its length. [MQTT-2.2.3] */
  const lengthOf = (bytes: Buffer): number => {
    const lengthBytes = 1 + bytes.subarray(1).findIndex((byte) => (byte & 0x80) === 0);
    return bytes.length - 1 - lengthBytes;
  };

  test('It finds the first packet that is too long, and none that is not, however the bytes are cut up.', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        fc.constantFrom(0, 100, 127, 128, 4096, 16_383, 30_000, 100_000),
        (packets, pieces, single, limit) => {
          const bytes = packets.map((each) => generate(each));
          const all = Buffer.concat(bytes);
          const meter = new PacketMeter();
          const firstLong = bytes.findIndex((each) => lengthOf(each) > limit);
          const ends = bytes.map((each, index) =>
            bytes.slice(0, index).reduce((sum, before) => sum + before.length, each.length),
          );
          for (let at = 0, piece = 0; at < all.length; piece++) {
            const size = single ? 1 : pieces[piece % pieces.length]!;
            const part = all.subarray(at, at + size);
            const long = meter.add(part, limit);
            at += part.length;
            if (long === undefined) continue;
            assert.ok(firstLong >= 0, `a packet of ${long} bytes where none has more than ${limit}`);
            assert.ok(long > limit && long <= lengthOf(bytes[firstLong]!));
            assert.ok(at > (ends[firstLong - 1] ?? 0), 'it was named before it came');
            found++;
            return;
          }
          assert.equal(
            firstLong,
            -1,
            `a packet of ${bytes[firstLong] && lengthOf(bytes[firstLong])} went through`,
          );
        },
      ),
      { numRuns: 1500 },
    );
    assert.ok(found > 200, `${found} were found`);
  });

  test('It is told by the length alone: the packet itself need not come.', () => {
    const meter = new PacketMeter();
    assert.equal(meter.add(Buffer.from([0x30, 0xff, 0xff]), 100_000), undefined);
    assert.equal(meter.add(Buffer.from([0xff]), 100_000), 0x7f + 0x7f * 128 + 0x7f * 128 ** 2);
  });

  test('A length of more than four bytes is none, and no limit lets it through.', () => {
    const never = Number.MAX_SAFE_INTEGER;
    for (const bytes of [
      [0x30, 0x80, 0x80, 0x80, 0x80],
      [0x30, 0xff, 0xff, 0xff, 0xff],
    ])
      assert.equal(new PacketMeter().add(Buffer.from(bytes), never), Number.POSITIVE_INFINITY);
    assert.equal(new PacketMeter().add(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), never), undefined);
  });

  test('Packets without a body follow each other.', () => {
    const meter = new PacketMeter();
    assert.equal(meter.add(Buffer.from([0xc0, 0, 0xc0, 0, 0xc0]), 3), undefined);
    assert.equal(meter.add(Buffer.from([0, 0x30, 4]), 3), 4);
  });
});

const LIMITS: DoorLimits = {
  beforeConnectBytes: 100,
  packetBytes: 1000,
  budget: { bytesPerSecond: 8000, packetCostBytes: 0, burstMs: 250 },
};

/** The network's side of a socket: `push` is what arrives, `written` what leaves. */
class FakeSocket extends Duplex {
  readonly written: Buffer[] = [];
  noDelay = false;
  setNoDelay(noDelay: boolean): this {
    this.noDelay = noDelay;
    return this;
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }
}

function open(limits: Partial<DoorLimits> = {}): {
  door: Door;
  socket: FakeSocket;
  received: Buffer[];
  closed: Promise<Error | undefined>;
  clock: FakeClock;
} {
  const socket = new FakeSocket();
  const clock = new FakeClock();
  const door = new Door(socket as unknown as Socket, { ...LIMITS, ...limits }, clock);
  const received: Buffer[] = [];
  door.on('data', (data: Buffer) => received.push(data));
  const { promise: closed, resolve } = Promise.withResolvers<Error | undefined>();
  let reason: Error | undefined;
  door.on('error', (error) => {
    reason = error;
  });
  door.on('close', () => resolve(reason));
  return { door, socket, received, closed, clock };
}

/** Bytes of one publish packet of so many bytes in all. */
function publish(bytes: number): Buffer {
  const lengthBytes = bytes < 130 ? 1 : bytes < 16_387 ? 2 : 3;
  const length = bytes - 1 - lengthBytes;
  const coded = [length & 0x7f, (length >> 7) & 0x7f, length >> 14].slice(0, lengthBytes);
  const head = coded.map((byte, index) => (index < lengthBytes - 1 ? byte | 0x80 : byte));
  return Buffer.concat([Buffer.from([0x30, ...head]), Buffer.alloc(length, 0x61)]);
}

/** Lets what was pushed arrive. */
const arrival = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('The door', () => {
  test('Whoever sends more than a CONNECT needs before the broker has accepted it is cut off.', async () => {
    const { door, socket, received, closed } = open();
    socket.push(publish(60));
    await arrival();
    assert.equal(door.destroyed, false);
    socket.push(publish(41));
    const reason = await closed;
    assert.ok(reason instanceof ExcessError);
    assert.equal(reason.message, '101 bytes before it was accepted, at most 100 are allowed');
    assert.equal(Buffer.concat(received).length, 60, 'what was too much did not reach the broker');
    assert.ok(socket.destroyed, 'nothing more is read from it');
  });

  test('Once it is accepted it may send what a node sends.', async () => {
    const { door, socket, received } = open();
    socket.push(publish(60));
    await arrival();
    door.accept();
    socket.push(publish(900));
    await arrival();
    assert.equal(door.destroyed, false);
    assert.equal(Buffer.concat(received).length, 960);
    assert.equal(door.bytes, 960);
  });

  test('A packet that is too large is stopped at its first bytes.', async () => {
    const { door, socket, received, closed } = open();
    door.accept();
    socket.push(publish(1003));
    await arrival();
    assert.equal(door.destroyed, false);
    socket.push(publish(1004).subarray(0, 3));
    const reason = await closed;
    assert.ok(reason instanceof ExcessError);
    assert.equal(reason.message, 'a packet of 1001 bytes, at most 1000 are allowed');
    assert.equal(Buffer.concat(received).length, 1003);
  });

  test('A malformed length closes it too.', async () => {
    const { door, socket, closed } = open({ packetBytes: 1e9 });
    door.accept();
    socket.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff]));
    assert.ok((await closed) instanceof ExcessError);
  });

  test('Whoever sends more than its budget is read at its rate, told of once, and nothing of it is lost.', async () => {
    const { door, socket, received, clock } = open();
    door.accept();
    let told = 0;
    door.on('slowed', () => told++);
    const bytes = Buffer.concat(Array.from({ length: 40 }, (_, index) => publish(400 + index)));
    const arrived = (): number => received.reduce((sum, part) => sum + part.length, 0);
    socket.push(bytes);
    await arrival();
    // What it may send at once, to the end of a slice.
    assert.equal(arrived(), 4096);
    assert.ok(socket.isPaused());
    for (let ms = 0; ms < 4000; ms += 50) {
      clock.advance(50);
      await arrival();
      assert.ok(arrived() <= 4096 + 2000 + 8 * (ms + 50), `${arrived()} bytes after ${ms} ms`);
    }
    assert.deepEqual(Buffer.concat(received), bytes);
    assert.equal(told, 1);
    assert.equal(door.destroyed, false);
    assert.equal(socket.isPaused(), false, 'the socket is read again');
    socket.push(publish(100));
    await arrival();
    assert.equal(arrived(), bytes.length + 100);
  });

  test('A packet costs something besides its bytes, and whoever has no budget is never slowed down.', async () => {
    const pings = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index % 2 === 0 ? 0xc0 : 0)));
    const budget = { bytesPerSecond: 100_000, packetCostBytes: 100, burstMs: 250 };
    const goneThrough = async (allowed: boolean): Promise<number> => {
      const { door, socket, received } = open({ budget });
      door.accept();
      if (allowed) door.allow(undefined);
      socket.push(pings);
      await arrival();
      return Buffer.concat(received).length;
    };
    assert.equal(await goneThrough(false), 4096);
    assert.equal(await goneThrough(true), pings.length);
  });

  test('Whoever is let in need not wait any longer for what it sent before.', async () => {
    const { door, socket, received, clock } = open();
    door.accept();
    const bytes = Buffer.concat(Array.from({ length: 20 }, () => publish(900)));
    socket.push(bytes);
    await arrival();
    assert.equal(Buffer.concat(received).length, 4096);
    door.allow(undefined);
    clock.advance(1);
    await arrival();
    assert.deepEqual(Buffer.concat(received), bytes);
    clock.advance(10_000);
    await arrival();
    assert.equal(Buffer.concat(received).length, bytes.length, 'nothing goes through twice');
  });

  test('Bytes go through unchanged, both ways, and the socket does not wait to fill its packets.', async () => {
    const { door, socket, received } = open();
    const bytes = publish(90);
    socket.push(bytes);
    await arrival();
    assert.deepEqual(Buffer.concat(received), bytes);
    door.write('one');
    door.cork();
    door.write('two');
    door.write('three');
    door.uncork();
    await arrival();
    assert.equal(Buffer.concat(socket.written).toString(), 'onetwothree');
    assert.ok(socket.noDelay);
  });

  test('While the broker does not read, nothing more is taken from the socket.', async () => {
    const socket = new FakeSocket();
    const door = new Door(socket as unknown as Socket, { ...LIMITS, packetBytes: 1e6 }, new FakeClock());
    door.accept();
    door.allow(undefined);
    const piece = publish(50_000);
    while (!socket.isPaused()) {
      assert.ok(door.bytes < 1e6, 'it never stops reading');
      socket.push(piece);
      await arrival();
    }
    const held = door.bytes;
    for (let i = 0; i < 5; i++) socket.push(piece);
    await arrival();
    assert.equal(door.bytes, held, 'what comes now stays with the socket');
    let read = 0;
    door.on('data', (data: Buffer) => {
      read += data.length;
    });
    while (read < held + 250_000) await arrival();
  });

  test('A connection that breaks closes it without an offence, and so does one that ends.', async () => {
    const broken = open();
    broken.socket.destroy(new Error('read ECONNRESET'));
    const reason = await broken.closed;
    assert.ok(reason && !(reason instanceof ExcessError));
    const gone = open();
    gone.socket.destroy();
    assert.equal(await gone.closed, undefined);
    const ended = open();
    ended.socket.push(null);
    assert.equal(await ended.closed, undefined);
    assert.ok(ended.socket.destroyed);
  });

  test('When the broker ends it, its last words still go out.', async () => {
    const { door, socket } = open();
    door.end('goodbye');
    await Promise.all([once(socket, 'finish'), once(door, 'finish')]);
    assert.equal(Buffer.concat(socket.written).toString(), 'goodbye');
  });
});
