/** What all nodes of a simulated system share: time, network, chance, the air, and the books. */
import type { Row, StepFunction, Table } from '@splitlane/journal';
import { chunkBytesFor, wireBytes } from '@splitlane/proto';
import { PlansMade, type Tally, Violation } from './books.ts';
import { Chance } from './chance.ts';
import { MemoryNetwork } from './memory-network.ts';
import type { Scenario, VehicleSpec } from './scenario.ts';
import type { Steps } from './steps.ts';
import { VirtualClock } from './virtual-clock.ts';

export const MODEL_HASH = 'a'.repeat(64);
/** How long a link keeps its rate. */
const LINK_MS = 2000;

export class World {
  readonly clock = new VirtualClock();
  readonly plans = new PlansMade();
  readonly tally: Tally = {
    ...{
      cloud: 0,
      local: 0,
      shed: 0,
      deadline: 0,
      dropped: 0,
      lostInCrash: 0,
      neverDurable: 0,
      rounds: 0,
      crashes: 0,
    },
  };
  readonly scenario: Scenario;
  readonly steps: Steps;
  readonly chance: Chance;
  readonly network: MemoryNetwork;
  /** Rounds that each vehicle has begun and completed under a plan with a cloud since nothing disturbs any more. */
  readonly calmRounds = new Map<string, number>();
  /** When all of them had completed one. */
  recoveredMs: number | undefined;
  readonly #onRow: (process: string, atMs: number, table: Table, row: Row<Table>) => void;
  readonly #links = new Map<string, { readonly share: number; readonly untilMs: number }>();
  readonly #wireBytes = new Map<string, number>();
  /** How many send on each channel. */
  readonly #onAir = new Map<string, number>();

  /** @param onRow told of every row that a node writes into its log. */
  constructor(
    scenario: Scenario,
    steps: Steps,
    onRow: (process: string, atMs: number, table: Table, row: Row<Table>) => void,
  ) {
    this.scenario = scenario;
    this.steps = steps;
    this.#onRow = onRow;
    // Another sequence than the scenario's.
    this.chance = new Chance(scenario.seed ^ 0x5eed_5eed);
    this.network = new MemoryNetwork(this.clock, this.chance, scenario.conditions);
  }

  get isCalm(): boolean {
    return this.clock.now() >= this.scenario.calmFromMs;
  }

  wrote(process: string, table: Table, row: Row<Table>): void {
    this.#onRow(process, this.clock.now(), table, row);
  }

  /** Calls a step; one that throws breaks an invariant. */
  decide<State, Event, Effect>(
    process: string,
    step: StepFunction<State, Event, Effect>,
    state: State,
    event: Event,
  ): ReturnType<StepFunction<State, Event, Effect>> {
    try {
      return step(state, event);
    } catch (error) {
      throw new Violation('step-goes-on', `${process}: ${(error as Error).stack}`);
    }
  }

  roundDone(vehicle: string, startMs: number, cloud: string): void {
    if (startMs < this.scenario.calmFromMs || cloud === '') return;
    this.calmRounds.set(vehicle, (this.calmRounds.get(vehicle) ?? 0) + 1);
  }

  /** A transfer begins. @returns how long it has the air: at its link's rate, or with an equal part of its channel. */
  startTransfer(bytes: number, spec: VehicleSpec): number {
    const { uplinkBps, channel } = spec;
    if (channel === undefined) return (bytes * 8000) / (uplinkBps * this.#linkShare(spec));
    const sending = (this.#onAir.get(channel) ?? 0) + 1;
    this.#onAir.set(channel, sending);
    const takesMs = (bytes * 8000 * sending) / uplinkBps;
    this.clock.after(takesMs, () => this.#onAir.set(channel, this.#onAir.get(channel)! - 1));
    return takesMs;
  }

  #linkShare({ node, linkShare }: VehicleSpec): number {
    const nowMs = this.clock.now();
    const known = this.#links.get(node);
    const link =
      known && nowMs < known.untilMs
        ? known
        : { share: this.chance.between(...linkShare), untilMs: nowMs + LINK_MS };
    this.#links.set(node, link);
    return link.share;
  }

  /** Bytes of a tensor on a vehicle's wire, protocol included. */
  wireBytes(bytes: number, { uplinkBps, node }: VehicleSpec, cloud: string): number {
    const key = `${bytes}/${uplinkBps}/${node}/${cloud}`;
    const known = this.#wireBytes.get(key) ?? wireBytes(bytes, chunkBytesFor(uplinkBps), node, cloud);
    this.#wireBytes.set(key, known);
    return known;
  }
}
