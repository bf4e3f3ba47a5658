/** The thin twin of a roadside unit: broker and `policy/step` in one process, on virtual time. */
import { StepRunner } from '@splitlane/journal';
import { HEARTBEAT_MS } from '@splitlane/proto';
import type { CoordinatorEffect, CoordinatorEvent } from '@splitlane/roadside-unit/policy/events';
import { type CoordinatorState, initialState } from '@splitlane/roadside-unit/policy/step';
import { checkCoordinator, Violation } from './books.ts';
import { MemoryLog } from './memory-log.ts';
import { MemorySession } from './memory-network.ts';
import { ProcessClock } from './virtual-clock.ts';
import type { World } from './world.ts';

export class RoadsideUnitTwin {
  readonly log: MemoryLog;
  readonly #world: World;
  readonly #clock: ProcessClock;
  readonly #session: MemorySession;
  readonly #heard = new Set<string>();
  readonly #steps: StepRunner<CoordinatorState, CoordinatorEvent, CoordinatorEffect>;

  constructor(name: string, world: World) {
    this.#world = world;
    this.#clock = new ProcessClock(world.clock, 0);
    const { vehicles, clouds, roadsideUnit } = world.scenario;
    const nodes = vehicles.length + clouds.length;
    const cameras = vehicles.reduce((sum, vehicle) => sum + vehicle.cameras.length, 0);
    this.log = new MemoryLog(this.#clock, (table, row) => world.wrote(name, table, row));
    this.#steps = new StepRunner(
      this.initial,
      (state, event) => {
        const next = world.decide(name, world.steps.coordinator, state, event);
        checkCoordinator(next.state, next.effects, nodes, cameras, world.plans);
        return next;
      },
      { recorder: this.log, clock: this.#clock, perform: (effect) => this.#perform(effect) },
    );
    this.#session = new MemorySession(roadsideUnit, world, this.#clock, {
      onConnect: () => {},
      onDisconnect: () => {},
    });
    this.#subscribe();
    world.network.openBroker();
    // The broker lets nodes in before anybody listens to what they say.
    this.#clock.after(world.chance.between(1, 50), () => {
      this.#session.start();
      this.#beat();
    });
  }

  get initial(): CoordinatorState {
    return initialState(this.#world.scenario.setup);
  }

  crash(): void {
    this.#clock.kill();
    this.#world.network.killBroker();
  }

  /** Whether a node is there, as far as it knows. */
  knows(node: string): boolean {
    return Object.hasOwn(this.#steps.state.nodes, node);
  }

  freeze(): void {
    this.#clock.freeze();
    this.#world.network.freezeBroker();
  }

  thaw(): void {
    if (!this.#clock.isFrozen) return;
    this.#clock.thaw();
    this.#world.network.thawBroker();
  }

  #beat(): void {
    this.#clock.after(HEARTBEAT_MS, () => {
      this.#steps.take({ kind: 'heartbeat', heard: [...this.#heard] });
      this.#heard.clear();
      this.#beat();
    });
  }

  #subscribe(): void {
    const { roadsideUnit } = this.#world.scenario;
    const session = this.#session;
    const steps = this.#steps;
    session.subscribe('hello', '+', (hello, node) => steps.take({ kind: 'hello', node, hello }));
    session.subscribe('presence', '+', ({ online }, node) => {
      if (!online && node !== roadsideUnit) steps.take({ kind: 'gone', node });
    });
    session.subscribe('profile', '+', (profile, node) => steps.take({ kind: 'profile', node, profile }));
    session.subscribe('ready', '+', (ready, node) => steps.take({ kind: 'ready', node, ready }));
    session.subscribe('report', '+', (report, node) => steps.take({ kind: 'report', node, report }));
    session.subscribe('channelAsk', '+', (ask, node) => steps.take({ kind: 'channel-asked', node, ask }));
    session.subscribe('channelEnd', '+', (end, node) => steps.take({ kind: 'channel-ended', node, end }));
    session.subscribe('transfer', '+', (transfer, node) => steps.take({ kind: 'transfer', node, transfer }));
    session.subscribe('clockPing', '+', ({ sentMs }, node) => {
      this.#heard.add(node);
      const unknown = !Object.hasOwn(steps.state.nodes, node);
      session.publish('clockPong', node, { sentMs, answeredMs: this.#clock.now(), unknown });
    });
  }

  #perform(effect: CoordinatorEffect): void {
    const session = this.#session;
    switch (effect.kind) {
      case 'verdict': {
        const { node, accepted, reason } = effect;
        session.publish('verdict', node, { accepted, reason });
        return;
      }
      case 'measure': {
        const { node, measurement, timeoutMs } = effect;
        session.publish('measure', node, {});
        this.#clock.after(timeoutMs, () => this.#steps.take({ kind: 'measure-timeout', node, measurement }));
        return;
      }
      case 'disconnect':
        return this.#world.network.disconnect(effect.node);
      case 'plan':
        session.publish('plan', effect.vehicle, effect.plan);
        return;
      case 'round':
        session.publish('round', effect.vehicle, effect.round);
        return;
      case 'grant-channel':
        session.publish('channelGrant', effect.vehicle, effect.grant);
        return;
      case 'wake-channel': {
        const { channel, afterMs } = effect;
        this.#clock.after(afterMs, () => this.#steps.take({ kind: 'channel-due', channel }));
        return;
      }
      case 'wake': {
        const { round, phase, afterMs } = effect;
        this.#clock.after(afterMs, () => this.#steps.take({ kind: 'timeout', round, phase }));
        return;
      }
      case 'progress':
      case 'campaign-done':
      case 'fault':
        return;
      default:
        throw new Violation('known-effects', JSON.stringify(effect));
    }
  }
}
