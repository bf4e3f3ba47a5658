/** A node's MQTT session: typed messages on the topics of the one table, checked on arrival. */
import { randomUUID } from 'node:crypto';
import { connect as connectSocket, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, seededRandom, type Timer } from '@splitlane/clock';
import {
  decode,
  encode,
  type MessageOf,
  parseTopic,
  type TopicKey,
  topicOf,
  topics,
  WireError,
} from '@splitlane/proto';
import { type IClientOptions, MqttClient, Store } from 'mqtt';
import { Backoff } from './backoff.ts';

export interface SessionOptions {
  /** Where the broker listens. */
  readonly host: string;
  readonly port: number;
  /** Name of this node: its client identifier, and the node whose presence the last will ends. */
  readonly node: string;
  readonly clock: Clock;
  /** Wraps the socket; a vehicle puts its link here. */
  readonly wrap?: (socket: Socket) => Duplex;
  /** The connection stands: subscribe, say hello. Called again after every reconnect. */
  readonly onConnect: () => void;
  /** The connection is gone, or could not be made. */
  readonly onDisconnect: (reason: string) => void;
  /** A message was dropped because it is malformed, or on no topic of ours. */
  readonly onRejected: (reason: string) => void;
  /** Another node has this one's name, and keeps it: this session does not try any longer. */
  readonly onNameTaken?: (reason: string) => void;
  /** Shows the roadside unit's broker that this is its own session. */
  readonly secret?: string;
}

const KEEP_ALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 10_000;
const GOODBYE_MS = 1000;
/** The broker's answer to a name that is taken. [MQTT-3.2.2.3] */
const NAME_TAKEN = 2;
/** A node that is started again waits so long for the broker to see that its old connection is dead. */
const NAME_PATIENCE_MS = 10_000;

