/** All cuts of a model, with what is known of each. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { CHEAP } from './cheap-operators.ts';
import { cutBytes } from './cuts.ts';
import { type FoundCut, findCuts } from './find-cuts.ts';
import { cacheFolder, findModel, type PrepareOptions } from './model-source.ts';
import { boundaryOf, type Network, type NetworkKind } from './network.ts';
import { inputsOf } from './onnx.ts';
import { type OpenNetwork, openNetwork, runsFor, shapesOf, WHOLE, wholeOutputs } from './open-network.ts';
import { cutModel, type Manifest } from './prepared-model.ts';
import { RuntimeThread } from './runtime-thread.ts';
import { cutName } from './segments.ts';
import { isNumeric, type TensorShape } from './tensors.ts';
import { tryCut } from './try-cuts.ts';

/** Cuts of several tensors that are tried in the runtime: each loads the network once more. */
const MOST_TRIED = 64;

export interface ListedCut {
  /** The tensors' names with commas between: what `splitlane cut --at` takes. */
  readonly id: string;
  readonly tensors: readonly string[];
  /** Dimensions of each tensor. */
  readonly shapes: readonly (readonly number[])[];
  readonly types: readonly string[];
  readonly bytes: number;
  /** Worth cutting at, and seen to give the whole network's output bit for bit. */
  readonly kept: boolean;
  /** A cut here was seen to change the output; absent where none was seen or tried. */
  readonly changesBits?: true;
}

export interface CutList {
  /** The ONNX file that was read. */
  readonly file: string;
  readonly kind: NetworkKind;
  readonly cuts: readonly ListedCut[];
  /** False where there are more cuts of several tensors than were looked for or tried. */
  readonly complete: boolean;
  /** Only of a float16 network, which is cut in float32: how far apart the two are; null if it is not known. */
  readonly widened?: Manifest['widened'];
}

/**
 * Lists the cuts of a model along its outer line, and those of up to `maxTensors` tensors beside it.
 * @throws ModelError where it cannot be cut.
 */
export async function listCuts(
  source: string,
  maxTensors: number,
  options: PrepareOptions = {},
): Promise<CutList> {
  const found = await findModel(source, options);
  const manifest = await cutModel(found, options.onProgress);
  const line = manifest.places.map(({ tensors, shapes, bytes, kept, changesBits }) => ({
    ...listed(tensors, shapes, bytes, kept),
    ...(changesBits ? ({ changesBits: true } as const) : {}),
  }));
  const { file } = found;
  const { kind, widened } = manifest;
  const head = { file, kind, ...(widened === undefined ? {} : { widened }) };
  if (maxTensors === 1) return { ...head, cuts: line, complete: true };

  const work = `${found.cutFolder}.${process.pid}.partial`;
  cacheFolder(work);
  const thread = new RuntimeThread();
  try {
    const made = manifest.ownWhole ? path.join(found.cutFolder, WHOLE) : undefined;
    const open = await openNetwork(found, work, thread, made);
    const places = open.network.places.map(({ end }, index) => ({ end, cut: line[index]! }));
    const several = await severalTensors(open, thread, path.join(work, 'scratch.onnx'), {
      maxTensors,
      line: places,
      onProgress: (fraction) => options.onProgress?.(`trying cuts of ${path.basename(file)}`, fraction),
    });
    const all = [...places, ...several.cuts].toSorted((a, b) => a.end - b.end);
    return { ...head, cuts: all.map(({ cut }) => cut), complete: several.complete };
  } finally {
    await thread.end();
    rmSync(work, { recursive: true, force: true });
  }
}

function listed(
  tensors: readonly string[],
  shapes: readonly TensorShape[],
  bytes: number,
  kept: boolean,
): ListedCut {
  return {
    id: cutName({ tensors }),
    tensors,
    shapes: shapes.map(({ dims }) => dims),
    types: shapes.map(({ type }) => type),
    bytes,
    kept,
  };
}

