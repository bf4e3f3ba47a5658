/** Seeded chance, in the shapes that scenarios and worlds need. */
import { seededRandom } from '@splitlane/clock';

export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** A number in [least, most). */
  between(least: number, most: number): number {
    return least + (most - least) * this.#next();
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  /** True in this share of all cases; a share of 0 takes no number from the sequence. */
  is(share: number): boolean {
    return share > 0 && this.#next() < share;
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)]!;
  }

  /** Of all orders of magnitude between the two, each as often: most are short, a few are long. */
  spread(least: number, most: number): number {
    return least * (most / least) ** this.#next();
  }
}
