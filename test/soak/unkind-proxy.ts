/** Stands between nodes and the broker, and breaks or holds up their connections. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../libs/clock/index.ts';
import { HOST } from '../system/nodes.ts';

export class UnkindProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isClosed = false;

  constructor(brokerPort: number) {
    this.#server = createServer((node) => {
      if (this.#isClosed) return void node.destroy();
      const broker = connect({ host: HOST, port: brokerPort, noDelay: true });
      node.setNoDelay(true);
      const pair = [node, broker] as const;
      this.#pairs.add(pair);
      for (const [from, to] of [pair, pair.toReversed() as [Socket, Socket]]) {
        from.pipe(to);
        from.on('error', () => {});
        from.on('close', () => {
          to.destroy();
          this.#pairs.delete(pair);
        });
      }
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

  /** Breaks off what is connected, and lets nobody in for so long. @returns how many sockets that broke. */
  cut(forMs: number): number {
    this.#isClosed = true;
    systemClock.after(forMs, () => {
      this.#isClosed = false;
    });
    const sockets = 2 * this.#pairs.size;
    for (const [node] of this.#pairs) node.destroy();
    return sockets;
  }

  /** Passes nothing on for so long, in both directions: the ends believe that they are connected. @returns how many sockets that holds up. */
  stall(forMs: number): number {
    const sockets = [...this.#pairs].flat();
    for (const socket of sockets) socket.unpipe().pause();
    systemClock.after(forMs, () => {
      for (const [node, broker] of this.#pairs) {
        node.pipe(broker);
        broker.pipe(node);
      }
    });
    return sockets.length;
  }

  async stop(): Promise<void> {
    for (const [node] of this.#pairs) node.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
