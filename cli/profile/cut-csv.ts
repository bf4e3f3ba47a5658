/** The cuts of a profile as the table that `splitlane plan` reads. */
import type { Profiling } from './profiling.ts';

const DECIMALS = 4;

export function cutCsv({ cuts }: Pick<Profiling, 'cuts'>): string {
  const rows = cuts.map(({ cut, headMs, bytes, tailMs }) => [quoted(cut), ms(headMs), bytes, ms(tailMs)]);
  return [['cut', 'headMs', 'bytes', 'tailMs'], ...rows].map((row) => `${row.join(',')}\n`).join('');
}

const ms = (value: number): number => Number(value.toFixed(DECIMALS));

function quoted(name: string): string {
  return /[",\r\n]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
