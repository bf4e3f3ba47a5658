/** What the operators of a model have to do: multiply-adds, and bytes that they read and write. */
import { z } from 'zod';
import { keepMeasurement, measurementFile, readMeasurement, thisMachine } from './kept-measurement.ts';
import type { Network } from './network.ts';
import { type AttributeProto, inputsOf, type NodeProto, type TensorProto } from './onnx.ts';
import { type OpenNetwork, openNetwork, shapesOf } from './open-network.ts';
import type { PreparedModel } from './prepared-model.ts';
import { RuntimeThread } from './runtime-thread.ts';
import { bytesOf, type TensorShape } from './tensors.ts';
import { weightBytesOf } from './weights.ts';

/**
 * What an operator's time depends on.
 * - `convolution`, and `grouped-convolution` (depthwise among them), transposed ones too;
 * - `fully-connected`: a product with weights of which each is used for few rows: bound by memory;
 * - `matrix-product`: of two activations, or with weights that are used for many rows;
 * - `quantised`: a convolution or a product of 8-bit numbers;
 * - `free`: another view of the same bytes, or done within the operator before it;
 * - `other`: everything else, by the bytes that it touches.
 */
export const WORK_KINDS = [
  ...(['convolution', 'grouped-convolution', 'fully-connected', 'matrix-product'] as const),
  ...(['quantised', 'other', 'free'] as const),
] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

const amount = z.number().min(0);
export const Work = z.object({
  kind: z.enum(WORK_KINDS),
  /** Multiply-adds, those with padding included; 0 where an operator is no sum of products. */
  macs: amount,
  weightBytes: amount,
  /** Bytes of the activations that it reads and writes. */
  activationBytes: amount,
});
/** The work of one operator. */
export type Work = Readonly<z.infer<typeof Work>>;

const OperatorWork = Work.extend({
  /** The node's name; '' where the file gives it none. */
  node: z.string(),
  operator: z.string(),
  /** Index of the segment that it is in. */
  segment: z.number().int().min(0),
});
export type OperatorWork = Readonly<z.infer<typeof OperatorWork>>;

/** Raised when work is counted differently. */
const WORK_VERSION = 1;
/** Rows that share a weight up to which it is the weights that take the time, not the products. */
const FEW_ROWS = 8;

