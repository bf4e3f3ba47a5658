/**
 * Plans on a link that changes: one plan on its mean rate, plans on the rate that it is seen to have, and plans of an
 * oracle that knows it, on a recorded link, once through, in virtual time.
 *
 *   npm run bench:links                       on drawn links; writes docs/results/links.md
 *   npm run bench:links -- FILE …             on recorded ones
 *   npm run bench:links -- [FILE …] --live    `splitlane demo` too, for as long as each link lasts, and how far it is from that
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '@splitlane/clock';
import { openRun } from '@splitlane/journal';
import { LinkTrace, readLinkTrace } from '@splitlane/net';
import { Profile } from '@splitlane/proto';
import { LINK_POLICIES, type LinkResult, playLink, spreadOf } from '../field-tests/link-comparison.ts';
import { median } from '../field-tests/quantile.ts';
import { CLOUD, type LinkScenario, VEHICLE } from '../field-tests/virtual-nodes.ts';
import { document, HEADER, rowsOf } from './links-document.ts';
import { ALEXNET_MS, alexnet } from './schedulers/cut-tables.ts';
import { printRows } from './schedulers/timing.ts';

const ROOT = path.join(import.meta.dirname, '..');
const VEHICLE_MS = 360;
const CAMERAS = 4;
/** As the demo has it, and about as long as it takes there. */
const CLOUD_THREADS = 2;
const CAPTURE_MS = 40;
/** AlexNet as a whole in the cloud. */
const CLOUD_MS = 45;
const DRAWN_SEEDS = [1, 2, 3, 4];

interface NamedLink {
  readonly name: string;
  readonly trace: LinkTrace;
  /** Where it was read. */
  readonly file?: string;
}

/** Head times by share of the multiplications. */
const segmentMs = alexnet
  .slice(1)
  .map(({ p1 }, index) => ((p1 - alexnet[index]!.p1) * CLOUD_MS) / ALEXNET_MS);
const ALEXNET: Pick<LinkScenario, 'profile' | 'cloudSegmentMs'> = {
  profile: { segmentMs, cuts: alexnet.map(({ id, bytes }) => ({ id, dims: [1], bytes })), jpegBytes: 0 },
  cloudSegmentMs: segmentMs,
};

/** The uplink of a car: a rate that wanders about 2 Mbit/s, fades to a fifth of it for seconds, and is gone for four. */
function drawnLink(seed: number): LinkTrace {
  const random = seededRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const stepMs = 250;
  const lengthMs = 120_000;
  const outage = { fromMs: 70_000, untilMs: 74_000 };
  const startsMs = Array.from({ length: lengthMs / stepMs }, (_, index) => index * stepMs);
  let wander = 0;
  let fade = { steps: 0, depth: 1 };
  const bps = startsMs.map((atMs) => {
    wander = 0.97 * wander + 0.12 * normal();
    if (fade.steps > 0) fade = { ...fade, steps: fade.steps - 1 };
    else if (random() < 0.02) fade = { steps: Math.round(4 + 16 * random()), depth: 0.1 + 0.2 * random() };
    if (atMs >= outage.fromMs && atMs < outage.untilMs) return 0;
    return 2.4e6 * Math.exp(wander) * (fade.steps > 0 ? fade.depth : 1);
  });
  return new LinkTrace(startsMs, bps, lengthMs);
}

const shown = (value: number): string => Math.round(value).toLocaleString('en-US');

const scenarioOf = (trace: LinkTrace): LinkScenario => ({
  ...{ trace, rttMs: 0, cameras: CAMERAS, vehicleMs: VEHICLE_MS, ...ALEXNET },
  ...{ cloudWorkers: CLOUD_THREADS, captureMs: CAPTURE_MS },
});

const describeLink = ({ trace }: NamedLink): string =>
  `${(trace.lengthMs / 1000).toFixed(0)} s, mean ${(trace.meanBps / 1e6).toFixed(2)} Mbit/s`;

function compare(link: NamedLink): LinkResult[] {
  const results = LINK_POLICIES.map((policy) => playLink(policy, scenarioOf(link.trace)));
  console.log(`${link.name}: ${describeLink(link)}`);
  printRows([HEADER, ...rowsOf(results)]);
  return results;
}

