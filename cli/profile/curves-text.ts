/** The two curves of a profile for the terminal. */
import { printable } from '../table.ts';
import { type Profiling, placeOf } from './profiling.ts';

const BAR_WIDTH = 52;
const NAME_WIDTH = 16;

/** Two bars for each cut, head and uplink, and a line between the two rows where they cross. */
export function curvesText(profiling: Pick<Profiling, 'cuts' | 'crossing' | 'uplinkBps'>): string {
  const { cuts, crossing, uplinkBps } = profiling;
  const mostMs = Math.max(...cuts.flatMap(({ headMs, p2Ms }) => [headMs, p2Ms]));
  const names = cuts.map(({ cut, onHull }) => `${onHull ? '*' : ' '} ${clipped(printable(cut))}`);
  const width = Math.max(...names.map(({ length }) => length));
  const bar = (ms: number, sign: string): string => {
    const length = Math.round((ms / mostMs) * BAR_WIDTH);
    return `${sign.repeat(ms > 0 ? Math.max(1, length) : 0)} ${ms.toFixed(ms < 100 ? 2 : 1)}`.trimStart();
  };
  const lines = cuts.flatMap(({ headMs, p2Ms }, index) => [
    `${names[index]!.padEnd(width)}  p1 ${bar(headMs, '█')}`,
    `${' '.repeat(width)}  p2 ${bar(p2Ms, '░')}`,
  ]);
  const mark = `${'─'.repeat(width)}── p1 = p2 at about ${crossing.ms.toFixed(crossing.ms < 100 ? 2 : 1)} ms `;
  lines.splice(2 * Math.ceil(placeOf(profiling)), 0, mark.padEnd(width + 5 + BAR_WIDTH, '─'));
  return [
    `p1: head, p2: float32 tensor on the uplink at ${Number((uplinkBps / 1e6).toPrecision(4))} Mbit/s, in ms; * on the hull`,
    ...lines,
    '',
  ].join('\n');
}

const clipped = (name: string): string =>
  name.length > NAME_WIDTH ? `${name.slice(0, NAME_WIDTH - 1)}…` : name;
