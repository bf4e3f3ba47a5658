/** Reads a model, finds its network, and asks ONNX Runtime for the shapes of its tensors. */
import path from 'node:path';
import { resolveCard } from './card.ts';
import { inCache, type ModelSource } from './model-source.ts';
import { findNetwork, graphInputs, type Network } from './network.ts';
import {
  FLOAT,
  type GraphProto,
  ModelError,
  type ModelProto,
  type ModelWithGraph,
  onnx,
  type ValueInfoProto,
} from './onnx.ts';
import type { RuntimeThread } from './runtime-thread.ts';
import {
  type Difference,
  differenceOf,
  IDENTICAL,
  isNumeric,
  seededValues,
  type TensorShape,
  typeName,
  type Values,
  worse,
} from './tensors.ts';
import { dataFiles, folderOf, readOnnx, writeModel } from './weights.ts';
import { hasFloat16, widen } from './widen.ts';

/** Runs that a cut is tried in, each with inputs of its own; more where few outputs could differ by chance. */
const LEAST_RUNS = 2;
const MOST_RUNS = 16;
const LEAST_COMPARED = 100;
/** Greatest inputs of the runs, in turn: small ones leave a softmax unsaturated that larger ones saturate. */
const REACHES = [2, 2, 0.25, 16];

/** Operators by which a tensor's shape may come to depend on another's values. */
const SHAPES_BY_VALUE = new Set([
  ...['NonZero', 'NonMaxSuppression', 'Unique', 'Compress', 'Loop', 'If', 'Range', 'TopK', 'ConstantOfShape'],
]);
/** Operators that make sequences, which the runtime does not hand out. */
const MAKES_SEQUENCES = new Set([
  ...['SequenceConstruct', 'SequenceEmpty', 'SequenceErase', 'SequenceInsert', 'SequenceMap'],
  ...['SplitToSequence', 'Optional', 'ZipMap'],
]);

export interface NamedInput {
  readonly name: string;
  readonly type: string;
  /** Undefined where the file leaves a dimension open. */
  readonly dims: readonly (number | undefined)[];
  /** What the file calls its dimensions; '' for one without a name. */
  readonly labels: readonly string[];
}

export interface OpenNetwork {
  readonly file: string;
  /** In float32, with its large weights in files of `folder`. */
  readonly model: ModelWithGraph;
  readonly folder: string;
  /** The ONNX file whose output is the measure of all cuts: the user's, or a float16 one in float32. */
  readonly whole: string;
  /** Only for a float16 network: its own output against the widened one's; null where it does not run. */
  readonly widened?: Difference | null;
  /** Files beside the user's that hold weights. */
  readonly dataFiles: readonly string[];
  readonly network: Network;
  /** All inputs of the graph, as the file has them. */
  readonly inputs: readonly NamedInput[];
  /** Their shapes when it is run. */
  readonly inputShapes: ReadonlyMap<string, TensorShape>;
}

/** The name of the whole network where that is not the user's file itself. */
export const WHOLE = 'whole.onnx';

/**
 * Reads a model; a float16 one is written in float32 to `workFolder` first.
 * @param workFolder for the whole network, where that is not the user's file itself.
 * @param made the whole network, where it was made before; how far it is from a float16 one is not measured again.
 * @throws ModelError where it cannot be read, is no network, or leaves dimensions open.
 */
export async function openNetwork(
  source: ModelSource,
  workFolder: string,
  thread: RuntimeThread,
  made?: string,
): Promise<OpenNetwork> {
  const { file } = source;
  const read = readOnnx(file);
  const readFolder = folderOf(file);
  const beside = dataFiles(read, file);
  const isNarrow = hasFloat16(read);
  const whole = made ?? (isNarrow ? path.join(workFolder, WHOLE) : file);
  if (isNarrow && made === undefined)
    inCache(whole, () => writeModel(widen(read, readFolder) as ModelProto, readFolder, whole));
  const model = isNarrow ? readOnnx(whole) : read;
  const folder = isNarrow ? folderOf(whole) : readFolder;
  const network = findNetwork(model.graph, file);
  const inputs = graphInputs(model.graph).map((value) => namedInput(value as ValueInfoProto, file));
  const inputShapes = new Map(inputs.map((input) => [input.name, inputShape(input, source)]));
  const open = { file, model, folder, whole, dataFiles: beside, network, inputs, inputShapes };
  if (!isNarrow || made !== undefined) return open;
  return { ...open, widened: await narrowDifference(read, readFolder, open, thread) };
}

function namedInput(value: ValueInfoProto, file: string): NamedInput {
  const { elemType, shape } = value.type?.tensorType ?? {};
  const type = typeName(elemType ?? 0);
  if (type === undefined) throw new ModelError(`model ${file}: its input ${value.name} is not numeric`);
  if (!shape) throw new ModelError(`model ${file}: its input ${value.name} has no shape: export it with one`);
  // Some exporters write -1 for an open dimension.
  const dims = (shape.dim ?? []).map(({ dimValue }) => (Number(dimValue) > 0 ? Number(dimValue) : undefined));
  const labels = (shape.dim ?? []).map((dim) => dim.dimParam ?? '');
  return { name: value.name, type, dims, labels };
}

