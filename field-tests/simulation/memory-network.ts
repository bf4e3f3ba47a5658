/**
 * MQTT as the house uses it, in memory on virtual time: a broker that lives in the roadside unit's process, connections
 * with delays, QoS 0 that may be lost, QoS 1 that comes at least once per connection and is sent again after a
 * reconnect unless it was acknowledged, retained messages, last wills, and a second connection of a name that ends the
 * first. A cut swallows what is on its way, and each side notices in its own time.
 */
import type { Clock } from '@splitlane/clock';
import { Backoff } from '@splitlane/net';
import { type MessageOf, type TopicKey, topicOf, topics } from '@splitlane/proto';
import type { Chance } from './chance.ts';
import type { ProcessClock } from './virtual-clock.ts';

/** What messages suffer, until the network is calm. */
export interface Conditions {
  /** One way between a node and the broker, in ms. */
  readonly delayMs: readonly [least: number, most: number];
  /** Share of messages that take up to `lateMs` longer. */
  readonly lateShare: number;
  readonly lateMs: number;
  /** Share of QoS 0 messages that are lost. */
  readonly lossShare: number;
  /** Share of QoS 1 messages that come twice. */
  readonly doubleShare: number;
  /** Messages of one connection may overtake each other. */
  readonly reorders: boolean;
}

interface Message {
  readonly key: TopicKey;
  readonly node: string;
  readonly message: MessageOf<TopicKey>;
  /** The worker that a tensor is for. */
  readonly cloud?: string | undefined;
}

interface Connection {
  readonly session: MemorySession;
  /** False once its client, or the broker, knows that it is over. */
  clientOpen: boolean;
  brokerOpen: boolean;
  /** What is on its way is lost. */
  isCut: boolean;
  lastUpMs: number;
  lastDownMs: number;
}

