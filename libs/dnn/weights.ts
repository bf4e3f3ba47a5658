/**
 * Where the weights of a model lie. Large ones stay in their files, the ONNX file or those beside it, until
 * a model that needs them is written: a network of several GB is cut without being in memory.
 */
import {
  closeSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import {
  decodeOnnx,
  ModelError,
  type ModelProto,
  type ModelWithGraph,
  onnx,
  type TensorProto,
} from './onnx.ts';

/** A protobuf message ends at 2 GiB; this leaves room for the operators. In bytes. */
const MOST_INLINE_BYTES = 1.9e9;
/** Smaller weights stay in memory: the runtime reads shapes and axes off them before it runs. In bytes. */
const LEAST_EXTERNAL_BYTES = 4096;
/** ONNX recommends that parts of a data file start at a page. In bytes. */
const ALIGNMENT = 4096;
const COPY_BYTES = 16 << 20;
const EXTERNAL = 1;

/** Bits of an element by ONNX's number of its type. */
const ELEMENT_BITS: Readonly<Record<number, number>> = {
  ...{ 1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128 },
  ...{ 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8 },
};

/** A part of a file; `offset` and `length` are in bytes. */
interface Part {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** The folder that the locations of a model's external data are relative to. */
export function folderOf(modelFile: string): string {
  return path.dirname(realpathSync(modelFile));
}

/**
 * Reads and checks an ONNX file. Its large weights are external data afterwards, parts of this very file if
 * they were inside it.
 * @throws ModelError where there is no such file, no ONNX in it, no graph, no opset, or data that is missing,
 * too short, or outside the model's folder.
 */
export function readOnnx(file: string): ModelWithGraph {
  const { model, bytes } = decodeOnnx(file);
  const folder = folderOf(file);
  const name = path.basename(realpathSync(file));
  const initializer = (model.graph.initializer as TensorProto[]).map((tensor) => {
    if (isExternal(tensor)) return checkedPart(tensor, folder, file);
    const { rawData } = tensor;
    if (rawData.buffer !== bytes.buffer || rawData.byteLength < LEAST_EXTERNAL_BYTES) return tensor;
    return externalTensor(tensor, {
      file: name,
      offset: rawData.byteOffset - bytes.byteOffset,
      length: rawData.byteLength,
    });
  });
  return new onnx.ModelProto({
    ...model,
    graph: { ...model.graph, initializer },
  }) as unknown as ModelWithGraph;
}

function isExternal(tensor: TensorProto): boolean {
  return Number(tensor.dataLocation) === EXTERNAL || tensor.externalData.length > 0;
}

function externalTensor(tensor: TensorProto, { file, offset, length }: Part): TensorProto {
  const entries = { location: file, offset: String(offset), length: String(length) };
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return new onnx.TensorProto({ ...described(tensor), dataLocation: EXTERNAL, externalData });
}

/** All of a tensor but its data. */
export function described(tensor: TensorProto): TensorProto {
  const { name, dims, dataType, docString, $newer } = tensor;
  return { name, dims, dataType, docString, ...($newer ? { $newer } : {}) } as TensorProto;
}

const entryOf = (tensor: TensorProto, key: string): string | undefined =>
  tensor.externalData.find((entry) => entry.key === key)?.value ?? undefined;

/** Bytes of a tensor by its dimensions and its type; undefined for a type whose elements have no fixed size. */
export function weightBytesOf({ dims, dataType }: TensorProto): number | undefined {
  const bits = ELEMENT_BITS[dataType];
  const elements = dims.reduce<number>((product, dim) => product * Number(dim), 1);
  return bits === undefined ? undefined : Math.ceil((elements * bits) / 8);
}

/** The same tensor with its offset and length written out, when its data is there. */
function checkedPart(tensor: TensorProto, folder: string, modelFile: string): TensorProto {
  const no = (what: string): never => {
    throw new ModelError(`model ${modelFile}: the weight ${tensor.name} ${what}`);
  };
  const location = entryOf(tensor, 'location');
  if (!location) return no('lies in another file, but the model does not say in which');
  const relative = path.normalize(location);
  if (path.isAbsolute(relative) || relative === '..' || relative.startsWith(`..${path.sep}`))
    return no(`lies in ${location}, outside the model's folder`);
  const offset = Number(entryOf(tensor, 'offset') ?? 0);
  const expected = weightBytesOf(tensor);
  const length = Number(entryOf(tensor, 'length') ?? expected);
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0)
    return no(`lies in ${location}, at a place that is no number`);
  if (expected !== undefined && length !== expected)
    return no(`lies in ${location} with ${length} bytes, but has ${expected}`);
  const size = sizeOf(path.join(folder, relative));
  if (size === undefined) return no(`lies in ${location}, and there is no such file beside the model`);
  if (offset + length > size)
    return no(`lies in ${location} up to byte ${offset + length}, but that file has ${size} bytes`);
  return externalTensor(tensor, { file: relative, offset, length });
}

function sizeOf(file: string): number | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : undefined;
}

