/**
 * A whole system on virtual time: the real `policy/step` of every node, thin twins of what is around them, and faults.
 * The same seed gives the same run, to the last row of every log.
 */
import { createHash } from 'node:crypto';
import { type Row, replaySteps, type StepFunction, type Table } from '@splitlane/journal';
import { HEARTBEAT_MS, STRIKES } from '@splitlane/proto';
import { type Tally, Violation } from './books.ts';
import { CloudTwin } from './cloud-twin.ts';
import type { MemoryLog } from './memory-log.ts';
import { RoadsideUnitTwin } from './roadside-unit-twin.ts';
import { type Fault, type Scenario, scenarioOf } from './scenario.ts';
import { REAL_STEPS, type Steps } from './steps.ts';
import { VehicleTwin } from './vehicle-twin.ts';
import { World } from './world.ts';

/** A measurement, and a round's timeouts, may have to run out before the first round of all. */
const RECOVERY_MS = 500_000;
/** Further rounds of every vehicle show that a system has recovered: none of them waits for a timeout. */
const MORE_ROUNDS = 2;
/** Long after what a vehicle can be capturing is there. */
const STOP_MS = 1000;
const MOST_TIMERS = 3_000_000;
/** A heartbeat may have just begun when a silence begins, and one may be over just before it is counted. */
const BEATS_TO_NOTICE = STRIKES + 2;
const SLACK = 3;
const SLACK_MS = 5000;

export interface SimulationOptions {
  readonly steps?: Steps;
  /** Told of every row of every log, with the process that writes it and the world's time. */
  readonly onRow?: (process: string, atMs: number, table: Table, row: Row<Table>) => void;
  /** Told of every fault as it comes. */
  readonly onFault?: (fault: Fault, atMs: number) => void;
}

export interface SimulationResult {
  readonly scenario: Scenario;
  readonly tally: Readonly<Tally>;
  /** What does not hold; undefined where all does. */
  readonly violation: Violation | undefined;
  readonly virtualMs: number;
  /** From the last fault until every vehicle had completed a round; undefined where that was never so. */
  readonly recoveryMs: number | undefined;
}

interface Process {
  readonly log: MemoryLog;
  crash(): void;
  freeze(): void;
  thaw(): void;
}

/** Simulates what a seed says. */
export function simulate(seed: number, options: SimulationOptions = {}): SimulationResult {
  const scenario = scenarioOf(seed);
  const world = new World(scenario, options.steps ?? REAL_STEPS, options.onRow ?? (() => {}));
  let violation: Violation | undefined;
  try {
    new System(world, options.onFault ?? (() => {})).run();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error;
  }
  const { recoveredMs, tally, clock } = world;
  const recoveryMs = recoveredMs && recoveredMs - scenario.calmFromMs;
  return { scenario, tally, violation, virtualMs: clock.now(), recoveryMs };
}

/** A digest of every row that any node has written, in order: equal if and only if two runs are. */
export function digestOf(seed: number): string {
  const hash = createHash('sha256');
  simulate(seed, {
    onRow: (process, atMs, table, row) => hash.update(JSON.stringify([process, atMs, table, row])),
  });
  return hash.digest('hex');
}

/** Long enough for all that a round may have to do, one frame after another, and too short for most timeouts. */
function longestRoundMs({ vehicles, cuts, setup }: Scenario): number {
  const { streams } = setup.campaign;
  const streamMs = streams ? (streams.ticks * 1000) / streams.fps : 0;
  const frameMs = vehicles.map(({ cameras, segmentMs, vehicleMs = 0, uplinkBps, linkShare }) => {
    const ownMs = segmentMs.reduce((sum, ms) => sum + ms, 0);
    return (
      cameras.length * (Math.max(ownMs, vehicleMs) + (cuts[0]!.bytes * 8000) / (uplinkBps * linkShare[0]))
    );
  });
  return SLACK_MS + streamMs + SLACK * frameMs.reduce((sum, ms) => sum + ms, 0);
}

class System {
  readonly #world: World;
  readonly #onFault: (fault: Fault, atMs: number) => void;
  readonly #running = new Map<string, Process>();
  readonly #starts = new Map<string, number>();
  /** When each process was started, frozen or let go on. */
  readonly #disturbedMs = new Map<string, number>();
  /** How many freezes of a process have not ended. */
  readonly #frozen = new Map<Process, number>();
  /** Checks that a log replays, of every process that ever was. */
  readonly #replays: (() => void)[] = [];

  constructor(world: World, onFault: (fault: Fault, atMs: number) => void) {
    this.#world = world;
    this.#onFault = onFault;
  }

