/** Cuts a line model into segments: valid ONNX models from one kept cut to the next. */
import type { CutShape } from '@splitlane/proto';
import type { Line } from './line.ts';
import { floatValue, type ModelProto, type ModelWithGraph, onnx } from './onnx.ts';

/** ONNX of this IR version and older lists every initializer among the inputs of its graph. */
const IR_WITH_INITIALIZERS_AS_INPUTS = 3;

/**
 * The part of `model` behind place `from` up to place `to` of its line, with the weights, constant nodes,
 * functions, operator sets and metadata that it needs.
 */
export function segment(
  model: ModelWithGraph,
  line: Line,
  from: number,
  to: number,
  fromCut: CutShape,
  toCut: CutShape,
): ModelProto {
  const chain = line.places.slice(from + 1, to + 1).map((place) => place.node!);
  const needed = new Set(chain.flatMap((node) => node.input));
  const constants = line.constants.toReversed().filter((node) => {
    if (!node.output.some((output) => needed.has(output))) return false;
    for (const input of node.input) needed.add(input);
    return true;
  });
  const { graph } = model;
  const initializer = graph.initializer.filter((tensor) => needed.has(tensor.name!));
  const names = new Set(initializer.map((tensor) => tensor.name));
  const listed =
    Number(model.irVersion) <= IR_WITH_INITIALIZERS_AS_INPUTS
      ? graph.input.filter((value) => names.has(value.name!))
      : [];
  return new onnx.ModelProto({
    ...model,
    graph: {
      name: `${graph.name}/${fromCut.id}..${toCut.id}`,
      node: [...constants.toReversed(), ...chain],
      initializer,
      sparseInitializer: graph.sparseInitializer.filter((tensor) => needed.has(tensor.values?.name ?? '')),
      input: [floatValue(fromCut.id, fromCut.dims), ...listed],
      output: [floatValue(toCut.id, toCut.dims)],
    },
  });
}