function hasOpenDims({ inputs }: OpenNetwork): boolean {
  return inputs.some(({ dims }) => dims.includes(undefined));
}

/** An open first dimension is the batch, and 1; others are the card's to say. */
function inputShape(input: NamedInput, source: ModelSource): TensorShape {
  const { type, dims, labels } = input;
  if (!dims.includes(undefined)) return { type, dims: dims as number[] };
  const known = dims.map((dim, index) => dim ?? labels[index]!);
  return { type, dims: fixedDims(input, source), known };
}

function fixedDims({ name, dims, labels }: NamedInput, { card, file }: ModelSource): readonly number[] {
  const [batch = 1, ...rest] = dims;
  const open = rest.flatMap((dim, index) => (dim === undefined ? [index + 1] : []));
  if (open.length === 0) return [batch, ...(rest as number[])];
  if (dims.length !== 4) {
    const which = open.map((index) => `${index}${labels[index] ? ` (${labels[index]})` : ''}`).join(', ');
    throw new ModelError(
      `model ${file}: its input ${name} leaves dimension${open.length > 1 ? 's' : ''} ${which} of ${dims.length} open: export it with ${open.length > 1 ? 'fixed ones' : 'a fixed one'}, or fix it with python -m onnxruntime.tools.make_dynamic_shape_fixed`,
    );
  }
  const { channels, height, width, layout } = resolveCard(card, [undefined, ...rest], file);
  const depth = channels === 'grey' ? 1 : 3;
  return layout === 'nchw' ? [batch, depth, height, width] : [batch, height, width, depth];
}

/** The inputs of each run in which the network is tried. */
export function seededFeeds({ inputShapes }: OpenNetwork, runs: number): Record<string, Values>[] {
  return Array.from({ length: runs }, (_, run) =>
    Object.fromEntries(
      [...inputShapes].map(([name, shape], index) => [
        name,
        seededValues(shape, 1000 * index + run + 1, REACHES[run % REACHES.length]!),
      ]),
    ),
  );
}

/** How many runs a network is tried in. @param shapes of its outputs, among others. */
export function runsFor({ network }: OpenNetwork, shapes: ReadonlyMap<string, TensorShape>): number {
  const elements = network.outputs.map((name) => shapes.get(name)!.dims.reduce((a, b) => a * b, 1));
  const each = elements.reduce((a, b) => a + b, 0);
  return Math.min(MOST_RUNS, Math.max(LEAST_RUNS, Math.ceil(LEAST_COMPARED / Math.max(1, each))));
}

/** Outputs of the whole network for each of the seeded inputs, as the nodes would load it. */
export async function wholeOutputs(
  open: OpenNetwork,
  thread: RuntimeThread,
  runs: number,
): Promise<Values[][]> {
  const request = {
    folder: open.folder,
    feeds: seededFeeds(open, runs),
    outputs: 'values',
    optimise: true,
  } as const;
  const results = await thread.run(open.file, open.whole, request);
  return results.map((result) => open.network.outputs.map((name) => result[name]!));
}

/**
 * Shapes of tensors, by a run with every one of them as an output.
 * @throws ModelError where the runtime does not take the model.
 */
export async function shapesOf(
  open: OpenNetwork,
  names: Iterable<string>,
  thread: RuntimeThread,
): Promise<Map<string, TensorShape>> {
  const { inputShapes } = open;
  const sequences = sequencesOf(open);
  const shapes = new Map<string, TensorShape>();
  const asked: string[] = [];
  for (const name of names) {
    if (inputShapes.has(name)) shapes.set(name, inputShapes.get(name)!);
    else if (sequences.has(name)) shapes.set(name, { type: 'sequence', dims: [] });
    else asked.push(name);
  }
  await askShapes(open, asked, thread, shapes);
  return shapes;
}

/** Adds the shapes of tensors that the network makes to `shapes`. */
async function askShapes(
  open: OpenNetwork,
  asked: readonly string[],
  thread: RuntimeThread,
  shapes: Map<string, TensorShape>,
): Promise<void> {
  if (asked.length === 0) return;
  const { network, model, file, folder } = open;
  const described = new Map(model.graph.output.map((value) => [value.name!, value]));
  const output = asked.map((name) => described.get(name) ?? new onnx.ValueInfoProto({ name }));
  const graph = { ...model.graph, output } as unknown as GraphProto;
  const bare = new onnx.ModelProto({ ...model, graph: graph as object });
  const mayVary = network.nodes.some((node) => SHAPES_BY_VALUE.has(node.opType!));
  const feeds = seededFeeds(open, mayVary ? LEAST_RUNS : 1);
  const request = { folder, feeds, outputs: 'shapes', optimise: false } as const;
  let runs: readonly Readonly<Record<string, Values>>[];
  try {
    runs = await thread.run(file, bare, request);
  } catch (error) {
    const type = error instanceof ModelError ? untoldType(error.message) : undefined;
    if (type === undefined) throw error;
    if (asked.length === 1) {
      shapes.set(asked[0]!, { type, dims: [] });
      return;
    }
    const half = asked.length >> 1;
    await askShapes(open, asked.slice(0, half), thread, shapes);
    return askShapes(open, asked.slice(half), thread, shapes);
  }
  const [first, ...others] = runs;
  for (const name of asked) {
    const { type, dims, known } = first![name]!;
    const varies = others.some((other) => `${other[name]!.dims}` !== `${dims}`);
    const isOpen = (varies || hasOpenDims(open)) && `${known}` !== `${dims}`;
    shapes.set(name, { type, dims, ...(varies ? { varies } : {}), ...(isOpen ? { known: known! } : {}) });
  }
}