  run(): void {
    const { clock, scenario, chance } = this.#world;
    const { vehicles, clouds, roadsideUnit, faults, calmFromMs } = scenario;
    for (const { node } of [...vehicles, ...clouds, { node: roadsideUnit }])
      clock.after(chance.between(0, 500), () => this.#start(node));
    for (const fault of faults) clock.after(fault.atMs, () => this.#suffer(fault));
    clock.after(calmFromMs, () => this.#world.network.calm());
    const allHaveDone = (rounds: number) => (): boolean =>
      vehicles.every(({ node }) => (this.#world.calmRounds.get(node) ?? 0) >= rounds);
    this.#runUntil(allHaveDone(1), calmFromMs + RECOVERY_MS, () => this.#notRecovered());
    this.#world.recoveredMs = clock.now();
    const most = Math.max(...this.#world.calmRounds.values());
    const latestMs = clock.now() + MORE_ROUNDS * longestRoundMs(scenario);
    this.#runUntil(allHaveDone(most + MORE_ROUNDS), latestMs, () => this.#notRecovered());
    this.#stopAll();
  }

  #runUntil(isReached: () => boolean, latestMs: number, why: () => string): void {
    const { clock } = this.#world;
    for (let timers = 0; !isReached(); timers++)
      if (!clock.runNext() || clock.now() > latestMs || timers > MOST_TIMERS)
        throw new Violation('goes-on', why());
  }

  #notRecovered(): string {
    const { scenario, calmRounds, clock } = this.#world;
    const rounds = scenario.vehicles.map(({ node }) => `${node} ${calmRounds.get(node) ?? 0}`);
    const afterMs = Math.round(clock.now() - scenario.calmFromMs);
    return `${afterMs} ms after the last fault the vehicles have completed so many rounds: ${rounds.join(', ')}`;
  }

  #start(node: string): void {
    if (this.#running.has(node)) return;
    const world = this.#world;
    const start = (this.#starts.get(node) ?? 0) + 1;
    this.#starts.set(node, start);
    // As its log is called.
    const name = start === 1 ? node : `${node}.${start}`;
    const vehicle = world.scenario.vehicles.find((spec) => spec.node === node);
    const cloud = world.scenario.clouds.find((spec) => spec.node === node);
    if (vehicle) {
      const twin = new VehicleTwin(vehicle, name, world);
      this.#add(node, name, twin, twin.initial, world.steps.vehicle);
    } else if (cloud) {
      const twin = new CloudTwin(cloud, name, world);
      this.#add(node, name, twin, twin.initial, world.steps.cloud);
    } else {
      const twin = new RoadsideUnitTwin(name, world);
      this.#add(node, name, twin, twin.initial, world.steps.coordinator);
    }
  }

  #add<State, Event, Effect>(
    node: string,
    name: string,
    process: Process,
    initial: State,
    step: StepFunction<State, Event, Effect>,
  ): void {
    this.#running.set(node, process);
    this.#disturbedMs.set(node, this.#world.clock.now());
    this.#replays.push(() => {
      const { log } = process;
      const difference = replaySteps(initial, step, {
        events: log.rows('event'),
        effects: log.rows('effect'),
      });
      if (difference) throw new Violation('log-agrees', `${name}: ${JSON.stringify(difference)}`);
    });
  }

  #suffer(fault: Fault): void {
    const { clock, network } = this.#world;
    const { kind, node, forMs } = fault;
    this.#onFault(fault, clock.now());
    if (kind === 'cut') return this.#expectNoticed(node, network.cut(node, forMs));
    const process = this.#running.get(node);
    if (!process) return;
    if (kind === 'freeze') return this.#freeze(node, process, forMs);
    this.#running.delete(node);
    process.crash();
    network.processDied(node);
    clock.after(forMs, () => this.#start(node));
  }

  #freeze(node: string, process: Process, forMs: number): void {
    const { clock, scenario } = this.#world;
    const startMs = clock.now();
    this.#disturbedMs.set(node, startMs);
    this.#frozen.set(process, (this.#frozen.get(process) ?? 0) + 1);
    process.freeze();
    clock.after(forMs, () => {
      const unit = this.#running.get(scenario.roadsideUnit);
      const isAlone =
        this.#disturbedMs.get(node) === startMs && this.#wasLeftAlone(scenario.roadsideUnit, startMs);
      if (isAlone && unit instanceof RoadsideUnitTwin && forMs > this.#noticeMs() && unit.knows(node))
        throw new Violation('silence-noticed', `${node} was frozen for ${forMs} ms and is there`);
      this.#disturbedMs.set(node, clock.now());
      this.#frozen.set(process, this.#frozen.get(process)! - 1);
      process.thaw();
    });
  }

  #expectNoticed(node: string, isOpen: () => boolean): void {
    const { clock } = this.#world;
    const cutMs = clock.now();
    clock.after(BEATS_TO_NOTICE * HEARTBEAT_MS, () => {
      const process = this.#running.get(node);
      // A process that stands still can notice nothing.
      const notices = process !== undefined && !this.#frozen.get(process) && this.#wasLeftAlone(node, cutMs);
      if (isOpen() && notices)
        throw new Violation('silence-noticed', `${node} was cut off at ${cutMs} ms and has not noticed`);
    });
  }

  /** Whether a process has run all the time since then. */
  #wasLeftAlone(node: string, sinceMs: number): boolean {
    return (this.#disturbedMs.get(node) ?? Number.POSITIVE_INFINITY) < sinceMs;
  }

  /** After so long a silence is noticed: what a node said before may still be on its way. */
  #noticeMs(): number {
    const { delayMs, lateMs } = this.#world.scenario.conditions;
    return BEATS_TO_NOTICE * HEARTBEAT_MS + delayMs[1] + 2 * lateMs;
  }

  /** Stops every vehicle as its user does, and reads the logs. */
  #stopAll(): void {
    const { clock } = this.#world;
    const running = [...this.#running.values()];
    const vehicles = running.filter((process) => process instanceof VehicleTwin);
    const areStopped = (): boolean => vehicles.map((vehicle) => vehicle.stop()).every(Boolean);
    this.#runUntil(areStopped, clock.now() + STOP_MS, () => 'a vehicle never stops capturing');
    for (const { log } of running) log.flush();
    for (const replay of this.#replays) replay();
  }
}
