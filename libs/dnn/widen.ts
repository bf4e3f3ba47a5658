/**
 * A float16 network as a float32 one. In float16 the runtime rounds where it pleases (a fused operator keeps
 * float32 inside), so that pieces differ from the whole; in float32 they need not.
 */
import type { NewerFields } from './newer-fields.ts';
import {
  type AttributeProto,
  FLOAT,
  type GraphProto,
  graphsOf,
  type ModelWithGraph,
  type NodeProto,
  onnx,
  type TensorProto,
  type ValueInfoProto,
} from './onnx.ts';
import { described, inMemory } from './weights.ts';

const { FLOAT16 } = onnx.TensorProto.DataType;

/** Attributes of operators that hold a type by ONNX's number: of Cast, RandomNormal, EyeLike, and others. */
const TYPE_ATTRIBUTES = new Set([
  ...['to', 'dtype', 'output_datatype', 'output_dtype', 'stash_type', 'softmax_precision'],
]);

/** The first byte of a `value_info`, field 12 of a function. */
const VALUE_INFO_OF_FUNCTION = (12 << 3) | 2;

type TypeProto = NonNullable<ValueInfoProto['type']>;

/** Whether a model stores or computes anything in float16. */
export function hasFloat16(model: ModelWithGraph): boolean {
  const inGraph = (graph: GraphProto): boolean =>
    (graph.initializer ?? []).some((tensor) => tensor.dataType === FLOAT16) ||
    (graph.sparseInitializer ?? []).some((tensor) => tensor.values?.dataType === FLOAT16) ||
    [...(graph.input ?? []), ...(graph.output ?? [])].some((value) => isFloat16(value.type as TypeProto)) ||
    (graph.node ?? []).some(inNode);
  const inNode = (node: NodeProto): boolean =>
    (node.attribute ?? []).some(
      (attribute) =>
        attribute.t?.dataType === FLOAT16 ||
        (TYPE_ATTRIBUTES.has(attribute.name!) && Number(attribute.i) === FLOAT16) ||
        graphsOf(attribute).some(inGraph),
    );
  const functions = (model.functions ?? []).flatMap((each) => (each.node ?? []) as NodeProto[]);
  return inGraph(model.graph) || functions.some(inNode);
}

function isFloat16(type: TypeProto | null | undefined): boolean {
  return type?.tensorType?.elemType === FLOAT16;
}

/**
 * The same network with float32 in every place where it has float16: weights, constants, described values,
 * and types that operators are told. Every float16 is a float32, so no weight changes its value.
 * @param folder what the model's external data is relative to.
 */
export function widen(model: ModelWithGraph, folder: string): ModelWithGraph {
  const functions = (model.functions ?? []).map(
    (each) =>
      new onnx.FunctionProto({
        ...each,
        node: ((each.node ?? []) as NodeProto[]).map(widenNode),
        ...withoutTypes(each as NewerFields),
      }),
  );
  const graph = widenGraph(model.graph, folder);
  return new onnx.ModelProto({ ...model, functions, graph }) as unknown as ModelWithGraph;
}

/** The types that a function says of its tensors are float16 still; the runtime finds them itself. */
function withoutTypes({ $newer }: NewerFields): NewerFields {
  return $newer ? { $newer: $newer.filter(([tag]) => tag !== VALUE_INFO_OF_FUNCTION) } : {};
}

function widenGraph(graph: GraphProto, folder?: string): GraphProto {
  return new onnx.GraphProto({
    ...graph,
    node: (graph.node ?? []).map(widenNode),
    initializer: (graph.initializer as TensorProto[]).map((tensor) => widenTensor(tensor, folder)),
    sparseInitializer: (graph.sparseInitializer ?? []).map((tensor) => ({
      ...tensor,
      values: widenTensor(tensor.values as TensorProto),
    })),
    ...{ input: graph.input.map(widenValue), output: graph.output.map(widenValue) },
    valueInfo: graph.valueInfo.map(widenValue),
  }) as unknown as GraphProto;
}

function widenValue(value: GraphProto['input'][number]): GraphProto['input'][number] {
  return new onnx.ValueInfoProto({ ...value, type: widenType(value.type as TypeProto) });
}

function widenType(type: TypeProto): TypeProto {
  if (isFloat16(type)) return { ...type, tensorType: { ...type.tensorType, elemType: FLOAT } };
  for (const kind of ['sequenceType', 'optionalType'] as const) {
    const inner = (type as Record<string, { elemType?: TypeProto } | null | undefined> | null)?.[kind];
    if (inner?.elemType) return { ...type, [kind]: { ...inner, elemType: widenType(inner.elemType) } };
  }
  return type;
}

function widenNode(node: NodeProto): NodeProto {
  const attribute = (node.attribute ?? []).map(widenAttribute);
  return new onnx.NodeProto({ ...node, attribute }) as unknown as NodeProto;
}

function widenAttribute(attribute: AttributeProto): AttributeProto {
  const { name, i, t, tensors, sparseTensor, g, graphs, tp, typeProtos } = attribute;
  return new onnx.AttributeProto({
    ...attribute,
    ...(TYPE_ATTRIBUTES.has(name!) && Number(i) === FLOAT16 ? { i: FLOAT } : {}),
    ...(t ? { t: widenTensor(t as TensorProto) } : {}),
    ...(tensors?.length ? { tensors: (tensors as TensorProto[]).map((each) => widenTensor(each)) } : {}),
    ...(sparseTensor?.values
      ? { sparseTensor: { ...sparseTensor, values: widenTensor(sparseTensor.values as TensorProto) } }
      : {}),
    ...(g ? { g: widenGraph(g as unknown as GraphProto) } : {}),
    ...(graphs?.length
      ? { graphs: (graphs as unknown as GraphProto[]).map((each) => widenGraph(each)) }
      : {}),
    ...(tp ? { tp: widenType(tp as TypeProto) } : {}),
    ...(typeProtos?.length ? { typeProtos: (typeProtos as TypeProto[]).map(widenType) } : {}),
  } as object);
}

/** float16 lies in raw bytes, or as its 16 bits in an int32 each. */
function widenTensor(tensor: TensorProto, folder?: string): TensorProto {
  if (tensor.dataType !== FLOAT16) return tensor;
  const { rawData, int32Data } = folder === undefined ? tensor : inMemory(tensor, folder);
  // A copy: 16-bit views must start at an even byte.
  const bits = int32Data?.length
    ? Uint16Array.from(int32Data)
    : new Uint16Array(Uint8Array.from(rawData).buffer);
  const wide = Float32Array.from(new Float16Array(bits.buffer));
  return new onnx.TensorProto({
    ...{ ...described(tensor), dataType: FLOAT },
    rawData: new Uint8Array(wide.buffer),
  });
}
