/** A node's MQTT session: typed messages on the topics of the one table, checked on arrival. */
import { connect as connectSocket, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemClock } from '@splitlane/clock';
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
import { type IClientOptions, MqttClient } from 'mqtt';

export interface SessionOptions {
  /** Where the broker listens. */
  readonly host: string;
  readonly port: number;
  /** Name of this node: its client identifier, and the node whose presence the last will ends. */
  readonly node: string;
  /** Wraps the socket; a vehicle puts its link here. */
  readonly wrap?: (socket: Socket) => Duplex;
  /** The connection stands: subscribe, say hello. Called again after every reconnect. */
  readonly onConnect: () => void;
  /** The connection is gone, or could not be made. */
  readonly onDisconnect: (reason: string) => void;
  /** A message was dropped because it is malformed, or on no topic of ours. */
  readonly onRejected: (reason: string) => void;
}

const KEEP_ALIVE_S = 30;
const RECONNECT_MS = 500;
const CONNECT_TIMEOUT_MS = 10_000;
const GOODBYE_MS = 1000;

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
  #client: MqttClient | undefined;
  #problem = '';

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Begins to connect, and to reconnect whenever the connection is lost. */
  start(): void {
    const { host, port, node, wrap } = this.#options;
    const openStream = (): Duplex => {
      const socket = connectSocket({ host, port, noDelay: true });
      return wrap ? wrap(socket) : socket;
    };
    const options: IClientOptions = {
      clientId: node,
      clean: true,
      keepalive: KEEP_ALIVE_S,
      reconnectPeriod: RECONNECT_MS,
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
      for (const [key, handler] of this.#handlers) this.#ask(key, handler);
      this.publish('presence', node, { online: true });
      this.#options.onConnect();
    });
    this.#client.on('error', (error) => {
      this.#problem = error.message || (error as NodeJS.ErrnoException).code || 'unknown';
    });
    this.#client.on('close', () => {
      this.#options.onDisconnect(this.#problem || 'connection closed');
      this.#problem = '';
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

  /** Says goodbye and closes the connection; a broker that does not listen is not waited for. */
  async stop(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    if (!client.connected) return client.endAsync(true);
    this.publish('presence', this.#options.node, { online: false });
    // `end` waits for every acknowledgement, for ever if none comes.
    const gone = Promise.withResolvers<void>();
    client.once('close', gone.resolve);
    const timer = systemClock.after(GOODBYE_MS, gone.resolve);
    await Promise.race([client.endAsync(), gone.promise]);
    timer.cancel();
    client.stream.destroy();
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
