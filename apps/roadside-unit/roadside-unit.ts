/** The roadside unit: wires broker, session and log to its `policy/step`, and does what it says. */
import type { Clock, Timer } from '@splitlane/clock';
import { AskError, type LogBatch, NodeLog, StepRunner } from '@splitlane/journal';
import { Session } from '@splitlane/net';
import { HEARTBEAT_MS } from '@splitlane/proto';
import type { RoadsideUnitConfig } from './config.ts';
import { Broker } from './io/broker.ts';
import type { CoordinatorEffect, CoordinatorEvent } from './policy/events.ts';
import { type CoordinatorState, initialState, step } from './policy/step.ts';

/** What an onlooker is told of a campaign. */
export type CampaignProgress = CoordinatorEffect & { kind: 'progress' | 'campaign-done' };

export interface RoadsideUnitListeners {
  /** The unit cannot go on. */
  readonly onEnd: (error: Error) => void;
  readonly onProgress: (progress: CampaignProgress) => void;
}

/** A unit that is killed has made some plans that its log knows nothing of: those of the last batch, far fewer than this. */
const UNLOGGED_PLANS = 100;

export class RoadsideUnit {
  readonly #config: RoadsideUnitConfig;
  readonly #clock: Clock;
  readonly #listeners: RoadsideUnitListeners;
  readonly #log: NodeLog;
  readonly #broker: Broker;
  #steps!: StepRunner<CoordinatorState, CoordinatorEvent, CoordinatorEffect>;
  #session: Session | undefined;
  /** Nodes that were heard since the last heartbeat. */
  readonly #heard = new Set<string>();
  #heartbeat: Timer | undefined;
  /** Vehicles of whose logs a batch is being stored. */
  readonly #storing = new Set<string>();
  #stopping = false;

  constructor(config: RoadsideUnitConfig, clock: Clock, listeners: RoadsideUnitListeners) {
    this.#config = config;
    this.#clock = clock;
    this.#listeners = listeners;
    const { log: folder, node } = config;
    this.#log = new NodeLog({ folder, node, clock, onFailure: listeners.onEnd });
    this.#broker = new Broker(node, clock, (kind, detail) => this.#log.fault(kind, detail));
  }