const CONVOLUTIONS = new Set(['Conv', 'ConvInteger', 'QLinearConv', 'FusedConv']);
const TRANSPOSED = 'ConvTranspose';
const PRODUCTS = new Set(['Gemm', 'FusedGemm', 'MatMul', 'MatMulInteger', 'QLinearMatMul']);
const QUANTISED = new Set(['ConvInteger', 'QLinearConv', 'MatMulInteger', 'QLinearMatMul']);
/** Where the second factor stands among the inputs, if not second. */
const SECOND_FACTOR: Readonly<Record<string, number>> = { QLinearConv: 3, QLinearMatMul: 3 };
const VIEWS = new Set(['Flatten', 'Reshape', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout']);
/** What ONNX Runtime does within a convolution or a product before it, with weights only beside it. */
const FUSED = new Set([
  ...['BatchNormalization', 'Add', 'Mul', 'Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'HardSigmoid', 'Tanh'],
]);

/**
 * The work of each operator of a prepared model, segment by segment, in the graph's order. Operators that
 * depend on weights only are done when a model is loaded, and not listed. Shapes are those of a run, so it
 * takes seconds for a large model; it is kept beside the segments.
 * @param onProgress told how much is counted, from 0 to 1; not called where the cache has it. What it throws ends
 * the work.
 * @throws ModelError where the runtime does not take a segment.
 */
export async function workOf(
  model: PreparedModel,
  onProgress: (fraction: number) => void = () => {},
): Promise<OperatorWork[]> {
  const file = measurementFile(model, thisMachine(), 'work', WORK_VERSION);
  const known = readMeasurement(file, z.array(OperatorWork));
  if (known) return known;
  const works = await countedWork(model, onProgress);
  keepMeasurement(file, works);
  return works;
}

async function countedWork(
  { segments }: PreparedModel,
  onProgress: (fraction: number) => void,
): Promise<OperatorWork[]> {
  const thread = new RuntimeThread();
  try {
    const works: OperatorWork[] = [];
    for (const [segment, file] of segments.entries()) {
      onProgress(segment / segments.length);
      works.push(...(await segmentWork(file, segment, thread)));
    }
    return works;
  } finally {
    await thread.end();
  }
}

async function segmentWork(file: string, segment: number, thread: RuntimeThread): Promise<OperatorWork[]> {
  // The dimensions of a segment's input are fixed, so that no card is asked for them.
  const source = { name: file, file, card: {}, bytesHash: '', cutFolder: '' };
  const open = await openNetwork(source, '', thread);
  const tensors = await tensorsOf(open, thread);
  const isFused = fusedNodes(open.network, tensors);
  return open.network.nodes.map((node, index) => ({
    ...{ node: node.name ?? '', operator: node.opType ?? '', segment },
    ...workOfNode(node, tensors, isFused.has(index)),
  }));
}

/** A tensor that an operator takes or gives. */
interface Known {
  readonly dims: readonly number[];
  readonly bytes: number;
  readonly isWeight: boolean;
}

type Tensors = ReadonlyMap<string, Known>;

async function tensorsOf(open: OpenNetwork, thread: RuntimeThread): Promise<Tensors> {
  const { network, model } = open;
  const tensors = new Map<string, Known>();
  const add = (name: string, { dims }: Pick<TensorShape, 'dims'>, bytes: number, isWeight: boolean): void => {
    tensors.set(name, { dims, bytes, isWeight });
  };
  for (const tensor of model.graph.initializer as TensorProto[])
    add(tensor.name, { dims: tensor.dims.map(Number) }, weightBytesOf(tensor) ?? 0, true);
  for (const { values, dims } of model.graph.sparseInitializer)
    add(
      values?.name ?? '',
      { dims: (dims ?? []).map(Number) },
      weightBytesOf(values as TensorProto) ?? 0,
      true,
    );
  const taken = new Set(network.nodes.flatMap((node) => [...inputsOf(node)]));
  const constants = network.constants.flatMap(({ output }) => output.filter((name) => taken.has(name)));
  // An output that nobody takes may be one that the runtime does not give.
  const varying = [...network.inputs, ...taken, ...network.outputs].filter((name) => !tensors.has(name));
  for (const [name, shape] of await shapesOf(open, new Set([...varying, ...constants]), thread))
    add(name, shape, bytesOf(shape), constants.includes(name));
  return tensors;
}

/** Indices of the nodes that have no time of their own. */
function fusedNodes(network: Network, tensors: Tensors): Set<number> {
  const carriers = new Set<number>();
  const fused = new Set<number>();
  network.nodes.forEach((node, index) => {
    if (isConvolution(node) || PRODUCTS.has(node.opType!)) carriers.add(index);
    if (!FUSED.has(node.opType!)) return;
    const varying = [...inputsOf(node)].filter((name) => tensors.get(name)?.isWeight === false);
    const before = network.producer.get(varying[0] ?? '');
    if (varying.length !== 1 || before === undefined || !carriers.has(before)) return;
    if (network.consumers.get(varying[0]!)!.length > 1 || network.outputs.includes(varying[0]!)) return;
    carriers.add(index);
    fused.add(index);
  });
  return fused;
}

const isConvolution = ({ opType }: NodeProto): boolean => CONVOLUTIONS.has(opType!) || opType === TRANSPOSED;

function workOfNode(node: NodeProto, tensors: Tensors, isFused: boolean): Work {
  const touched = [...inputsOf(node), ...new Set(node.output)].flatMap((name) => tensors.get(name) ?? []);
  const bytes = (which: boolean): number =>
    touched.reduce((sum, { bytes, isWeight }) => (isWeight === which ? sum + bytes : sum), 0);
  const sums = { weightBytes: bytes(true), activationBytes: bytes(false) };
  if (isFused || VIEWS.has(node.opType!)) return { kind: 'free', macs: 0, ...sums };
  return { ...productsOf(node, tensors), ...sums };
}

/** An operator's kind and its multiply-adds, by the definitions of the ONNX operators. */
function productsOf(node: NodeProto, tensors: Tensors): Pick<Work, 'kind' | 'macs'> {
  const operator = node.opType!;
  const other = { kind: 'other', macs: 0 } as const;
  const second = tensors.get(node.input[SECOND_FACTOR[operator] ?? 1] ?? '');
  const first = tensors.get(node.input[0] ?? '');
  const output = tensors.get(node.output[0] ?? '');
  if (!first || !second || !output) return other;
  if (isConvolution(node)) {
    // Each element of the output is a sum over one filter; transposed, each of the input is spread by one.
    const times = operator === TRANSPOSED ? first : output;
    const macs = product(times.dims) * product(second.dims.slice(1));
    const inGroups = numberOf(node.attribute, 'group', 1) > 1;
    if (QUANTISED.has(operator)) return { kind: 'quantised', macs };
    return { kind: inGroups ? 'grouped-convolution' : 'convolution', macs };
  }
  if (!PRODUCTS.has(operator)) return other;
  const transposed = operator.endsWith('Gemm') && numberOf(node.attribute, 'transA', 0) !== 0;
  const depth = (transposed ? first.dims[0] : first.dims.at(-1)) ?? 1;
  const macs = product(output.dims) * depth;
  if (QUANTISED.has(operator)) return { kind: 'quantised', macs };
  const weights = second.isWeight ? second : first;
  const isBoundByWeights = weights.isWeight && macs <= FEW_ROWS * product(weights.dims);
  return { kind: isBoundByWeights ? 'fully-connected' : 'matrix-product', macs };
}

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function numberOf(attributes: readonly AttributeProto[], name: string, otherwise: number): number {
  return Number(attributes.find((attribute) => attribute.name === name)?.i ?? otherwise);
}