interface Handler {
  /** The node whose messages are wanted, or '+'. */
  readonly node: string;
  /** The cloud worker whose tensors are wanted; those of all unless given. */
  readonly cloud?: string | undefined;
  readonly handle: (message: never, node: string) => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #handlers = new Map<TopicKey, Handler>();
  readonly #backoff: Backoff;
  /** What is sent with QoS 1 and not acknowledged outlives a connection. */
  readonly #stores = { incomingStore: new Store(), outgoingStore: new Store() };
  #client: MqttClient | undefined;
  #problem = '';
  #connectedMs: number | undefined;
  /** Since when this node's name has been refused. */
  #takenSinceMs: number | undefined;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#backoff = new Backoff(seededRandom(seedOf(options.node, options.clock.now())));
  }

  /** Begins to connect, and to reconnect whenever the connection is lost. */
  start(): void {
    const { host, port, node, wrap, secret } = this.#options;
    const openStream = (): Duplex => {
      const socket = connectSocket({ host, port, noDelay: true });
      return wrap ? wrap(socket) : socket;
    };
    const options: IClientOptions = {
      clientId: node,
      // By this the broker tells a session that comes back from another node of the same name.
      username: randomUUID(),
      ...(secret === undefined ? {} : { password: secret }),
      clean: true,
      keepalive: KEEP_ALIVE_S,
      // MQTT.js knows one period for all attempts: this session makes them itself.
      reconnectPeriod: 0,
      ...this.#stores,
      connectTimeout: CONNECT_TIMEOUT_MS,
      queueQoSZero: false,
      resubscribe: false,
      will: {
        topic: topicOf('presence', node),
        payload: encode('presence', { online: false }),
        qos: topics.presence.qos,
        retain: topics.presence.retain,
      },
    };
    this.#client = new MqttClient(openStream as never, options);
    this.#client.on('connect', () => {
      this.#connectedMs = this.#options.clock.now();
      this.#takenSinceMs = undefined;
      for (const [key, handler] of this.#handlers) this.#ask(key, handler);
      this.publish('presence', node, { online: true });
      this.#options.onConnect();
    });
    this.#client.on('error', (error) => {
      this.#problem = error.message || (error as NodeJS.ErrnoException).code || 'unknown';
      if ('code' in error && error.code === NAME_TAKEN) this.#findNameTaken();
    });
    this.#client.on('close', () => {
      this.#options.onDisconnect(this.#problem || 'connection closed');
      this.#problem = '';
      this.#connectLater();
    });
    this.#client.on('message', (topic, payload) => this.#receive(topic, payload));
  }

  /**
   * Calls `handler` for every message of this kind of one node, or of all where `node` is '+'.
   * @param cloud only tensors that are for this worker.
   */
  subscribe<K extends TopicKey>(
    key: K,
    node: string,
    handler: (message: MessageOf<K>, node: string) => void,
    cloud?: string,
  ): void {
    const wanted: Handler = { node, cloud, handle: handler as Handler['handle'] };
    this.#handlers.set(key, wanted);
    if (this.#client?.connected) this.#ask(key, wanted);
  }

  /**
   * Hands a message to the connection; false where there is none, and the message is gone.
   * @param cloud the worker that a tensor is for.
   */
  publish<K extends TopicKey>(key: K, node: string, message: MessageOf<K>, cloud?: string): boolean {
    if (!this.#client?.connected) return false;
    const { qos, retain } = topics[key];
    this.#client.publish(topicOf(key, node, cloud), encode(key, message), { qos, retain });
    return true;
  }

  /** Breaks the connection off, because of what it does not bring; a new one is made as after any other loss. */
  drop(reason: string): void {
    if (!this.#client?.connected) return;
    this.#problem = reason;
    this.#client.stream.destroy();
  }

  /** Says goodbye and closes the connection; a broker that does not listen is not waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    const client = this.#client;
    if (!client) return;
    if (!client.connected) return client.endAsync(true);
    this.publish('presence', this.#options.node, { online: false });
    // `end` waits for every acknowledgement, for ever if none comes.
    const gone = Promise.withResolvers<void>();
    client.once('close', gone.resolve);
    const timer = this.#options.clock.after(GOODBYE_MS, gone.resolve);
    await Promise.race([client.endAsync(), gone.promise]);
    timer.cancel();
    client.stream.destroy();
  }

  #findNameTaken(): void {
    const nowMs = this.#options.clock.now();
    this.#takenSinceMs ??= nowMs;
    if (this.#stopped || nowMs - this.#takenSinceMs < NAME_PATIENCE_MS) return;
    this.#stopped = true;
    this.#options.onNameTaken?.('another node of this name is connected; every node needs a name of its own');
  }

  #connectLater(): void {
    const { clock } = this.#options;
    if (this.#stopped || this.#retry) return;
    const stoodMs = clock.now() - (this.#connectedMs ?? clock.now());
    this.#connectedMs = undefined;
    this.#retry = clock.after(this.#backoff.next(stoodMs), () => {
      this.#retry = undefined;
      this.#client!.reconnect(this.#stores);
    });
  }

  #receive(topic: string, payload: Buffer): void {
    const parsed = parseTopic(topic);
    const handler = parsed && this.#handlers.get(parsed.key);
    if (!parsed || !handler)
      return this.#options.onRejected(`a message on '${topic}', which is no topic of ours`);
    let message: unknown;
    try {
      message = decode(parsed.key, payload);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return this.#options.onRejected(`${parsed.node}: ${error.message}`);
    }
    handler.handle(message as never, parsed.node);
  }

  #ask(key: TopicKey, { node, cloud }: Handler): void {
    this.#client?.subscribe(topicOf(key, node, cloud), { qos: topics[key].qos });
  }
}

/** Every start of every node has a sequence of its own. */
function seedOf(node: string, nowMs: number): number {
  return [...node].reduce(
    (seed, letter) => Math.imul(31, seed) + letter.charCodeAt(0),
    Math.trunc(nowMs * 1000),
  );
}
