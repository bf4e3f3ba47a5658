/** The main thread's side of the thread that runs models while one is prepared. */
import { ModelError, type ModelProto, onnx } from './onnx.ts';
import { startRuntimeThread } from './start-thread.ts';
import type { Values } from './tensors.ts';

/** A model that is loaded, run on each of some inputs, and released. */
export interface RuntimeRequest {
  /** The path of a model, or one in memory. */
  readonly model: string | Uint8Array;
  /** What the external data of one in memory is relative to. */
  readonly folder: string;
  /** By the names of the inputs, a set a run. */
  readonly feeds: readonly Readonly<Record<string, Values>>[];
  /** Whether the outputs' values are wanted, or only their shapes. */
  readonly outputs: 'values' | 'shapes';
  /** As the nodes load it, or operator by operator as it is written. A model in a file is always optimised. */
  readonly optimise: boolean;
}

export type RuntimeReply =
  | { readonly results: readonly Readonly<Record<string, Values>>[] }
  | { readonly error: string };

/** Holds one model at a time. Ends with `end`, or with the `using` block it stands in. */
export class RuntimeThread {
  readonly #worker = startRuntimeThread('./runtime-worker.ts');
  readonly #exited: Promise<unknown>;
  #failed: Error | undefined;

  constructor() {
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.once('error', (error: Error) => {
      this.#failed = error;
    });
  }

  /**
   * Runs a model on each of `feeds`; one call at a time.
   * @throws ModelError with the runtime's reason where it does not take the model.
   */
  async run(
    file: string,
    model: string | ModelProto,
    request: Omit<RuntimeRequest, 'model'>,
  ): Promise<readonly Readonly<Record<string, Values>>[]> {
    const bytes = typeof model === 'string' ? model : onnx.ModelProto.encode(model).finish();
    const answer = new Promise<RuntimeReply>((resolve, reject) => {
      this.#worker.once('message', resolve);
      void this.#exited.then(() => reject(this.#failed ?? new Error('the runtime’s thread has ended')));
    });
    this.#worker.postMessage({ ...request, model: bytes } satisfies RuntimeRequest);
    const reply = await answer;
    if ('error' in reply)
      throw new ModelError(`model ${file}: ONNX Runtime does not take it: ${reasonOf(reply.error)}`);
    return reply.results;
  }

  async end(): Promise<void> {
    this.#worker.postMessage('end');
    await this.#exited;
  }
}

const UNSUPPORTED = [
  /No Op registered for (?<operator>\S+)/,
  /Could not find an implementation for (?<operator>[^\s(]+)/,
  /(?<operator>\S+?)\(-?\d+\) is not a registered function\/op/,
];

const PLACE_IN_ITS_SOURCE = /\S+\.(?:cc|h):\d+ (?:(?:\w+ )?[\w:~]+\([^()]*\) |\w+ )/;

/** The runtime's words in one line, led by the operator where that is what it lacks. */
function reasonOf(error: string): string {
  const line = error.replace(/\s+/g, ' ').replace(PLACE_IN_ITS_SOURCE, '').trim();
  const operator = UNSUPPORTED.map((pattern) => pattern.exec(line)?.groups?.operator).find(Boolean);
  return operator === undefined ? line : `operator ${operator} is not supported: ${line}`;
}
