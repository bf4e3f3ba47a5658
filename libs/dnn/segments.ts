/** Takes parts out of a model: valid ONNX models from one cut to the next. */

import { headOf, type Network } from './network.ts';
import {
  inputsOf,
  type ModelProto,
  type ModelWithGraph,
  type NodeProto,
  onnx,
  tensorValue,
  type ValueInfoProto,
} from './onnx.ts';
import { elementType, type TensorShape } from './tensors.ts';

/** Tensors that part a network in two, with their shapes in the same order. */
export interface CutTensors {
  readonly tensors: readonly string[];
  readonly shapes: readonly TensorShape[];
}

/** The name of a cut. */
export function cutName({ tensors }: { readonly tensors: readonly string[] }): string {
  return tensors.join(',');
}

/** A tensor's description, with what the runtime knows in the whole network: it may round otherwise where it knows more. */
function described(name: string, shape: TensorShape): ValueInfoProto {
  const { dims, known = dims } = shape;
  // ONNX wants the number of dimensions of inputs and outputs.
  const said = known.length === dims.length ? known : dims.map(() => '');
  return tensorValue(name, elementType(shape), said);
}

/**
 * The part of `model` behind the cut `from` up to the cut `to`, with the weights, constant nodes, functions,
 * operator sets and metadata that it needs. Its inputs are the tensors of `from` in their order, its outputs
 * those of `to`.
 */
export function segment(
  model: ModelWithGraph,
  network: Network,
  from: CutTensors,
  to: CutTensors,
): ModelProto {
  const before = new Set(headOf(network, from.tensors));
  const nodes = headOf(network, to.tensors)
    .filter((index) => !before.has(index))
    .map((index) => network.nodes[index]!);
  const needed = new Set(nodes.flatMap((node) => [...inputsOf(node)]));
  const constants = network.constants.toReversed().filter((node) => {
    if (!node.output.some((output) => needed.has(output))) return false;
    for (const input of inputsOf(node)) needed.add(input);
    return true;
  });
  const { graph } = model;
  const initializer = graph.initializer.filter((tensor) => needed.has(tensor.name!));
  const names = new Set(initializer.map((tensor) => tensor.name));
  // ONNX up to IR version 3 wants them among the inputs; later the runtime takes those there for no constants.
  const listed = graph.input.filter((value) => names.has(value.name!));
  const made = new Set(nodes.flatMap((node: NodeProto) => node.output));
  // A head takes only those of the network's inputs that it uses or hands on.
  const taken = from.tensors.map((name, index): [string, TensorShape] => [name, from.shapes[index]!]);
  const used = taken.filter(([name]) => needed.has(name) || to.tensors.includes(name));
  return new onnx.ModelProto({
    ...model,
    trainingInfo: [],
    graph: {
      name: `${graph.name}/${cutName(from)}..${cutName(to)}`,
      docString: graph.docString,
      node: [...constants.toReversed(), ...nodes],
      initializer,
      ...(graph.$newer ? { $newer: graph.$newer } : {}),
      sparseInitializer: graph.sparseInitializer.filter((tensor) => needed.has(tensor.values?.name ?? '')),
      quantizationAnnotation: graph.quantizationAnnotation.filter(
        ({ tensorName }) => made.has(tensorName!) || needed.has(tensorName!),
      ),
      input: [...used.map(([name, shape]) => described(name, shape)), ...listed],
      output: to.tensors.map((name, index) => described(name, to.shapes[index]!)),
    },
  });
}
