/** Runs models in ONNX Runtime for the preparation, one at a time: `create` and `run` block their thread. */
import { parentPort } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { RuntimeReply, RuntimeRequest } from './runtime-thread.ts';
import { SESSION_OPTIONS } from './session-options.ts';
import type { Values } from './tensors.ts';

const port = parentPort!;

async function run({ model, folder, feeds, outputs, optimise }: RuntimeRequest): Promise<RuntimeReply> {
  const { session: entries } = SESSION_OPTIONS.extra as { session: object };
  const options: InferenceSession.SessionOptions = {
    ...SESSION_OPTIONS,
    ...(optimise ? {} : { graphOptimizationLevel: 'disabled' }),
    extra: { session: { ...entries, model_external_initializers_file_folder_path: folder } },
  };
  // The runtime looks for external data beside a file, and in that folder where it is given bytes.
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model, SESSION_OPTIONS)
    : InferenceSession.create(model, options));
  try {
    const known = new Map(
      session.outputMetadata.map((output) => [output.name, output.isTensor ? output.shape : []]),
    );
    const results: Record<string, Values>[] = [];
    for (const feed of feeds) {
      const tensors = Object.entries(feed).map(([name, { type, data, dims }]): [string, Tensor] => [
        name,
        new Tensor(type as 'float32', data as Float32Array, dims),
      ]);
      const found = await session.run(Object.fromEntries(tensors));
      const values = Object.entries(found).map(([name, { type, dims, data }]): [string, Values] => [
        name,
        outputs === 'values'
          ? { type, dims: [...dims], data }
          : { type, dims: [...dims], data: [], known: [...known.get(name)!] },
      ]);
      results.push(Object.fromEntries(values));
    }
    return { results };
  } finally {
    await session.release();
  }
}

let turn: Promise<unknown> = Promise.resolve();
port.on('message', (request: RuntimeRequest | 'end') => {
  turn = turn.then(async () => {
    // The thread ends by itself: ONNX Runtime aborts the whole process where it is interrupted.
    if (request === 'end') return port.close();
    try {
      port.postMessage(await run(request));
    } catch (error) {
      port.postMessage({ error: (error as Error).message } satisfies RuntimeReply);
    }
  });
});
