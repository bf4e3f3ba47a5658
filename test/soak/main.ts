/** `npm run soak -- --minutes N [--seed S]`: real processes under fire, judged by their logs. */
import { parseArgs } from 'node:util';
import { Nodes } from '../system/nodes.ts';
import { soak } from './soak.ts';

const KILL_EVERY_MS = 5000;
const CUT_EVERY_MS = 600;
const MOST_SHOWN = 20;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } });
const minutes = Number(values.minutes ?? 5);
const seed = Number(values.seed ?? 1);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  say('soak: --minutes must be a number above 0, --seed a whole number');
  process.exit(2);
}

const nodes = new Nodes();
try {
  const result = await soak(nodes, {
    ...{ forMs: minutes * 60_000, seed, killEveryMs: KILL_EVERY_MS, cutEveryMs: CUT_EVERY_MS },
    onProgress: (line) => say(line),
  });
  const { kills, sockets, frames, ends, vehicleStarts, epochs, records, wrong, breaches } = result;
  const sum = Object.values(kills).reduce((a, b) => a + b, 0);
  say(
    `${sum} processes killed: ${Object.entries(kills)
      .map(([role, count]) => `${role} ${count}`)
      .join(', ')}`,
  );
  say(`${sockets.cut} sockets cut, ${sockets.stalled} stalled`);
  say(
    `${frames} frames of ${vehicleStarts} starts of vehicles: ${Object.entries(ends)
      .map(([end, count]) => `${end} ${count}`)
      .join(', ')}`,
  );
  say(
    `${epochs} epochs of plans, ${records} records handed over, ${wrong} answers that differ from the whole model's`,
  );
  for (const breach of breaches.slice(0, MOST_SHOWN)) say(`BROKEN: ${breach}`);
  say(
    breaches.length === 0 && wrong === 0
      ? 'every promise was kept'
      : `${breaches.length + wrong} promises were broken`,
  );
  process.exitCode = breaches.length === 0 && wrong === 0 ? 0 : 1;
} finally {
  await nodes.close();
}
