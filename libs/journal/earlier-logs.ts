/** What a node finds in its folder when it starts again: its earlier logs, and what they leave to do. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { BEGINNING, type OpenRun, type Position } from './hand-over.ts';
import { type LogReader, openLog } from './reader.ts';
import type { Row } from './tables.ts';

/** A log of a node by its place in the order of its starts, from 1 on. */
export interface LogFile {
  readonly start: number;
  readonly file: string;
}

/** `node.sqlite`, then `node.2.sqlite` and so on where the node was started again in the same folder. */
export function logFile(folder: string, node: string, start: number): LogFile {
  return { start, file: path.join(folder, start === 1 ? `${node}.sqlite` : `${node}.${start}.sqlite`) };
}

/** A node's logs in a folder, the oldest first. */
export function logFiles(folder: string, node: string): LogFile[] {
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  const names = isFolder ? readdirSync(folder) : [];
  return names
    .flatMap((name) => {
      const [of, number, ...rest] = name.split('.').slice(0, -1);
      const start = number === undefined ? 1 : Number(number);
      const known = logFile(folder, node, start);
      return of === node && rest.length === 0 && path.basename(known.file) === name ? [known] : [];
    })
    .sort((a, b) => a.start - b.start);
}

/** The log that a node that starts now is to write: no number is given twice while a later one is there. */
export function nextLogFile(folder: string, node: string): LogFile {
  const { start } = logFiles(folder, node).at(-1) ?? { start: 0 };
  return logFile(folder, node, start + 1);
}

/** What earlier processes of a vehicle have left to do. */
export interface Legacy {
  /** Frames without an end. */
  readonly left: readonly Row<'crash_left'>[];
  /** Logs that are not handed over, as far as known, the oldest first. */
  readonly open: readonly OpenRun[];
  /** Logs that cannot be read, each with the reason. */
  readonly unreadable: readonly string[];
}

/**
 * Looks back through a vehicle's earlier logs to the newest that has its first rows: with these it has written down
 * whatever was left before it.
 */
export function legacyOf(folder: string, node: string, start: number): Legacy {
  const unreadable: string[] = [];
  const earlier = logFiles(folder, node).filter((file) => file.start < start);
  for (const { file } of earlier.toReversed()) {
    try {
      const log = openLog(file);
      try {
        const [run] = log.rows('run');
        if (run) return { left: leftIn(log, run), open: openAfter(log, run), unreadable };
      } finally {
        log.close();
      }
    } catch (error) {
      // Whatever is wrong with it, the node starts.
      unreadable.push((error as Error).message);
    }
  }
  return { left: [], open: [], unreadable };
}

function leftIn(log: LogReader, { id, start }: Row<'run'>): Row<'crash_left'>[] {
  const ended = new Set(log.rows('result').map(({ frame }) => frame));
  return log
    .rows('frame')
    .filter(({ frame }) => !ended.has(frame))
    .map(({ frame, round, camera }) => ({ run: id, start, frame, round, camera }));
}

/** What was open when a process ended: what it had found so and not closed, and its own log. */
function openAfter(log: LogReader, { id, start }: Row<'run'>): OpenRun[] {
  const last = new Map(log.rows('handed_over').map((row) => [row.run, row]));
  const earlier = [...last.values()].filter(({ run, whole }) => run !== id && whole === 0);
  const own = { run: id, start, position: positionIn(last.get(id)) };
  return [...earlier.map((row) => ({ run: row.run, start: row.start, position: positionIn(row) })), own].sort(
    (a, b) => a.start - b.start,
  );
}

function positionIn(row: Row<'handed_over'> | undefined): Position {
  return row ? (JSON.parse(row.position) as number[]) : BEGINNING;
}
