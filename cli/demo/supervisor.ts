/** Starts the nodes as processes, starts those again that die, and leaves none behind. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '@splitlane/clock';
import { OUR_FAULT } from '../exit-codes.ts';
import type { NodeMessage } from '../run-node.ts';

/** A node cannot run; `exitCode` says whose fault that is. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

interface Supervised {
  readonly role: string;
  readonly config: string;
  child: ChildProcess;
  restarts: number;
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const MAX_RESTARTS = 3;
const RESTART_MS = 500;
/** A node that is told to stop and does not is killed after so long. */
const STOP_MS = 10_000;

export interface SupervisorListeners {
  readonly onProgress: (progress: unknown) => void;
  /** A node died and is being started again. */
  readonly onRestart: (node: string, how: string) => void;
  /** A node cannot run, and the run cannot go on. */
  readonly onFailure: (failure: NodeFailure) => void;
}

export class Supervisor {
  readonly #listeners: SupervisorListeners;
  readonly #nodes = new Map<string, Supervised>();
  #stopping = false;

  constructor(listeners: SupervisorListeners) {
    this.#listeners = listeners;
  }

  /**
   * Starts a node; resolves once it is ready, with its port if it has one.
   * @throws NodeFailure where it does not get so far.
   */
  start(name: string, role: string, config: string): Promise<number | undefined> {
    const ready = Promise.withResolvers<number | undefined>();
    const node: Supervised = { role, config, child: this.#fork(role, config), restarts: 0 };
    this.#nodes.set(name, node);
    this.#watch(name, node, ready);
    return ready.promise;
  }

  /** Stops all nodes, those that were started last first. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const byRole = Map.groupBy([...this.#nodes.values()].reverse(), ({ role }) => role);
    for (const nodes of byRole.values()) await Promise.all(nodes.map(({ child }) => this.#end(child)));
  }

  /** Kills whatever still runs, without a goodbye. */
  kill(): void {
    this.#stopping = true;
    for (const { child } of this.#nodes.values()) child.kill('SIGKILL');
  }

  #fork(role: string, config: string): ChildProcess {
    return fork(MAIN, [role, '--config', config], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  #watch(
    name: string,
    node: Supervised,
    ready: Pick<PromiseWithResolvers<number | undefined>, 'resolve' | 'reject'>,
  ): void {
    let failure: NodeFailure | undefined;
    node.child.on('message', (message: NodeMessage) => {
      if (message.kind === 'ready') ready.resolve(message.port);
      else if (message.kind === 'progress') this.#listeners.onProgress(message.progress);
      else failure = new NodeFailure(`${name}: ${message.message}`, message.exitCode);
    });
    node.child.once('error', (error) =>
      ready.reject(new NodeFailure(`${name}: ${error.message}`, OUR_FAULT)),
    );
    node.child.once('exit', (code, signal) => {
      const how = signal ? `killed by ${signal}` : `exit code ${code}`;
      const fail = (reason: NodeFailure): void => {
        ready.reject(reason);
        if (!this.#stopping) this.#listeners.onFailure(reason);
      };
      if (failure) return fail(failure);
      if (this.#stopping) return ready.reject(new NodeFailure(`${name}: stopped`, OUR_FAULT));
      if (node.role === 'rsu') return fail(new NodeFailure(`${name}: ended (${how})`, OUR_FAULT));
      if (node.restarts >= MAX_RESTARTS)
        return fail(new NodeFailure(`${name}: ended ${MAX_RESTARTS + 1} times (${how})`, OUR_FAULT));
      this.#listeners.onRestart(name, how);
      clock.after(RESTART_MS, () => {
        if (this.#stopping) return;
        node.restarts++;
        node.child = this.#fork(node.role, node.config);
        this.#watch(name, node, ready);
      });
    });
  }

  async #end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    const timer = clock.after(STOP_MS, () => child.kill('SIGKILL'));
    await promise;
    timer.cancel();
  }
}
