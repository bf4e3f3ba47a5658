/** The thin twin of a cloud worker: does what its `policy/step` says, on virtual time, without a network. */

import type { Timer } from '@splitlane/clock';
import type { CloudEffect, CloudEvent, TailJob } from '@splitlane/cloud/policy/events';
import { type CloudState, initialState, refusal } from '@splitlane/cloud/policy/step';
import { StepRunner } from '@splitlane/journal';
import { ClockSync } from '@splitlane/net';
import { PROTOCOL_VERSION, type TensorChunk } from '@splitlane/proto';
import { checkCloud, Violation } from './books.ts';
import { MemoryLog } from './memory-log.ts';
import { MemorySession } from './memory-network.ts';
import type { CloudSpec } from './scenario.ts';
import { ProcessClock } from './virtual-clock.ts';
import { MODEL_HASH, type World } from './world.ts';

const HELLO_AGAIN_MS = 2000;
/** The longest that a tail stalls. */
const STALL_MS = 5000;

export class CloudTwin {
  readonly log: MemoryLog;
  readonly #spec: CloudSpec;
  readonly #world: World;
  readonly #clock: ProcessClock;
  readonly #session: MemorySession;
  #helloDue: Timer | undefined;
  readonly #steps: StepRunner<CloudState, CloudEvent, CloudEffect>;
  /** The tensor of each vehicle of which not all is there. */
  readonly #begun = new Map<string, TensorChunk>();
  /** Whose picture a tensor that waits was made of. */
  readonly #held = new Map<string, string>();

  constructor(spec: CloudSpec, name: string, world: World) {
    this.#spec = spec;
    this.#world = world;
    this.#clock = new ProcessClock(world.clock, spec.clockOffsetMs);
    this.log = new MemoryLog(this.#clock, (table, row) => world.wrote(name, table, row));
    const vehicles = world.scenario.vehicles.length;
    this.#steps = new StepRunner(
      this.initial,
      (state, event) => {
        const next = world.decide(name, world.steps.cloud, state, event);
        checkCloud(name, spec.node, world.plans, vehicles, next.state, next.effects);
        return next;
      },
      { recorder: this.log, clock: this.#clock, perform: (effect) => this.#perform(effect) },
    );
    this.#session = new MemorySession(spec.node, world, this.#clock, {
      onConnect: () => this.#steps.take({ kind: 'connected' }),
      onDisconnect: (reason) => this.#steps.take({ kind: 'disconnected', reason }),
    });
    this.#subscribe();
    this.#session.start();
    new ClockSync(this.#session, spec.node, this.#clock, {
      onOffset: () => {},
      onUnknown: (sentMs) => this.#steps.take({ kind: 'unknown', sentMs }),
    }).start();
  }

  get initial(): CloudState {
    return initialState(this.#spec.setup);
  }

  /** Kills the process; a stop does no more for what is in the log than to flush it. */
  crash(): void {
    this.#clock.kill();
  }

  freeze(): void {
    this.#clock.freeze();
  }

  thaw(): void {
    this.#clock.thaw();
  }

  #subscribe(): void {
    const { node } = this.#spec;
    const session = this.#session;
    const steps = this.#steps;
    session.subscribe('verdict', node, (verdict) => steps.take({ kind: 'verdict', ...verdict }));
    session.subscribe('measure', node, () => steps.take({ kind: 'measure-asked' }));
    session.subscribe('plan', '+', (plan, vehicle) => steps.take({ kind: 'plan', vehicle, plan }));
    session.subscribe('tensor', '+', (chunk, vehicle) => this.#collect(vehicle, chunk), node);
  }

  #perform(effect: CloudEffect): void {
    switch (effect.kind) {
      case 'hello':
        return this.#hello(effect.epoch);
      case 'measure':
        return this.#measure();
      case 'run':
        return this.#run(effect.worker, effect.job);
      case 'answer':
        this.#session.publish('result', effect.vehicle, effect.result);
        return;
      case 'drop':
        this.#held.delete(keyOf(effect.job));
        return;
      case 'fault':
      case 'refused':
        return;
      default:
        throw new Violation('known-effects', JSON.stringify(effect));
    }
  }

  #hello(epoch: number): void {
    const { node, setup } = this.#spec;
    const { workers, firstCut } = setup;
    this.#session.publish('hello', node, {
      ...{ protocol: PROTOCOL_VERSION, role: 'cloud', modelHash: MODEL_HASH, cameras: [] },
      ...{ vehicleMs: 0, uplinkBps: 0, rttMs: 0, workers, firstCut, epoch, round: 0 },
    });
    this.#helloDue?.cancel();
    this.#helloDue = this.#clock.after(HELLO_AGAIN_MS, () => this.#steps.take({ kind: 'hello-due' }));
  }

  #measure(): void {
    const segmentMs = this.#spec.segmentMs.map((ms) => ms * this.#world.chance.between(0.9, 1.2));
    const wholeMs = segmentMs.reduce((sum, ms) => sum + ms, 0);
    this.#clock.after(3 * wholeMs, () => {
      const profile = { segmentMs, cuts: this.#world.scenario.cuts, jpegBytes: 0 };
      this.#session.publish('profile', this.#spec.node, profile);
    });
  }

  /** The first chunk is asked about; with the last one the tensor is whole. */
  #collect(vehicle: string, chunk: TensorChunk): void {
    if (chunk.offset === 0) {
      if (refusal(this.#steps.state, vehicle, chunk) === undefined) this.#begun.set(vehicle, chunk);
      return;
    }
    const begun = this.#begun.get(vehicle);
    if (begun?.frame !== chunk.frame || begun.epoch !== chunk.epoch) return;
    this.#begun.delete(vehicle);
    const { frame, epoch, camera, cut, codec } = begun;
    const job: TailJob = { vehicle, frame, epoch, camera, cut, codec };
    this.#held.set(keyOf(job), new TextDecoder().decode(chunk.data));
    this.#steps.take({ kind: 'tensor', job });
  }

  #run(worker: number, job: TailJob): void {
    const { chance, isCalm } = this.#world;
    const { segmentMs, tailFails, stalls } = this.#spec;
    const digest = this.#held.get(keyOf(job))!;
    this.#held.delete(keyOf(job));
    const wholeMs = segmentMs.slice(job.cut).reduce((sum, ms) => sum + ms, 0);
    const stalledMs = !isCalm && chance.is(stalls) ? chance.spread(10, STALL_MS) : 0;
    const takesMs = wholeMs * chance.between(0.9, 2) + stalledMs;
    const fails = !isCalm && chance.is(tailFails);
    const startMs = this.#clock.now();
    this.#clock.after(takesMs, () => {
      if (fails) return this.#steps.take({ kind: 'tail-failed', worker, reason: 'out of memory' });
      const answer = { top: [], boxes: [], digest };
      this.#steps.take({ kind: 'tail-done', worker, startMs, endMs: this.#clock.now(), ...answer });
    });
  }
}

const keyOf = (job: TailJob): string => `${job.vehicle}/${job.frame}/${job.epoch}`;
