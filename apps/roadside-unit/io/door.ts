/**
 * The door in front of the broker: it sees every byte of a connection before the broker does. The broker
 * has no limit of its own and buffers whole packets, before a client has even said who it is.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from '@splitlane/clock';

/** How much a connection may send; what comes faster waits in its socket. */
export interface Budget {
  readonly bytesPerSecond: number;
  /** What a packet costs besides its bytes: it keeps the broker busy however short it is. */
  readonly packetCostBytes: number;
  /** So much of it a connection may use at once. */
  readonly burstMs: number;
}

export interface DoorLimits {
  /** Bytes that a connection may send before the broker has accepted it. */
  readonly beforeConnectBytes: number;
  /** Largest MQTT packet. */
  readonly packetBytes: number;
  /** Of a client that is no node, or not known to be one. */
  readonly budget: Budget;
}

/** A connection exceeded its limits, and is closed. */
export class ExcessError extends Error {
  override readonly name = 'ExcessError';
}

const BYTES_OF_LENGTH = 4;
/** A connection is slowed down in steps of so many bytes. */
const SLICE_BYTES = 4096;
/** Whoever has had to wait so long since its budget was last enough is told of. */
const TOLD_MS = 500;

/** Reads the lengths of the packets in a stream of MQTT bytes. [MQTT-2.2.3] */
export class PacketMeter {
  #restOfPacket = 0;
  #length = 0;
  #lengthBytes = 0;
  #inLength = false;
  #packets = 0;

  /** How many have begun. */
  get packets(): number {
    return this.#packets;
  }

  /** Takes the next bytes; returns the size of a packet that exceeds `limit`, or undefined. */
  add(bytes: Uint8Array, limit: number): number | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (this.#restOfPacket > 0) {
        const skipped = Math.min(this.#restOfPacket, bytes.length - at);
        this.#restOfPacket -= skipped;
        at += skipped;
      } else if (!this.#inLength) {
        this.#inLength = true;
        this.#packets++;
        this.#length = 0;
        this.#lengthBytes = 0;
        at++;
      } else {
        const byte = bytes[at++]!;
        this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
        if (this.#length > limit) return this.#length;
        if ((byte & 0x80) !== 0 && this.#lengthBytes < BYTES_OF_LENGTH) continue;
        if ((byte & 0x80) !== 0) return Number.POSITIVE_INFINITY;
        this.#inLength = false;
        this.#restOfPacket = this.#length;
      }
    }
    return undefined;
  }
}

/**
 * One connection, counted. A packet that is too large, or too much before the broker's answer, closes it with an
 * `ExcessError` that says why. Whoever sends more than its budget is read more slowly: the event `slowed` tells so once.
 */
export class Door extends Duplex {
  readonly #socket: Socket;
  readonly #limits: DoorLimits;
  readonly #clock: Clock;
  readonly #meter = new PacketMeter();
  #accepted = false;
  #budget: Budget | undefined;
  /** When all that has gone through would have come at the rate of the budget. */
  #paidAtMs = Number.NEGATIVE_INFINITY;
  #heardMs: number;
  #bytes = 0;
  /** What has to wait. */
  #rest: Buffer | undefined;
  #timer: Timer | undefined;
  #waitedMs = 0;
  #told = false;

  constructor(socket: Socket, limits: DoorLimits, clock: Clock) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#budget = limits.budget;
    this.#heardMs = clock.now();
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => {
      this.#heardMs = clock.now();
      this.#bytes += data.length;
      this.#letIn(data);
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Bytes that came in so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the last of them came in. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The broker has accepted the client: from now on it may send more than a CONNECT. */
  accept(): void {
    this.#accepted = true;
  }

  /** Another budget from now on; without one nothing is slowed down. */
  allow(budget: Budget | undefined): void {
    this.#budget = budget;
    this.#paidAtMs = Number.NEGATIVE_INFINITY;
    if (!this.#rest) return;
    this.#timer?.cancel();
    this.#waitFor(0);
  }

  override _read(): void {
    if (!this.#rest) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#socket.write(chunk)) done();
    else this.#socket.once('drain', done);
  }

  override _writev(parts: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const written = parts.map(({ chunk }) => this.#socket.write(chunk));
    if (written.at(-1)) done();
    else this.#socket.once('drain', done);
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#timer?.cancel();
    this.#socket.destroy();
    done(error);
  }

  /** Hands on what the budget allows; the rest waits, and the socket with it. */
  #letIn(data: Buffer): void {
    let at = 0;
    while (at < data.length && this.#debtMs() <= 0) {
      const slice = data.subarray(at, at + SLICE_BYTES);
      const reason = this.#excess(slice);
      if (reason !== undefined) return void this.destroy(new ExcessError(reason));
      at += slice.length;
    }
    const wanted = at === 0 || this.push(data.subarray(0, at));
    this.#rest = at < data.length ? data.subarray(at) : undefined;
    if (this.#rest || !wanted) this.#socket.pause();
    if (this.#rest) this.#waitFor(this.#debtMs());
    else if (wanted && this.#timer) this.#socket.resume();
    if (!this.#rest) this.#timer = undefined;
  }

  #waitFor(debtMs: number): void {
    this.#waitedMs += debtMs;
    if (this.#waitedMs > TOLD_MS && !this.#told) {
      this.#told = true;
      this.emit('slowed');
    }
    this.#timer = this.#clock.after(debtMs, () => {
      if (!this.destroyed) this.#letIn(this.#rest!);
    });
  }

  /** How long what comes next has to wait; 0 or less: not at all. */
  #debtMs(): number {
    return this.#budget ? this.#paidAtMs - this.#clock.now() - this.#budget.burstMs : 0;
  }

  #excess(slice: Buffer): string | undefined {
    const { beforeConnectBytes, packetBytes } = this.#limits;
    if (!this.#accepted && this.#bytes > beforeConnectBytes)
      return `${this.#bytes} bytes before it was accepted, at most ${beforeConnectBytes} are allowed`;
    const before = this.#meter.packets;
    const packet = this.#meter.add(slice, packetBytes);
    if (packet !== undefined) return `a packet of ${packet} bytes, at most ${packetBytes} are allowed`;
    if (this.#budget) {
      const { bytesPerSecond, packetCostBytes } = this.#budget;
      const cost = slice.length + (this.#meter.packets - before) * packetCostBytes;
      const nowMs = this.#clock.now();
      if (this.#paidAtMs <= nowMs) this.#waitedMs = 0;
      this.#paidAtMs = Math.max(this.#paidAtMs, nowMs) + (1000 * cost) / bytesPerSecond;
    }
    return undefined;
  }
}
