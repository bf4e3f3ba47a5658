/** What the words of options mean that several commands share. */
import type { PowerModel } from '@splitlane/sched';
import { UsageError } from './exit-codes.ts';

/** Rates in Mbit/s, as in the literature (DADS, INFOCOM 2019). */
const LINKS: Readonly<Record<string, number>> = { cat1: 0.13, '3g': 1.1, '4g': 5.85, wifi: 18.88 };

const MAX_MS = 3_600_000;
const MAX_W = 1_000_000;
/** More than any measurement, and far from where sums lose their digits. */
export const MAX_AMOUNT = 1e12;

/** @throws UsageError unless the word is a whole number from 1 to `most`. */
export function whole(option: string, word: string, most: number): number {
  const value = Number(word);
  if (word.trim() === '' || !Number.isInteger(value) || value < 1 || value > most)
    throw new UsageError(`${option} ${word}: must be a whole number from 1 to ${most}`);
  return value;
}

/** @throws UsageError unless the word is a time in ms, at least `least`. */
export function milliseconds(option: string, word: string, least: number): number {
  const value = Number(word);
  if (word.trim() === '' || !(value >= least) || value > MAX_MS)
    throw new UsageError(
      `${option} ${word}: must be a time in ms, ${least === 0 ? '0 or more' : 'above 0'}, at most ${MAX_MS}`,
    );
  return value;
}

/** @throws UsageError unless the word is a rate in frames a second, above 0 and at most 1000. */
export function frameRate(option: string, word: string): number {
  const value = Number(word);
  if (word.trim() === '' || !(value > 0) || value > 1000)
    throw new UsageError(`${option} ${word}: must be frames a second, above 0 and at most 1000`);
  return value;
}

/** @throws UsageError unless the word is a number ≥ 0; `what` says of what. */
export function amount(option: string, word: string, what: string): number {
  const value = Number(word);
  if (word.trim() === '' || !(value >= 0) || value > MAX_AMOUNT)
    throw new UsageError(`${option} ${word}: must be ${what}, 0 or more, at most 1e12`);
  return value;
}

/** @throws UsageError unless the words are three powers in watts. */
export function powerModel(option: string, words: string): PowerModel {
  const powers = words.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word)));
  if (powers.length !== 3 || !powers.every((watts) => watts >= 0 && watts <= MAX_W))
    throw new UsageError(
      `${option} ${words}: must be cpu,radio,idle in watts, three numbers of 0 or more, at most ${MAX_W}`,
    );
  const [cpuW, radioW, idleW] = powers as [number, number, number];
  return { cpuW, radioW, idleW };
}

/** Bits per second of `--link`: a named link, or a rate in Mbit/s. @throws UsageError for anything else. */
export function linkBps(word: string): number {
  return rateBps('--link', word);
}

/** Bits per second of a named link, or of a rate in Mbit/s. @throws UsageError for anything else. */
export function rateBps(option: string, word: string): number {
  const mbit = LINKS[word] ?? Number(word);
  if (word.trim() === '' || !(mbit > 0) || !Number.isFinite(mbit) || mbit > 100_000)
    throw new UsageError(
      `${option} ${word}: must be ${Object.keys(LINKS).join(', ')}, or a rate in Mbit/s above 0 and at most 100000`,
    );
  return mbit * 1e6;
}

/**
 * The names of a list with commas, each once, in the order of their first mention.
 * @throws UsageError for a name that is not known.
 */
export function namesOf<Name extends string>(option: string, words: string, known: readonly Name[]): Name[] {
  const names = words.split(',').map((word) => {
    const name = known.find((one) => one === word.trim());
    if (name === undefined)
      throw new UsageError(
        `${option} ${word}: there is no such ${option.replace(/^--/, '').replace(/s$/, '')}; there are ${known.join(', ')}`,
      );
    return name;
  });
  return [...new Set(names)];
}
