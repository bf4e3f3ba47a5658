/**
 * Simulates whole systems with faults, a seed each, and checks what must hold of every run.
 *
 *   npm run sim -- --seeds 10000          from seed 1 on
 *   npm run sim -- --seed 4711            one seed again, with its trace
 */
import { parseArgs } from 'node:util';
import { systemClock } from '@splitlane/clock';
import { INVARIANTS, type Tally } from './books.ts';
import { simulate } from './simulate.ts';
import { trace } from './trace.ts';

const DEFAULT_SEEDS = 1000;
const LAST_LINES = 30;
const PROGRESS_MS = 5000;
const MOST_SHOWN = 10;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} must be a whole number, not '${text}'\n`);
  process.exit(2);
}

/** @returns how many of the seeds from 1 on break an invariant. */
function runMany(seeds: number): number {
  const startMs = systemClock.now();
  const sum: Partial<Record<keyof Tally, number>> = {};
  const failed: number[] = [];
  let longest = { seed: 0, recoveryMs: 0 };
  let toldMs = startMs;
  const rate = (done: number): string => ((done * 1000) / (systemClock.now() - startMs)).toFixed(1);
  for (let seed = 1; seed <= seeds; seed++) {
    const { tally, violation, recoveryMs = 0 } = simulate(seed);
    if (recoveryMs > longest.recoveryMs) longest = { seed, recoveryMs };
    for (const [name, count] of Object.entries(tally) as [keyof Tally, number][])
      sum[name] = (sum[name] ?? 0) + count;
    if (violation) {
      failed.push(seed);
      if (failed.length <= MOST_SHOWN) say(`seed ${seed}: ${violation.message}`);
    }
    if (systemClock.now() - toldMs < PROGRESS_MS) continue;
    toldMs = systemClock.now();
    process.stderr.write(`${seed} of ${seeds} seeds, ${rate(seed)} seeds/s\n`);
  }
  const [first] = failed;
  if (first !== undefined) showEnd(first);
  const { cloud, local, shed, deadline, dropped, lostInCrash, neverDurable, rounds, crashes } = sum;
  say(`${seeds} seeds, ${rate(seeds)} seeds/s, ${Object.keys(INVARIANTS).length} invariants`);
  say(
    `${rounds} rounds, ${crashes} crashes of vehicles; frames: ${cloud} through the cloud, ${local} local,`,
  );
  say(
    `${shed} shed for a newer one, ${deadline} for their deadline, ${dropped} dropped with a reason, ${lostInCrash} left by a crash, ${neverDurable} younger than a crash's last batch`,
  );
  say(`the longest recovery took ${(longest.recoveryMs / 1000).toFixed(1)} s, in seed ${longest.seed}`);
  say(failed.length === 0 ? 'no violation' : `violations in ${failed.length} seeds: ${failed.join(', ')}`);
  return failed.length;
}

function showEnd(seed: number): void {
  const lines: string[] = [];
  trace(seed, (line) => {
    lines.push(line);
    if (lines.length > LAST_LINES) lines.shift();
  });
  say(`\nThe last lines of seed ${seed} (all of them: npm run sim -- --seed ${seed}):`);
  for (const line of lines) say(line);
  say('');
}

function replay(seed: number): number {
  const { scenario, tally, violation } = trace(seed, say);
  say(JSON.stringify({ ...scenario, cuts: undefined }));
  say(JSON.stringify(tally));
  say(violation ? `seed ${seed}: ${violation.message}` : `seed ${seed}: no violation`);
  return violation ? 1 : 0;
}

const { values } = parseArgs({ options: { seeds: { type: 'string' }, seed: { type: 'string' } } });
const failed =
  values.seed === undefined
    ? runMany(wholeNumber('seeds', values.seeds ?? String(DEFAULT_SEEDS)))
    : replay(wholeNumber('seed', values.seed));
process.exitCode = failed > 0 ? 1 : 0;