/** So long MQTT's keep-alive lets a dead connection stand. */
const LONGEST_UNNOTICED_MS = 45_000;

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #conditions: Conditions;
  #isCalm = false;
  #brokerIsUp = false;
  /** What the broker does once its process is not frozen any more. */
  #heldByBroker: (() => void)[] | undefined;
  readonly #retained = new Map<string, Message>();
  readonly #connections = new Map<string, Connection>();
  /** Until when a node cannot reach the broker. */
  readonly #cutUntilMs = new Map<string, number>();

  constructor(clock: Clock, chance: Chance, conditions: Conditions) {
    this.#clock = clock;
    this.#chance = chance;
    this.#conditions = conditions;
  }

  /** From now on nothing is lost, doubled, late or overtaken. */
  calm(): void {
    this.#isCalm = true;
  }

  openBroker(): void {
    this.#brokerIsUp = true;
  }

  /** The broker's process dies: with it go what it retained, and all connections. */
  killBroker(): void {
    this.#brokerIsUp = false;
    this.#heldByBroker = undefined;
    this.#retained.clear();
    for (const connection of this.#connections.values()) {
      connection.isCut = true;
      connection.brokerOpen = false;
      this.#noticedByClient(connection, 'the broker is gone');
    }
    this.#connections.clear();
  }

  /** The broker's process is frozen: its connections stand, and nothing comes of what is sent on them. */
  freezeBroker(): void {
    this.#heldByBroker ??= [];
  }

  thawBroker(): void {
    const held = this.#heldByBroker ?? [];
    this.#heldByBroker = undefined;
    for (const run of held) run();
  }

  /** The broker ends a node's connection. */
  disconnect(node: string): void {
    const connection = this.#connections.get(node);
    if (connection) this.#close(connection);
  }

  /** A client breaks its connection off: the broker learns of it. */
  drop(connection: Connection): void {
    connection.isCut = true;
    connection.clientOpen = false;
    this.#noticedByBroker(connection);
  }

  /**
   * Cuts a node off for so long: its connection, if it has one, and every attempt to make one.
   * @returns whether its node still takes that connection for one, whenever asked.
   */
  cut(node: string, forMs: number): () => boolean {
    this.#cutUntilMs.set(node, this.#clock.now() + forMs);
    const connection = this.#connections.get(node);
    if (!connection) return () => false;
    connection.isCut = true;
    this.#noticedByClient(connection, 'connection reset');
    this.#noticedByBroker(connection);
    return () => connection.clientOpen;
  }

  /** A node's process dies: the broker learns of it. */
  processDied(node: string): void {
    const connection = this.#connections.get(node);
    if (connection) this.drop(connection);
  }

  /** @returns the new connection; undefined where the broker cannot be reached. */
  connect(session: MemorySession): Connection | undefined {
    const { node } = session;
    if (!this.#brokerIsUp || this.#heldByBroker || this.#clock.now() < (this.#cutUntilMs.get(node) ?? 0))
      return undefined;
    const before = this.#connections.get(node);
    if (before) this.#close(before);
    const connection: Connection = {
      ...{ session, clientOpen: true, brokerOpen: true, isCut: false, lastUpMs: 0, lastDownMs: 0 },
    };
    this.#connections.set(node, connection);
    return connection;
  }

  /** Brings a client the retained messages of what it has subscribed to. */
  bringRetained(connection: Connection): void {
    for (const retained of this.#retained.values())
      if (connection.session.wants(retained)) this.#down(connection, retained);
  }

  /** Takes a message from a client; `onAcknowledged` is called when its client knows that it has arrived. */
  up(connection: Connection, message: Message, onAcknowledged: () => void): void {
    const copies = this.#copies(message.key);
    for (let copy = 0; copy < copies; copy++) {
      const atMs = this.#arrivalMs(connection.lastUpMs, copy);
      connection.lastUpMs = Math.max(connection.lastUpMs, atMs);
      this.#clock.after(atMs - this.#clock.now(), () => {
        this.#atBroker(() => {
          if (connection.isCut || !connection.brokerOpen) return;
          this.#route(message);
          this.#clock.after(this.#delayMs(), () => {
            if (!connection.isCut) onAcknowledged();
          });
        });
      });
    }
  }

  #atBroker(run: () => void): void {
    if (this.#heldByBroker) this.#heldByBroker.push(run);
    else run();
  }

  #route(message: Message): void {
    if (topics[message.key].retain) this.#retained.set(topicOf(message.key, message.node), message);
    for (const connection of this.#connections.values())
      if (connection.session.wants(message)) this.#down(connection, message);
  }

  #down(connection: Connection, message: Message): void {
    const copies = this.#copies(message.key);
    for (let copy = 0; copy < copies; copy++) {
      const atMs = this.#arrivalMs(connection.lastDownMs, copy);
      connection.lastDownMs = Math.max(connection.lastDownMs, atMs);
      this.#clock.after(atMs - this.#clock.now(), () => {
        if (connection.isCut || !connection.clientOpen) return;
        connection.session.receive(message);
      });
    }
  }

  #copies(key: TopicKey): number {
    if (this.#isCalm) return 1;
    if (topics[key].qos === 0) return this.#chance.is(this.#conditions.lossShare) ? 0 : 1;
    return this.#chance.is(this.#conditions.doubleShare) ? 2 : 1;
  }

  /** Behind what was sent before, unless messages overtake each other; a second copy comes a while later. */
  #arrivalMs(lastMs: number, copy: number): number {
    const { reorders, lateMs } = this.#conditions;
    const laterMs = copy > 0 ? this.#chance.between(0, lateMs) : 0;
    const atMs = this.#clock.now() + this.#delayMs() + laterMs;
    return reorders && !this.#isCalm ? atMs : Math.max(atMs, lastMs);
  }

  #delayMs(): number {
    const { delayMs, lateShare, lateMs } = this.#conditions;
    const late = !this.#isCalm && this.#chance.is(lateShare) ? this.#chance.between(0, lateMs) : 0;
    return this.#chance.between(...delayMs) + late;
  }

  #noticedByClient(connection: Connection, reason: string): void {
    this.#clock.after(this.#chance.spread(1, LONGEST_UNNOTICED_MS), () => {
      if (!connection.clientOpen) return;
      connection.clientOpen = false;
      connection.session.lost(connection, reason);
    });
  }

  #noticedByBroker(connection: Connection): void {
    this.#clock.after(this.#chance.spread(1, LONGEST_UNNOTICED_MS), () =>
      this.#atBroker(() => this.#close(connection)),
    );
  }

  /** The broker ends a connection, and speaks its client's last will. */
  #close(connection: Connection): void {
    if (!connection.brokerOpen) return;
    connection.brokerOpen = false;
    connection.isCut = true;
    const { node } = connection.session;
    if (this.#connections.get(node) === connection) this.#connections.delete(node);
    this.#noticedByClient(connection, 'connection closed');
    this.#route({ key: 'presence', node, message: { online: false } });
  }
}

