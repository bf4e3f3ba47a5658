/** How long a model would take on a machine that is not here, by the profile of another model from there. */
import { z } from 'zod';
import { ModelError } from './onnx.ts';
import type { PreparedModel } from './prepared-model.ts';
import type { Layer, ModelProfile, Spread } from './profile.ts';
import { type OperatorWork, Work, type WorkKind } from './work.ts';

const ms = z.number().min(0);
const spread = { medianMs: ms, lowMs: ms, highMs: ms };

/** Without its work where no operator of the graph is known to be this one. */
const MeasuredLayer = Work.partial()
  .extend({
    node: z.string(),
    operator: z.string(),
    segment: z.number().int().min(0),
    medianMs: ms,
  })
  .refine(({ kind, ...work }) => kind === undefined || Work.safeParse({ kind, ...work }).success, {
    message: 'with its kind it must say macs, weightBytes and activationBytes',
  });

/** The part of `splitlane profile --json` that predictions stand on. Times in ms. */
export const ReferenceProfile = z
  .object({
    model: z.string(),
    hash: z.string(),
    machine: z.object({ cpu: z.string(), cores: z.number(), node: z.string(), onnxruntime: z.string() }),
    threads: z.number().int().min(1),
    measuredAt: z.string(),
    wholeMs: ms,
    /** Heads are scaled to a vehicle that takes this time for the whole. */
    vehicleMs: z.number().positive().optional(),
    segments: z.array(z.object({ from: z.string(), to: z.string(), ...spread })).min(1),
    /** Where segments meet, from the input to the output. */
    cuts: z.array(z.object({ cut: z.string(), headMs: ms, headLowMs: ms, headHighMs: ms, tailMs: ms })),
    layers: z.array(MeasuredLayer).min(1),
    /** Only in what was predicted itself: errors would add up unseen. */
    predictedFrom: z.undefined('these times are predicted: give the profile that was measured').optional(),
  })
  .refine(({ cuts, segments }) => cuts.length === segments.length + 1, {
    path: ['cuts'],
    message: 'there must be one more of them than of segments',
  })
  .refine(({ layers }) => layers.some(({ kind }) => kind !== undefined), {
    path: ['layers'],
    message: 'none of them says its kind and its work: measure again with this version',
  })
  .readonly();
export type ReferenceProfile = z.infer<typeof ReferenceProfile>;

/**
 * Checks a profile that was read from a file.
 * @throws ModelError in one line that names the file and the field.
 */
export function parseReference(content: unknown, file: string): ReferenceProfile {
  const parsed = ReferenceProfile.safeParse(content);
  if (parsed.success) {
    const { segments, layers } = parsed.data;
    const lost = layers.findIndex(({ segment }) => segment >= segments.length);
    if (lost < 0) return parsed.data;
    throw new ModelError(`${file}: layers.${lost}.segment: there are only ${segments.length} segments`);
  }
  const { path, message } = parsed.error.issues[0]!;
  throw new ModelError(`${file}: ${path.join('.') || 'no profile of splitlane profile --json'}: ${message}`);
}

/** A measured operator, with its work where it is known. */
export type WorkedLayer = Layer & Partial<Work>;

export interface WorkedLayers {
  readonly layers: readonly WorkedLayer[];
  /** Layers that no operator of the graph is known to be: their time says nothing of any kind. */
  readonly unmatched: number;
  /** Operators that have no time of their own: the runtime has folded them into others. */
  readonly unmeasured: number;
}

/**
 * Joins measured layers with the operators of the graph. ONNX Runtime keeps a node's name, lengthens it where
 * it puts another node in its place, and makes one up for a node that has none; such layers are the operators of
 * their type in their order, if there are as many.
 */
export function layersWithWork(layers: readonly Layer[], works: readonly OperatorWork[]): WorkedLayers {
  const found = new Map<Layer, OperatorWork>();
  const open = new Set(works);
  const join = (layer: Layer, work: OperatorWork | undefined): void => {
    if (!work) return;
    found.set(layer, work);
    open.delete(work);
  };
  const left = (): Layer[] => layers.filter((layer) => !found.has(layer));
  const byName = new Map(works.map((work) => [keyOf(work), work]));
  for (const layer of layers) {
    const work = byName.get(keyOf(layer));
    if (work && open.has(work)) join(layer, work);
  }
  for (const layer of left()) join(layer, longestStart(layer, open));
  const unnamed = Map.groupBy(open, typeOf);
  for (const [type, alike] of Map.groupBy(left(), typeOf)) {
    const candidates = unnamed.get(type) ?? [];
    if (candidates.length === alike.length)
      for (const [index, layer] of alike.entries()) join(layer, candidates[index]);
  }
  return {
    layers: layers.map((layer) => {
      const work = found.get(layer);
      if (!work) return layer;
      const { kind, macs, weightBytes, activationBytes } = work;
      return { ...layer, kind, macs, weightBytes, activationBytes };
    }),
    unmatched: layers.length - found.size,
    unmeasured: open.size,
  };
}

