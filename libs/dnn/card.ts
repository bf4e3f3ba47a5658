/** The model's card: how a picture becomes the network's input, and how its output is read. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MAX_LABEL_LENGTH } from '@splitlane/proto';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { ModelError } from './onnx.ts';

const Label = z.string().max(MAX_LABEL_LENGTH);
const perChannel = z.array(z.number()).min(1).max(4);
const share = z.number().min(0).max(1);

/** What a YAML file beside the model may say; every key is optional. */
export const CardFile = z.strictObject({
  /** Height and width of the input in pixels. */
  size: z.tuple([z.number().int().min(1), z.number().int().min(1)]).optional(),
  channels: z.enum(['rgb', 'bgr', 'grey']).optional(),
  layout: z.enum(['nchw', 'nhwc']).optional(),
  /** What the 8-bit values 0 and 255 become before mean and std. */
  range: z.tuple([z.number(), z.number()]).optional(),
  mean: perChannel.optional(),
  std: perChannel.optional(),
  fit: z.enum(['stretch', 'letterbox']).optional(),
  /** Names of the classes, or the path of a text file with one name a line. */
  labels: z.union([z.array(Label), z.string()]).optional(),
  /** The best classes; the boxes of a grid, as YOLOv2 has them; or nothing but the digest. */
  read: z.enum(['classify', 'detect', 'raw']).optional(),
  /** Width and height of the anchors in grid cells, in the output's order. */
  anchors: z
    .array(z.tuple([z.number().positive(), z.number().positive()]))
    .min(1)
    .max(100)
    .optional(),
  /** A box has a higher score than this. */
  threshold: share.optional(),
  /** Of two boxes of a class, intersection over union above which the worse is left out. */
  overlap: share.optional(),
});
export type CardFile = z.infer<typeof CardFile>;

interface InputCard {
  readonly height: number;
  readonly width: number;
  readonly channels: 'rgb' | 'bgr' | 'grey';
  readonly layout: 'nchw' | 'nhwc';
  readonly range: readonly [number, number];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly fit: 'stretch' | 'letterbox';
  readonly labels: readonly string[];
}

/** How boxes are read off a grid; see `detectBoxes`. */
export interface Detect {
  readonly read: 'detect';
  /** Width and height in grid cells. */
  readonly anchors: readonly (readonly [number, number])[];
  readonly threshold: number;
  readonly overlap: number;
}

/**
 * Absent means classify, so that the content hash of a classifier is what it was before there was anything
 * else: users may have written it into a configuration.
 */
type Reading = { readonly read?: 'classify' } | { readonly read: 'raw' } | Detect;

/** A card with every question answered. */
export type Card = InputCard & Reading;
export type DetectCard = InputCard & Detect;

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const IMAGENET_GREY = { mean: [0.449], std: [0.226] };
// Usual for YOLOv2 on VOC; its authors' program has 0.24 to 0.5 and 0.3 to 0.45, from version to version.
const THRESHOLD = 0.3;
const OVERLAP = 0.45;

/** The path of the card that belongs to a model: the same name, ending in .yaml. */
export function cardPath(modelFile: string): string {
  return `${modelFile.replace(/\.onnx$/i, '')}.yaml`;
}

/**
 * The card beside a model file; an empty one where there is none.
 * @throws ModelError with every fault of the file.
 */
export function readCard(modelFile: string): CardFile {
  const file = cardPath(modelFile);
  if (!existsSync(file)) return {};
  let text: unknown;
  try {
    text = parseYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new ModelError(`${file}: not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  const parsed = CardFile.safeParse(text);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'card'}: ${issue.message}`);
    throw new ModelError(`${file}: ${faults.join('; ')}`);
  }
  const { labels } = parsed.data;
  if (typeof labels !== 'string') return parsed.data;
  const labelFile = path.resolve(path.dirname(file), labels);
  let lines: string[];
  try {
    lines = readFileSync(labelFile, 'utf8').trim().split(/\r?\n/);
  } catch {
    throw new ModelError(`${file}: labels: ${labelFile} cannot be read`);
  }
  const tooLong = lines.findIndex((line) => !Label.safeParse(line).success);
  if (tooLong >= 0)
    throw new ModelError(
      `${file}: labels: line ${tooLong + 1} of ${labelFile} is longer than ${MAX_LABEL_LENGTH} characters`,
    );
  return { ...parsed.data, labels: lines };
}

