/** The door to the ONNX format: a file's bytes to its graph and back. */
import { readFileSync } from 'node:fs';
import onnxProto from 'onnx-proto';
import { decodeModel, type NewerFields } from './newer-fields.ts';

export const { onnx } = onnxProto;
export type ModelProto = onnxProto.onnx.ModelProto;
/** An operator; a decoded one always has its lists. */
export type NodeProto = Required<Pick<onnxProto.onnx.INodeProto, 'name' | 'opType'>> & {
  readonly input: string[];
  readonly output: string[];
  readonly attribute: AttributeProto[];
};
export type GraphProto = Omit<onnxProto.onnx.GraphProto, 'node'> &
  NewerFields & { readonly node: NodeProto[] };
export type ValueInfoProto = onnxProto.onnx.ValueInfoProto;
export type TensorProto = onnxProto.onnx.TensorProto & NewerFields;

export type AttributeProto = onnxProto.onnx.IAttributeProto;

/** A model that was checked to have a graph. */
export type ModelWithGraph = Omit<ModelProto, 'graph'> & { readonly graph: GraphProto };

/** ONNX element type of float32. */
export const FLOAT = 1;

/** A model cannot be used; the message says which, why, and what would be right. For users. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/**
 * Decodes and checks an ONNX file. Weights are views on the file's bytes, or lie in other files.
 * @throws ModelError where there is no such file, no ONNX in it, no graph or no opset.
 */
export function decodeOnnx(file: string): { readonly model: ModelWithGraph; readonly bytes: Uint8Array } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ModelError(`model ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let model: ModelProto;
  try {
    model = decodeModel(bytes);
  } catch {
    throw new ModelError(`model ${file}: this is not an ONNX file, or it is cut short`);
  }
  if (!model.graph?.node?.length)
    throw new ModelError(`model ${file}: this is not an ONNX file: it holds no graph`);
  if (model.opsetImport.length === 0)
    throw new ModelError(`model ${file}: it names no operator set (opset_import is empty): export it again`);
  return { model: model as unknown as ModelWithGraph, bytes };
}

/** A description of a tensor; `elemType` is ONNX's number of its type. A name or '' stands for an open dimension. */
export function tensorValue(
  name: string,
  elemType: number,
  dims: readonly (number | string)[],
): ValueInfoProto {
  const dim = dims.map((each) => {
    if (typeof each === 'number') return { dimValue: each };
    return each === '' ? {} : { dimParam: each };
  });
  return new onnx.ValueInfoProto({ name, type: { tensorType: { elemType, shape: { dim } } } });
}

/** A description of a float32 tensor with fixed dimensions. */
export function floatValue(name: string, dims: readonly number[]): ValueInfoProto {
  return tensorValue(name, FLOAT, dims);
}

/**
 * What an operator reads: its own inputs, and what graphs inside it (of If, Loop, Scan) take from outside.
 * Each name once, optional inputs that are left out not at all.
 */
export function inputsOf(node: NodeProto): ReadonlySet<string> {
  const known = INPUTS.get(node);
  if (known) return known;
  const names = new Set(node.input.filter((name) => name !== ''));
  for (const attribute of node.attribute)
    for (const graph of graphsOf(attribute)) for (const name of capturedBy(graph)) names.add(name);
  INPUTS.set(node, names);
  return names;
}

const INPUTS = new WeakMap<NodeProto, ReadonlySet<string>>();

/** The graphs that an attribute holds. */
export function graphsOf(attribute: AttributeProto): GraphProto[] {
  const graphs = [...(attribute.g ? [attribute.g] : []), ...(attribute.graphs ?? [])];
  return graphs as unknown as GraphProto[];
}

/** Names that a graph inside an operator uses and does not make itself. */
function capturedBy(graph: GraphProto): Set<string> {
  const own = new Set([
    ...(graph.input ?? []).map((value) => value.name),
    ...(graph.initializer ?? []).map((tensor) => tensor.name),
    ...(graph.sparseInitializer ?? []).map((tensor) => tensor.values?.name),
    ...(graph.node ?? []).flatMap((node) => node.output),
  ]);
  const used = [
    ...(graph.node ?? []).flatMap((node) => [...inputsOf(node)]),
    ...(graph.output ?? []).map((value) => value.name!),
  ];
  return new Set(used.filter((name) => !own.has(name)));
}
