/** The roadside unit: wires broker, session and log to its `policy/step`, and does what it says. */
import type { Clock } from '@splitlane/clock';
import { NodeLog, StepRunner } from '@splitlane/journal';
import { Session } from '@splitlane/net';
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

export class RoadsideUnit {
  readonly #config: RoadsideUnitConfig;
  readonly #clock: Clock;
  readonly #listeners: RoadsideUnitListeners;
  readonly #log: NodeLog;
  readonly #broker: Broker;
  #steps!: StepRunner<CoordinatorState, CoordinatorEvent, CoordinatorEffect>;
  #session: Session | undefined;
  #stopping = false;

  constructor(config: RoadsideUnitConfig, clock: Clock, listeners: RoadsideUnitListeners) {
    this.#config = config;
    this.#clock = clock;
    this.#listeners = listeners;
    const { log: folder, node } = config;
    this.#log = new NodeLog({ folder, node, clock, onFailure: listeners.onEnd });
    this.#broker = new Broker(clock, (kind, detail) => this.#log.fault(kind, detail));
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
    const connected = Promise.withResolvers<void>();
    const session = new Session({
      host: listen.host,
      port,
      node,
      onConnect: connected.resolve,
      onDisconnect: (reason) => {
        if (!this.#stopping) this.#log.fault('disconnected', reason);
      },
      onRejected: (reason) => this.#log.fault('message-rejected', reason),
    });
    this.#session = session;
    session.subscribe('hello', '+', (hello, from) => this.#steps.take({ kind: 'hello', node: from, hello }));
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
    session.subscribe('clockPing', '+', ({ sentMs }, from) =>
      session.publish('clockPong', from, { sentMs, answeredMs: this.#clock.now() }),
    );
    session.start();
    await connected.promise;
    return port;
  }

  /** Closes the broker, all connections with it, and the log. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#steps?.stop();
    await this.#session?.stop();
    await this.#broker.stop();
    await this.#log.stop();
  }

  #perform(effect: CoordinatorEffect, atMs: number): void {
    switch (effect.kind) {
      case 'verdict': {
        const { node, accepted, reason } = effect;
        this.#session!.publish('verdict', node, { accepted, reason });
        return;
      }
      case 'measure': {
        const { node, timeoutMs } = effect;
        this.#session!.publish('measure', node, {});
        this.#clock.after(timeoutMs, () => this.#steps.take({ kind: 'measure-timeout', node }));
        return;
      }
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
      case 'wake-channel':
        this.#clock.after(effect.afterMs, () => this.#steps.take({ kind: 'channel-due' }));
        return;
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
