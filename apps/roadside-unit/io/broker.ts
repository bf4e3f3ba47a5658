/** The embedded MQTT broker, behind a door that counts bytes and connections; it knows who may say what. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '@splitlane/clock';
import {
  encode,
  HEARTBEAT_MS,
  MAX_PACKET_BYTES,
  mayPublish,
  maySubscribe,
  type Role,
  topicOf,
} from '@splitlane/proto';
import { Aedes, type AuthenticateError, type Client, type PublishPacket } from 'aedes';
import { type Budget, Door, type DoorLimits, ExcessError } from './door.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const LIMITS: DoorLimits = {
  beforeConnectBytes: 4096,
  packetBytes: MAX_PACKET_BYTES,
  // Who is not let in yet has to subscribe, to say hello and to show that it is alive: some packets at once, then few.
  budget: { bytesPerSecond: 16 * KIB, packetCostBytes: 2 * KIB, burstMs: 4000 },
};
/** A node's budget is so many times what its uplink is said to carry; it only has to keep what floods away. */
const BUDGET_FACTOR = 8;
const NODE_BUDGET = { leastBytes: MIB, mostBytes: 64 * MIB };
/** So many short messages a second at most; a node on a fast link sends many long ones. */
const NODE_PACKETS = 500;
const MOST_PACKET_COST_BYTES = 16 * KIB;
const NODE_BURST_MS = 250;
/** A connection of which nothing was heard for so long does not keep its name from another: nodes speak every second. */
const SILENT_MS = 2.5 * HEARTBEAT_MS;
const NAME_TAKEN = 2;
/** What is refused goes where nobody listens: in MQTT 3.1.1 a broker can only do that, or close the connection. */
const NOWHERE = 'splitlane/refused';
const MAX_TOPIC_SHOWN = 120;
/** So many topics of a client are looked up without asking again. */
const MAX_KNOWN_TOPICS = 64;
const MAX_CONNECTIONS = 1024;
/** A subscriber that does not read for so long is let go, so that it does not hold up the others. */
const DRAIN_TIMEOUT_MS = 2000;
const CONCURRENCY = 1000;

/** The broker cannot listen. For users. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

/** Who is at a door. */
interface Visitor {
  readonly id: string;
  /** A process's own mark: whoever comes back with it takes its old connection's place. */
  readonly instance: string;
  role?: Role;
  readonly mayPublish: Map<string, boolean>;
}

export class Broker {
  /** Who shows it speaks for the roadside unit. */
  readonly secret = randomUUID();
  readonly #owner: string;
  readonly #visitors = new WeakMap<Door, Visitor>();
  readonly #clock: Clock;
  readonly #onFault: (kind: string, detail: string) => void;
  readonly #doors = new Set<Door>();
  readonly #clients = new Map<string, Door>();
  #aedes: Aedes | undefined;
  #server: Server | undefined;

