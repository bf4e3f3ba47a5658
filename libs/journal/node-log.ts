/** A node's log with what every node writes alike: its run, its faults, its event loop's delay. */
import { randomBytes } from 'node:crypto';
import { type Clock, type EventLoopDelay, watchEventLoop } from '@splitlane/clock';
import { type LogFile, logFile, nextLogFile } from './earlier-logs.ts';
import { BEGINNING, type LogBatch, type OpenRun, type Position } from './hand-over.ts';
import { Journal, type Recorder } from './journal.ts';
import type { JournalError } from './journal-error.ts';
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
  readonly #file: LogFile;
  readonly #journal: Journal;
  readonly #id = randomBytes(16).toString('hex');
  #openRuns: readonly OpenRun[] = [];
  #earlierEpoch = 0;
  #eventLoop: EventLoopDelay | undefined;
  readonly #floods = new Map<
    string,
    { readonly sinceMs: number; rows: number; more: number; detail: string }
  >();
  #warm = false;

  constructor(options: NodeLogOptions) {
    this.#options = options;
    this.#file = nextLogFile(options.folder, options.node);
    this.#journal = new Journal(this.#file.file, options.clock, options.onFailure);
  }

  /**
   * Creates the log; a vehicle's names with its first rows what a crash has left in the one before, and a roadside unit
   * learns what it was handed over before. @throws JournalError where the log cannot be created.
   */
  async start(facts: RunFacts): Promise<void> {
    const { node, folder, clock } = this.#options;
    const { start } = this.#file;
    await this.#journal.start();
    const place = { node, folder, start };
    const legacy =
      facts.role === 'vehicle' ? await this.#journal.ask({ kind: 'legacy', ...place }) : undefined;
    this.write('run', {
      id: this.#id,
      node,
      start,
      role: facts.role,
      software_version: facts.softwareVersion,
      config: JSON.stringify(facts.config),
      model_hash: facts.modelHash,
      start_wall_ms: clock.wallMs(),
      start_ms: clock.now(),
    });
    for (const left of legacy?.left ?? []) this.write('crash_left', left);
    const open = legacy?.open ?? [];
    for (const run of open) this.handedOver(run, false);
    this.#openRuns = [...open, { run: this.#id, start, position: BEGINNING }];
    const remembered =
      facts.role === 'roadside-unit' ? await this.#journal.ask({ kind: 'remember', ...place }) : undefined;
    this.#earlierEpoch = remembered?.epoch ?? 0;
    for (const reason of (remembered ?? legacy)?.unreadable ?? []) this.fault('log-unreadable', reason);
    await this.#journal.ask({ kind: 'written' });
    this.#eventLoop = watchEventLoop();
  }

  /** The newest plan in earlier logs of this roadside unit; 0 where there is none. */
  get earlierEpoch(): number {
    return this.#earlierEpoch;
  }

  /** The logs of this vehicle that are not handed over, the oldest first, its own of this process last. */
  get openRuns(): readonly OpenRun[] {
    return this.#openRuns;
  }

  /** Writes down what the roadside unit has of a log of this vehicle; `whole`: there is no more of it. */
  handedOver({ run, start, position }: OpenRun, whole: boolean): void {
    const at_ms = this.#options.clock.now();
    this.write('handed_over', {
      at_ms,
      run,
      start,
      position: JSON.stringify(position),
      whole: whole ? 1 : 0,
    });
  }

  /**
   * Rows of a log of this vehicle after its position, packed; undefined where there are none.
   * @throws Error where it cannot be read.
   */
  read(
    { run, start, position }: OpenRun,
    maxBytes: number,
  ): Promise<Pick<LogBatch, 'through' | 'rows'> | undefined> {
    const { folder, node } = this.#options;
    const file = run === this.#id ? undefined : logFile(folder, node, start).file;
    return this.#journal.ask({ kind: 'read', file, after: position, maxBytes });
  }

  /**
   * Takes a batch of a vehicle's log. @returns what there is of that log now, durably.
   * @throws AskError where it is none, JournalError where it cannot be written.
   */
  receive(node: string, batch: LogBatch): Promise<Position> {
    // Of a view a thread gets all that is behind it.
    const own = { ...batch, rows: new Uint8Array(batch.rows) };
    return this.#journal.ask({ kind: 'receive', node, batch: own, atMs: this.#options.clock.now() });
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
