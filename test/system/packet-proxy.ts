/** Stands between a node and the broker, and may change or swallow the MQTT packets that pass. */
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

  /** @param meddlers what happens to what the node publishes (up), and to what comes to it (down). */
  constructor(brokerPort: number, { up = untouched, down = untouched }: { up?: Meddler; down?: Meddler }) {
    this.#server = createServer((node) => {
      const broker = connect({ host: HOST, port: brokerPort, noDelay: true });
      node.setNoDelay(true);
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
