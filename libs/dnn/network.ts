/**
 * What kind of network an ONNX graph is, and its *outer line*: the tensors that every path from the input to
 * the output goes through, and the blocks of operators between them.
 */
import { CHEAP } from './cheap-operators.ts';
import { type GraphProto, inputsOf, ModelError, type NodeProto } from './onnx.ts';

/**
 * `line`: one chain of operators. `multi-path`: chains from the input that meet in the last operator.
 * `tree`: forks and no joins, so several outputs. `dag`: everything else.
 */
export type NetworkKind = 'line' | 'multi-path' | 'tree' | 'dag';

/** Operators that give something else each time. */
const DRAWS: ReadonlySet<string> = new Set([
  ...['Bernoulli', 'Multinomial', 'RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike'],
]);

/** A place of the outer line where the network can be cut. */
export interface Place {
  /** The inputs at the first place, the outputs at the last, one *articulation tensor* at all others. */
  readonly tensors: readonly string[];
  /** The operators between the place before and this one. */
  readonly nodes: readonly NodeProto[];
  /** How many of the network's nodes come before this place. */
  readonly end: number;
}

export interface Network {
  readonly kind: NetworkKind;
  /** Inputs that lead to an output. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Operators on a path from an input to an output, each behind those whose tensors it takes. */
  readonly nodes: readonly NodeProto[];
  /** Operators that depend on weights only, in such an order too: they belong to whoever uses their output. */
  readonly constants: readonly NodeProto[];
  /** The outer line, from the inputs to the outputs. */
  readonly places: readonly Place[];
  /** Index of the node that makes a tensor; an input has none. */
  readonly producer: ReadonlyMap<string, number>;
  /** Indices of the nodes that take a tensor, ascending. */
  readonly consumers: ReadonlyMap<string, readonly number[]>;
}

/** The inputs of a graph that are not weights: old exporters list these among the inputs. */
export function graphInputs(graph: GraphProto): GraphProto['input'] {
  const weights = weightNames(graph);
  return graph.input.filter((value) => !weights.has(value.name!));
}

function weightNames(graph: GraphProto): Set<string> {
  return new Set([
    ...graph.initializer.map((tensor) => tensor.name!),
    ...graph.sparseInitializer.map((tensor) => tensor.values?.name ?? ''),
  ]);
}

/**
 * @throws ModelError where an output is not reached from the inputs, an operator takes what nothing makes,
 * stands in a circle, or draws random numbers.
 */
export function findNetwork(graph: GraphProto, file: string): Network {
  const no = (what: string): never => {
    throw new ModelError(`model ${file}: ${what}`);
  };
  const declared = graphInputs(graph).map((value) => value.name!);
  if (declared.length === 0) no('it has no input');
  if (graph.output.length === 0) no('it has no output');
  const outputs = [...new Set(graph.output.map((value) => value.name!))];

  const { varying, constants } = partition(inOrder(graph, declared, no), declared);
  const nodes = leadingTo(outputs, varying);
  const producer = new Map(
    nodes.flatMap((node, index) =>
      node.output.filter(Boolean).map((name): [string, number] => [name, index]),
    ),
  );
  const consumers = consumersOf(nodes, new Set([...declared, ...producer.keys()]));
  for (const output of outputs) {
    if (!producer.has(output))
      no(`its output ${output} is not reached from its input ${declared.join(', ')}`);
  }
  const drawing = [...nodes, ...constants].find((node) => DRAWS.has(node.opType!));
  if (drawing) no(`operator ${nameOf(drawing)} draws random numbers, so that no cut can be checked`);
  const inputs = declared.filter((name) => consumers.has(name));
  const places = outerLine(nodes, inputs, outputs, consumers);
  const kind = kindOf(nodes, inputs, outputs, consumers);
  return { kind, inputs, outputs, nodes, constants, places, producer, consumers };
}

/** The graph's nodes, each behind those whose tensors it takes; in the file's order as far as that is one. */
function inOrder(graph: GraphProto, inputs: readonly string[], no: (what: string) => never): NodeProto[] {
  const ready = new Set([...weightNames(graph), ...inputs]);
  const waiting = new Map<string, NodeProto[]>();
  const missing = new Map<NodeProto, number>();
  const ordered: NodeProto[] = [];
  const take = (first: NodeProto): void => {
    const stack = [first];
    for (let node = stack.pop(); node; node = stack.pop()) {
      ordered.push(node);
      for (const output of node.output) {
        if (ready.has(output)) continue;
        ready.add(output);
        for (const user of waiting.get(output) ?? []) {
          missing.set(user, missing.get(user)! - 1);
          if (missing.get(user) === 0) stack.push(user);
        }
        waiting.delete(output);
      }
    }
  };
  for (const node of graph.node) {
    const open = [...inputsOf(node)].filter((name) => !ready.has(name));
    missing.set(node, open.length);
    if (open.length === 0) take(node);
    for (const name of open) {
      const users = waiting.get(name);
      if (users) users.push(node);
      else waiting.set(name, [node]);
    }
  }
  const stuck = graph.node.find((node) => missing.get(node)! > 0);
  if (stuck) {
    const made = new Set(graph.node.flatMap((node) => node.output));
    const lost = [...waiting.keys()].find((name) => !made.has(name));
    if (lost !== undefined)
      no(`operator ${nameOf(waiting.get(lost)![0]!)} takes ${lost}, which nothing makes`);
    no(`operator ${nameOf(stuck)} stands in a circle`);
  }
  return ordered;
}

