/**
 * What clients that mean harm cost the others: rounds of two vehicles, real processes all, in turn without anybody else, with
 * clients that subscribe to all that they may hear and do not read, and with clients that send as fast as they can. Then a
 * long flood, and the memory of the roadside unit meanwhile. Writes docs/results/isolation.md. Takes about eight minutes, on a
 * machine that does nothing else.
 *
 *   npm run bench:isolation
 *   npm run bench:isolation -- --minutes 1     a shorter flood; writes nothing
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock as clock } from '@splitlane/clock';
import { median } from '../field-tests/quantile.ts';
import { Nodes, startCampaign, until } from '../test/system/nodes.ts';
import { printRows } from './schedulers/timing.ts';

const CLIENT = path.join(import.meta.dirname, 'isolation-client.ts');
const CONDITIONS = ['calm', 'freeze', 'flood'] as const;
const REPETITIONS = 16;
const BLOCK_MS = 4000;
/** After a client has come: its connections are made and refused, and the round that was open is over. */
const SETTLE_MS = 500;
const MINUTE_MS = 60_000;
const VEHICLES = 2;
const MORE_ROUNDS_THAN_ANY = 100_000;
const COUNTED = ['publish-refused', 'subscribe-refused', 'slowed', 'client-error', 'door'];

interface Block {
  readonly condition: (typeof CONDITIONS)[number];
  readonly startMs: number;
  readonly endMs: number;
  /** What the roadside unit had of the processor. */
  readonly cpuMs: number;
}

async function during<T>(kind: Block['condition'], port: number, work: () => Promise<T>): Promise<T> {
  if (kind === 'calm') return work();
  const client = spawn(process.execPath, [CLIENT, kind, String(port)], { stdio: 'inherit' });
  const exited = once(client, 'exit');
  try {
    await clock.sleep(SETTLE_MS);
    const done = await work();
    if (client.exitCode !== null) throw new Error(`the client that was to ${kind} has ended`);
    return done;
  } finally {
    client.kill('SIGKILL');
    await exited;
  }
}

const TICKS_PER_SECOND = 100;

/** Processor time of a process so far, of all its threads. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

function residentMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kib) / 1024;
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '5' } } });
const minutes = Number(values.minutes);
const nodes = new Nodes();
try {
  let rounds = 0;
  const campaign = await startCampaign(nodes, {
    ...{ policies: ['ro'], vehicles: VEHICLES, cameras: 2, rounds: MORE_ROUNDS_THAN_ANY },
    onProgress: () => rounds++,
  });
  campaign.done.catch(() => {});
  await until(() => rounds > 20);
  const pid = campaign.rsu.child.pid!;
  const blocks: Block[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition++)
    // Whoever is the first in one repetition is the last in the next.
    for (const condition of repetition % 2 === 0 ? CONDITIONS : CONDITIONS.toReversed())
      await during(condition, campaign.port, async () => {
        const [startMs, hadMs] = [clock.now(), cpuMs(pid)];
        await clock.sleep(BLOCK_MS);
        blocks.push({ condition, startMs, endMs: clock.now(), cpuMs: cpuMs(pid) - hadMs });
      });
  const memoryMib = [residentMib(pid)];
  await during('flood', campaign.port, async () => {
    for (let minute = 0; minute < minutes; minute++) {
      await clock.sleep(MINUTE_MS);
      memoryMib.push(residentMib(pid));
    }
  });
  await nodes.stop();

  const logged = nodes.logs();
  const ran = logged.flatMap((log) => log.rows('round'));
  const unfinished = logged
    .flatMap((log) => log.rows('result'))
    .filter(({ outcome }) => outcome === 'local').length;
  const makespanOf = ({ startMs, endMs }: Block): { readonly rounds: number; readonly ms: number } => {
    // All clocks are the same machine's.
    const within = ran.filter((row) => row.start_ms >= startMs && row.start_ms + row.makespan_ms <= endMs);
    return { rounds: within.length, ms: median(within.map((row) => row.makespan_ms)) };
  };
  const measured = blocks.map((block) => ({ ...block, ...makespanOf(block) }));
  const calmOf = (repetition: number): number =>
    measured
      .slice(CONDITIONS.length * repetition, CONDITIONS.length * (repetition + 1))
      .find(({ condition }) => condition === 'calm')!.ms;
  const rows = CONDITIONS.map((condition) => {
    const own = measured
      .map((block, index) => ({ ...block, ratio: block.ms / calmOf(Math.floor(index / CONDITIONS.length)) }))
      .filter((block) => block.condition === condition);
    const ratios = own.map(({ ratio }) => ratio);
    const share = median(own.map((block) => block.cpuMs / (block.endMs - block.startMs)));
    return [
      { calm: 'nobody else', freeze: 'clients that do not read', flood: 'clients that flood' }[condition],
      String(own.reduce((sum, block) => sum + block.rounds, 0)),
      median(own.map(({ ms }) => ms)).toFixed(1),
      `${(100 * share).toFixed(0)} %`,
      median(ratios).toFixed(3),
      `${Math.min(...ratios).toFixed(3)} … ${Math.max(...ratios).toFixed(3)}`,
    ];
  });
  const header = [
    'beside them',
    'rounds',
    'makespan, ms',
    'roadside unit, of a core',
    '÷ nobody else',
    'least … most',
  ];
  printRows([header, ...rows]);
  const faults = logged.flatMap((log) => log.rows('fault'));
  const counts = COUNTED.map((kind) => ({
    kind,
    count: faults.reduce((sum, fault) => sum + (fault.kind === kind ? fault.count : 0), 0),
  }));
  const table = (lines: readonly (readonly string[])[]): string[] =>
    lines.map((line) => `| ${line.join(' | ')} |`);
  const page = [
    '# Clients that mean harm',
    '',
    `Made by \`npm run bench:isolation\` on ${cpus()[0]!.model.trim()}, ${cpus().length} cores: a roadside unit, a cloud worker and ${VEHICLES} vehicles of two`,
    `cameras, each a process, run rounds; beside them, in turn, ${REPETITIONS} times ${BLOCK_MS / 1000} s each, is nobody else, or four clients that`,
    'subscribe to all that they may hear and read nothing of it, or four that send as fast as they can: short messages and the',
    'longest, on topics of their own and of others. Both come back as soon as they are let go.',
    '',
    ...table([header, ['---', '---:', '---:', '---:', '---:', '---:'], ...rows]),
    '',
    `The ratio is that of the medians of neighbouring times. Of all frames ${unfinished} were finished by their vehicle in the cloud's stead.`,
    '',
    ...table([
      ['counted at the roadside unit', 'times'],
      ['---', '---:'],
      ...counts.map(({ kind, count }) => [kind, String(count)]),
    ]),
    '',
    `Then a flood of ${minutes} minutes; memory of the roadside unit before it and after each minute, in MiB: ${memoryMib.map((mib) => mib.toFixed(0)).join(', ')}.`,
    '',
  ].join('\n');
  console.log(page);
  if (values.minutes === '5') {
    writeFileSync(new URL('../docs/results/isolation.md', import.meta.url), page);
    console.log('docs/results/isolation.md written');
  }
} finally {
  await nodes.close();
}