  /** Opens the log and the broker; returns the port that it listens on, once nodes can say hello. */
  async start(softwareVersion: string): Promise<number> {
    const { node, listen, log: _, ...setup } = this.#config;
    await this.#log.start({
      role: 'roadside-unit',
      softwareVersion,
      config: this.#config,
      modelHash: setup.modelHash ?? null,
    });
    const port = await this.#broker.start(listen.host, listen.port);
    this.#steps = new StepRunner(initialState(setup), step, {
      recorder: this.#log,
      clock: this.#clock,
      perform: (effect, atMs) => this.#perform(effect, atMs),
    });
    const { earlierEpoch } = this.#log;
    if (earlierEpoch > 0) this.#steps.take({ kind: 'started-again', epoch: earlierEpoch + UNLOGGED_PLANS });
    const connected = Promise.withResolvers<void>();
    const session = new Session({
      host: listen.host,
      port,
      node,
      clock: this.#clock,
      secret: this.#broker.secret,
      onConnect: connected.resolve,
      onDisconnect: (reason) => {
        if (!this.#stopping) this.#log.fault('disconnected', reason);
      },
      onRejected: (reason) => this.#log.fault('message-rejected', reason),
    });
    this.#session = session;
    session.subscribe('hello', '+', (hello, from) => {
      this.#steps.take({ kind: 'hello', node: from, hello });
      if (Object.hasOwn(this.#steps.state.nodes, from)) this.#broker.admit(from, hello.role, hello.uplinkBps);
    });
    session.subscribe('presence', '+', ({ online }, from) => {
      if (!online && from !== node) this.#steps.take({ kind: 'gone', node: from });
    });
    session.subscribe('profile', '+', (profile, from) => {
      const at_ms = this.#clock.now();
      this.#log.write('profile', { at_ms, node: from, profile: JSON.stringify(profile) });
      this.#steps.take({ kind: 'profile', node: from, profile });
    });
    session.subscribe('ready', '+', (ready, from) => this.#steps.take({ kind: 'ready', node: from, ready }));
    session.subscribe('report', '+', (report, from) =>
      this.#steps.take({ kind: 'report', node: from, report }),
    );
    session.subscribe('channelAsk', '+', (ask, from) =>
      this.#steps.take({ kind: 'channel-asked', node: from, ask }),
    );
    session.subscribe('channelEnd', '+', (end, from) =>
      this.#steps.take({ kind: 'channel-ended', node: from, end }),
    );
    session.subscribe('transfer', '+', (transfer, from) =>
      this.#steps.take({ kind: 'transfer', node: from, transfer }),
    );
    session.subscribe('logBatch', '+', (batch, from) => void this.#store(from, batch));
    session.subscribe('clockPing', '+', ({ sentMs }, from) => {
      this.#heard.add(from);
      const unknown = !Object.hasOwn(this.#steps.state.nodes, from);
      session.publish('clockPong', from, { sentMs, answeredMs: this.#clock.now(), unknown });
    });
    session.start();
    await connected.promise;
    this.#beat();
    return port;
  }

  #beat(): void {
    const sinceMs = this.#clock.now();
    this.#heartbeat = this.#clock.after(HEARTBEAT_MS, () => {
      const heard = [...this.#heard.union(new Set(this.#broker.heardSince(sinceMs)))];
      this.#steps.take({ kind: 'heartbeat', heard });
      this.#heard.clear();
      this.#beat();
    });
  }

  /** Closes the broker, all connections with it, and the log. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#heartbeat?.cancel();
    this.#steps?.stop();
    await this.#session?.stop();
    await this.#broker.stop();
    await this.#log.stop();
  }

  /** Stores a piece of a vehicle's log, and tells the vehicle what is here of it. */
  async #store(vehicle: string, batch: LogBatch): Promise<void> {
    const known = this.#steps.state.nodes[vehicle];
    if (known?.hello.role !== 'vehicle')
      return this.#log.fault('log-batch-refused', `${vehicle}: is no vehicle that was let in`);
    // One at a time: a vehicle that has no answer sends it again.
    if (this.#storing.has(vehicle)) return;
    this.#storing.add(vehicle);
    try {
      const { run, number } = batch;
      const position = [...(await this.#log.receive(vehicle, batch))];
      this.#session!.publish('logAck', vehicle, { run, number, position });
    } catch (error) {
      // That its own log cannot be written ends the roadside unit.
      if (error instanceof AskError) this.#log.fault('log-batch-refused', `${vehicle}: ${error.message}`);
    } finally {
      this.#storing.delete(vehicle);
    }
  }

  #perform(effect: CoordinatorEffect, atMs: number): void {
    switch (effect.kind) {
      case 'verdict': {
        const { node, accepted, reason } = effect;
        this.#session!.publish('verdict', node, { accepted, reason });
        return;
      }
      case 'measure': {
        const { node, measurement, timeoutMs } = effect;
        this.#session!.publish('measure', node, {});
        this.#clock.after(timeoutMs, () => this.#steps.take({ kind: 'measure-timeout', node, measurement }));
        return;
      }
      case 'disconnect':
        return this.#broker.disconnect(effect.node);
      case 'plan': {
        const { vehicle, plan } = effect;
        this.#log.write('plan', { at_ms: atMs, vehicle, epoch: plan.epoch, plan: JSON.stringify(plan) });
        this.#session!.publish('plan', vehicle, plan);
        return;
      }
      case 'round':
        // What came before the first round, connecting and measuring, was start-up.
        this.#log.warm();
        this.#session!.publish('round', effect.vehicle, effect.round);
        return;
      case 'grant-channel':
        this.#session!.publish('channelGrant', effect.vehicle, effect.grant);
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
        return this.#listeners.onProgress(effect);
      case 'fault':
        return this.#log.fault(effect.fault, effect.detail);
    }
  }
}
