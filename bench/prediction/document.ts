/** docs/results/prediction.md: how far predictions are from what was measured. */
import { predictProfile } from '@splitlane/dnn';
import { median } from '../../field-tests/quantile.ts';
import type { WorkKind } from '../../libs/dnn/work.ts';
import {
  byKernelSize,
  byKind,
  byMacsAlone,
  convolutionsJointly,
  type Measured,
  type Method,
  roofline,
  segmentsJointly,
} from './rivals.ts';

/** Signed error of the whole, and the median absolute error of the heads; both relative. */
interface Errors {
  readonly whole: number;
  readonly heads: number;
}

const METHODS: readonly (readonly [name: string, method: Method])[] = [
  ['by kind', byKind],
  ['multiply-adds alone', byMacsAlone],
  ['convolutions by their kernel size', byKernelSize],
  ['convolutions by multiply-adds, weight and activation bytes at once', convolutionsJointly],
  ['convolutions by the longer of multiply-adds and bytes', roofline],
  ['segments by multiply-adds, weight and activation bytes at once', segmentsJointly],
];
const MEASURED_BY: Readonly<Partial<Record<WorkKind, string>>> = {
  convolution: 'GMAC/s',
  'grouped-convolution': 'GMAC/s',
  'fully-connected': 'GB/s',
  other: 'GB/s',
};

function errorsOf(method: Method, reference: Measured, target: Measured): Errors {
  const times = method(reference, target);
  const { segments, wholeMs } = target.reference;
  const heads: number[] = [];
  let [told, real] = [0, 0];
  for (const [segment, { medianMs }] of segments.entries()) {
    target.works.forEach((work, index) => {
      if (work.segment === segment) told += times[index]!;
    });
    real += medianMs;
    heads.push(Math.abs(told / real - 1));
  }
  return { whole: told / wholeMs - 1, heads: median(heads) };
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${percent(Math.abs(value))}`;
const percent = (value: number): string => `${Math.round(100 * value)} %`;

function matrix(
  models: readonly Measured[],
  cell: (reference: Measured, target: Measured) => string,
): string[] {
  return [
    `| from | ${models.map(({ name }) => name).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(models.length)}`,
    ...models.map(
      (reference) =>
        `| ${reference.name} | ${models.map((target) => (reference === target ? '' : cell(reference, target))).join(' | ')} |`,
    ),
  ];
}

function ratesTable(models: readonly Measured[]): string[] {
  const kinds = Object.entries(MEASURED_BY) as [WorkKind, string][];
  return [
    `| model | ms | quartiles | multiply-adds | weights | ${kinds.map(([kind, unit]) => `${kind}, ${unit}`).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(4 + kinds.length)}`,
    ...models.map(({ name, reference, works, cuts }) => {
      const { headLowMs, headHighMs } = reference.cuts.at(-1)!;
      const target = { name, works, cuts: cuts.map((cut) => ({ ...cut, dims: [...cut.dims] })), hash: '' };
      const { rates } = predictProfile(reference, target);
      const sum = (key: 'macs' | 'weightBytes'): number =>
        works.reduce((total, work) => total + work[key], 0);
      const shown = kinds.map(([kind]) => (rates.has(kind) ? (rates.get(kind)! / 1e6).toFixed(1) : ''));
      return `| ${name} | ${reference.wholeMs.toFixed(1)} | ${headLowMs.toFixed(1)} – ${headHighMs.toFixed(1)} | ${(sum('macs') / 1e6).toFixed(0)} M | ${(sum('weightBytes') / 1e6).toFixed(0)} MB | ${shown.join(' | ')} |`;
    }),
  ];
}

function methodsTable(models: readonly Measured[]): string[] {
  const pairs = models.flatMap((reference) =>
    models.filter((target) => target !== reference).map((target) => [reference, target] as const),
  );
  return [
    '| times | median | mean | worst | heads, median |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...METHODS.map(([name, method]) => {
      const errors = pairs.map(([reference, target]) => errorsOf(method, reference, target));
      const wholes = errors.map(({ whole }) => Math.abs(whole));
      const mean = wholes.reduce((a, b) => a + b, 0) / wholes.length;
      const heads = median(errors.map((each) => each.heads));
      return `| ${name} | ${[median(wholes), mean, Math.max(...wholes), heads].map(percent).join(' | ')} |`;
    }),
  ];
}

export function document(models: readonly Measured[]): string {
  const { machine, threads } = models[0]!.reference;
  const { cpu, cores, node, onnxruntime } = machine;
  return [
    '# Times predicted from the profile of another model',
    '',
    'Made by `npm run bench:prediction`, which takes the profiles of the cache; `npm run bench:prediction -- --fresh` measures them',
    `again. ${cpu}, ${cores} cores, Node ${node}, ONNX Runtime ${onnxruntime}; threads: ${threads}. Each built-in model is predicted from each`,
    'other, and compared with its own profile.',
    '',
    '- Convolutions take the time of their multiply-adds, ordinary ones and those in groups each at a rate of their own; fully',
    '  connected layers that of their weight bytes; all else that of the bytes that it reads and writes. What the runtime does',
    '  within another operator (an activation, a normalisation behind a convolution) takes none.',
    '- A rate is all of a kind in the reference ÷ all of its time. Operators are timed at level `basic`; of the time of their',
    '  segment, at level `all`, each takes the part that it has of their sum.',
    '- Where the reference has no fully connected layer (tiny-yolov2), its bytes go at the rate of all else. Where it has no',
    '  convolution in groups (all but mobilenet-v2), these go like a pool: four bytes a multiply-add, at that same rate.',
    '',
    '## What was measured',
    '',
    'Rates are those that others are predicted by; empty where a model has no such operator.',
    '',
    ...ratesTable(models),
    '',
    '## The whole network: predicted ÷ measured − 1',
    '',
    ...matrix(models, (reference, target) => signed(errorsOf(byKind, reference, target).whole)),
    '',
    '## Heads: median of the relative error over the kept cuts',
    '',
    ...matrix(models, (reference, target) => percent(errorsOf(byKind, reference, target).heads)),
    '',
    '## The whole network, by its multiply-adds alone',
    '',
    'The time of the reference × the ratio of multiply-adds: what AlexNet spends on weights is taken for multiplications.',
    '',
    ...matrix(models, (reference, target) => signed(errorsOf(byMacsAlone, reference, target).whole)),
    '',
    '## Other ways',
    '',
    'The error of the whole without its sign, over all pairs of models; the last column is the median of all medians of heads.',
    '“At once” is by non-negative least squares. What is finer fits the reference better and others worse: its few layers do not',
    'tell what is due to what. The longer of two changes little: few convolutions here are bound by memory.',
    '',
    ...methodsTable(models),
    '',
  ].join('\n');
}
