/** A real pair of sockets on this machine, what goes through them, and a wait for what they bring. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type Clock, type FakeClock, seededRandom } from '../../../libs/clock/index.ts';

export interface Loopback {
  readonly client: Socket;
  readonly server: Socket;
  close(): void;
}

/** Two connected sockets; nobody reads from either yet. */
export async function loopback(): Promise<Loopback> {
  const listener = createServer({ pauseOnConnect: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = connect((listener.address() as { port: number }).port, '127.0.0.1');
  const [[server]] = await Promise.all([accepted, once(client, 'connect')]);
  for (const socket of [client, server]) socket.on('error', () => {});
  return {
    client,
    server,
    close: () => {
      client.destroy();
      server.destroy();
      listener.close();
    },
  };
}

const IN_VAIN_MS = 10_000;

/** Lets the event loop turn until `holds`. @throws Error where it never does, so that no test hangs. */
export async function until(holds: () => boolean): Promise<void> {
  const lastMs = performance.now() + IN_VAIN_MS;
  while (!holds()) {
    if (performance.now() > lastMs) throw new Error(`waited in vain for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Collects all bytes that a socket receives. */
export function collect(socket: { on(event: 'data', listener: (data: Buffer) => void): unknown }): {
  readonly bytes: () => Buffer;
} {
  const parts: Buffer[] = [];
  socket.on('data', (data) => parts.push(data));
  return { bytes: () => Buffer.concat(parts) };
}

/** The same for the same seed. */
export function randomBytes(length: number, seed: number): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(Uint8Array.from({ length }, () => random() * 256));
}

/** A clock whose timers fire late, as on a busy machine. */
export function lateBy(clock: FakeClock, lateMs: number): Clock {
  return {
    now: () => clock.now(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, run) => clock.after(delayMs + lateMs, run),
    sleep: (delayMs) => clock.sleep(delayMs + lateMs),
  };
}
