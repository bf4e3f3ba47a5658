/** Threads that load ONNX Runtime; nothing else may load it. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread of this folder. The runtime's builds from 1.29 on tell their maker the name and the hash of each
 * model, the machine's identity among it, unless this is in the process's environment before they are loaded: there
 * is no other switch, and a thread's own environment is a copy that the runtime does not see.
 */
export function startRuntimeThread(file: `./${string}.ts`, options?: WorkerOptions): Worker {
  process.env.ORT_DISABLE_TELEMETRY = '1';
  return new Worker(new URL(file, import.meta.url), options);
}
