/** From a model's name or file to its segments on disk, made once and kept in the cache. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { CutShape } from '@splitlane/proto';
import { resolveCard } from './card.ts';
import { cutBytes, cutShape, keptCuts } from './cuts.ts';
import { checkOutput } from './detect.ts';
import type { Assignment } from './inference-messages.ts';
import {
  CACHE_VERSION,
  cacheFolder,
  findModel,
  hashFiles,
  inCache,
  type ModelSource,
  type OnProgress,
  type PrepareOptions,
} from './model-source.ts';
import type { NetworkKind, Place } from './network.ts';
import { ModelError } from './onnx.ts';
import {
  checkOutputs,
  type NamedInput,
  type OpenNetwork,
  openNetwork,
  runsFor,
  shapesOf,
  WHOLE,
  wholeOutputs,
} from './open-network.ts';
import { RuntimeThread } from './runtime-thread.ts';
import { type CutTensors, segment } from './segments.ts';
import type { Difference } from './tensors.ts';
import { changingCuts, checkUncut, type Trial, tryChain, tryCut, unsteady } from './try-cuts.ts';
import { folderOf, writeModel, writeWhole } from './weights.ts';

/** A model that is cut and ready to be loaded. */
export interface PreparedModel extends Assignment {
  readonly name: string;
  /** The whole network as an ONNX file: the user's own, or a float16 one in float32. */
  readonly file: string;
  /** SHA-256 over the bytes of the ONNX file, of data beside it, and of the card: equal hashes give equal results. */
  readonly hash: string;
}

/** A place of the outer line, and what is known of a cut there. */
export interface LinePlace extends CutTensors {
  readonly bytes: number;
  readonly kept: boolean;
  /** A cut here was seen to change the output: it is not kept. */
  readonly changesBits?: boolean;
}

/** What the cache says of a model that is cut. */
export interface Manifest {
  readonly version: number;
  readonly kind: NetworkKind;
  readonly inputs: readonly NamedInput[];
  readonly places: readonly LinePlace[];
  /** Files with weights beside the ONNX file, relative to its folder, and the SHA-256 over their bytes. */
  readonly data?: { readonly files: readonly string[]; readonly hash: string };
  /** The whole network that the segments equal lies beside them, because it is not the user's file itself. */
  readonly ownWhole?: true;
  /** Only of a float16 network: how far it is from the widened one; null where it does not run itself. */
  readonly widened?: Pick<Difference, 'max' | 'share'> | null;
}

/**
 * Prepares a model: one of the built-in names, or the path of an ONNX file with its card beside it.
 * @throws ModelError where it cannot be used.
 */
export async function prepareModel(source: string, options: PrepareOptions = {}): Promise<PreparedModel> {
  const found = await findModel(source, options);
  const { name, file, card, bytesHash, cutFolder } = found;
  const manifest = await cutModel(found, options.onProgress, (inputs, outputs) =>
    checkForNodes(inputs, outputs, found),
  );
  const last = manifest.places.at(-1)!;
  checkForNodes(manifest.inputs, last.tensors, found);
  if (last.shapes[0]!.type !== 'float32') throw new ModelError(`model ${file}: its output is not float32`);
  const resolved = resolveCard(card, fixedDims(manifest.inputs), file);
  const cuts = manifest.places.filter(({ kept }) => kept).map((place) => keptShape(place));
  checkOutput(resolved, cuts.at(-1)!.dims, file);
  return {
    name,
    file: manifest.ownWhole ? path.join(cutFolder, WHOLE) : file,
    hash: createHash('sha256')
      .update(bytesHash)
      .update(manifest.data?.hash ?? '')
      .update(JSON.stringify(resolved))
      .digest('hex'),
    card: resolved,
    cuts,
    segments: cuts.slice(1).map((_, index) => segmentFile(cutFolder, index + 1)),
    first: 0,
  };
}

const keptShape = (place: LinePlace): CutShape => cutShape({ ...place, nodes: [], end: 0 }, place.shapes);
// JSON has no undefined.
const fixedDims = ([input]: readonly NamedInput[]): (number | undefined)[] =>
  input!.dims.map((dim) => dim ?? undefined);
