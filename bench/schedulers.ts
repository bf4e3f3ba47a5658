/**
 * The schedulers: how `exact` grows with the number of jobs and compares with brute force, and the makespans of all
 * policies over the optimum on AlexNet and VGG-16, written to docs/results/policies-over-optimum.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { bruteForce, type Cut, exact, jps, POLICIES, virtualBlocks } from '@splitlane/sched';
import { alexnetPlaces, vgg16Places } from '../test/libs/sched/networks.ts';

const RATES_MBIT = [1.1, 5.85, 18.88, 54];
const JOBS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 29];
const kept = (places: readonly Cut[]): Cut[] => virtualBlocks(places).map((index) => places[index]!);
const convex = Array.from(
  { length: 50 },
  (_, i): Cut => ({
    id: `cut${i}`,
    p1: i * 2,
    bytes: Math.round(600_000 * Math.exp(-i / 12)),
    local: i === 49,
  }),
);
const tables: Readonly<Record<string, Cut[]>> = {
  AlexNet: kept(alexnetPlaces(400)),
  'VGG-16': kept(vgg16Places(4000)),
  '50 convex cuts': convex,
};

function medianMs(work: () => unknown): number {
  for (let i = 0; i < 20; i++) work();
  const times: number[] = [];
  const startMs = performance.now();
  while (times.length < 5 || (times.length < 101 && performance.now() - startMs < 500)) {
    const from = performance.now();
    work();
    times.push(performance.now() - from);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

console.log('exact, two stages, 18.88 Mbit/s: median ms, and times that of 10 jobs');
for (const [name, cuts] of Object.entries(tables)) {
  const uplink = { uplinkBps: 18.88e6 };
  const tenMs = medianMs(() => exact(cuts, 10, uplink));
  for (const n of [10, 29, 1000, 100_000]) {
    const ms = medianMs(() => exact(cuts, n, uplink));
    const { optimal, makespanMs, lowerBoundMs } = exact(cuts, n, uplink);
    const certificate = optimal ? 'optimal' : `${(makespanMs / lowerBoundMs).toFixed(6)} × the bound`;
    console.log(`  ${name}, n = ${n}: ${ms.toFixed(3)} ms, ${(ms / tenMs).toFixed(1)} ×, ${certificate}`);
  }
  const jpsMs = medianMs(() => jps(cuts, 100_000, uplink).makespanMs);
  console.log(`  ${name}, jps of 100,000: ${(jpsMs * 1000).toFixed(1)} µs`);
}

console.log('brute force ÷ exact, AlexNet, 18.88 Mbit/s');
for (const n of [2, 4, 8, 12]) {
  const cuts = tables.AlexNet!;
  const uplink = { uplinkBps: 18.88e6 };
  const slow = medianMs(() => bruteForce(cuts, n, uplink));
  const fast = medianMs(() => exact(cuts, n, uplink));
  console.log(`  n = ${n}: ${(slow / fast).toFixed(1)}`);
}

const lines = [
  '# Makespans over the optimum',
  '',
  'Made by `npm run bench:sched`. Two stages, kept cuts, head times by share of the multiplications, a vehicle that takes 400 ms',
  '(AlexNet) or 4000 ms (VGG-16) for the whole network. Every figure is a makespan ÷ that of `exact`, which is proved',
  'optimal in every row. The last column is the ratio 1 + 1/n that holds for `jps` on continuous convex curves only.',
];
for (const name of ['AlexNet', 'VGG-16']) {
  for (const mbit of RATES_MBIT) {
    lines.push(
      '',
      `## ${name}, ${mbit} Mbit/s`,
      '',
      `| n | ${Object.keys(POLICIES).join(' | ')} | 1 + 1/n |`,
    );
    lines.push(`| ---: |${' ---: |'.repeat(Object.keys(POLICIES).length + 1)}`);
    for (const n of JOBS) {
      const plans = Object.values(POLICIES).map((policy) =>
        policy(tables[name]!, n, { uplinkBps: mbit * 1e6 }),
      );
      const best = plans.at(-1)!;
      if (!best.optimal) throw new Error(`${name}, ${mbit} Mbit/s, n = ${n}: not proved`);
      const ratios = plans.map(({ makespanMs }) => (makespanMs / best.makespanMs).toFixed(3));
      lines.push(`| ${n} | ${ratios.join(' | ')} | ${(1 + 1 / n).toFixed(3)} |`);
    }
  }
}
const folder = `${import.meta.dirname}/../docs/results`;
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/policies-over-optimum.md`, `${lines.join('\n')}\n`);
console.log('docs/results/policies-over-optimum.md written');
