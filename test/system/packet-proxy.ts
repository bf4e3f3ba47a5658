/** Stands between a node and the broker, may change or swallow the MQTT packets that pass, and say something of its own. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet';
import { HOST } from './nodes.ts';

/** What becomes of a published message: the same, another, or undefined where it is swallowed. */
export type Meddler = (message: IPublishPacket) => IPublishPacket | undefined;

const MQTT_3_1_1 = { protocolVersion: 4 };
const untouched: Meddler = (message) => message;

export class PacketProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  /** The ends of the newest connection. */
  #ends: { readonly up: Socket; readonly down: Socket } | undefined;

  /** @param meddlers what happens to what the node publishes (up), and to what comes to it (down). */
  constructor(brokerPort: number, { up = untouched, down = untouched }: { up?: Meddler; down?: Meddler }) {
    this.#server = createServer((node) => {
      if (this.#isCut) return void node.destroy();
      const broker = connect({ host: HOST, port: brokerPort, noDelay: true });
      node.setNoDelay(true);
      this.#ends = { up: broker, down: node };
      this.#join(node, broker, up);
      this.#join(broker, node, down);
    });
  }

  /** Returns the port that the node connects to. */
  async start(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, HOST, resolve);
    await promise;
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Says something to the broker in the node's name, or to the node in the broker's, between two packets of theirs. */
  say(to: 'up' | 'down', topic: string, payload: Buffer): void {
    const message = { topic, payload, qos: 0 as const, dup: false, retain: false };
    this.#ends?.[to].write(mqttPacket.generate({ cmd: 'publish', ...message }));
  }

  /** Breaks off what is connected, and lets nobody through until it is mended. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket, meddle: Meddler): void {
    const parser = mqttPacket.parser(MQTT_3_1_1);
    parser.on('packet', (packet: Packet) => {
      const passed = packet.cmd === 'publish' ? meddle(packet) : packet;
      if (passed) to.write(mqttPacket.generate(passed));
    });
    parser.on('error', () => from.destroy());
    this.#sockets.add(from);
    from.on('data', (bytes: Buffer) => parser.parse(bytes));
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.end();
    });
  }
}
