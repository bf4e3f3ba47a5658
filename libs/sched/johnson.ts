import { checkJobs } from './check-jobs.ts';
import type { Job } from './types.ts';

/**
 * Johnson's rule: an order of least makespan through two machines. Jobs with p1 ≤ p2 come first, by
 * rising p1; then the rest, by falling p2. O(n log n); equal jobs keep their given order.
 * Source: S. M. Johnson, "Optimal two- and three-stage production schedules with setup times
 * included", Naval Research Logistics Quarterly 1 (1954).
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function johnson(jobs: readonly Job[]): number[] {
  checkJobs(jobs);
  return johnsonOrder(jobs);
}

/**
 * Johnson's rule with a fixed delay of each job, `delayMs`, between the end of its first stage and the
 * start of its second; any number of jobs may wait at once. It is Johnson's rule on p1 + delay and
 * delay + p2: no order that both stages keep is shorter (one that differs between them may be).
 * O(n log n); equal jobs keep their given order. A local job sends nothing, so it has no delay either.
 * Source: L. G. Mitten, "Sequencing n jobs on two machines with arbitrary time lags", Management
 * Science 5 (1959).
 * @throws ScheduleError for a time that is no finite number ≥ 0.
 */
export function johnsonWithDelays(jobs: readonly (Job & { readonly delayMs: number })[]): number[] {
  checkJobs(jobs);
  return johnsonOrder(jobs, ({ p1, p2, delayMs, local }) =>
    local ? { p1, p2: 0 } : { p1: p1 + delayMs, p2: delayMs + p2 },
  );
}

/** What Johnson's rule orders by: numbers ≥ 0, infinite where a sum of finite times overflows. */
type Keys = Pick<Job, 'p1' | 'p2'>;

/** From this many jobs on the digits of the keys are sorted: by then it is several times as fast. */
const MANY_JOBS = 1000;

/** Johnson's rule on any two keys, unchecked: the rules for other shops are this one on sums of stages. */
export function johnsonOrder<T extends Job>(
  jobs: readonly T[],
  keysOf: (job: T) => Keys = (job) => job,
): number[] {
  return jobs.length < MANY_JOBS ? orderOfFew(jobs.map(keysOf)) : orderOfMany(jobs, keysOf);
}

/** The rule as it is stated. */
function orderOfFew(keys: readonly Keys[]): number[] {
  const first: number[] = [];
  const rest: number[] = [];
  keys.forEach((key, index) => {
    (key.p1 <= key.p2 ? first : rest).push(index);
  });
  first.sort((a, b) => keys[a]!.p1 - keys[b]!.p1);
  rest.sort((a, b) => keys[b]!.p2 - keys[a]!.p2);
  return [...first, ...rest];
}

/**
 * The same order in O(n), without a call per comparison. Doubles ≥ 0 rise as their 64 bits do, read as a
 * whole number. With all bits inverted they fall instead, and the sign bit, now set, puts them behind all
 * that are not inverted. So both halves of the rule are one sort of whole numbers, and nothing is rounded.
 */
function orderOfMany<T>(jobs: readonly T[], keysOf: (job: T) => Keys): number[] {
  const high = new Uint32Array(jobs.length);
  const low = new Uint32Array(jobs.length);
  const bits = new DataView(new ArrayBuffer(8));
  for (let index = 0; index < jobs.length; index++) {
    const { p1, p2 } = keysOf(jobs[index]!);
    const isFirst = p1 <= p2;
    // Adding 0 makes 0 of −0, whose sign bit would belie that the two are equal.
    bits.setFloat64(0, (isFirst ? p1 : p2) + 0);
    const inversion = isFirst ? 0 : -1;
    high[index] = bits.getUint32(0) ^ inversion;
    low[index] = bits.getUint32(4) ^ inversion;
  }
  const given = low.map((_, index) => index);
  const order = sortedBy(high, sortedBy(low, given));
  return jobs.map((_, place) => order[place]!);
}

/** A digit of the radix sort: 32 bits are three of them, and the table of its 2,048 values stays cached. */
const DIGIT_BITS = 11;
const LARGEST_DIGIT = 2 ** DIGIT_BITS - 1;

/**
 * The indices in `order` by rising `words`, equal ones as they were: a radix sort, last digit first.
 * The words move along with their indices, since looking them up at random in each pass is slow.
 */
function sortedBy(words: Uint32Array, order: Uint32Array): Uint32Array {
  const { length } = order;
  let from = { words: new Uint32Array(length), order: order.slice() };
  let to = { words: new Uint32Array(length), order: new Uint32Array(length) };
  for (let i = 0; i < length; i++) from.words[i] = words[order[i]!]!;
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const places = firstPlaces(from.words, shift);
    for (let i = 0; i < length; i++) {
      const word = from.words[i]!;
      const place = places[(word >>> shift) & LARGEST_DIGIT]!++;
      to.words[place] = word;
      to.order[place] = from.order[i]!;
    }
    [from, to] = [to, from];
  }
  return from.order;
}

/** For each value of the digit at `shift` how many words have a lesser one: where its first word goes. */
function firstPlaces(words: Uint32Array, shift: number): Uint32Array {
  const counts = new Uint32Array(LARGEST_DIGIT + 1);
  for (let i = 0; i < words.length; i++) counts[(words[i]! >>> shift) & LARGEST_DIGIT]!++;
  let place = 0;
  return counts.map((count) => {
    place += count;
    return place - count;
  });
}