const segmentFile = (folder: string, number: number): string => path.join(folder, `segment-${number}.onnx`);

/** @throws ModelError unless the network takes one picture and gives one tensor. */
function checkForNodes(
  inputs: readonly NamedInput[],
  outputs: readonly string[],
  { file, card }: ModelSource,
): void {
  for (const [what, names] of [
    ['inputs', inputs.map(({ name }) => name)],
    ['outputs', outputs],
  ] as const) {
    if (names.length > 1)
      throw new ModelError(
        `model ${file}: it has ${names.length} ${what} (${names.join(', ')}); nodes run networks with one of each, 'splitlane cut' cuts others too`,
      );
  }
  if (inputs[0]!.type !== 'float32')
    throw new ModelError(`model ${file}: its input is not float32; other types are not supported yet`);
  resolveCard(card, fixedDims(inputs), file);
}

/**
 * Cuts a model along its outer line, once: later calls find all in the cache.
 * @param check may refuse the network by its inputs and outputs before the work is done.
 * @throws ModelError where it cannot be cut.
 */
export async function cutModel(
  source: ModelSource,
  onProgress: OnProgress = () => {},
  check: (inputs: readonly NamedInput[], outputs: readonly string[]) => void = () => {},
): Promise<Manifest> {
  const { cutFolder } = source;
  const known = await currentManifest(source);
  if (known) return known;
  const work = `${cutFolder}.${process.pid}.partial`;
  cacheFolder(work);
  removeAbandoned(cutFolder);
  const thread = new RuntimeThread();
  try {
    const manifest = await makeSegments(source, work, thread, onProgress, check);
    // Another process that was faster may already have loaded what it put there.
    const other = await currentManifest(source);
    if (other) return other;
    inCache(cutFolder, () => {
      rmSync(cutFolder, { recursive: true, force: true });
      renameSync(work, cutFolder);
    });
    return manifest;
  } catch (error) {
    // Or it may have put it there between the two steps above.
    const made = await currentManifest(source);
    if (made) return made;
    throw error;
  } finally {
    await thread.end();
    rmSync(work, { recursive: true, force: true });
  }
}

/** Takes away what processes that were killed have left behind. */
function removeAbandoned(cutFolder: string): void {
  const [folder, name] = [path.dirname(cutFolder), path.basename(cutFolder)];
  for (const entry of readdirSync(folder)) {
    const [, pid] = /^\.(\d+)\.partial$/.exec(entry.startsWith(name) ? entry.slice(name.length) : '') ?? [];
    if (pid === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH')
        rmSync(path.join(folder, entry), { recursive: true, force: true });
    }
  }
}

async function currentManifest({ cutFolder, file }: ModelSource): Promise<Manifest | undefined> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(path.join(cutFolder, 'manifest.json'), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
  if (manifest.version !== CACHE_VERSION) return undefined;
  if (manifest.data === undefined) return manifest;
  const files = manifest.data.files.map((name) => path.join(folderOf(file), name));
  if (!files.every((each) => existsSync(each))) return undefined;
  return (await hashFiles(files, file)) === manifest.data.hash ? manifest : undefined;
}