const keyOf = ({ segment, node, operator }: OperatorWork | Layer): string => `${segment} ${operator} ${node}`;
/** The runtime makes a Gemm of a MatMul and the Add behind it. */
const typeOf = ({ segment, operator }: OperatorWork | Layer): string =>
  `${segment} ${operator === 'MatMul' ? 'Gemm' : operator}`;

function longestStart({ segment, node }: Layer, open: ReadonlySet<OperatorWork>): OperatorWork | undefined {
  const starts = [...open].filter(
    (work) => work.segment === segment && work.node !== '' && node.startsWith(work.node),
  );
  return starts.toSorted((a, b) => b.node.length - a.node.length)[0];
}

/** A profile that was measured here, as a reference for others. */
export function referenceOf(
  { name, hash, cuts }: PreparedModel,
  profile: ModelProfile,
  works: readonly OperatorWork[],
): ReferenceProfile {
  const { machine, threads, measuredAt, segments, heads, tails, layers } = profile;
  return {
    ...{ model: name, hash, machine, threads, measuredAt, wholeMs: heads.at(-1)!.medianMs },
    segments: segments.map((times, index) => ({
      ...{ from: cuts[index]!.id, to: cuts[index + 1]!.id },
      ...times,
    })),
    cuts: cuts.map(({ id }, index) => ({
      cut: id,
      headMs: heads[index]!.medianMs,
      headLowMs: heads[index]!.lowMs,
      headHighMs: heads[index]!.highMs,
      tailMs: tails[index]!.medianMs,
    })),
    layers: [...layersWithWork(layers, works).layers],
  };
}

/** A kind of operator that the reference has no time of. */
export interface Substitute {
  readonly kind: WorkKind;
  /** The kind whose time was taken in its stead. */
  readonly by: WorkKind;
  /** Part of the predicted time of the whole, from 0 to 1. */
  readonly share: number;
}

/** Times as a profile has them; of a predicted time no spread is known: its quartiles are itself. */
export interface Prediction
  extends Pick<
    ModelProfile,
    'machine' | 'threads' | 'measuredAt' | 'segments' | 'heads' | 'tails' | 'layers'
  > {
  /** Name of the model that was measured. */
  readonly from: string;
  /** It is the very model, cut alike: the times are its own. */
  readonly isMeasured: boolean;
  /** Multiply-adds, or bytes, that the reference does in a ms, by kind: `amountOf` says which. */
  readonly rates: ReadonlyMap<WorkKind, number>;
  readonly substitutes: readonly Substitute[];
  /** Part of the time of the reference's operators, from 0 to 1, whose work is not known: no rate has it. */
  readonly unknownShare: number;
}

/** What is predicted: a model's hash and cuts, and its work. */
export interface PredictionTarget extends Pick<PreparedModel, 'name' | 'hash' | 'cuts'> {
  readonly works: readonly OperatorWork[];
}

/**
 * Predicts the times of a model by a reference: each operator takes its multiply-adds, or its bytes, at the rate
 * that the reference's operators of its kind have. Operators are measured one by one at the runtime's level
 * `basic`, segments at `all`, as nodes run them: the operators of a segment share its time as they share their own
 * sum, without those that are done within others.
 * @throws ModelError where the reference has nothing that a kind could be predicted by.
 */
