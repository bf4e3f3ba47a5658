/** A node's log with what every node writes alike: its run, its faults, its event loop's delay. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Clock, type EventLoopDelay, watchEventLoop } from '@splitlane/clock';
import { Journal, type JournalError, type Recorder } from './journal.ts';
import type { Row, Table } from './tables.ts';

/** So many faults of a kind have a row of their own within a second: whoever floods a node does not fill its disk. */
const FLOOD_ROWS = 200;
const FLOOD_WINDOW_MS = 1000;

export interface NodeLogOptions {
  /** Folder of the run's logs. */
  readonly folder: string;
  readonly node: string;
  readonly clock: Clock;
  readonly onFailure: (error: JournalError) => void;
}

export interface RunFacts {
  readonly role: 'vehicle' | 'cloud' | 'roadside-unit';
  readonly softwareVersion: string;
  readonly config: unknown;
  readonly modelHash: string | null;
}

export class NodeLog implements Recorder {
  readonly #options: NodeLogOptions;
  readonly #journal: Journal;
  #eventLoop: EventLoopDelay | undefined;
  readonly #floods = new Map<
    string,
    { readonly sinceMs: number; rows: number; more: number; detail: string }
  >();
  #warm = false;

  constructor(options: NodeLogOptions) {
    this.#options = options;
    this.#journal = new Journal(freeFile(options.folder, options.node), options.clock, options.onFailure);
  }

  /** @throws JournalError where the log cannot be created. */
  async start(facts: RunFacts): Promise<void> {
    const { node, clock } = this.#options;
    await this.#journal.start();
    this.write('run', {
      node,
      role: facts.role,
      software_version: facts.softwareVersion,
      config: JSON.stringify(facts.config),
      model_hash: facts.modelHash,
      start_wall_ms: clock.wallMs(),
      start_ms: clock.now(),
    });
    this.#eventLoop = watchEventLoop();
  }

  write<T extends Table>(table: T, row: Row<T>): void {
    this.#journal.write(table, row);
  }

  /** Writes down a fault; of a flood of one kind, a row for each at first, then one row a second for all. */
  fault(kind: string, detail: string): void {
    const nowMs = this.#options.clock.now();
    const known = this.#floods.get(kind);
    const flood =
      known && nowMs - known.sinceMs < FLOOD_WINDOW_MS ? known : { sinceMs: nowMs, rows: 0, more: 0, detail };
    if (flood !== known) {
      this.#endFlood(kind);
      this.#floods.set(kind, flood);
    }
    if (flood.rows++ < FLOOD_ROWS) {
      this.write('fault', { at_ms: nowMs, kind, detail, count: 1 });
      return;
    }
    flood.more++;
    flood.detail = detail;
  }

  /** @param realMs what the inference itself took of the stage. */
  span(
    vehicle: string,
    frame: number,
    stage: string,
    startMs: number,
    endMs: number,
    realMs: number | null = null,
  ): void {
    this.write('span', { vehicle, frame, stage, start_ms: startMs, end_ms: endMs, real_ms: realMs });
  }

  /** Start-up is over: only now does the event loop's delay count. Later calls change nothing. */
  warm(): void {
    if (!this.#warm) this.#eventLoop?.reset();
    this.#warm = true;
  }

  /** Writes the figures of the run and closes the file. */
  async stop(): Promise<void> {
    for (const kind of this.#floods.keys()) this.#endFlood(kind);
    if (this.#eventLoop) {
      const { p99Ms, maxMs } = this.#eventLoop.read();
      this.write('figure', { name: 'event_loop_p99_ms', value: p99Ms });
      this.write('figure', { name: 'event_loop_max_ms', value: maxMs });
      this.#eventLoop.stop();
    }
    await this.#journal.stop();
  }

  #endFlood(kind: string): void {
    const { sinceMs, more = 0, detail = '' } = this.#floods.get(kind) ?? {};
    if (more > 0) this.write('fault', { at_ms: sinceMs! + FLOOD_WINDOW_MS, kind, detail, count: more });
  }
}

/** `node.sqlite`, or `node.2.sqlite` and so on where the node was restarted in the same run. */
function freeFile(folder: string, node: string): string {
  for (let start = 1; ; start++) {
    const file = path.join(folder, start === 1 ? `${node}.sqlite` : `${node}.${start}.sqlite`);
    if (!existsSync(file)) return file;
  }
}
