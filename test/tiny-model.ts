/** Small line networks that the tests make for themselves. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LineSpec } from '../libs/dnn/architectures/line-spec.ts';
import { writeLine } from '../libs/dnn/architectures/write-line.ts';
import { onnx } from '../libs/dnn/onnx.ts';

/** Kept cuts: input (12,288 bytes), pool1 (8,192), pool2 (2,048), fc3 (256), fc4 (local-only). */
export const TINY: LineSpec = {
  name: 'tiny',
  input: [3, 32, 32],
  layers: [
    { kind: 'conv', name: 'conv1', channels: 8, kernel: 3, stride: 1, pad: 1 },
    { kind: 'max-pool', name: 'pool1', kernel: 2, stride: 2 },
    { kind: 'conv', name: 'conv2', channels: 8, kernel: 3, stride: 1, pad: 1 },
    { kind: 'max-pool', name: 'pool2', kernel: 2, stride: 2 },
    { kind: 'fully-connected', name: 'fc3', channels: 64, relu: true },
    { kind: 'fully-connected', name: 'fc4', channels: 10, relu: false },
  ],
  seed: 1,
};

/** Writes a network into a folder; another seed gives another model. Returns the file's path. */
export function writeTinyModel(folder: string, spec: LineSpec = TINY): string {
  const file = path.join(folder, `${spec.name}.onnx`);
  writeFileSync(file, onnx.ModelProto.encode(writeLine(spec)).finish());
  return file;
}
