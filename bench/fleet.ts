/**
 * Sixteen vehicles of four cameras on one channel, live: each for itself, each on its equal part, and planned together
 * with the channel granted tensor by tensor. Once with vehicles of unequal speed and once with equal ones. The
 * slow vehicles are emulated, so that two cores carry all of the real inference. Writes docs/results/channel.md.
 * Takes about ten minutes, on a machine that does nothing else.
 *
 *   npm run bench:fleet
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { median, type RunSummary } from '@splitlane/field-tests';
import { openRun } from '@splitlane/journal';
import { liveDemo } from './live-demo.ts';

const CHANNEL_MBIT = 5.4;
const FLEETS = [
  { name: 'unequal', vehicleMs: '1000,2000,4000,8000' },
  { name: 'equal', vehicleMs: '4000' },
];
const POLICIES = ['uncoordinated', 'fair-share', 'exact'];

interface Live extends Pick<RunSummary, 'policies' | 'jobs' | 'identical' | 'lost' | 'local' | 'dropped'> {
  /** Part of the time from the first tensor's start to the last one's end in which the channel was sending, under exact. */
  readonly channelShare: number;
}

function run(vehicleMs: string): Live {
  const words = ['--vehicles', '16', '--cameras', '4', '--channel', String(CHANNEL_MBIT), '--rounds', '3'];
  const rest = ['--vehicle-ms', vehicleMs, '--policy', POLICIES.join(',')];
  return liveDemo([...words, ...rest], (summary, log) => ({ ...summary, channelShare: channelShare(log) }));
}

/** From the vehicles' own spans, each clock by its offset to the roadside unit's. */
function channelShare(folder: string): number {
  const logs = openRun(folder);
  const rounds = new Map<number, { startMs: number; endMs: number }[]>();
  for (const log of logs) {
    const offsetMs = median(log.rows('clock_offset').map(({ offset_ms }) => offset_ms)) || 0;
    const exact = new Set(
      log.rows('round').flatMap(({ round, policy }) => (policy === 'exact' ? [round] : [])),
    );
    const roundOf = new Map(log.rows('frame').map(({ frame, round }) => [frame, round]));
    for (const { frame, stage, start_ms, end_ms } of log.rows('span')) {
      const round = roundOf.get(frame);
      if (stage !== 'uplink' || round === undefined || !exact.has(round)) continue;
      const spans = rounds.get(round) ?? [];
      spans.push({ startMs: start_ms + offsetMs, endMs: end_ms + offsetMs });
      rounds.set(round, spans);
    }
  }
  for (const log of logs) log.close();
  return median(
    [...rounds.values()].map((spans) => {
      const sorted = spans.toSorted((a, b) => a.startMs - b.startMs);
      let [busyMs, untilMs] = [0, Number.NEGATIVE_INFINITY];
      for (const { startMs, endMs } of sorted) {
        busyMs += Math.max(0, endMs - Math.max(startMs, untilMs));
        untilMs = Math.max(untilMs, endMs);
      }
      return busyMs / (untilMs - sorted[0]!.startMs);
    }),
  );
}

function section(name: string, vehicleMs: string, live: Live): string[] {
  const exact = live.policies.find((policy) => policy.name === 'exact')!;
  return [
    `## ${name === 'equal' ? 'Vehicles of equal speed' : 'Vehicles of unequal speed'}: ${vehicleMs} ms for the whole network`,
    '',
    '| policy | makespan, ms | planned, ms | bound, ms | planned ÷ bound | makespan ÷ planned | makespan ÷ exact |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...live.policies.map(
      ({ name: policy, makespanMs, predictedMs, lowerBoundMs, ratio }) =>
        `| ${policy} | ${makespanMs.toFixed(0)} | ${predictedMs.toFixed(0)} | ${lowerBoundMs.toFixed(0)} | ` +
        `${(predictedMs / lowerBoundMs).toFixed(3)} | ${ratio.toFixed(3)} | ${(makespanMs / exact.makespanMs).toFixed(2)} |`,
    ),
    '',
    `Of ${live.jobs} frames ${live.identical} results equal the whole network's to the bit; lost ${live.lost}, dropped ` +
      `${live.dropped}, finished by the vehicle in the cloud's stead ${live.local}. Under exact the channel was sending in ` +
      `${(100 * live.channelShare).toFixed(1)} % of the time from its first tensor to its last.`,
    '',
  ];
}

const sections = FLEETS.flatMap(({ name, vehicleMs }) => section(name, vehicleMs, run(vehicleMs)));
const page = [
  '# Many vehicles on one channel, live',
  '',
  `Made by \`npm run bench:fleet\` on ${cpus()[0]!.model.trim()}, ${cpus().length} cores. 16 vehicles × 4 cameras, AlexNet, one channel of ${CHANNEL_MBIT} Mbit/s,`,
  'tensors as float32, medians of three rounds after three that do not count. A round is as long as that of the vehicle that is',
  'done last.',
  '',
  '- **uncoordinated**: each vehicle plans as if the channel were its own, and all send at once.',
  '- **fair-share**: each plans on its equal part of the channel, and all send at once.',
  '- **exact**: one plan for all; the roadside unit grants the channel tensor by tensor.',
  '',
  'The gain is in the choice of cuts: slow vehicles need more of the channel than fast ones. Between equal vehicles the equal',
  'part is nearly the right one, and there is little to gain.',
  '',
  ...sections,
].join('\n');
writeFileSync(new URL('../docs/results/channel.md', import.meta.url), page);
console.log(page);
