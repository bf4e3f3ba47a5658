/**
 * A world around a vehicle's step that does whatever a list of deeds says, in any order, and keeps the
 * books: what was asked of it, what it has answered, and how every frame ended.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { VehicleEffect, VehicleEvent } from '../../../../apps/vehicle-node/policy/events.ts';
import { initialState, step, type VehicleState } from '../../../../apps/vehicle-node/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import { cloudOf, type StreamPlan, type VehiclePlan } from '../../../../libs/proto/messages.ts';
import { deepFreeze } from '../../deep-freeze.ts';
import { answer, planOf, resultOf, stream } from './drive.ts';

const LAST_CUT = 3;
const CAMERAS = ['camera-1', 'camera-2', 'camera-3', 'camera-4'];
const CLOUDS = ['', 'cloud-1', 'cloud-2'];

/** Which frame an event is about: one of those that were captured, counted from the newest, or an unknown one. */
const which = fc.nat(9);
const cuts = fc.array(fc.constantFrom(0, 1, 1, 2, 2, 2, LAST_CUT), { minLength: 4, maxLength: 4 });

/** The frame that is waited for now (null), or any. */
const awaited = fc.option(which, { freq: 5 });

/** One thing that the world may do. Most of it is what was asked of it; some of it is not. */
export const deed = fc.oneof(
  ...(
    [
      [3, 'connected', {}],
      [1, 'disconnected', {}],
      [1, 'hello-due', {}],
      [1, 'unknown', { ago: fc.nat(5) }],
      [1, 'measure-asked', {}],
      [1, 'verdict', { accepted: fc.boolean() }],
      [1, 'cloud-lost', { cloud: fc.constantFrom(...CLOUDS, 'vehicle-2') }],
      [
        5,
        'plan',
        {
          later: fc.constantFrom(-1, 0, 1, 1, 1, 3),
          cloud: fc.constantFrom(...CLOUDS, 'cloud-1', 'cloud-1', 'cloud-1'),
          policy: fc.constantFrom('lo', 'ro', 'jps'),
          cameras: fc.shuffledSubarray(CAMERAS, { minLength: 2 }),
          cuts,
          clouds: fc.array(fc.constantFrom('', 'cloud-1', 'cloud-2'), { minLength: 4, maxLength: 4 }),
          jpeg: fc.boolean(),
          forRound: fc.boolean(),
          segments: fc.constantFrom(LAST_CUT, LAST_CUT, LAST_CUT, LAST_CUT, 2),
        },
      ],
      [3, 'capture', { newer: fc.constantFrom(0, 1, 1, 1, 1) }],
      [3, 'captured', { cameras: fc.subarray(CAMERAS) }],
      [3, 'go', { earlier: fc.constantFrom(0, 0, 0, 1) }],
      [5, 'run-done', { of: awaited, overrun: fc.boolean() }],
      [1, 'run-failed', { of: awaited }],
      [5, 'sent', { of: awaited }],
      [2, 'send-failed', { of: awaited }],
      [5, 'result', { of: awaited, otherEpoch: fc.constantFrom(0, 0, 0, 1) }],
      [3, 'timeout', { of: which }],
      [70, 'as-asked', { pick: fc.nat(9) }],
    ] as const
  ).map(([weight, name, rest]) => ({ weight, arbitrary: fc.record({ do: fc.constant(name), ...rest }) })),
) as fc.Arbitrary<Deed>;
export type Deed =
  | { do: 'connected' | 'disconnected' | 'hello-due' | 'measure-asked' }
  | { do: 'unknown'; ago: number }
  | { do: 'verdict'; accepted: boolean }
  | { do: 'cloud-lost'; cloud: string }
  | {
      do: 'plan';
      later: number;
      cloud: string;
      policy: string;
      cameras: string[];
      cuts: number[];
      /** The workers of the streams. */
      clouds: string[];
      jpeg: boolean;
      /** Only for what is left of the newest round. */
      forRound: boolean;
      segments: number;
    }
  | { do: 'capture'; newer: number }
  | { do: 'captured'; cameras: string[] }
  | { do: 'go'; earlier: number }
  | { do: 'run-done'; of: number | null; overrun: boolean }
  | { do: 'result'; of: number | null; otherEpoch: number }
  | { do: 'run-failed' | 'sent' | 'send-failed'; of: number | null }
  | { do: 'timeout'; of: number }
  /** One of the things that were asked; the next round where nothing was. */
  | { do: 'as-asked'; pick: number };

