/** Finds the line in an ONNX graph: the one chain of operators that leads from its input to its output. */
import { type GraphProto, ModelError, type NodeProto } from './onnx.ts';

/** A tensor on the line, and the operator that makes it (none makes the input). */
export interface Place {
  readonly tensor: string;
  readonly node?: NodeProto;
}

export interface Line {
  /** From the input to the output. */
  readonly places: readonly Place[];
  /** Nodes that depend on weights only, in the file's order: they belong to whoever uses their output. */
  readonly constants: readonly NodeProto[];
}

/** @throws ModelError that says what the graph is where it is not a line. */
export function findLine(graph: GraphProto, file: string): Line {
  const no = (what: string): never => {
    throw new ModelError(
      `model ${file}: ${what}; only line networks, one chain from input to output, are supported yet`,
    );
  };
  const weights = new Set([
    ...graph.initializer.map((tensor) => tensor.name),
    ...graph.sparseInitializer.map((tensor) => tensor.values?.name),
  ]);
  const inputs = graph.input.filter((value) => !weights.has(value.name!)).map((value) => value.name!);
  if (inputs.length !== 1) no(`it has ${inputs.length} inputs (${inputs.join(', ')})`);
  if (graph.output.length !== 1)
    no(`it has ${graph.output.length} outputs (${graph.output.map((value) => value.name).join(', ')})`);

  const constant = new Set(weights);
  const constants: NodeProto[] = [];
  const users = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    const name = node.name || node.opType!;
    if (node.attribute.some((attribute) => attribute.g || (attribute.graphs?.length ?? 0) > 0))
      no(`operator ${node.opType} (${name}) holds a graph of its own`);
    const given = [...new Set(node.input)].filter((input) => input !== '' && !constant.has(input));
    if (given.length === 0) {
      constants.push(node);
      for (const output of node.output) constant.add(output);
      continue;
    }
    if (given.length > 1) no(`it is a DAG: ${node.opType} (${name}) joins ${given.join(' and ')}`);
    users.set(given[0]!, [...(users.get(given[0]!) ?? []), node]);
  }

  const output = graph.output[0]!.name!;
  const places: Place[] = [{ tensor: inputs[0]! }];
  for (;;) {
    const tensor = places.at(-1)!.tensor;
    const next = users.get(tensor) ?? [];
    if (tensor === output && next.length === 0) break;
    if (next.length > 1 || (tensor === output && next.length > 0))
      no(`it is a DAG: tensor ${tensor} feeds ${next.map((node) => node.opType).join(' and ')}`);
    if (next.length === 0) no(`its output ${output} is not reached from its input ${inputs[0]}`);
    const followed = next[0]!.output.filter((name) => name !== '' && (users.has(name) || name === output));
    if (followed.length > 1) no(`it is a DAG: ${next[0]!.opType} has outputs ${followed.join(' and ')}`);
    if (followed.length === 0) no(`its output ${output} is not reached from its input ${inputs[0]}`);
    if (places.length > graph.node.length) no(`operator ${next[0]!.opType} stands in a circle`);
    places.push({ tensor: followed[0]!, node: next[0]! });
  }
  return { places, constants };
}
