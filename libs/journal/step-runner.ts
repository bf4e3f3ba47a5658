/** Runs a node's pure `policy/step` live, and writes down what went in and what came out. */
import type { Clock } from '@splitlane/clock';
import type { Recorder } from './journal.ts';

/** A decision: state and event in, state and effects out. */
export type StepFunction<State, Event, Effect> = (
  state: State,
  event: Event,
) => { readonly state: State; readonly effects: readonly Effect[] };

/** An event before its time is put into it. */
export type Untimed<Event> = Event extends unknown ? Omit<Event, 'atMs'> : never;

export class StepRunner<State, Event extends { readonly atMs: number }, Effect> {
  readonly #step: StepFunction<State, Event, Effect>;
  readonly #recorder: Recorder;
  readonly #clock: Clock;
  readonly #perform: (effect: Effect, atMs: number) => void;
  #state: State;
  #sequence = 0;
  #stopped = false;

  constructor(
    initial: State,
    step: StepFunction<State, Event, Effect>,
    options: {
      readonly recorder: Recorder;
      readonly clock: Clock;
      /** Does what an effect says; it may give rise to further events, but later, never within the call. */
      readonly perform: (effect: Effect, atMs: number) => void;
    },
  ) {
    this.#state = initial;
    this.#step = step;
    this.#recorder = options.recorder;
    this.#clock = options.clock;
    this.#perform = options.perform;
  }

  get state(): State {
    return this.#state;
  }

  /** Stamps an event, decides, logs both sides, and has the effects performed. */
  take(untimed: Untimed<Event>): void {
    if (this.#stopped) return;
    const atMs = this.#clock.now();
    const event = { atMs, ...untimed } as unknown as Event;
    const { state, effects } = this.#step(this.#state, event);
    this.#state = state;
    const sequence = this.#sequence++;
    this.#recorder.write('event', { sequence, at_ms: atMs, event: JSON.stringify(event) });
    effects.forEach((effect, place) => {
      this.#recorder.write('effect', { sequence, place, effect: JSON.stringify(effect) });
    });
    for (const effect of effects) this.#perform(effect, atMs);
  }

  /** Takes no further event. */
  stop(): void {
    this.#stopped = true;
  }
}

/** Where a replay of recorded events first differs from what was recorded. */
export interface Difference {
  readonly sequence: number;
  /** Empty where effects were recorded without an event. */
  readonly event: string;
  readonly recorded: readonly string[];
  readonly replayed: readonly string[];
}

/**
 * Feeds recorded events to the same step again. @returns the first difference, undefined if there is none.
 */
export function replaySteps<State, Event, Effect>(
  initial: State,
  step: StepFunction<State, Event, Effect>,
  recorded: {
    readonly events: readonly { readonly sequence: number; readonly event: string }[];
    readonly effects: readonly { readonly sequence: number; readonly effect: string }[];
  },
): Difference | undefined {
  const bySequence = Map.groupBy(recorded.effects, ({ sequence }) => sequence);
  let state = initial;
  for (const { sequence, event } of recorded.events) {
    const next = step(state, JSON.parse(event) as Event);
    state = next.state;
    const replayed = next.effects.map((effect) => JSON.stringify(effect));
    const before = (bySequence.get(sequence) ?? []).map(({ effect }) => effect);
    bySequence.delete(sequence);
    if (replayed.length !== before.length || replayed.some((effect, place) => effect !== before[place]))
      return { sequence, event, recorded: before, replayed };
  }
  for (const [sequence, effects] of bySequence)
    return { sequence, event: '', recorded: effects.map(({ effect }) => effect), replayed: [] };
  return undefined;
}