export function predictProfile(reference: ReferenceProfile, target: PredictionTarget): Prediction {
  const { machine, threads, measuredAt, model: from, layers } = reference;
  const rates = ratesOf(reference);
  const timeOf = (all: readonly Pick<Layer, 'medianMs'>[]): number =>
    sum(all.map(({ medianMs }) => medianMs));
  const unknownMs = timeOf(layers.filter(({ kind }) => kind === undefined));
  const unknownShare = unknownMs > 0 ? unknownMs / timeOf(layers) : 0;
  const common = { machine, threads, measuredAt, from, rates, unknownShare };
  if (isSame(reference, target))
    return { ...common, ...ownTimes(reference), isMeasured: true, substitutes: [] };
  const priced = target.works.map((work) => ({ work, ...priceOf(work, rates, reference, target) }));
  const segmentMs = target.cuts.slice(1).map(() => 0);
  for (const { work, workMs } of priced) segmentMs[work.segment]! += workMs;
  const wholeMs = sum(segmentMs);
  const share = (part: number): number => (wholeMs > 0 ? part / wholeMs : 0);
  const replaced = Map.groupBy(
    priced.filter(({ work, by }) => by !== work.kind),
    ({ work }) => work.kind,
  );
  return {
    ...common,
    isMeasured: false,
    segments: segmentMs.map(certain),
    heads: target.cuts.map((_, cut) => certain(sum(segmentMs.slice(0, cut)))),
    tails: target.cuts.map((_, cut) => certain(sum(segmentMs.slice(cut)))),
    layers: priced.map(({ work: { node, operator, segment }, workMs }) => ({
      ...{ node, operator, segment },
      ...{ medianMs: workMs, share: share(workMs) },
    })),
    substitutes: [...replaced].map(([kind, all]) => ({
      ...{ kind, by: all[0]!.by },
      share: share(sum(all.map(({ workMs }) => workMs))),
    })),
  };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const certain = (value: number): Spread => ({ medianMs: value, lowMs: value, highMs: value });

function isSame({ hash, cuts }: ReferenceProfile, target: PredictionTarget): boolean {
  return hash === target.hash && `${cuts.map(({ cut }) => cut)}` === `${target.cuts.map(({ id }) => id)}`;
}

/** What the reference itself says of its model. */
function ownTimes(reference: ReferenceProfile): Pick<Prediction, 'segments' | 'heads' | 'tails' | 'layers'> {
  const { wholeMs, vehicleMs, segments, cuts, layers } = reference;
  const scale = vehicleMs === undefined ? 1 : wholeMs / vehicleMs;
  const layersMs = sum(layers.map(({ medianMs }) => medianMs));
  return {
    segments: segments.map(({ medianMs, lowMs, highMs }) => ({ medianMs, lowMs, highMs })),
    heads: cuts.map(({ headMs, headLowMs, headHighMs }) => ({
      ...{ medianMs: headMs * scale, lowMs: headLowMs * scale, highMs: headHighMs * scale },
    })),
    tails: cuts.map(({ tailMs }) => certain(tailMs)),
    layers: layers.map(({ node, operator, segment, medianMs }) => ({
      ...{ node, operator, segment, medianMs },
      share: layersMs > 0 ? medianMs / layersMs : 0,
    })),
  };
}

/** What a kind's time is in proportion to: bytes where memory bounds it, multiply-adds elsewhere. */
export function amountOf({ kind, macs, weightBytes, activationBytes }: Work): number {
  switch (kind) {
    case 'fully-connected':
      return weightBytes;
    case 'other':
      return weightBytes + activationBytes;
    case 'free':
      return 0;
    default:
      return macs;
  }
}

/** An operator whose work and time are known. */
export interface TimedWork extends Work {
  readonly node: string;
  readonly segment: number;
  /** Its part of the time of its segment at level `all`, in ms. */
  readonly ms: number;
}

/** The operators of a reference with times as nodes run them. */
export function timedWorks({ segments, layers }: ReferenceProfile): TimedWork[] {
  const busy = layers.filter(({ kind, medianMs }) => kind !== 'free' && medianMs > 0);
  const alone = segments.map(() => 0);
  for (const { segment, medianMs } of busy) alone[segment]! += medianMs;
  return busy.flatMap(({ node, segment, medianMs, kind, macs = 0, weightBytes = 0, activationBytes = 0 }) => {
    const ms = (medianMs / alone[segment]!) * segments[segment]!.medianMs;
    return kind === undefined ? [] : [{ node, segment, kind, macs, weightBytes, activationBytes, ms }];
  });
}

/** Of each kind that was measured what is done in a ms. */
function ratesOf(reference: ReferenceProfile): Map<WorkKind, number> {
  const sums = new Map<WorkKind, { amount: number; ms: number }>();
  for (const work of timedWorks(reference)) {
    const { amount, ms } = sums.get(work.kind) ?? { amount: 0, ms: 0 };
    sums.set(work.kind, { amount: amount + amountOf(work), ms: ms + work.ms });
  }
  const known = [...sums].filter(([, { amount, ms }]) => amount > 0 && ms > 0);
  return new Map(known.map(([kind, { amount, ms }]) => [kind, amount / ms]));
}

const FLOAT_BYTES = 4;

/**
 * What stands for a kind that the reference has not, the best first, and how much of it. A grouped convolution
 * goes through its windows as a pool does: a float32 for each multiply-add.
 */
const SUBSTITUTES: Readonly<
  Record<WorkKind, readonly (readonly [by: WorkKind, amount: (work: Work) => number])[]>
> = (() => {
  const macs = (work: Work): number => work.macs;
  const bytes = (work: Work): number => work.weightBytes + work.activationBytes;
  return {
    convolution: [['matrix-product', macs]],
    'matrix-product': [['convolution', macs]],
    quantised: [
      ['convolution', macs],
      ['matrix-product', macs],
    ],
    'grouped-convolution': [
      ['other', (work) => FLOAT_BYTES * work.macs],
      ['convolution', macs],
    ],
    'fully-connected': [['other', bytes]],
    other: [['fully-connected', bytes]],
    free: [],
  };
})();

function priceOf(
  work: OperatorWork,
  rates: ReadonlyMap<WorkKind, number>,
  reference: ReferenceProfile,
  target: PredictionTarget,
): { readonly workMs: number; readonly by: WorkKind } {
  const { kind } = work;
  if (kind === 'free') return { workMs: 0, by: kind };
  const choices = [[kind, amountOf] as const, ...SUBSTITUTES[kind]];
  const choice = choices.find(([by]) => rates.has(by));
  if (!choice)
    throw new ModelError(
      `model ${target.name}: ${kind} cannot be predicted: the profile of ${reference.model} has the times of ${[...rates.keys()].join(', ') || 'nothing'} only`,
    );
  const [by, amount] = choice;
  return { workMs: amount(work) / rates.get(by)!, by };
}
