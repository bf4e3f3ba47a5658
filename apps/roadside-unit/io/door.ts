/**
 * The door in front of the broker: it sees every byte of a connection before the broker does. The broker
 * has no limit of its own and buffers whole packets, before a client has even said who it is.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

export interface DoorLimits {
  /** Bytes that a connection may send before the broker has accepted it. */
  readonly beforeConnectBytes: number;
  /** Largest MQTT packet. */
  readonly packetBytes: number;
  /** Bytes a second, averaged over `windowMs`. */
  readonly bytesPerSecond: number;
  readonly windowMs: number;
}

/** A connection exceeded its limits. */
export class ExcessError extends Error {
  override readonly name = 'ExcessError';
}

const BYTES_OF_LENGTH = 4;

/** Reads the lengths of the packets in a stream of MQTT bytes. [MQTT-2.2.3] */
export class PacketMeter {
  #restOfPacket = 0;
  #length = 0;
  #lengthBytes = 0;
  #inLength = false;

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

/** One connection, counted. What exceeds its limits is closed, with an `ExcessError` that says why. */
export class Door extends Duplex {
  readonly #socket: Socket;
  readonly #limits: DoorLimits;
  readonly #now: () => number;
  readonly #meter = new PacketMeter();
  #accepted = false;
  #windowStartMs: number;
  #windowBytes = 0;
  #bytes = 0;

  constructor(socket: Socket, limits: DoorLimits, now: () => number) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#limits = limits;
    this.#now = now;
    this.#windowStartMs = now();
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => {
      const reason = this.#excess(data);
      if (reason !== undefined) this.destroy(new ExcessError(reason));
      else if (!this.push(data)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Bytes that came in so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The broker has accepted the client: from now on it may send what a node sends. */
  accept(): void {
    this.#accepted = true;
  }

  override _read(): void {
    this.#socket.resume();
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
    this.#socket.destroy();
    done(error);
  }

  #excess(data: Buffer): string | undefined {
    const { beforeConnectBytes, packetBytes, bytesPerSecond, windowMs } = this.#limits;
    this.#bytes += data.length;
    if (!this.#accepted && this.#bytes > beforeConnectBytes)
      return `${this.#bytes} bytes before it was accepted, at most ${beforeConnectBytes} are allowed`;
    const packet = this.#meter.add(data, packetBytes);
    if (packet !== undefined) return `a packet of ${packet} bytes, at most ${packetBytes} are allowed`;
    const nowMs = this.#now();
    if (nowMs - this.#windowStartMs > windowMs) {
      this.#windowStartMs = nowMs;
      this.#windowBytes = 0;
    }
    this.#windowBytes += data.length;
    const budget = (bytesPerSecond * windowMs) / 1000;
    if (this.#windowBytes > budget)
      return `${this.#windowBytes} bytes in ${windowMs} ms, at most ${budget} are allowed`;
    return undefined;
  }
}