/** What a card says over what is said without it: a built-in network has a card of its own. */
export function cardOver(defaults: CardFile, card: CardFile): CardFile {
  const { anchors, threshold, overlap, ...rest } = defaults;
  const detects = (card.read ?? defaults.read) === 'detect';
  return { ...(detects ? defaults : rest), ...card };
}

/**
 * Answers what a card leaves open from the shape of the input (undefined: a dimension that the file does
 * not fix), and the rest as for ImageNet's networks.
 * @throws ModelError where card and shape contradict each other or a dimension stays open.
 */
export function resolveCard(card: CardFile, inputDims: readonly (number | undefined)[], file: string): Card {
  if (inputDims.length !== 4)
    throw new ModelError(
      `model ${file}: its input has ${inputDims.length} dimensions; pictures need 4 (NCHW or NHWC)`,
    );
  const isChannels = (dim: number | undefined): boolean => dim === 1 || dim === 3;
  const layout = card.layout ?? (!isChannels(inputDims[1]) && isChannels(inputDims[3]) ? 'nhwc' : 'nchw');
  const [batch, ...rest] = inputDims;
  const [channelDim, heightDim, widthDim] = layout === 'nchw' ? rest : [rest[2], rest[0], rest[1]];
  if (batch !== undefined && batch !== 1)
    throw new ModelError(`model ${file}: its batch size is fixed to ${batch}; export it with 1`);
  const channels = card.channels ?? (channelDim === 1 ? 'grey' : 'rgb');
  const depth = channels === 'grey' ? 1 : 3;
  const height = card.size?.[0] ?? heightDim;
  const width = card.size?.[1] ?? widthDim;
  if (height === undefined || width === undefined)
    throw new ModelError(
      `model ${file}: its input does not fix height and width: write 'size: [H, W]' into ${cardPath(file)}`,
    );
  for (const [name, said, fixed] of [
    ['channels', depth, channelDim],
    ['height', height, heightDim],
    ['width', width, widthDim],
  ] as const) {
    if (fixed !== undefined && fixed !== said)
      throw new ModelError(`model ${file}: its input has ${name} ${fixed}, its card says ${said}`);
  }
  const imagenet = depth === 1 ? IMAGENET_GREY : IMAGENET;
  const ordered = (values: number[]): number[] => (channels === 'bgr' ? values.toReversed() : values);
  const { mean = ordered(imagenet.mean), std = ordered(imagenet.std) } = card;
  for (const [name, values] of [
    ['mean', mean],
    ['std', std],
  ] as const) {
    if (values.length !== depth)
      throw new ModelError(
        `${cardPath(file)}: ${name} has ${values.length} values for ${depth} channel${depth > 1 ? 's' : ''}`,
      );
  }
  if (std.includes(0)) throw new ModelError(`${cardPath(file)}: std must not be 0`);
  return {
    height,
    width,
    channels,
    layout,
    range: card.range ?? [0, 1],
    mean,
    std,
    fit: card.fit ?? 'stretch',
    labels: Array.isArray(card.labels) ? card.labels : [],
    ...resolveReading(card, file),
  };
}

function resolveReading(card: CardFile, file: string): Reading {
  const { read = 'classify', anchors, threshold = THRESHOLD, overlap = OVERLAP } = card;
  if (read === 'detect') {
    if (!anchors)
      throw new ModelError(
        `${cardPath(file)}: 'read: detect' needs 'anchors: [[width, height], …]' in grid cells`,
      );
    return { read, anchors, threshold, overlap };
  }
  const stray = (['anchors', 'threshold', 'overlap'] as const).find((key) => card[key] !== undefined);
  if (stray) throw new ModelError(`${cardPath(file)}: ${stray} is for 'read: detect' only`);
  return read === 'raw' ? { read } : {};
}
