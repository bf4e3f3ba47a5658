/** docs/results/codecs.md: figures that are the same in every run. */
import type { CutRows, Row } from './bytes-and-fidelity.ts';
import { LEVELS, type LevelRow } from './zstd-levels.ts';

interface Goal {
  readonly codec: string;
  readonly cuts: readonly string[];
  readonly ratio: number;
}

const GOALS: readonly Goal[] = [
  { codec: 'uint8', cuts: ['input', 'pool1', 'pool2', 'pool5', 'fc6'], ratio: 3.99 },
  { codec: 'uint8-channel', cuts: ['input', 'pool1', 'pool2'], ratio: 3.8 },
  { codec: 'uint8-channel', cuts: ['pool5'], ratio: 3.2 },
  { codec: 'uint8-zstd', cuts: ['pool2', 'pool5', 'fc6'], ratio: 4 },
];

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
/** How far from 1, as digits: 0.99987 is told from 0.99998. */
const cosine = (value: number): string => value.toFixed(6);
const relative = (value: number): string => (value === 0 ? '0' : `${(100 * value).toFixed(3)} %`);

export function document(cuts: readonly CutRows[], levels: readonly LevelRow[], frames: number): string {
  return [
    '# Codecs for tensors',
    '',
    `Made by \`npm run bench:codecs\`, which also prints how long they take. AlexNet with its seeded weights, ${frames} frames of the drawn`,
    'road scene, coded and decoded at each kept cut, and the rest of the network run on what was decoded.',
    '',
    '- **ratio** bytes as float32 ÷ bytes coded, of all frames together; **least** of the frame that is coded worst.',
    "- **cosine** and **difference** are of the network's output against the one without a codec, the worst of all frames:",
    '  the cosine similarity, and the greatest difference of two scores over the greatest magnitude.',
    '- **top-1** in how many frames the first class stays the same. With seeded weights the classes mean nothing, and so does',
    '  this: it only shows whether the order of close scores was changed.',
    '- `raw-uint8` gives the 8-bit pixels back that the input was made from, without loss. The camera’s JPEG is the picture',
    '  in its full size, before it is scaled to the input; without loss too, as the input is made from it.',
    '- `uint8-channel` is `uint8` at fc6, which has no planes. `0.1 % clipped`: so many of the values at either end become the',
    '  end of the range. Finer steps for the rest do not make up for it here: the greatest values decide the answer.',
    '',
    '## Goals',
    '',
    '| codec | at | ratio, at least | least of all frames and cuts | |',
    '| --- | --- | ---: | ---: | --- |',
    ...GOALS.map(({ codec, cuts: at, ratio }) => {
      const least = Math.min(...at.map((id) => rowOf(cuts, id, codec).leastRatio));
      return `| ${codec} | ${at.join(', ')} | ${ratio} | ${least.toFixed(3)} | ${least >= ratio ? 'reached' : 'not reached'} |`;
    }),
    ...cuts.flatMap(({ id, bytes, rows }) => [
      '',
      `## ${id}, ${whole(bytes)} bytes`,
      '',
      '| codec | bytes | ratio | least | cosine | difference | top-1 |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...rows.map(
        ({ name, meanBytes, ratio, leastRatio, worst, sameTop }) =>
          `| ${name} | ${whole(meanBytes)} | ${ratio.toFixed(3)} | ${leastRatio.toFixed(3)} | ${cosine(worst.cosine)} |` +
          ` ${relative(worst.maxRelativeDifference)} | ${sameTop} of ${frames} |`,
      ),
    ]),
    '',
    '## Levels of zstd',
    '',
    'The same ratio for `uint8`, its bytes in a zstd frame of each level. The codecs take level 1: at 54 Mbit/s the higher ones',
    'take longer than they save, but for level 3 at the input, where `raw-uint8` and the JPEG are better anyway; the bench prints',
    'the times. Level −5 is about what LZ4 makes of the bytes.',
    '',
    `| cut | ${LEVELS.map((level) => `${level}`.replace('-', '−')).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(LEVELS.length)}`,
    ...levels.map(({ id, ratios }) => `| ${id} | ${ratios.map((ratio) => ratio.toFixed(3)).join(' | ')} |`),
    '',
  ].join('\n');
}

function rowOf(cuts: readonly CutRows[], id: string, codec: string): Row {
  const row = cuts.find((cut) => cut.id === id)?.rows.find(({ name }) => name === codec);
  if (!row) throw new Error(`there is no ${codec} at ${id}`);
  return row;
}