/** A type that the runtime computes with, but does not hand out, as its words tell it. */
function untoldType(message: string): string | undefined {
  const [, number] = /Unsupported data type: (\d+)/.exec(message) ?? [];
  if (number === undefined) return undefined;
  return onnx.TensorProto.DataType[Number(number)]?.toLowerCase() ?? `type ${number}`;
}

function sequencesOf({ network, model }: OpenNetwork): Set<string> {
  const { valueInfo, output } = model.graph;
  const found = new Set(
    [...valueInfo, ...output]
      .filter(({ type }) => type && !type.tensorType && (type.sequenceType || type.mapType))
      .map(({ name }) => name!),
  );
  for (const node of network.nodes) {
    const passes = node.opType === 'Identity' && found.has(node.input[0]!);
    if (passes || MAKES_SEQUENCES.has(node.opType!)) for (const name of node.output) found.add(name);
  }
  return found;
}

/** The runtime's JavaScript side takes no float16: casts at both ends make it float32 outside. */
async function narrowDifference(
  narrow: ModelWithGraph,
  folder: string,
  open: OpenNetwork,
  thread: RuntimeThread,
): Promise<Difference | null> {
  const { FLOAT16 } = onnx.TensorProto.DataType;
  const { graph } = narrow;
  const isNarrow = (value: GraphProto['input'][number]): boolean =>
    value.type?.tensorType?.elemType === FLOAT16;
  const outside = (name: string): string => `${name}/float32`;
  const cast = (input: string, output: string, to: number): object => ({
    ...{ opType: 'Cast', name: `${output}/cast`, input: [input], output: [output] },
    attribute: [{ name: 'to', type: onnx.AttributeProto.AttributeType.INT, i: to }],
  });
  const wideValue = (value: GraphProto['input'][number]): object => ({
    name: outside(value.name!),
    type: { tensorType: { ...value.type!.tensorType, elemType: FLOAT } },
  });
  const taken = new Set(
    graphInputs(graph)
      .filter(isNarrow)
      .map((value) => value.name!),
  );
  const given = new Set(graph.output.filter(isNarrow).map((value) => value.name!));
  const model = new onnx.ModelProto({
    ...narrow,
    graph: {
      ...graph,
      node: [
        ...[...taken].map((name) => cast(outside(name), name, FLOAT16)),
        ...graph.node,
        ...[...given].map((name) => cast(name, outside(name), FLOAT)),
      ],
      input: graph.input.map((value) => (taken.has(value.name!) ? wideValue(value) : value)),
      output: graph.output.map((value) => (given.has(value.name!) ? wideValue(value) : value)),
    } as object,
  });
  // The runtime drops a pair of casts to float16 and back: what they round is rounded here.
  const feeds = seededFeeds(open, LEAST_RUNS).map((feed) =>
    Object.fromEntries(
      Object.entries(feed).map(([name, values]) => [name, taken.has(name) ? rounded(values) : values]),
    ),
  );
  const renamed = feeds.map((feed) =>
    Object.fromEntries(
      Object.entries(feed).map(([name, values]) => [taken.has(name) ? outside(name) : name, values]),
    ),
  );
  const request = { folder, outputs: 'values', optimise: true } as const;
  let own: readonly Readonly<Record<string, Values>>[];
  try {
    own = await thread.run(open.file, model, { ...request, feeds: renamed });
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
  const wide = await thread.run(open.file, open.whole, { ...request, feeds, folder: open.folder });
  return wide
    .map((outputs, run) => {
      const found = open.network.outputs.map((name) =>
        given.has(name) ? rounded(own[run]![outside(name)]!) : own[run]![name]!,
      );
      return differenceOf(
        open.network.outputs.map((name) => outputs[name]!),
        found,
      );
    })
    .reduce(worse, IDENTICAL);
}

/** float32 values as float16 holds them. */
function rounded(values: Values): Values {
  return { ...values, data: Float32Array.from(Float16Array.from(values.data as Float32Array)) };
}

/** @throws ModelError unless every output is a tensor of numbers. */
export function checkOutputs(open: OpenNetwork, shapes: ReadonlyMap<string, TensorShape>): void {
  for (const name of open.network.outputs) {
    const shape = shapes.get(name)!;
    if (!isNumeric(shape))
      throw new ModelError(`model ${open.file}: its output ${name} is not numeric (${shape.type})`);
  }
}
