/** Asks ONNX Runtime for the shapes of all tensors on a line: one run with every one of them as output. */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { PlaceShape } from './cuts.ts';
import { SESSION_OPTIONS } from './session-options.ts';

const { model, tensors, inputDims } = workerData as {
  model: Uint8Array;
  tensors: string[];
  inputDims: number[];
};
try {
  const session = await InferenceSession.create(model, {
    ...SESSION_OPTIONS,
    graphOptimizationLevel: 'disabled',
  });
  const elements = inputDims.reduce((a, b) => a * b, 1);
  const input = new Tensor('float32', new Float32Array(elements).fill(0.5), inputDims);
  const outputs = await session.run({ [tensors[0]!]: input });
  const shapes: PlaceShape[] = tensors.map((name, index) => {
    const tensor = index === 0 ? input : outputs[name]!;
    return { dims: [...tensor.dims], float32: tensor.type === 'float32' };
  });
  parentPort!.postMessage({ shapes });
} catch (error) {
  parentPort!.postMessage({ error: (error as Error).message });
}
