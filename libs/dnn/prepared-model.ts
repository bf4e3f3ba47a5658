/**
 * From a model's name or file to its segments on disk. What is made is kept in a cache outside the
 * project, under the hash of the model's bytes, so that it is made once.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CutShape } from '@splitlane/proto';
import { alexnet } from './architectures/alexnet.ts';
import type { LineSpec } from './architectures/line-spec.ts';
import { vgg16 } from './architectures/vgg16.ts';
import { writeLine } from './architectures/write-line.ts';
import { type CardFile, readCard, resolveCard } from './card.ts';
import { cutShape, keptCuts, type PlaceShape } from './cuts.ts';
import type { Assignment } from './inference-messages.ts';
import { findLine, type Line } from './line.ts';
import { makeFolder } from './make-folder.ts';
import { FLOAT, ModelError, type ModelWithGraph, onnx, readOnnx } from './onnx.ts';
import { segment } from './segments.ts';

/** Networks that the product writes itself, by name. */
export const BUILT_IN: Readonly<Record<string, LineSpec>> = { alexnet, vgg16 };

/** Raised when what is in the cache is made differently. */
const CACHE_VERSION = 1;

/** A model that is cut and ready to be loaded. */
export interface PreparedModel extends Assignment {
  readonly name: string;
  /** The ONNX file itself. */
  readonly file: string;
  /** SHA-256 over the ONNX file's bytes and the card: equal hashes give equal results. */
  readonly hash: string;
}

export interface PrepareOptions {
  /** Where the cache lies; `$XDG_CACHE_HOME/splitlane` or `~/.cache/splitlane` unless given. */
  readonly cacheDir?: string;
  /** Told what is being made, and how much of it is, from 0 to 1. Not called where all is there. */
  readonly onProgress?: (what: string, fraction: number) => void;
}

interface Manifest {
  readonly version: number;
  readonly inputDims: readonly (number | undefined)[];
  readonly cuts: readonly CutShape[];
}

function defaultCacheDir(): string {
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'splitlane');
}

/**
 * Prepares a model: one of the built-in names, or the path of an ONNX file with its card beside it.
 * @throws ModelError where it cannot be used.
 */
export async function prepareModel(source: string, options: PrepareOptions = {}): Promise<PreparedModel> {
  const { cacheDir = defaultCacheDir(), onProgress = () => {} } = options;
  const spec = Object.hasOwn(BUILT_IN, source) ? BUILT_IN[source] : undefined;
  if (!spec && !existsSync(source))
    throw new ModelError(
      `model ${source}: neither a built-in network (${Object.keys(BUILT_IN).join(', ')}) nor a file`,
    );
  cacheFolder(cacheDir);
  const file = spec ? builtIn(spec, cacheDir, onProgress) : path.resolve(source);
  const card = readCard(file);
  const bytesHash = await hashFile(file);
  // What of the card decides the shapes of the tensors, and with them the cuts.
  const key = createHash('sha256')
    .update(bytesHash)
    .update(JSON.stringify([card.size ?? null, card.channels ?? null, card.layout ?? null]))
    .digest('hex');
  const folder = path.join(cacheDir, `cut-${key.slice(0, 32)}`);
  const manifestFile = path.join(folder, 'manifest.json');
  if (!isCurrent(manifestFile)) await cutModel(file, card, folder, onProgress);
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest;
  const resolved = resolveCard(
    card,
    manifest.inputDims.map((dim) => dim ?? undefined),
    file,
  );
  return {
    name: spec?.name ?? path.basename(file),
    file,
    hash: createHash('sha256').update(bytesHash).update(JSON.stringify(resolved)).digest('hex'),
    card: resolved,
    cuts: manifest.cuts,
    segments: manifest.cuts.slice(1).map((_, index) => path.join(folder, `segment-${index + 1}.onnx`)),
    first: 0,
  };
}