async function makeSegments(
  source: ModelSource,
  work: string,
  thread: RuntimeThread,
  onProgress: OnProgress,
  check: (inputs: readonly NamedInput[], outputs: readonly string[]) => void,
): Promise<Manifest> {
  const { file } = source;
  const what = `cutting ${path.basename(file)}`;
  onProgress(what, 0);
  const open = await openNetwork(source, work, thread);
  const { network, inputs } = open;
  check(inputs, network.outputs);
  const { places } = network;
  const shapes = await shapesOf(open, new Set(places.flatMap(({ tensors }) => tensors)), thread);
  checkOutputs(open, shapes);
  onProgress(what, 0.2);
  const placeShapes = places.map(({ tensors }) => tensors.map((name) => shapes.get(name)!));
  const cuts = places.map(({ tensors }, index): CutTensors => ({ tensors, shapes: placeShapes[index]! }));
  const expected = await wholeOutputs(open, thread, runsFor(open, shapes));
  onProgress(what, 0.4);
  const trial = { open, thread, scratch: path.join(work, 'scratch.onnx'), expected };
  const { kept, changing } = await keepCuts(trial, places, cuts, work, (fraction) =>
    onProgress(what, 0.4 + 0.6 * fraction),
  );

  const manifest: Manifest = {
    version: CACHE_VERSION,
    kind: network.kind,
    inputs,
    places: cuts.map((cut, index) => ({
      ...cut,
      bytes: cutBytes(cut.shapes),
      kept: kept.includes(index),
      ...(changing.has(index) ? { changesBits: true } : {}),
    })),
    ...(open.dataFiles.length > 0 ? { data: await dataOf(open) } : {}),
    ...(open.whole === file ? {} : { ownWhole: true }),
    ...(open.widened === undefined ? {} : { widened: open.widened }),
  };
  const manifestFile = path.join(work, 'manifest.json');
  inCache(manifestFile, () => writeWhole(manifestFile, Buffer.from(JSON.stringify(manifest, null, 2))));
  onProgress(what, 1);
  return manifest;
}

async function dataOf({ file, dataFiles }: OpenNetwork): Promise<NonNullable<Manifest['data']>> {
  const folder = folderOf(file);
  return {
    files: dataFiles.map((each) => path.relative(folder, each)),
    hash: await hashFiles(dataFiles, file),
  };
}

/**
 * Writes the segments between kept cuts and runs their chain against the whole. Cuts that change the output
 * are left out, and others may be kept in their place, until the chain gives the whole's bits.
 */
async function keepCuts(
  trial: Trial,
  places: readonly Place[],
  cuts: readonly CutTensors[],
  work: string,
  onProgress: (fraction: number) => void,
): Promise<{ readonly kept: readonly number[]; readonly changing: ReadonlySet<number> }> {
  const { open, thread, expected, scratch } = trial;
  const shapes = cuts.map((cut) => cut.shapes);
  const changing = new Set<number>();
  for (let round = 0; ; round++) {
    const kept = keptCuts(places, shapes, changing);
    const chain = kept.map((index) => cuts[index]!);
    const files = chain.slice(1).map((to, index) => {
      const target = segmentFile(work, index + 1);
      const part = segment(open.model, open.network, chain[index]!, to);
      inCache(target, () => writeModel(part, open.folder, target));
      onProgress((0.6 * (index + 1)) / (chain.length - 1));
      return target;
    });
    if ((await tryChain(open, chain, files, expected, thread)).identical) return { kept, changing };
    for (const file of files) removeModel(file);
    try {
      if (round === 0) {
        await checkUncut(trial, chain[0]!, chain.at(-1)!);
        await leaveOutChanging(trial, places, cuts, changing);
      } else {
        const culprits = await changingCuts(trial, chain);
        if (culprits.length === 0) throw unsteady(open.file);
        for (const index of culprits) changing.add(kept[index]!);
      }
    } finally {
      removeModel(scratch);
    }
  }
}

/** Adds cuts to `changing` until each of those that are kept gives the whole's bits when it is the only one. */
async function leaveOutChanging(
  trial: Trial,
  places: readonly Place[],
  cuts: readonly CutTensors[],
  changing: Set<number>,
): Promise<void> {
  const shapes = cuts.map((cut) => cut.shapes);
  const [first, last] = [0, cuts.length - 1];
  const proved = new Set([first, last]);
  for (;;) {
    const next = keptCuts(places, shapes, changing).find((index) => !proved.has(index));
    if (next === undefined) return;
    const { identical } = await tryCut(trial, cuts[first]!, cuts[next]!, cuts[last]!);
    if (identical) proved.add(next);
    else changing.add(next);
  }
}

function removeModel(file: string): void {
  for (const each of [file, `${file}.data`]) rmSync(each, { force: true });
}
