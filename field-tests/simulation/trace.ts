/** A run in lines for people: what each node was told, and what it did. */
import type { Row, Table } from '@splitlane/journal';
import type { Fault } from './scenario.ts';
import { type SimulationResult, simulate } from './simulate.ts';

const MOST_CHARACTERS = 220;

/** Replays a seed and tells each line of its trace as it comes. */
export function trace(seed: number, onLine: (line: string) => void): SimulationResult {
  const say = (atMs: number, who: string, what: string): void =>
    onLine(`${atMs.toFixed(3).padStart(13)}  ${who.padEnd(16)} ${shortened(what)}`);
  return simulate(seed, {
    onRow: (process, atMs, table, row) => {
      const what = lineOf(table, row);
      if (what) say(atMs, process, what);
    },
    onFault: ({ kind, node, forMs }: Fault, atMs) => say(atMs, node, `!! ${kind} for ${forMs.toFixed(1)} ms`),
  });
}

function lineOf(table: Table, row: Row<Table>): string | undefined {
  if (table === 'event') return `← ${inShort((row as Row<'event'>).event)}`;
  if (table === 'effect') return `  → ${inShort((row as Row<'effect'>).effect)}`;
  return undefined;
}

/** What happens, then its facts. */
function inShort(json: string): string {
  const { kind, atMs: _, ...facts } = JSON.parse(json) as { kind: string; atMs?: number };
  return `${kind} ${Object.keys(facts).length > 0 ? JSON.stringify(facts) : ''}`;
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