/** A cut and how many nodes its head has. */
interface Placed {
  readonly end: number;
  readonly cut: ListedCut;
}

async function severalTensors(
  open: OpenNetwork,
  thread: RuntimeThread,
  scratch: string,
  {
    maxTensors,
    line,
    onProgress,
  }: {
    readonly maxTensors: number;
    readonly line: readonly Placed[];
    readonly onProgress: (fraction: number) => void;
  },
): Promise<{ readonly cuts: readonly Placed[]; readonly complete: boolean }> {
  const { network } = open;
  const found = findCuts(network, maxTensors);
  const wanted = new Set(
    found.cuts.flatMap(({ tensors, head }) => [...tensors, ...carriedOn(network, tensors, head).flat()]),
  );
  const shapes = await shapesOf(open, new Set([...wanted, ...network.outputs]), thread);
  const bytesOf = (tensors: readonly string[]): number => cutBytes(tensors.map((name) => shapes.get(name)!));
  const numeric = found.cuts.filter(({ tensors }) => tensors.every((name) => isNumeric(shapes.get(name)!)));
  const worthwhile = undominated(network, numeric, bytesOf, line);

  const ends = (tensors: readonly string[]) => ({
    tensors,
    shapes: tensors.map((name) => open.inputShapes.get(name) ?? shapes.get(name)!),
  });
  const [first, last] = [ends(network.inputs), ends(network.outputs)];
  const trial = { open, thread, scratch, expected: await wholeOutputs(open, thread, runsFor(open, shapes)) };
  const cuts: Placed[] = [];
  let tried = 0;
  for (const { tensors, head } of numeric) {
    const tries = worthwhile.has(tensors) && tried < MOST_TRIED;
    if (tries) onProgress(tried++ / Math.min(worthwhile.size, MOST_TRIED));
    const identical = tries && (await tryCut(trial, first, ends(tensors), last)).identical;
    const changes = tries && !identical ? ({ changesBits: true } as const) : {};
    const cut = listed(tensors, ends(tensors).shapes, bytesOf(tensors), identical);
    cuts.push({ end: head.size, cut: { ...cut, ...changes } });
  }
  return { cuts, complete: found.complete && worthwhile.size <= MOST_TRIED };
}

/** The cuts that no smaller head undercuts, and that a cheap operator does not only carry on. */
function undominated(
  network: Network,
  cuts: readonly FoundCut[],
  bytesOf: (tensors: readonly string[]) => number,
  line: readonly Placed[],
): Set<readonly string[]> {
  const left = new Set<readonly string[]>();
  const rivals = line
    .filter(({ cut }) => !cut.changesBits)
    .map(({ end, cut }) => ({ size: end, tensors: cut.tensors, bytes: cut.bytes }));
  for (const { tensors, head } of cuts) {
    const bytes = bytesOf(tensors);
    const isInside = (name: string): boolean => {
      const maker = network.producer.get(name);
      return maker === undefined || head.has(maker);
    };
    const dominated = rivals.some(
      (rival) => rival.size < head.size && rival.bytes <= bytes && rival.tensors.every(isInside),
    );
    const carried = carriedOn(network, tensors, head).some((after) => bytesOf(after) === bytes);
    if (dominated || carried) continue;
    left.add(tensors);
    rivals.push({ size: head.size, tensors, bytes });
  }
  return left;
}

/** The boundaries that come of a head when one cheap operator behind it moves into it. */
function carriedOn(network: Network, tensors: readonly string[], head: ReadonlySet<number>): string[][] {
  const inside = (name: string): boolean => {
    const maker = network.producer.get(name);
    return maker === undefined || head.has(maker);
  };
  const users = new Set(tensors.flatMap((name) => network.consumers.get(name) ?? []));
  const next = [...users].filter((index) => {
    const node = network.nodes[index]!;
    return !head.has(index) && CHEAP.has(node.opType!) && [...inputsOf(node)].every(inside);
  });
  return next.map((index) => boundaryOf(network, [...head, index]));
}
