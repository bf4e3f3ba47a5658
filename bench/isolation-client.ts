/**
 * A client that means harm, for bench/isolation.ts: `flood` sends as fast as it can, on several connections, short messages
 * and the longest, on topics of its own and of others; `freeze` subscribes to all that it may hear and does not read. Both
 * come back when they are let go. Until it is killed.
 */
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { systemClock as clock } from '@splitlane/clock';
import { encode, MAX_PACKET_BYTES, topicOf } from '@splitlane/proto';
import { generate } from 'mqtt-packet';

const CONNECTIONS = 4;
const SHORT_MESSAGES = 200;
const COME_BACK_MS = 100;
const HOUR_MS = 3_600_000;
/** It shares the machine with those that it is to disturb: what it takes of the processor is not what is looked for. */
const LEAST_PRIORITY = 19;

const [kind, port] = process.argv.slice(2) as ['flood' | 'freeze', string];
setPriority(LEAST_PRIORITY);

function hello(clientId: string): Buffer {
  const session = { protocolId: 'MQTT' as const, protocolVersion: 4 as const, clean: true, keepalive: 0 };
  return generate({ cmd: 'connect', ...session, clientId });
}

function publish(topic: string, payload: Buffer): Buffer {
  return generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: true });
}

/** One load of what it sends again and again. */
function load(clientId: string): Buffer {
  const longest = Buffer.alloc(MAX_PACKET_BYTES - 100);
  const topics = [
    topicOf('presence', clientId),
    topicOf('hello', clientId),
    topicOf('plan', 'vehicle-1'),
    'elsewhere',
  ];
  const short = encode('presence', { online: true });
  return Buffer.concat([
    ...Array.from({ length: SHORT_MESSAGES }, () => topics.map((topic) => publish(topic, short))).flat(),
    ...topics.map((topic) => publish(topic, longest)),
  ]);
}

function open(index: number): void {
  const clientId = `${kind}-${index}`;
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  socket.on('error', () => {});
  socket.on('close', () => clock.after(COME_BACK_MS, () => open(index)));
  socket.write(hello(clientId));
  socket.once('data', () => {
    if (kind === 'freeze') {
      const filters = [topicOf('plan', '+'), topicOf('presence', '+'), topicOf('tensor', '+', clientId), '#'];
      const subscriptions = filters.map((topic) => ({ topic, qos: 0 as const }));
      socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
      return void socket.pause();
    }
    const bytes = load(clientId);
    const send = (): void => {
      while (socket.writable && socket.write(bytes));
    };
    socket.on('drain', send);
    send();
  });
}

for (let index = 0; index < CONNECTIONS; index++) open(index);
// Sockets that are not read keep no process alive.
await clock.sleep(HOUR_MS);