  /** @param owner name of the roadside unit: only its own client may have it. */
  constructor(owner: string, clock: Clock, onFault: (kind: string, detail: string) => void) {
    this.#owner = owner;
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** Listens, and returns the port. @throws BrokerError where that is not possible. */
  async start(host: string, port: number): Promise<number> {
    this.#aedes = await Aedes.createBroker({
      ...{ concurrency: CONCURRENCY, drainTimeout: DRAIN_TIMEOUT_MS },
      authenticate: (client, username, password, done) => {
        const refused = this.#refusal(client, username ?? '', password?.toString());
        done(refused ?? null, refused === undefined);
      },
      authorizePublish: (client, packet, done) => {
        this.#checkPublish(client, packet);
        // Where nobody listens aedes is done within this call, and parses on in the middle of its parser.
        queueMicrotask(() => done(null));
      },
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#checkSubscribe(client, subscription.topic) ? subscription : null),
    });
    const told = new WeakSet<object>();
    this.#aedes.on('clientError', (client, error) => {
      if ('errorCode' in error && error.errorCode === NAME_TAKEN) return;
      // Once a client: to one that does not read, message after message fails.
      if (!told.has(client)) this.#onFault('client-error', `${client.id}: ${error.message}`);
      told.add(client);
    });
    this.#aedes.on('connectionError', (_, error) => this.#onFault('connection-error', error.message));
    this.#aedes.on('client', ({ id, conn }) => {
      (conn as Door).accept();
      this.#clients.set(id, conn as Door);
    });
    this.#aedes.on('clientDisconnect', ({ id, conn }) => {
      if (this.#clients.get(id) === conn) this.#clients.delete(id);
    });
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

  /** Lets a client in as a node: it may say what such a node says. Until its connection ends. */
  admit(node: string, role: Role, uplinkBps: number): void {
    const door = this.#clients.get(node);
    const visitor = door && this.#visitors.get(door);
    if (!door || !visitor) return;
    visitor.role = role;
    visitor.mayPublish.clear();
    door.allow(nodeBudget(uplinkBps));
    // Of clients that are no nodes nothing is retained: it would be there for ever.
    const presence = { topic: topicOf('presence', node), payload: encode('presence', { online: true }) };
    this.#aedes!.publish({ cmd: 'publish', ...presence, qos: 1, retain: true, dup: false }, () => {});
  }

  /** Nodes whose connections have brought anything since then, own clock: a heartbeat may wait behind a node's tensors. */
  heardSince(sinceMs: number): string[] {
    return [...this.#clients].flatMap(([id, door]) =>
      door.heardMs >= sinceMs && this.#visitors.get(door)?.role !== undefined ? [id] : [],
    );
  }

  /** Ends a client's connection: the broker speaks its last will. */
  disconnect(client: string): void {
    this.#clients.get(client)?.destroy();
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
    const door = new Door(socket, LIMITS, this.#clock);
    this.#doors.add(door);
    door.on('slowed', () => {
      const name = this.#visitors.get(door)?.id ?? from;
      this.#onFault('slowed', `${name}: it sends more than it may, and is read more slowly`);
    });
    // A connection that breaks is no offence; the broker tells of it.
    door.on('error', (error) => {
      if (error instanceof ExcessError) this.#onFault('door', `${from}: ${error.message}`);
    });
    door.on('close', () => this.#doors.delete(door));
    this.#aedes!.handle(door as never);
  }

  /** Why a client is not let in; undefined if it is. */
  #refusal(client: Client, instance: string, password: string | undefined): AuthenticateError | undefined {
    const { id } = client;
    const door = client.conn as Door;
    const before = this.#clients.get(id);
    const owns = id === this.#owner && password === this.secret;
    const taken = before !== undefined && before !== door && !this.#givesWay(before, instance);
    if (id === this.#owner ? !owns : taken) {
      this.#onFault('name-taken', `${id}: another client wants the name of a node that is connected`);
      return Object.assign(new Error('the name is taken'), { returnCode: NAME_TAKEN });
    }
    this.#visitors.set(door, {
      ...{ id, instance, mayPublish: new Map<string, boolean>() },
      ...(owns ? { role: 'roadside-unit' as const } : {}),
    });
    if (owns) door.allow(undefined);
    return undefined;
  }

  /** Whether whoever is at this door leaves its name to another: to itself, or because it is silent. */
  #givesWay(door: Door, instance: string): boolean {
    const comesBack = instance !== '' && this.#visitors.get(door)?.instance === instance;
    return comesBack || this.#clock.now() - door.heardMs > SILENT_MS;
  }

  /** What a client may not publish goes nowhere. There is no client where the broker itself speaks. */
  #checkPublish(client: Client | null, packet: PublishPacket): void {
    const visitor = client && this.#visitors.get(client.conn as Door);
    if (!visitor) return;
    const { topic } = packet;
    let allowed = visitor.mayPublish.get(topic);
    if (allowed === undefined) {
      allowed = mayPublish(topic, visitor);
      if (visitor.mayPublish.size < MAX_KNOWN_TOPICS) visitor.mayPublish.set(topic, allowed);
    }
    if (visitor.role === undefined) packet.retain = false;
    if (allowed) return;
    this.#onFault('publish-refused', `${visitor.id}: ${topic.slice(0, MAX_TOPIC_SHOWN)} is not its own`);
    Object.assign(packet, { topic: NOWHERE, payload: Buffer.alloc(0), retain: false });
  }

  #checkSubscribe(client: Client, filter: string): boolean {
    const visitor = this.#visitors.get(client.conn as Door);
    if (visitor && maySubscribe(filter, visitor)) return true;
    const shown = filter.slice(0, MAX_TOPIC_SHOWN);
    this.#onFault('subscribe-refused', `${client.id}: ${shown} is not for it`);
    return false;
  }
}

function nodeBudget(uplinkBps: number): Budget {
  const { leastBytes, mostBytes } = NODE_BUDGET;
  const bytesPerSecond = Math.min(mostBytes, Math.max(leastBytes, (BUDGET_FACTOR * uplinkBps) / 8));
  const packetCostBytes = Math.min(MOST_PACKET_COST_BYTES, bytesPerSecond / NODE_PACKETS);
  return { bytesPerSecond, packetCostBytes, burstMs: NODE_BURST_MS };
}
