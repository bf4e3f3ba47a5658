/**
 * A tensor's own overhead: encoded, cut into chunks, relayed by the broker, decoded and put together again,
 * against the same bytes over a plain socket. Both on loopback without an emulated rate, in turn; beside
 * them the time that the tensor takes on a WiFi uplink, which is what the overhead adds to.
 *
 *   node bench/frame-overhead.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { systemClock as clock } from '@splitlane/clock';
import { Link, Session, sendTensor, TensorAssembler } from '@splitlane/net';
import { median } from '../field-tests/quantile.ts';

const RUNS = 60;
const WIFI_BPS = 18.88e6;
const TENSORS = [
  { name: 'input', dims: [1, 3, 224, 224] },
  { name: 'pool1', dims: [1, 64, 27, 27] },
  { name: 'pool5', dims: [1, 256, 6, 6] },
];

const child = fork(new URL('./broker-process.ts', import.meta.url));
const [port] = (await once(child, 'message')) as [number];

async function session(node: string, wrap?: (link: Link) => void): Promise<Session> {
  const connected = Promise.withResolvers<void>();
  const made = new Session({
    host: '127.0.0.1',
    port,
    node,
    clock,
    ...(wrap && {
      wrap: (socket) => {
        const link = new Link(socket, {}, clock);
        wrap(link);
        return link;
      },
    }),
    onConnect: connected.resolve,
    onDisconnect: () => {},
    onRejected: console.error,
  });
  made.start();
  await connected.promise;
  return made;
}

const WAY = { vehicle: 'vehicle-1', cloud: 'cloud-1' };
let link!: Link;
const vehicle = await session('vehicle-1', (made) => {
  link = made;
});
const cloud = await session('cloud-1');
const assembler = new TensorAssembler();
let whole = Promise.withResolvers<void>();
cloud.subscribe('tensor', '+', (chunk, from) => {
  const assembly = assembler.add(from, chunk, () => undefined);
  if (assembly.kind === 'whole') whole.resolve();
});
child.send(WAY.vehicle);
await clock.sleep(200);

let plain = Promise.withResolvers<void>();
let awaited = 0;
const server = createServer((socket) => {
  let received = 0;
  socket.on('data', (data) => {
    received += data.length;
    if (received < awaited) return;
    received = 0;
    plain.resolve();
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const socket = connect({ port: (server.address() as AddressInfo).port, noDelay: true });
await once(socket, 'connect');

for (const { name, dims } of TENSORS) {
  const bytes = new Uint8Array(4 * dims.reduce((a, b) => a * b, 1)).fill(7);
  const relayed: number[] = [];
  const sent: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    whole = Promise.withResolvers();
    let startMs = clock.now();
    const job = { frame: run, epoch: 1, camera: 'camera-1', cut: 1, codec: 'float32' as const };
    const header = { ...job, dims, frameWidth: 960, frameHeight: 540 };
    // Chunks as on the emulated link, but as fast as the loopback takes them.
    const options = { uplinkBps: WIFI_BPS, now: () => clock.now() };
    await Promise.all([sendTensor(vehicle, link, WAY, header, bytes, options).done, whole.promise]);
    relayed.push(clock.now() - startMs);

    plain = Promise.withResolvers();
    awaited = bytes.length;
    startMs = clock.now();
    socket.write(bytes);
    await plain.promise;
    sent.push(clock.now() - startMs);
  }
  const relayedMs = median(relayed.slice(10));
  const sentMs = median(sent.slice(10));
  const wifiMs = (bytes.length * 8000) / WIFI_BPS;
  console.log(
    `${name} (${bytes.length} bytes): relayed ÷ plain socket = ${(relayedMs / sentMs).toFixed(1)}` +
      ` (${relayedMs.toFixed(2)} ms, ${sentMs.toFixed(2)} ms);` +
      ` overhead ÷ time on WiFi = ${((100 * (relayedMs - sentMs)) / wifiMs).toFixed(1)} %`,
  );
}
socket.destroy();
server.close();
await vehicle.stop();
await cloud.stop();
child.disconnect();