interface Frame {
  readonly camera: string;
  readonly capture: number;
  /** The cut that its tensor has reached in the world. */
  at: number;
  epoch: number;
  outcome?: string;
  reason?: string | undefined;
}

export const DROPPED_UNSTARTED = ['a newer round was asked for', 'the round has its frames already'];

export class World {
  state: VehicleState = initialState({ lastCut: LAST_CUT, emulated: true });
  readonly frames: Frame[] = [];
  /** Every event so far, for replays. */
  readonly events: VehicleEvent[] = [];
  readonly effects: VehicleEffect[][] = [];
  readonly #captures: { readonly round: number; readonly frames: readonly number[] }[] = [];
  readonly #asked: number[] = [];
  readonly #ready: number[] = [];
  #running: (VehicleEffect & { kind: 'run' }) | undefined;
  #sending: number | undefined;
  readonly #wakes = new Set<number>();
  /** Frames that have ended since the last round did, those that never began left out. */
  #endedInRound: number[] = [];
  #lastRound = 0;
  #epoch = 0;
  /** The plans that were taken. */
  readonly #plans: VehiclePlan[] = [];
  /** Workers that were lost and that no plan has named since. */
  readonly #lost = new Set<string>();

  /** @param underWay the vehicle is connected and has a plan with a cloud already. */
  constructor(underWay: boolean) {
    if (!underWay) return;
    this.do({ do: 'connected' });
    const jps = { policy: 'jps', cloud: 'cloud-1', cameras: CAMERAS, cuts: [2, 2, 1, 0], jpeg: true };
    const clouds = ['', 'cloud-2', '', ''];
    this.do({ do: 'plan', later: 1, segments: LAST_CUT, ...jps, clouds, forRound: false });
  }