function isCurrent(manifestFile: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest).version === CACHE_VERSION;
  } catch {
    return false;
  }
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  } catch (error) {
    throw new ModelError(`model ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return hash.digest('hex');
}

function cacheFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw new ModelError(`cache ${folder}: cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Writes `target` in one step, so that a process that is killed leaves nothing half made behind. */
function writeWhole(target: string, bytes: Uint8Array | string): void {
  const partial = `${target}.${process.pid}.partial`;
  try {
    writeFileSync(partial, bytes);
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new ModelError(`cache ${target}: cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

function builtIn(
  spec: LineSpec,
  cacheDir: string,
  onProgress: (what: string, fraction: number) => void,
): string {
  const file = path.join(cacheDir, `${spec.name}-v${CACHE_VERSION}.onnx`);
  if (existsSync(file)) return file;
  const what = `writing ${spec.name}`;
  const model = writeLine(spec, (fraction) => onProgress(what, 0.7 * fraction));
  writeWhole(file, onnx.ModelProto.encode(model).finish());
  onProgress(what, 1);
  return file;
}

async function cutModel(
  file: string,
  card: CardFile,
  folder: string,
  onProgress: (what: string, fraction: number) => void,
): Promise<void> {
  const what = `cutting ${path.basename(file)}`;
  onProgress(what, 0);
  const model = readOnnx(file);
  const line = findLine(model.graph, file);
  const input = model.graph.input.find((value) => value.name === line.places[0]!.tensor)!;
  if (input.type?.tensorType?.elemType !== FLOAT)
    throw new ModelError(`model ${file}: its input is not float32; other types are not supported yet`);
  const inputDims = (input.type.tensorType.shape?.dim ?? []).map((dim) => Number(dim.dimValue) || undefined);
  const resolved = resolveCard(card, inputDims, file);
  const depth = resolved.channels === 'grey' ? 1 : 3;
  const { height, width } = resolved;
  const dims = resolved.layout === 'nchw' ? [1, depth, height, width] : [1, height, width, depth];
  const shapes = await shapesOf(model, line, dims, file);
  if (!shapes.at(-1)!.float32) throw new ModelError(`model ${file}: its output is not float32`);
  onProgress(what, 0.2);

  const kept = keptCuts(line.places, shapes);
  const cuts = kept.map((index) => cutShape(line.places[index]!, shapes[index]!));
  cacheFolder(folder);
  cuts.slice(1).forEach((cut, index) => {
    const part = segment(model, line, kept[index]!, kept[index + 1]!, cuts[index]!, cut);
    writeWhole(path.join(folder, `segment-${index + 1}.onnx`), onnx.ModelProto.encode(part).finish());
    onProgress(what, 0.2 + (0.8 * (index + 1)) / (cuts.length - 1));
  });
  const manifest: Manifest = { version: CACHE_VERSION, inputDims, cuts };
  writeWhole(path.join(folder, 'manifest.json'), JSON.stringify(manifest, null, 2));
}

async function shapesOf(
  model: ModelWithGraph,
  line: Line,
  inputDims: readonly number[],
  file: string,
): Promise<PlaceShape[]> {
  const tensors = line.places.map((place) => place.tensor);
  const output = tensors.slice(1).map((name) => new onnx.ValueInfoProto({ name }));
  const open = new onnx.ModelProto({ ...model, graph: { ...model.graph, output } });
  const bytes = onnx.ModelProto.encode(open).finish();
  const worker = new Worker(new URL('./shapes-worker.ts', import.meta.url), {
    workerData: { model: bytes, tensors, inputDims },
  });
  // The thread ends by itself: ONNX Runtime aborts the whole process where it is interrupted.
  const reply = await new Promise<{ shapes: PlaceShape[] } | { error: string }>((resolve, reject) => {
    worker.once('message', (answer) => worker.once('exit', () => resolve(answer)));
    worker.once('error', reject);
  });
  if ('error' in reply)
    throw new ModelError(
      `model ${file}: ONNX Runtime does not take it: ${reply.error.replace(/\s+/g, ' ').trim()}`,
    );
  return reply.shapes;
}
