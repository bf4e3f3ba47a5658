/**
 * From a model's name or path to its file, its card, and its place in the cache. The cache lies outside the
 * project; what is made of a model is kept there under the hash of the model's bytes.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { ARCHITECTURES, type Architecture, writeNetwork } from './architectures/index.ts';
import { type CardFile, cardOver, readCard } from './card.ts';
import { makeFolder } from './make-folder.ts';
import { ModelError } from './onnx.ts';
import { writeModel } from './weights.ts';

/** Networks that the product writes itself, by name. */
export const BUILT_IN: Readonly<Record<string, Architecture>> = ARCHITECTURES;

/** Raised when what is in the cache is made differently. */
export const CACHE_VERSION = 3;

export type OnProgress = (what: string, fraction: number) => void;

export interface PrepareOptions {
  /** Where the cache lies; `$XDG_CACHE_HOME/splitlane` or `~/.cache/splitlane` unless given. */
  readonly cacheDir?: string;
  /** Told what is being made, and how much of it is, from 0 to 1. Not called where all is there. */
  readonly onProgress?: OnProgress;
}

export interface ModelSource {
  readonly name: string;
  /** The ONNX file. */
  readonly file: string;
  readonly card: CardFile;
  /** SHA-256 over the ONNX file's bytes, without those of data files beside it. */
  readonly bytesHash: string;
  /** The folder in the cache for what is made of this model with this card. */
  readonly cutFolder: string;
}

function defaultCacheDir(): string {
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'splitlane');
}

/**
 * Finds a model: one of the built-in names, or the path of an ONNX file with its card beside it.
 * @throws ModelError where there is no such model, or its card or the cache is at fault.
 */
export async function findModel(source: string, options: PrepareOptions = {}): Promise<ModelSource> {
  const { cacheDir = defaultCacheDir(), onProgress = () => {} } = options;
  const spec = Object.hasOwn(BUILT_IN, source) ? BUILT_IN[source] : undefined;
  if (!spec && !existsSync(source))
    throw new ModelError(
      `model ${source}: neither a built-in network (${Object.keys(BUILT_IN).join(', ')}) nor a file`,
    );
  cacheFolder(cacheDir);
  const file = spec ? builtIn(spec, cacheDir, onProgress) : path.resolve(source);
  const card = cardOver(spec?.card ?? {}, readCard(file));
  const bytesHash = await hashFiles([file], file);
  // What of the card decides the shapes of the tensors, and with them the cuts.
  const key = createHash('sha256')
    .update(bytesHash)
    .update(JSON.stringify([card.size ?? null, card.channels ?? null, card.layout ?? null]))
    .digest('hex');
  const cutFolder = path.join(cacheDir, `cut-${key.slice(0, 32)}`);
  return { name: spec?.name ?? path.basename(file), file, card, bytesHash, cutFolder };
}

/** SHA-256 over the bytes of files, one behind the other. @throws ModelError where one cannot be read. */
export async function hashFiles(files: readonly string[], modelFile: string): Promise<string> {
  const hash = createHash('sha256');
  // One for all reads: what a stream hands out piece by piece is as long as the weights before it is collected.
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (const file of files) {
    try {
      await using handle = await open(file);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
      }
    } catch (error) {
      const which = file === modelFile ? '' : `${path.basename(file)} beside it `;
      throw new ModelError(
        `model ${modelFile}: ${which}cannot be read (${(error as NodeJS.ErrnoException).code})`,
      );
    }
  }
  return hash.digest('hex');
}

export function cacheFolder(folder: string): void {
  inCache(folder, () => makeFolder(folder));
}

/** Turns the system's refusal to write into the user's error. @throws ModelError */
export function inCache<Result>(target: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    if (error instanceof ModelError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new ModelError(`cache ${target}: cannot be written (${code})`);
  }
}

function builtIn(spec: Architecture, cacheDir: string, onProgress: OnProgress): string {
  const file = path.join(cacheDir, `${spec.name}-v${BUILT_IN_VERSION}.onnx`);
  if (existsSync(file)) return file;
  const what = `writing ${spec.name}`;
  const model = writeNetwork(spec, (fraction) => onProgress(what, 0.7 * fraction));
  inCache(file, () => writeModel(model, cacheDir, file));
  onProgress(what, 1);
  return file;
}

/** Raised when a built-in network is written differently. */
const BUILT_IN_VERSION = 1;