/** What the demo does on a link, for as many rounds as virtual time had; and virtual time again, on the live profile. */
function live({ name, trace, file: recorded }: NamedLink, results: readonly LinkResult[]): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'splitlane-links-'));
  try {
    const file = recorded ?? path.join(folder, 'link.txt');
    if (!recorded) writeFileSync(file, textOf(trace));
    const rows = (['fixed', 'adaptive'] as const).map((policy) => {
      const { rounds } = results.find((result) => result.policy === policy)!;
      const { makespansMs, scenario } = demo(file, policy, rounds, path.join(folder, policy), trace);
      const measured = spreadOf(makespansMs);
      const engine = playLink(policy, scenario, rounds);
      const ratio = (of: 'meanMs' | 'p95Ms'): string => (measured[of] / engine[of]).toFixed(3);
      return [
        policy,
        ...[rounds, measured.meanMs, measured.p95Ms, engine.meanMs, engine.p95Ms].map(shown),
        ...[ratio('meanMs'), ratio('p95Ms')],
      ];
    });
    console.log(`${name}, live`);
    const header = [
      'plans',
      'rounds',
      'mean, ms',
      '95 %',
      'virtual mean',
      'virtual 95 %',
      'mean ÷',
      '95 % ÷',
    ];
    printRows([header, ...rows]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Two columns, seconds and Mbit/s. */
const textOf = ({ startsMs, bps }: LinkTrace): string =>
  startsMs.map((ms, index) => `${ms / 1000} ${bps[index]! / 1e6}\n`).join('');

function demo(
  link: string,
  policy: 'fixed' | 'adaptive',
  rounds: number,
  log: string,
  trace: LinkTrace,
): { readonly makespansMs: number[]; readonly scenario: LinkScenario } {
  const words = ['demo', '--vehicles', 1, '--cameras', CAMERAS, '--vehicle-ms', VEHICLE_MS, '--link', link];
  const more = ['--policy', policy, '--rounds', rounds, '--log', log, '--json'];
  const program = path.join(ROOT, 'cli/main.ts');
  const { status, stderr } = spawnSync(process.execPath, [program, ...words, ...more].map(String), {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`splitlane demo: ${stderr}`);
  const logs = openRun(log);
  try {
    const profiles = logs.flatMap((each) => each.rows('profile'));
    const profileOf = (node: string): Profile =>
      Profile.parse(JSON.parse(profiles.find((row) => row.node === node)!.profile!));
    const ran = logs.flatMap((each) => each.rows('round'));
    const gapsMs = ran
      .slice(1)
      .map(({ start_ms }, index) => start_ms - ran[index]!.start_ms - ran[index]!.makespan_ms);
    const profile = profileOf(VEHICLE);
    const { segmentMs: cloudSegmentMs } = profileOf(CLOUD);
    const scenario = { ...scenarioOf(trace), profile, cloudSegmentMs, captureMs: median(gapsMs) };
    const makespansMs = ran.filter(({ measured }) => measured).map(({ makespan_ms }) => makespan_ms);
    return { makespansMs, scenario };
  } finally {
    for (const each of logs) each.close();
  }
}

const { values, positionals } = parseArgs({ options: { live: { type: 'boolean' } }, allowPositionals: true });
const recorded = positionals.map((file) => ({ name: path.basename(file), file, trace: readLinkTrace(file) }));
const links: readonly NamedLink[] =
  recorded.length > 0
    ? recorded
    : DRAWN_SEEDS.map((seed) => ({ name: `drawn link ${seed}`, trace: drawnLink(seed) }));
const compared = links.map((link) => ({ link, results: compare(link) }));
if (recorded.length === 0) {
  const shownLinks = compared.map(({ link, results }) => ({
    name: link.name,
    about: describeLink(link),
    results,
  }));
  writeFileSync(path.join(ROOT, 'docs/results/links.md'), document(shownLinks));
  console.log('docs/results/links.md written');
}
if (values.live) for (const { link, results } of compared) live(link, results);
