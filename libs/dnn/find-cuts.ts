/** Cuts of several tensors, where no single tensor parts the network. */
import { boundaryOf, type Network } from './network.ts';
import { inputsOf } from './onnx.ts';

/** Nodes that are decided on, over all heads in the making; what lies beyond is not found. */
const MOST_STEPS = 1_000_000;

export interface FoundCut {
  /** The tensors that go from the head to the rest, in the order in which they are made. */
  readonly tensors: readonly string[];
  /** Indices of the head's nodes: with each node those that it depends on. */
  readonly head: ReadonlySet<number>;
}

/**
 * The cuts of 2 to `maxTensors` tensors, from the input to the output. A head is closed downwards, and ends
 * between two neighbouring articulation tensors. There node by node is taken in or left out; what depends on
 * one left out is left out too. A tensor that one left out takes is on the boundary whatever follows, so that
 * a head with too many of them is given up early; every head is met once.
 * @param mostSteps bounds the work; `complete` says whether it was enough.
 */
export function findCuts(
  network: Network,
  maxTensors: number,
  mostSteps = MOST_STEPS,
): { readonly cuts: readonly FoundCut[]; readonly complete: boolean } {
  const cuts: FoundCut[] = [];
  const { places, nodes, producer } = network;
  const outputs = new Set(network.outputs);
  const isLive = (name: string): boolean => producer.has(name) || network.inputs.includes(name);
  const inputs = nodes.map((node) => [...inputsOf(node)].filter(isLive));
  let steps = 0;
  for (let block = 1; block < places.length; block++) {
    const [start, end] = [places[block - 1]!.end, places[block]!.end];
    const pinned = places[block - 1]!.tensors.filter((name) => outputs.has(name));
    const stack = [{ index: start, outside: new Set<number>(), pinned: new Set(pinned) }];
    for (let state = stack.pop(); state; state = stack.pop()) {
      const { outside } = state;
      let { index } = state;
      for (; index < end && state.pinned.size <= maxTensors; index++) {
        if (++steps > mostSteps) return { cuts: sorted(cuts), complete: false };
        const isMade = (name: string): boolean => !outside.has(producer.get(name) ?? -1);
        const made = inputs[index]!.filter(isMade);
        if (made.length < inputs[index]!.length) {
          outside.add(index);
          for (const name of made) state.pinned.add(name);
          continue;
        }
        const left = new Set([...state.pinned, ...made]);
        if (left.size <= maxTensors)
          stack.push({ index: index + 1, outside: new Set([...outside, index]), pinned: left });
        for (const name of nodes[index]!.output) if (outputs.has(name)) state.pinned.add(name);
      }
      if (state.pinned.size > maxTensors || outside.size === 0 || outside.size === end - start) continue;
      const head = new Set(
        Array.from({ length: end }, (_, each) => each).filter((each) => !outside.has(each)),
      );
      const tensors = boundaryOf(network, head);
      if (tensors.length > 1) cuts.push({ tensors, head });
    }
  }
  return { cuts: sorted(cuts), complete: true };
}

function sorted(cuts: readonly FoundCut[]): FoundCut[] {
  return cuts.toSorted((a, b) => a.head.size - b.head.size);
}