  /** Does a deed; what makes no sense now becomes an event that nobody asked for. */
  do(deed: Deed): void {
    switch (deed.do) {
      case 'disconnected':
        return this.take({ kind: 'disconnected', reason: 'the cable is cut' });
      case 'unknown':
        return this.take({ kind: 'unknown', sentMs: Math.max(0, this.events.length - deed.ago) });
      case 'verdict':
        return this.take({ kind: 'verdict', accepted: deed.accepted, reason: 'why' });
      case 'plan': {
        this.#epoch = Math.max(1, this.#epoch + deed.later);
        const codec = (cut: number) => (deed.jpeg && cut === 0 ? 'jpeg' : 'float32');
        const streams = deed.cameras.map((camera, place) =>
          stream(camera, deed.cuts[place]!, codec(deed.cuts[place]!), deed.cloud && deed.clouds[place]!),
        );
        const segmentMs = new Array<number>(deed.segments).fill(10);
        const { cloud, policy } = deed;
        const round = deed.forRound ? this.#lastRound : 0;
        return this.#plan(planOf(this.#epoch, streams, { cloud, policy, segmentMs, round }));
      }
      case 'capture':
        this.#lastRound += this.#lastRound === 0 ? 1 : deed.newer;
        return this.#round(this.#lastRound, 'capture');
      case 'captured':
        return this.#captured(this.#asked.shift() ?? this.#lastRound, deed.cameras);
      case 'go':
        return this.#round(this.#lastRound - deed.earlier, 'go');
      case 'run-done':
        return this.#runDone(deed.of === null ? this.#running?.frame : this.#frame(deed.of), deed.overrun);
      case 'run-failed': {
        const frame = deed.of === null ? this.#running?.frame : this.#frame(deed.of);
        if (frame === this.#running?.frame) this.#running = undefined;
        return this.take({ kind: 'run-failed', frame: frame ?? 0, reason: 'out of memory' });
      }
      case 'sent':
        return this.#sent(deed.of === null ? this.#sending : this.#frame(deed.of));
      case 'send-failed': {
        const frame = deed.of === null ? this.#sending : this.#frame(deed.of);
        if (frame === this.#sending) this.#sending = undefined;
        return this.take({ kind: 'send-failed', frame: frame ?? 0, reason: 'the connection was lost' });
      }
      case 'result': {
        const frame = deed.of === null ? this.#inCloud() : this.#frame(deed.of);
        const epoch = (this.frames[frame - 1]?.epoch ?? 1) + deed.otherEpoch;
        return this.take({ kind: 'result', result: resultOf(frame, epoch) });
      }
      case 'as-asked': {
        const deeds = this.#outstanding();
        const inCloud = this.#inCloud();
        if (inCloud > 0) deeds.push(() => this.do({ do: 'result', of: null, otherEpoch: 0 }));
        if (deeds.length === 0) deeds.push(() => this.do({ do: 'capture', newer: 1 }));
        return deeds[deed.pick % deeds.length]!();
      }
      case 'cloud-lost':
        this.#lost.add(deed.cloud);
        return this.take({ kind: 'cloud-lost', cloud: deed.cloud });
      case 'timeout':
        return this.take({ kind: 'timeout', frame: this.#frame(deed.of) });
      default:
        return this.take({ kind: deed.do } as Untimed<VehicleEvent>);
    }
  }

  /** From now on the world does all that it is asked to; the cloud alone stays silent. */
  settle(): void {
    for (let turn = 0; turn < 10_000; turn++) {
      const [frame] = this.#wakes;
      const next = this.#outstanding()[0];
      if (next) next();
      else if (frame === undefined) return;
      else {
        this.#wakes.delete(frame);
        this.take({ kind: 'timeout', frame });
      }
    }
    assert.fail('the vehicle never comes to rest');
  }

  /** What the vehicle waits for, the cloud left out. */
  #outstanding(): (() => void)[] {
    const deeds: (() => void)[] = [];
    if (this.#asked.length > 0) deeds.push(() => this.#captured(this.#asked.shift()!, CAMERAS));
    if (this.#ready.length > 0) deeds.push(() => this.#round(this.#ready.shift()!, 'go'));
    if (this.#running) deeds.push(() => this.#runDone(this.#running?.frame, false));
    if (this.#sending !== undefined) deeds.push(() => this.#sent(this.#sending));
    return deeds;
  }

  /** The node is told that it stops; it says nothing more of the round that it breaks off. */
  stop(): void {
    this.take({ kind: 'stopping' });
    const effects = this.effects.at(-1)!;
    assert.ok(effects.every(({ kind }) => kind === 'finish'));
  }

  /** What must hold once the world has settled. */
  checkEnded(): void {
    this.frames.forEach(({ outcome }, index) => {
      assert.ok(outcome, `frame ${index + 1} has no end`);
    });
    assert.deepEqual(this.#endedInRound, [], 'a round has not ended');
  }

  take(untimed: Untimed<VehicleEvent>): void {
    const event = deepFreeze({ atMs: this.events.length, ...untimed } as VehicleEvent);
    const { state, effects } = step(this.state, event);
    this.state = deepFreeze(state);
    this.events.push(event);
    this.effects.push([...deepFreeze(effects)]);
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: VehicleEffect): void {
    switch (effect.kind) {
      case 'hello':
        assert.equal(
          effect.epoch,
          this.#plans.at(-1)?.epoch ?? 0,
          'it says the newest epoch that it has seen',
        );
        return;
      case 'capture':
        assert.ok(effect.round.round > (this.#asked.at(-1) ?? 0), 'no round is captured twice');
        this.#asked.push(effect.round.round);
        return;
      case 'ready':
        this.#ready.push(effect.round);
        return;
      case 'run': {
        const frame = this.#open(effect.frame);
        assert.equal(this.#running, undefined, 'two runs at a time');
        assert.equal(effect.from, frame.at, 'a run starts where the tensor stands');
        assert.ok(effect.from < effect.to && effect.to <= LAST_CUT);
        this.#running = effect;
        return;
      }
      case 'send': {
        const frame = this.#open(effect.frame);
        assert.equal(this.#sending, undefined, 'two tensors on the uplink');
        assert.equal(effect.cut, frame.at, 'the tensor that is sent is the one at its cut');
        assert.ok(effect.cut < LAST_CUT, 'what has run whole is not sent');
        frame.epoch = effect.epoch;
        const { epoch, cut, codec, cloud } = effect;
        const says = (plan: VehiclePlan, stream: StreamPlan): boolean =>
          stream.camera === frame.camera &&
          `${stream.cut} ${stream.codec} ${cloudOf(stream, plan)}` === `${cut} ${codec} ${cloud}`;
        const isPlanned = this.#plans.some(
          (plan) => plan.epoch === epoch && plan.streams.some((planned) => says(plan, planned)),
        );
        assert.ok(isPlanned, 'not sent as its plan says');
        assert.ok(!this.#lost.has(effect.cloud), 'a tensor for a worker that is lost');
        this.#sending = effect.frame;
        return;
      }
      case 'stop-send':
        assert.equal(this.#sending, effect.frame, 'only what is sent can be stopped');
        this.#sending = undefined;
        return;
      case 'wake':
        this.#wakes.add(effect.frame);
        return;
      case 'finish': {
        const frame = this.#open(effect.frame);
        assert.equal(effect.answer === undefined, effect.outcome === 'dropped');
        assert.ok(effect.outcome !== 'dropped' || effect.reason, 'who drops a frame says why');
        assert.equal(effect.camera, frame.camera);
        frame.outcome = effect.outcome;
        this.#wakes.delete(effect.frame);
        if (!DROPPED_UNSTARTED.includes(effect.reason ?? '')) this.#endedInRound.push(effect.frame);
        return;
      }
      case 'round-done': {
        const { round, jobs } = effect.report;
        const ended = this.#endedInRound.sort((a, b) => a - b);
        assert.ok(
          this.#captures.some((taken) => taken.round === round && taken.frames.join() === ended.join()),
          `round ${round} ended with the frames ${ended.join()}`,
        );
        assert.equal(jobs.length, ended.length);
        this.#endedInRound = [];
      }
    }
  }

  /** A frame that was captured and has not ended. */
  #open(number: number): Frame {
    const frame = this.frames[number - 1];
    assert.ok(frame, `nobody captured frame ${number}`);
    assert.equal(frame.outcome, undefined, `frame ${number} has ended already`);
    return frame;
  }

  /** Counted from the newest; 0 where there is none, which no frame has for its number. */
  #frame(fromNewest: number): number {
    return Math.max(0, this.frames.length - fromNewest);
  }

  /** The first frame whose tensor is out and that has not ended; 0 where there is none. */
  #inCloud(): number {
    return (
      1 +
      this.frames.findIndex(
        ({ epoch, outcome }, index) => epoch > 0 && outcome === undefined && index + 1 !== this.#sending,
      )
    );
  }

  #round(round: number, phase: 'capture' | 'go'): void {
    if (round > 0)
      this.take({ kind: 'round', round: { round, phase, frameIndex: 0, measured: round % 2 === 0 } });
  }

  #plan(plan: VehiclePlan): void {
    const before = this.state.epoch;
    // The plan is taken, or refused, before anything is done by it.
    const isTaken = plan.epoch > before && plan.segmentMs.length === LAST_CUT;
    if (isTaken) {
      this.#plans.push(plan);
      for (const each of plan.streams) this.#lost.delete(cloudOf(each, plan));
    }
    this.take({ kind: 'plan', plan });
    assert.equal(this.state.epoch, isTaken ? plan.epoch : before);
  }

  #captured(round: number, cameras: readonly string[]): void {
    const capture = this.#captures.length;
    const frames = cameras.map((camera) => {
      this.frames.push({ camera, capture, at: 0, epoch: 0 });
      return { camera, frame: this.frames.length };
    });
    this.#captures.push({ round, frames: frames.map(({ frame }) => frame) });
    this.take({ kind: 'captured', round, frames });
  }

  #runDone(frame: number | undefined, overrun: boolean): void {
    const run = this.#running?.frame === frame ? this.#running : undefined;
    // An answer comes from the last segment, and from nowhere else; of what was not asked, anything.
    const whole = run ? run.to === LAST_CUT : overrun;
    if (run) {
      this.frames[run.frame - 1]!.at = run.to;
      this.#running = undefined;
    }
    this.take({ kind: 'run-done', frame: frame ?? 0, overrun, ...(whole ? { answer } : {}) });
  }

  #sent(frame: number | undefined): void {
    if (frame === this.#sending) this.#sending = undefined;
    this.take({ kind: 'sent', frame: frame ?? 0, endMs: this.events.length, wireBytes: 1000, wireMs: 8 });
  }
}
