/**
 * What was chosen for vehicles, by all that it stands on: vehicles alike share one search, and one of whose figures nothing
 * has changed since the last decision needs none. It only saves time: what is remembered is what would be found again.
 */

/** Circumstances that all vehicles share, such as a pool of workers; older ones are forgotten. */
const MOST_CIRCUMSTANCES = 8;
/** Choices under one of them. */
const MOST_CHOICES = 1024;

export class ChoiceMemory<Choice> {
  readonly #known = new Map<string, Map<string, Choice>>();

  /** The choice under these circumstances with these figures: the one that is known, or the one that `choose` finds. */
  of(circumstances: string, figures: string, choose: () => Choice): Choice {
    let known = this.#known.get(circumstances);
    if (!known) {
      if (this.#known.size >= MOST_CIRCUMSTANCES) this.#known.delete(this.#known.keys().next().value!);
      known = new Map();
      this.#known.set(circumstances, known);
    }
    const found = known.get(figures);
    if (found !== undefined) return found;
    if (known.size >= MOST_CHOICES) known.clear();
    const chosen = choose();
    known.set(figures, chosen);
    return chosen;
  }
}
