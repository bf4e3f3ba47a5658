/** Times that ratios are made of. */
import { median } from '../../field-tests/quantile.ts';

const WARM_UP_MS = 30;
const BATCH_MS = 0.5;
const LEAST_ROUNDS = 3;
const MOST_ROUNDS = 51;

let sink: unknown;

/**
 * Median ms of a call of each work. They are called in turns, so that a moment in which the machine is busy with
 * something else falls on all of them alike; short ones in batches that the clock can resolve.
 * @param budgetMs no further round begins after this time, once there are three.
 */
export function mediansMs(works: readonly (() => unknown)[], budgetMs = 1000): number[] {
  const batches = works.map((work) => {
    let calls = 0;
    const from = performance.now();
    do {
      // Kept, so that no call can be found to be of no use and left out.
      sink = work();
      calls++;
    } while (performance.now() - from < WARM_UP_MS);
    return Math.max(1, Math.floor((BATCH_MS * calls) / (performance.now() - from)));
  });
  const times = works.map((): number[] => []);
  const startMs = performance.now();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (round >= LEAST_ROUNDS && performance.now() - startMs > budgetMs) break;
    works.forEach((work, index) => {
      const from = performance.now();
      for (let call = 0; call < batches[index]!; call++) sink = work();
      times[index]!.push((performance.now() - from) / batches[index]!);
    });
  }
  void sink;
  return times.map(median);
}

/** Three significant digits, in full: 0.0142, 3.07, 1,230. */
export const figure = (value: number): string =>
  value.toLocaleString('en-US', { maximumSignificantDigits: 3 });

/** Lines of a table for the terminal: the first column to the left, figures to the right. */
export function printRows(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows)
    console.log(
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')}`,
    );
}
