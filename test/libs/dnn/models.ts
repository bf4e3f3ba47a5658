/** Small ONNX models, whole or spoiled on purpose, and what a whole model answers. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { seededRandom } from '../../../libs/clock/index.ts';
import type { LineSpec } from '../../../libs/dnn/architectures/line-spec.ts';
import { writeLine } from '../../../libs/dnn/architectures/write-line.ts';
import { ModelError } from '../../../libs/dnn/index.ts';
import { FLOAT, onnx } from '../../../libs/dnn/onnx.ts';
import { SESSION_OPTIONS } from '../../../libs/dnn/session-options.ts';
import { TINY } from '../../tiny-model.ts';

/** A model as it is changed by tests: everything in it may be replaced. */
// biome-ignore lint/suspicious/noExplicitAny: what is spoiled on purpose has no type.
export type Loose = any;

/** A folder of the test's own that is gone after it. */
export function folder(context: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'splitlane-dnn-'));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Writes a small network, changed as told, to a file. Returns its path. */
export function write(
  place: string,
  name: string,
  change: (model: Loose) => void = () => {},
  spec: LineSpec = TINY,
): string {
  const model: Loose = writeLine(spec);
  change(model);
  const file = path.join(place, `${name}.onnx`);
  writeFileSync(file, onnx.ModelProto.encode(model).finish());
  return file;
}

/** A float32 weight with seeded values. */
export function weight(name: string, dims: readonly number[], seed = 1): object {
  const random = seededRandom(seed);
  const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random() - 0.5);
  return { name, dims: [...dims], dataType: FLOAT, rawData: new Uint8Array(values.buffer) };
}

/** An int64 weight, as shapes are. */
export function int64(name: string, values: readonly number[]): object {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, dims: [values.length], dataType: onnx.TensorProto.DataType.INT64, rawData };
}

/** A network's input with values like those of a normalised picture. */
export function inputOf(dims: readonly number[], seed: number): Float32Array<ArrayBuffer> {
  const random = seededRandom(seed);
  return Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 4 * random() - 2);
}

/** The digest of the unsplit model's output, by the runtime itself. */
export async function wholeDigest(
  file: string,
  input: Float32Array,
  dims: readonly number[],
): Promise<string> {
  const session = await InferenceSession.create(file, SESSION_OPTIONS);
  const feeds = { [session.inputNames[0]!]: new Tensor('float32', input, [...dims]) };
  const data = (await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array;
  await session.release();
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** What a user is told: one line that names the file. */
export function isModelError(error: unknown, file: string, message: RegExp): true {
  assert.ok(error instanceof ModelError, `${error}`);
  assert.match(error.message, message);
  assert.ok(error.message.includes(file), error.message);
  assert.doesNotMatch(error.message, /\n/);
  return true;
}
