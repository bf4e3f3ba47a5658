/** The main thread's side of an inference thread. */
import type { Worker } from 'node:worker_threads';
import type {
  Assignment,
  MeasureReply,
  MeasureRequest,
  Reply,
  RunReply,
  RunRequest,
  StopRequest,
  ThreadData,
} from './inference-messages.ts';
import { spreadOf } from './profile.ts';
import { startRuntimeThread } from './start-thread.ts';

const MEASURING = { repetitions: 15, warmUps: 3, gapMs: 30 };

interface Waiting {
  resolve(reply: RunReply & MeasureReply): void;
  reject(error: Error): void;
}

/** One thread with the sessions of a model's segments, loaded once; it runs what it is sent in order. */
export class InferenceThread {
  readonly #worker: Worker;
  readonly #first: number;
  readonly #ready: Promise<void>;
  readonly #exited = Promise.withResolvers<void>();
  readonly #stopped = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: Error | undefined;

  constructor(assignment: Assignment) {
    this.#first = assignment.first;
    const workerData: ThreadData = { assignment, stopped: this.#stopped };
    this.#worker = startRuntimeThread('./inference-worker.ts', { workerData });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ready = promise;
    promise.catch(() => {});
    this.#worker.on('message', (reply: Reply | 'ready') => {
      if (reply === 'ready') return resolve();
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(new Error(reply.error));
      else waiting?.resolve(reply as RunReply & MeasureReply);
    });
    const fail = (error: Error): void => {
      this.#ended ??= error;
      reject(error);
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
    };
    this.#worker.on('error', fail);
    this.#worker.on('exit', () => {
      fail(new Error('the inference thread has ended'));
      this.#exited.resolve();
    });
  }

  /** Resolves once all sessions are loaded. @throws Error of the runtime where one cannot be. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /**
   * Runs segments; a float32 input's buffer is handed over to the thread unless `keep` is set.
   * @throws Error of the runtime, or of the picture at cut 0.
   */
  run(request: Omit<RunRequest, 'kind' | 'id'>, keep = false): Promise<RunReply> {
    const handOver = request.input.kind === 'float32' && !keep ? [request.input.data.buffer] : [];
    return this.#ask({ kind: 'run', ...request }, handOver);
  }

  /** Median time of each segment in ms, over some runs of the chain with a rest before each; 0 of what is not loaded. */
  async measure(): Promise<readonly number[]> {
    const { segmentRuns } = await this.#ask({ kind: 'measure', ...MEASURING }, []);
    return [...new Array<number>(this.#first).fill(0), ...segmentRuns.map((runs) => spreadOf(runs).medianMs)];
  }

  /**
   * Ends the thread as soon as it is out of the runtime; what waits for it is refused. It is not terminated:
   * ONNX Runtime aborts the whole process where it is interrupted.
   */
  async stop(): Promise<void> {
    Atomics.store(this.#stopped, 0, 1);
    Atomics.notify(this.#stopped, 0);
    this.#worker.postMessage({ kind: 'stop' } satisfies StopRequest);
    await this.#exited.promise;
  }

  #ask(
    request: Omit<RunRequest, 'id'> | Omit<MeasureRequest, 'id'>,
    handOver: ArrayBuffer[],
  ): Promise<RunReply & MeasureReply> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<RunReply & MeasureReply>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ ...request, id }, handOver);
    return promise;
  }
}