/** The files beside an ONNX file that hold weights of it, each once, with their full paths. */
export function dataFiles(model: ModelWithGraph, modelFile: string): string[] {
  const folder = folderOf(modelFile);
  const own = realpathSync(modelFile);
  const files = (model.graph.initializer as TensorProto[])
    .filter(isExternal)
    .map((tensor) => path.join(folder, entryOf(tensor, 'location')!));
  return [...new Set(files)].filter((file) => file !== own).sort();
}

function partOf(tensor: TensorProto, folder: string): Part {
  return {
    file: path.join(folder, entryOf(tensor, 'location')!),
    offset: Number(entryOf(tensor, 'offset')),
    length: Number(entryOf(tensor, 'length')),
  };
}

/** The bytes of a part of a file, piece by piece. */
function* piecesOf({ file, offset, length }: Part): Generator<Uint8Array> {
  const open = openSync(file, 'r');
  try {
    for (let done = 0; done < length; ) {
      const piece = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, length - done));
      const read = readSync(open, piece, 0, piece.length, offset + done);
      if (read === 0) throw new ModelError(`model ${file}: it has become shorter while it was read`);
      yield piece.subarray(0, read);
      done += read;
    }
  } finally {
    closeSync(open);
  }
}

/** The tensor with its bytes in it. */
export function inMemory(tensor: TensorProto, folder: string): TensorProto {
  if (!isExternal(tensor)) return tensor;
  const part = partOf(tensor, folder);
  const rawData = new Uint8Array(part.length);
  let done = 0;
  for (const piece of piecesOf(part)) {
    rawData.set(piece, done);
    done += piece.length;
  }
  return new onnx.TensorProto({ ...described(tensor), rawData });
}

/**
 * Writes a model with all its weights to `target`: as one file, or with `target`.data beside it where they
 * are too many for one. `target` appears last and in one step.
 * @param folder what the model's external data is relative to.
 * @throws Error of the system; nothing half written is left.
 */
export function writeModel(
  model: ModelProto,
  folder: string,
  target: string,
  mostInlineBytes = MOST_INLINE_BYTES,
): void {
  const tensors = (model.graph?.initializer ?? []) as TensorProto[];
  const bytesOf = (tensor: TensorProto): number =>
    isExternal(tensor) ? partOf(tensor, folder).length : tensor.rawData.byteLength;
  const bytes = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const dataFile = `${target}.data`;
  const save = (initializer: TensorProto[]): void =>
    writeWhole(target, (open) => {
      const whole = new onnx.ModelProto({ ...model, graph: { ...model.graph, initializer } });
      writeAll(open, onnx.ModelProto.encode(whole).finish());
    });
  if (bytes <= mostInlineBytes) {
    save(tensors.map((tensor) => inMemory(tensor, folder)));
    rmSync(dataFile, { force: true });
    return;
  }
  let initializer: TensorProto[] = [];
  writeWhole(dataFile, (open) => {
    let end = 0;
    initializer = tensors.map((tensor) => {
      const length = bytesOf(tensor);
      if (length < LEAST_EXTERNAL_BYTES) return inMemory(tensor, folder);
      const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      let at = offset;
      for (const piece of isExternal(tensor) ? piecesOf(partOf(tensor, folder)) : [tensor.rawData]) {
        writeAll(open, piece, at);
        at += piece.length;
      }
      end = at;
      return externalTensor(tensor, { file: path.basename(dataFile), offset, length });
    });
  });
  save(initializer);
}

function writeAll(open: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(open, bytes, done, bytes.length - done, at === undefined ? null : at + done);
}

/**
 * Writes a file in one step, so that a process that is killed leaves nothing half made behind.
 * @throws Error of the system.
 */
export function writeWhole(target: string, content: Uint8Array | ((open: number) => void)): void {
  const partial = `${target}.${process.pid}.partial`;
  try {
    const open = openSync(partial, 'w');
    try {
      if (typeof content === 'function') content(open);
      else writeAll(open, content);
    } finally {
      closeSync(open);
    }
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}