export interface SessionHandlers {
  readonly onConnect: () => void;
  readonly onDisconnect: (reason: string) => void;
}

interface Subscription {
  /** The node whose messages are wanted, or '+'. */
  readonly node: string;
  /** The worker whose tensors are wanted. */
  readonly cloud: string | undefined;
  readonly handle: (message: never, node: string) => void;
}

/** The in-memory twin of a node's session. */
export class MemorySession {
  readonly node: string;
  readonly #network: MemoryNetwork;
  readonly #clock: ProcessClock;
  readonly #handlers: SessionHandlers;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Map<TopicKey, Subscription>();
  readonly #unacknowledged = new Set<Message>();
  #connection: Connection | undefined;
  #connectedMs = 0;

  constructor(
    node: string,
    world: { readonly network: MemoryNetwork; readonly chance: Chance },
    clock: ProcessClock,
    handlers: SessionHandlers,
  ) {
    const { network, chance } = world;
    this.#backoff = new Backoff(() => chance.between(0, 1));
    this.node = node;
    this.#network = network;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  subscribe<K extends TopicKey>(
    key: K,
    node: string,
    handle: (message: MessageOf<K>, node: string) => void,
    cloud?: string,
  ): void {
    this.#subscriptions.set(key, { node, cloud, handle: handle as Subscription['handle'] });
  }

  wants({ key, node, cloud }: Message): boolean {
    const wanted = this.#subscriptions.get(key);
    return wanted !== undefined && (wanted.node === '+' || wanted.node === node) && wanted.cloud === cloud;
  }

  /** Begins to connect, and to reconnect whenever the connection is lost. */
  start(): void {
    this.#connection = this.#network.connect(this);
    if (!this.#connection) {
      this.#clock.after(1, () => this.#lose('connection refused', 0));
      return;
    }
    this.#connectedMs = this.#clock.now();
    const connection = this.#connection;
    for (const message of this.#unacknowledged) this.#up(connection, message);
    this.publish('presence', this.node, { online: true });
    this.#handlers.onConnect();
    this.#network.bringRetained(connection);
  }

  /** Hands a message to the connection; false where there is none, and the message is gone. */
  publish<K extends TopicKey>(key: K, node: string, message: MessageOf<K>, cloud?: string): boolean {
    if (!this.#connection) return false;
    const sent: Message = { key, node, message, cloud };
    if (topics[key].qos === 1) this.#unacknowledged.add(sent);
    this.#up(this.#connection, sent);
    return true;
  }

  receive({ key, node, message }: Message): void {
    this.#clock.whenRunning(() => this.#subscriptions.get(key)!.handle(message as never, node));
  }

  lost(connection: Connection, reason: string): void {
    this.#clock.whenRunning(() => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#lose(reason, this.#clock.now() - this.#connectedMs);
    });
  }

  #lose(reason: string, stoodMs: number): void {
    this.#handlers.onDisconnect(reason);
    this.#clock.after(this.#backoff.next(stoodMs), () => this.start());
  }

  /** Breaks the connection off. */
  drop(reason: string): void {
    const connection = this.#connection;
    if (!connection) return;
    this.#network.drop(connection);
    this.#clock.after(0, () => this.lost(connection, reason));
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  #up(connection: Connection, message: Message): void {
    this.#network.up(connection, message, () => this.#unacknowledged.delete(message));
  }
}
