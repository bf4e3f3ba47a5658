import type { ModelProto } from '../onnx.ts';
import { type LineSpec, line } from './line-spec.ts';
import { writeNetwork } from './write-network.ts';

/** Writes a line as an ONNX model with seeded weights, as `writeNetwork` does. */
export function writeLine(spec: LineSpec, onLayer?: (fraction: number) => void): ModelProto {
  return writeNetwork(line(spec), onLayer);
}
