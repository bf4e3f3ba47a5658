/** The door to the ONNX format: a file's bytes to its graph and back. */
import { readFileSync } from 'node:fs';
import onnxProto from 'onnx-proto';

export const { onnx } = onnxProto;
export type ModelProto = onnxProto.onnx.ModelProto;
/** An operator; a decoded one always has its lists. */
export type NodeProto = Required<Pick<onnxProto.onnx.INodeProto, 'name' | 'opType'>> & {
  readonly input: string[];
  readonly output: string[];
  readonly attribute: onnxProto.onnx.IAttributeProto[];
};
export type GraphProto = Omit<onnxProto.onnx.GraphProto, 'node'> & { readonly node: NodeProto[] };
export type ValueInfoProto = onnxProto.onnx.ValueInfoProto;
export type TensorProto = onnxProto.onnx.TensorProto;

/** A model that was checked to have a graph. */
export type ModelWithGraph = Omit<ModelProto, 'graph'> & { readonly graph: GraphProto };

/** ONNX element type of float32. */
export const FLOAT = 1;

/** A model cannot be used; the message says which, why, and what would be right. For users. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/**
 * Reads and checks an ONNX file. The weights are views on the file's bytes.
 * @throws ModelError where there is no such file, no ONNX in it, no graph, no opset, or weights that lie elsewhere.
 */
export function readOnnx(file: string): ModelWithGraph {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ModelError(`model ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let model: ModelProto;
  try {
    model = onnx.ModelProto.decode(bytes);
  } catch {
    throw new ModelError(`model ${file}: this is not an ONNX file, or it is cut short`);
  }
  if (!model.graph?.node?.length)
    throw new ModelError(`model ${file}: this is not an ONNX file: it holds no graph`);
  if (model.opsetImport.length === 0)
    throw new ModelError(`model ${file}: it names no operator set (opset_import is empty): export it again`);
  const elsewhere = model.graph.initializer?.find((tensor) => tensor.externalData?.length);
  if (elsewhere)
    throw new ModelError(
      `model ${file}: its weights (${elsewhere.name}) lie in another file: save it again as one file`,
    );
  return model as unknown as ModelWithGraph;
}

/** A description of a float32 tensor with fixed dimensions. */
export function floatValue(name: string, dims: readonly number[]): ValueInfoProto {
  return new onnx.ValueInfoProto({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
}
