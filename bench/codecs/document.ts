/** docs/results/codecs.md: figures that are the same in every run. */
import type { CutRows, Row } from './bytes-and-fidelity.ts';
import { CLIPS, type ClipRow } from './clipping.ts';
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

export function document(
  cuts: readonly CutRows[],
  levels: readonly LevelRow[],
  clips: readonly ClipRow[],
  frames: number,
): string {
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
    'the times.',
    '',
    `| cut | ${LEVELS.map((level) => `${level}`.replace('-', '−')).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(LEVELS.length)}`,
    ...levels.map(({ id, ratios }) => `| ${id} | ${ratios.map((ratio) => ratio.toFixed(3)).join(' | ')} |`),
    '',
    ...LZ4,
    '',
    ...clipping(clips),
    '',
  ].join('\n');
}

/** Measured once: what is not used by the product is not installed with it. */
const LZ4 = [
  '## LZ4 in place of zstd',
  '',
  'Measured once, with lz4-napi 2.10.0 (maintained; a native binary of 0.9 MB for each platform) on the same frames: `uint8` in',
  'LZ4 and in zstd at level 1, and at 54 Mbit/s the time to pack, send and unpack. LZ4 packs and unpacks two to four times',
  'faster, and sends more: it saves 3 % of the time at the input, where the JPEG is better anyway, and takes longer at every',
  'other cut; at 18.88 Mbit/s at every one. That is worth no package. zstd is in Node.',
  '',
  '| cut | zstd, bytes | LZ4, bytes | more | zstd, pack + unpack ms | LZ4, pack + unpack ms | zstd, with the transfer | LZ4, with the transfer |',
  '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  '| input | 114,275 | 128,514 | 12 % | 3.17 + 0.52 | 0.77 + 0.18 | 20.6 | 20.0 |',
  '| pool1 | 26,213 | 31,830 | 21 % | 0.40 + 0.18 | 0.18 + 0.07 | 4.47 | 4.96 |',
  '| pool2 | 21,442 | 25,647 | 20 % | 0.33 + 0.13 | 0.12 + 0.04 | 3.64 | 3.96 |',
  '| pool5 | 6,768 | 7,897 | 17 % | 0.12 + 0.04 | 0.03 + 0.01 | 1.16 | 1.21 |',
  '| fc6 | 2,570 | 3,761 | 46 % | 0.08 + 0.04 | 0.02 + 0.01 | 0.49 | 0.59 |',
];

function clipping(rows: readonly ClipRow[]): string[] {
  return [
    '## Clipping',
    '',
    'Eight bits are spread from the least to the greatest value. If the outermost values are clipped, the rest has finer steps;',
    'the table says what that does to the loss, 1 − the mean cosine similarity of the outputs. Of all values 0.01 % change it by',
    'little either way, more make it many times greater: the greatest values are what the layers behind them respond to. Two',
    'small networks with trained weights (LeNet and another for digits), on pictures of roads, gain nothing either: up to 0.1 %',
    'their losses stay what they are but at one input, where it depends on the pictures; with 1 % they grow up to some thousand',
    'times, or stay. So there is no option for it; `uint8({ clipPercent })` of the library has it.',
    '',
    `| network | cut | codec | ${CLIPS.map((clip) => `${clip} %`).join(' | ')} |`,
    `| --- | --- | --- |${' ---: |'.repeat(CLIPS.length)}`,
    ...rows.map(
      ({ network, id, codec, losses }) =>
        `| ${network} | ${id} | ${codec} | ${losses.map((loss) => loss.toExponential(1).replace('-', '−')).join(' | ')} |`,
    ),
  ];
}

function rowOf(cuts: readonly CutRows[], id: string, codec: string): Row {
  const row = cuts.find((cut) => cut.id === id)?.rows.find(({ name }) => name === codec);
  if (!row) throw new Error(`there is no ${codec} at ${id}`);
  return row;
}
