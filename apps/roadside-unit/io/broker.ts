/** The embedded MQTT broker, behind a door that counts bytes and connections. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '@splitlane/clock';
import { MAX_PACKET_BYTES } from '@splitlane/proto';
import { Aedes } from 'aedes';
import { Door, type DoorLimits, ExcessError } from './door.ts';

const LIMITS: DoorLimits = {
  beforeConnectBytes: 4096,
  packetBytes: MAX_PACKET_BYTES,
  bytesPerSecond: 64 * 1024 * 1024,
  windowMs: 1000,
};
const MAX_CONNECTIONS = 1024;
/** A subscriber that does not read for so long is let go, so that it does not hold up the others. */
const DRAIN_TIMEOUT_MS = 2000;
const CONCURRENCY = 1000;

/** The broker cannot listen. For users. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

export class Broker {
  readonly #clock: Clock;
  readonly #onFault: (kind: string, detail: string) => void;
  readonly #doors = new Set<Door>();
  #aedes: Aedes | undefined;
  #server: Server | undefined;

  constructor(clock: Clock, onFault: (kind: string, detail: string) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** Listens, and returns the port. @throws BrokerError where that is not possible. */
  async start(host: string, port: number): Promise<number> {
    this.#aedes = await Aedes.createBroker({ concurrency: CONCURRENCY, drainTimeout: DRAIN_TIMEOUT_MS });
    const told = new WeakSet<object>();
    this.#aedes.on('clientError', (client, error) => {
      // Once a client: to one that does not read, message after message fails.
      if (!told.has(client)) this.#onFault('client-error', `${client.id}: ${error.message}`);
      told.add(client);
    });
    this.#aedes.on('connectionError', (_, error) => this.#onFault('connection-error', error.message));
    this.#aedes.on('client', (client) => (client.conn as Door).accept());
    this.#server = createServer((socket) => this.#enter(socket));
    const listening = Promise.withResolvers<void>();
    this.#server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'the port is in use' : (error.code ?? error.message);
      listening.reject(new BrokerError(`broker: cannot listen on ${host}:${port}: ${reason}`));
    });
    this.#server.listen(port, host, listening.resolve);
    await listening.promise;
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  async stop(): Promise<void> {
    for (const door of this.#doors) door.destroy();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
    await new Promise<void>((resolve) => (this.#aedes ? this.#aedes.close(() => resolve()) : resolve()));
  }

  #enter(socket: Socket): void {
    const from = `${socket.remoteAddress}:${socket.remotePort}`;
    if (this.#doors.size >= MAX_CONNECTIONS) {
      this.#onFault('door', `${from}: turned away, ${MAX_CONNECTIONS} connections are open`);
      socket.destroy();
      return;
    }
    const door = new Door(socket, LIMITS, () => this.#clock.now());
    this.#doors.add(door);
    // A connection that breaks is no offence; the broker tells of it.
    door.on('error', (error) => {
      if (error instanceof ExcessError) this.#onFault('door', `${from}: ${error.message}`);
    });
    door.on('close', () => this.#doors.delete(door));
    this.#aedes!.handle(door as never);
  }
}