/** An operator for people: its type, and its name where it has one. */
export function nameOf(node: NodeProto): string {
  return node.name ? `${node.opType} (${node.name})` : node.opType!;
}

function partition(
  nodes: readonly NodeProto[],
  inputs: readonly string[],
): { readonly varying: NodeProto[]; readonly constants: NodeProto[] } {
  const tensors = new Set(inputs);
  const varying: NodeProto[] = [];
  const constants: NodeProto[] = [];
  for (const node of nodes) {
    if ([...inputsOf(node)].some((name) => tensors.has(name))) {
      varying.push(node);
      for (const output of node.output) if (output !== '') tensors.add(output);
    } else constants.push(node);
  }
  return { varying, constants };
}

function leadingTo(outputs: readonly string[], nodes: readonly NodeProto[]): NodeProto[] {
  const needed = new Set(outputs);
  const reversed = nodes.toReversed().filter((node) => {
    if (!node.output.some((output) => needed.has(output))) return false;
    for (const input of inputsOf(node)) needed.add(input);
    return true;
  });
  return reversed.toReversed();
}

function consumersOf(nodes: readonly NodeProto[], tensors: ReadonlySet<string>): Map<string, number[]> {
  const consumers = new Map<string, number[]>();
  nodes.forEach((node, index) => {
    for (const name of inputsOf(node)) {
      if (!tensors.has(name)) continue;
      const users = consumers.get(name);
      if (users) users.push(index);
      else consumers.set(name, [index]);
    }
  });
  return consumers;
}

/**
 * One sweep: a tensor is on every path exactly if it alone is still wanted after the node that makes it,
 * because every live node is then before or behind it. O(nodes and their inputs).
 */
function outerLine(
  nodes: readonly NodeProto[],
  inputs: readonly string[],
  outputs: readonly string[],
  consumers: ReadonlyMap<string, readonly number[]>,
): Place[] {
  const isOutput = new Set(outputs);
  const wanted = new Map<string, number>();
  const want = (name: string): void => {
    const uses = (consumers.get(name)?.length ?? 0) + (isOutput.has(name) ? 1 : 0);
    if (uses > 0) wanted.set(name, uses);
  };
  for (const name of inputs) want(name);
  const places: Place[] = [{ tensors: inputs, nodes: [], end: 0 }];
  nodes.forEach((node, index) => {
    for (const name of inputsOf(node)) {
      const left = (wanted.get(name) ?? 0) - 1;
      if (left > 0) wanted.set(name, left);
      else wanted.delete(name);
    }
    for (const name of node.output) if (name !== '') want(name);
    const end = index + 1;
    const isLast = end === nodes.length;
    if (wanted.size === 1 || isLast)
      places.push({
        tensors: isLast ? outputs : [...wanted.keys()],
        nodes: nodes.slice(places.at(-1)!.end, end),
        end,
      });
  });
  return places;
}

function kindOf(
  nodes: readonly NodeProto[],
  inputs: readonly string[],
  outputs: readonly string[],
  consumers: ReadonlyMap<string, readonly number[]>,
): NetworkKind {
  const isOutput = new Set(outputs);
  const usesOf = (name: string): number => (consumers.get(name)?.length ?? 0) + (isOutput.has(name) ? 1 : 0);
  const joins = nodes.flatMap((node, index) => {
    const given = [...inputsOf(node)].filter((name) => consumers.has(name));
    return given.length > 1 ? [index] : [];
  });
  const forksAt = (node: NodeProto): boolean => node.output.reduce((sum, name) => sum + usesOf(name), 0) > 1;
  const inputForks = inputs.length > 1 || usesOf(inputs[0]!) > 1;
  const innerForks = nodes.some(forksAt);
  if (joins.length === 0) return inputForks || innerForks ? 'tree' : 'line';
  const onlyCheapBehind = nodes.slice(joins[0]! + 1).every((node) => CHEAP.has(node.opType!));
  return joins.length === 1 && !innerForks && outputs.length === 1 && onlyCheapBehind ? 'multi-path' : 'dag';
}

/**
 * The head that a cut at `tensors` asks for: indices of the nodes that these tensors depend on, ascending.
 */
export function headOf(network: Network, tensors: Iterable<string>): number[] {
  const head = new Set<number>();
  const stack = [...tensors];
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    const index = network.producer.get(name);
    if (index === undefined || head.has(index)) continue;
    head.add(index);
    stack.push(...inputsOf(network.nodes[index]!));
  }
  return [...head].sort((a, b) => a - b);
}

/** The tensors that go from a head (indices of nodes) to the rest of the network, in the head's order. */
export function boundaryOf(network: Network, head: Iterable<number>): string[] {
  const inside = new Set(head);
  const outputs = new Set(network.outputs);
  const crosses = (name: string): boolean =>
    outputs.has(name) || (network.consumers.get(name) ?? []).some((user) => !inside.has(user));
  const made = [...inside].flatMap((index) => network.nodes[index]!.output.filter(Boolean));
  return [...network.inputs, ...made].filter(crosses);
}
