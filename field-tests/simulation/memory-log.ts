/** A node's log in memory: rows wait for their batch as those of the real writer do, and a crash loses that. */
import type { Clock } from '@splitlane/clock';
import { BATCH_MS, type Recorder, type Row, type Table } from '@splitlane/journal';

export class MemoryLog implements Recorder {
  readonly #clock: Clock;
  readonly #onRow: (table: Table, row: Row<Table>) => void;
  readonly #durable = new Map<Table, Row<Table>[]>();
  #batch: (readonly [Table, Row<Table>])[] = [];

  /** @param onRow told of every row as it is written, durable or not. */
  constructor(clock: Clock, onRow: (table: Table, row: Row<Table>) => void) {
    this.#clock = clock;
    this.#onRow = onRow;
  }

  write<T extends Table>(table: T, row: Row<T>): void {
    this.#onRow(table, row as Row<Table>);
    if (this.#batch.length === 0) this.#clock.after(BATCH_MS, () => this.flush());
    this.#batch.push([table, row as Row<Table>]);
  }

  /** Makes durable what waits, as the timer does, and as a node does that stops. */
  flush(): void {
    for (const [table, row] of this.#batch) {
      const rows = this.#durable.get(table);
      if (rows) rows.push(row);
      else this.#durable.set(table, [row]);
    }
    this.#batch = [];
  }

  /** What a reader finds, now or after a crash. */
  rows<T extends Table>(table: T): readonly Row<T>[] {
    return (this.#durable.get(table) ?? []) as unknown as readonly Row<T>[];
  }
}
