/**
 * Cameras with a frame rate, live: what each policy answers of steady streams that it holds, of more than any holds, and of
 * these under a deadline. Writes docs/results/streams.md. Takes about six minutes, on a machine that does nothing else.
 *
 *   npm run bench:streams
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { liveDemo } from './live-demo.ts';

const POLICIES = 'lo,ro-jpeg,jps,exact';
const CASES = [
  {
    title: 'A rate that holds: 2 frames a second',
    words: ['--fps', '2', '--policy', POLICIES],
  },
  {
    title: 'A rate that no plan holds without JPEG: 4 frames a second, frames kept on board',
    words: ['--fps', '4', '--policy', 'lo,jps,exact', '--keep-frames-on-board'],
  },
  {
    title: 'The same with a deadline of 600 ms',
    words: ['--fps', '4', '--policy', 'lo,jps,exact', '--keep-frames-on-board', '--deadline', '600'],
  },
] as const;

const ms = (value: number): string => (Number.isFinite(value) ? value.toFixed(0) : '–');

function section(title: string, words: readonly string[]): string[] {
  const { policies, jobs, identical, shed, deadline, lost, dropped } = liveDemo(words, (summary) => summary);
  const rows = policies.map(({ name, streams }) => {
    const { fps, heldFps, answeredFps, latencyMs, predictedMs, late, cameras } = streams!;
    const rates = [fps, heldFps, answeredFps].map((rate) => rate.toPrecision(3));
    const times = [latencyMs.median, latencyMs.p95, latencyMs.max, predictedMs].map(ms);
    const span = (counts: readonly number[]): string => `${Math.min(...counts)}–${Math.max(...counts)}`;
    const left = [span(cameras.map((each) => each.shed)), span(cameras.map((each) => each.deadline))];
    return `| ${[name, ...rates, ...times, ...left, late].join(' | ')} |`;
  });
  return [
    `## ${title}`,
    '',
    `\`splitlane demo ${words.join(' ')}\``,
    '',
    '| policy | asked, frames/s | planned, frames/s | answered, frames/s | median, ms | 95 %, ms | worst, ms | predicted worst, ms | shed of a camera | past the deadline | late |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    `Of ${jobs} frames ${identical} were answered, each as the whole network answers to the bit; ${shed} were shed for a newer one, ` +
      `${deadline} left out for their deadline, ${dropped} dropped, ${lost} lost.`,
    '',
  ];
}

const page = [
  '# Cameras with a frame rate, live',
  '',
  `Made by \`npm run bench:streams\` on ${cpus()[0]!.model.trim()}, ${cpus().length} cores. Two vehicles of four cameras, AlexNet in 400 ms, an uplink of`,
  '18.88 Mbit/s each; 30 frames of each camera under each policy. *Planned* is the rate that the plan holds, *predicted worst* the',
  'longest latency of a frame at that rate; what was answered is counted from the first frame to the last answer. Shed',
  'frames and those past the deadline are counted by camera: the fewest and the most of the eight. *Late* are answers that',
  'came after the deadline all the same.',
  '',
  ...CASES.flatMap(({ title, words }) => section(title, words)),
].join('\n');
writeFileSync(new URL('../docs/results/streams.md', import.meta.url), page);
console.log(page);
