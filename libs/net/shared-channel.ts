/**
 * The radio channel that all vehicles of a demo share, emulated in one place: a TCP forwarder before the broker that
 * holds the uplinks of all connections together to one rate. What comes back passes at once.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '@splitlane/clock';
import { chunkBytesFor } from '@splitlane/proto';

const HOST = '127.0.0.1';
/** A timer that fires late must not cost rate: up to so much lateness is made good, as on a vehicle's own link. */
const FORGIVEN_MS = 5;
/** Timers are not more precise than this; what is due sooner goes now, and virtual time keeps the rate. */
const TIMER_GRAIN_MS = 0.7;
/**
 * A vehicle is not read any more while more quanta of it wait, until half of them are gone. The kernel swallows up to
 * 3.9 MB on loopback before it pushes back, which is accepted: vehicles hold themselves to the rate as well.
 */
const MOST_WAITING_QUANTA = 4;

export interface SharedChannelTarget {
  /** Of the broker. */
  readonly host: string;
  readonly port: number;
  /** Rate that all uplinks together are held to, in bit/s, more than 0. */
  readonly bps: number;
}

/** What has gone up since the start. Times by the channel's virtual clock, in ms. */
export interface ChannelCounters {
  readonly carriedBytes: number;
  /** In which something was on the channel. */
  readonly busyMs: number;
  /** Part of `busyMs` in which, as a quantum began, another connection had bytes waiting as well. */
  readonly contendedMs: number;
  /** In which bytes waited for a free channel: what the emulation lost by timers later than is forgiven. */
  readonly lostMs: number;
}

/** One vehicle's connection, and what of it waits for the channel. */
interface Connection {
  readonly vehicle: Socket;
  readonly broker: Socket;
  waiting: Buffer[];
  waitingBytes: number;
  inTurn: boolean;
  /** The vehicle has said that nothing more will come. */
  ended: boolean;
}

/**
 * Whoever has bytes waiting is served in turn, a quantum of at most about 7 ms each: all at once is processor sharing,
 * and who is alone has the full rate. A quantum is delivered as it begins; the channel is then busy for its time.
 */
export class SharedChannel {
  readonly #target: SharedChannelTarget;
  readonly #clock: Clock;
  readonly #quantumBytes: number;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Connections with bytes that the broker's socket would take, in the order in which they are served. */
  readonly #turns: Connection[] = [];
  #timer: Timer | undefined;
  #freeAtMs = Number.NEGATIVE_INFINITY;
  /** Since when somebody has had bytes waiting, with no pause. */
  #waitingSinceMs = 0;
  #carriedBytes = 0;
  #contendedBytes = 0;
  #lostMs = 0;

  constructor(target: SharedChannelTarget, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
    this.#quantumBytes = chunkBytesFor(target.bps);
    // Nothing is read, and so nothing accepted, before there is a broker to bring it to.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (vehicle) =>
      this.#join(vehicle),
    );
  }

  get counters(): ChannelCounters {
    const stillMs = Math.max(0, this.#freeAtMs - this.#clock.now());
    return {
      carriedBytes: this.#carriedBytes,
      busyMs: Math.max(0, this.#takesMs(this.#carriedBytes) - stillMs),
      contendedMs: this.#takesMs(this.#contendedBytes),
      lostMs: this.#lostMs,
    };
  }

  /** Returns the port of this machine's loopback that vehicles connect to. */
  async start(): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(0, HOST, resolve);
    await promise;
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Closes all connections; what still waits is lost. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#turns.length = 0;
    for (const { vehicle, broker } of this.#connections) {
      vehicle.destroy();
      broker.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(vehicle: Socket): void {
    const { host, port } = this.#target;
    const broker = dial({ host, port, noDelay: true });
    const connection = { vehicle, broker, waiting: [], waitingBytes: 0, inTurn: false, ended: false };
    this.#connections.add(connection);
    // Before anybody listens for data, which would set it flowing.
    vehicle.pause();
    broker.pipe(vehicle, { end: false });
    broker.on('connect', () => vehicle.resume());
    broker.on('drain', () => this.#queue(connection));
    broker.on('end', () => broker.destroy());
    broker.on('close', () => {
      this.#drop(connection);
      vehicle.destroySoon();
      this.#forgetIfClosed(connection);
    });
    vehicle.on('data', (bytes: Buffer) => this.#accept(connection, bytes));
    vehicle.on('end', () => {
      connection.ended = true;
      this.#endIfEmpty(connection);
    });
    vehicle.on('close', () => {
      if (!connection.ended) broker.destroy();
      this.#forgetIfClosed(connection);
    });
    // Whatever is wrong with a socket, it is closed next.
    for (const socket of [vehicle, broker]) socket.on('error', () => {});
  }

  /** Nobody is there any more to bring it to. */
  #drop(connection: Connection): void {
    connection.waiting = [];
    connection.waitingBytes = 0;
    if (connection.inTurn) this.#turns.splice(this.#turns.indexOf(connection), 1);
    connection.inTurn = false;
  }

  #accept(connection: Connection, bytes: Buffer): void {
    if (connection.broker.destroyed) return;
    connection.waiting.push(bytes);
    connection.waitingBytes += bytes.length;
    if (connection.waitingBytes > MOST_WAITING_QUANTA * this.#quantumBytes) connection.vehicle.pause();
    this.#queue(connection);
  }

  #queue(connection: Connection): void {
    const { inTurn, waitingBytes, broker } = connection;
    if (inTurn || waitingBytes === 0 || broker.writableNeedDrain) return;
    if (this.#turns.length === 0) this.#waitingSinceMs = this.#clock.now();
    connection.inTurn = true;
    this.#turns.push(connection);
    this.#serve();
  }

  /** Begins as many quanta as are due, and comes back when the channel is free for the next. */
  #serve(): void {
    while (this.#turns.length > 0 && this.#freeAtMs - this.#clock.now() < TIMER_GRAIN_MS)
      this.#beginQuantum(this.#turns[0]!);
    if (this.#turns.length === 0 || this.#timer) return;
    this.#timer = this.#clock.after(this.#freeAtMs - this.#clock.now(), () => {
      this.#timer = undefined;
      this.#serve();
    });
  }

  #beginQuantum(connection: Connection): void {
    const { broker, vehicle } = connection;
    const wantedMs = Math.max(this.#freeAtMs, this.#waitingSinceMs);
    const startMs = Math.max(wantedMs, this.#clock.now() - FORGIVEN_MS);
    const contended = this.#turns.length > 1;
    const bytes = this.#take(connection);
    this.#lostMs += startMs - wantedMs;
    this.#carriedBytes += bytes;
    if (contended) this.#contendedBytes += bytes;
    this.#freeAtMs = startMs + this.#takesMs(bytes);
    this.#turns.shift();
    connection.inTurn = connection.waitingBytes > 0 && !broker.writableNeedDrain;
    if (connection.inTurn) this.#turns.push(connection);
    if (connection.waitingBytes <= (MOST_WAITING_QUANTA / 2) * this.#quantumBytes) vehicle.resume();
    this.#endIfEmpty(connection);
  }

  /** Brings a quantum, or what there is, to the broker. */
  #take(connection: Connection): number {
    const bytes = Math.min(this.#quantumBytes, connection.waitingBytes);
    connection.waitingBytes -= bytes;
    connection.broker.cork();
    for (let left = bytes; left > 0; ) {
      const first = connection.waiting[0]!;
      const part = first.subarray(0, left);
      left -= part.length;
      if (part.length < first.length) connection.waiting[0] = first.subarray(part.length);
      else connection.waiting.shift();
      connection.broker.write(part);
    }
    connection.broker.uncork();
    return bytes;
  }

  #endIfEmpty({ ended, waitingBytes, broker }: Connection): void {
    if (ended && waitingBytes === 0) broker.end();
  }

  #forgetIfClosed(connection: Connection): void {
    if (connection.vehicle.closed && connection.broker.closed) this.#connections.delete(connection);
  }

  #takesMs(bytes: number): number {
    return (bytes * 8000) / this.#target.bps;
  }
}
