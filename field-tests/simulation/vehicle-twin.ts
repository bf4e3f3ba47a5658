/** The thin twin of a vehicle node: does what its `policy/step` says, on virtual time, without a network or a picture. */
import type { Timer } from '@splitlane/clock';
import { StepRunner } from '@splitlane/journal';
import { ClockSync } from '@splitlane/net';
import { PROTOCOL_VERSION, type Round, type TensorChunk } from '@splitlane/proto';
import type { VehicleEffect, VehicleEvent } from '@splitlane/vehicle-node/policy/events';
import { initialState, type VehicleState } from '@splitlane/vehicle-node/policy/step';
import { VehicleBooks, Violation } from './books.ts';
import { MemoryLog } from './memory-log.ts';
import { MemorySession } from './memory-network.ts';
import type { VehicleSpec } from './scenario.ts';
import { ProcessClock } from './virtual-clock.ts';
import { MODEL_HASH, type World } from './world.ts';

const HELLO_AGAIN_MS = 2000;
const JPEG_BYTES = 6000;
const MEASURED_TIMES = 3;

type Sending = VehicleEffect & { kind: 'send' };

interface Transfer {
  isOver: boolean;
}

export class VehicleTwin {
  readonly log: MemoryLog;
  readonly #spec: VehicleSpec;
  readonly #world: World;
  readonly #clock: ProcessClock;
  readonly #books: VehicleBooks;
  readonly #session: MemorySession;
  #helloDue: Timer | undefined;
  readonly #steps: StepRunner<VehicleState, VehicleEvent, VehicleEffect>;
  readonly #transfers = new Map<number, Transfer>();
  /** Until when the one inference thread is busy. */
  #threadFreeMs = 0;
  #lastFrame = 0;
  #capturing = 0;
  #stopping = false;

  /** @param name of this process: the node's, and which start of it this is. */
  constructor(spec: VehicleSpec, name: string, world: World) {
    this.#spec = spec;
    this.#world = world;
    this.#clock = new ProcessClock(world.clock, spec.clockOffsetMs);
    this.#books = new VehicleBooks(name, spec.node, spec.cameras.length, world.plans, world.tally);
    this.log = new MemoryLog(this.#clock, (table, row) => world.wrote(name, table, row));
    this.#steps = new StepRunner(
      this.initial,
      (state, event) => {
        const next = world.decide(name, world.steps.vehicle, state, event);
        this.#books.decided(state, event, next.state, next.effects);
        return next;
      },
      { recorder: this.log, clock: this.#clock, perform: (effect, atMs) => this.#perform(effect, atMs) },
    );
    this.#session = new MemorySession(spec.node, world, this.#clock, {
      onConnect: () => this.#steps.take({ kind: 'connected' }),
      onDisconnect: (reason) => this.#disconnected(reason),
    });
    this.#subscribe();
    this.#session.start();
    new ClockSync(this.#session, spec.node, this.#clock, {
      onOffset: () => {},
      onUnknown: (sentMs) => this.#steps.take({ kind: 'unknown', sentMs }),
    }).start();
  }

  get initial(): VehicleState {
    const { vehicleMs, segmentMs } = this.#spec;
    return initialState({ lastCut: segmentMs.length, emulated: vehicleMs !== undefined });
  }

  /** Kills the process. */
  crash(): void {
    this.#clock.kill();
    this.#books.crashed(this.log, this.#clock.lastRanMs);
  }

  /** Stops the process as its user does, once what is being captured is there. @returns whether it has. */
  stop(): boolean {
    if (this.#capturing > 0) return false;
    if (this.#stopping) return true;
    this.#stopping = true;
    this.#steps.take({ kind: 'stopping' });
    this.#steps.stop();
    this.log.flush();
    this.#clock.kill();
    this.#books.stopped(this.log);
    return true;
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
    session.subscribe('plan', node, (plan) => steps.take({ kind: 'plan', plan }));
    session.subscribe('channelGrant', node, (grant) => steps.take({ kind: 'granted', ...grant }));
    session.subscribe('round', node, (round) => steps.take({ kind: 'round', round }));
    session.subscribe('result', node, (result) => steps.take({ kind: 'result', result }));
    session.subscribe('presence', '+', ({ online }, other) => {
      if (!online && other !== node) steps.take({ kind: 'cloud-lost', cloud: other });
    });
  }

  /** A transfer that is under way is told of the broken connection beside the node, before or after it. */
  #disconnected(reason: string): void {
    const fail = (): void => {
      for (const [frame, transfer] of this.#transfers)
        this.#failTransfer(frame, transfer, 'the connection was lost');
    };
    const isBefore = this.#world.chance.is(0.5);
    if (isBefore) fail();
    this.#steps.take({ kind: 'disconnected', reason });
    if (!isBefore) fail();
  }

  #perform(effect: VehicleEffect, atMs: number): void {
    const { node } = this.#spec;
    switch (effect.kind) {
      case 'hello':
        return this.#hello(effect);
      case 'measure':
        return this.#measure();
      case 'capture':
        return this.#capture(effect.round);
      case 'await-tick': {
        const { round, afterMs } = effect;
        this.#clock.after(afterMs, () => this.#steps.take({ kind: 'tick', round }));
        return;
      }
      case 'ready':
        this.#session.publish('ready', node, { round: effect.round, cameras: [...effect.cameras] });
        return;
      case 'run':
        return this.#run(effect);
      case 'send':
        return this.#send(effect);
      case 'ask-channel': {
        const { frame, epoch, camera } = effect;
        this.#session.publish('channelAsk', node, { frame, epoch, camera, bytes: this.#bytesOnWire(effect) });
        return;
      }
      case 'end-channel':
        this.#session.publish('channelEnd', node, { frame: effect.frame, whole: effect.whole });
        return;
      case 'stop-send': {
        const { frame } = effect;
        const transfer = this.#transfers.get(frame);
        if (!transfer) return;
        this.#clock.after(0, () => this.#failTransfer(frame, transfer, 'the transfer was stopped'));
        return;
      }
      case 'wake': {
        const { frame, afterMs } = effect;
        // Of a frame that has ended meanwhile too: the step must stand it.
        this.#clock.after(afterMs, () => this.#steps.take({ kind: 'timeout', frame }));
        return;
      }
      case 'finish': {
        const { frame, outcome, answer, through, startMs = null, reason = null } = effect;
        const { epoch = null, cut = null, codec = null } = through ?? {};
        const digest = answer?.digest ?? null;
        const how = { frame, outcome, reason, epoch, cut, codec, digest, top: null, boxes: null };
        this.log.write('result', { ...how, start_ms: startMs, end_ms: atMs });
        return;
      }
      case 'transferred':
        this.#session.publish('transfer', node, effect.report);
        return;
      case 'round-done': {
        const startMs = effect.summary.startMs - this.#spec.clockOffsetMs;
        this.#world.roundDone(node, startMs, this.#steps.state.plan?.cloud ?? '');
        this.#session.publish('report', node, effect.report);
        return;
      }
      case 'fault':
      case 'refused':
        return;
      default:
        throw new Violation('known-effects', JSON.stringify(effect));
    }
  }

  #hello({ epoch, round }: VehicleEffect & { kind: 'hello' }): void {
    const { node, cameras, vehicleMs = 0, uplinkBps, channel = '' } = this.#spec;
    this.#session.publish('hello', node, {
      ...{ protocol: PROTOCOL_VERSION, role: 'vehicle', modelHash: MODEL_HASH, cameras: [...cameras] },
      ...{ vehicleMs, uplinkBps, rttMs: 0, workers: 0, firstCut: 0, epoch, round, channel },
    });
    this.#helloDue?.cancel();
    this.#helloDue = this.#clock.after(HELLO_AGAIN_MS, () => this.#steps.take({ kind: 'hello-due' }));
  }

  #measure(): void {
    const { chance, scenario } = this.#world;
    const segmentMs = this.#spec.segmentMs.map((ms) => ms * chance.between(0.9, 1.2));
    const wholeMs = segmentMs.reduce((sum, ms) => sum + ms, 0);
    this.#onThread(MEASURED_TIMES * wholeMs, () => {
      const profile = { segmentMs, cuts: scenario.cuts, jpegBytes: JPEG_BYTES };
      this.#session.publish('profile', this.#spec.node, profile);
    });
  }

  #capture(round: Round): void {
    const { chance } = this.#world;
    const { cameras, cameraFails } = this.#spec;
    this.#capturing++;
    const frames: { frame: number; camera: string }[] = [];
    const takesMs = cameras.map(() => chance.between(1, 20));
    cameras.forEach((camera, index) => {
      if (this.#world.isCalm ? false : chance.is(cameraFails)) return;
      this.#clock.after(takesMs[index]!, () => {
        const frame = ++this.#lastFrame;
        frames.push({ frame, camera });
        const captured_ms = this.#clock.now();
        this.#books.captured(frame, captured_ms);
        const of = { round: round.round, frame_index: round.frameIndex, measured: Number(round.measured) };
        const jpeg = { jpeg_bytes: JPEG_BYTES, jpeg_digest: this.#books.identityOf(frame) };
        this.log.write('frame', { frame, ...of, camera, captured_ms, ...jpeg });
      });
    });
    this.#clock.after(Math.max(...takesMs), () => {
      this.#capturing--;
      frames.sort((a, b) => cameras.indexOf(a.camera) - cameras.indexOf(b.camera));
      this.#steps.take({ kind: 'captured', round: round.round, frames });
    });
  }

  #run(effect: VehicleEffect & { kind: 'run' }): void {
    const { chance, isCalm } = this.#world;
    const { frame, from, to, emulatedMs } = effect;
    const { segmentMs, runFails } = this.#spec;
    const ownMs = segmentMs.slice(from, to).reduce((sum, ms) => sum + ms, 0) * chance.between(0.9, 1.5);
    const overrun = emulatedMs !== undefined && ownMs > emulatedMs;
    const fails = !isCalm && chance.is(runFails);
    this.#onThread(Math.max(ownMs, emulatedMs ?? 0), () => {
      this.#books.ran(frame, fails ? undefined : to);
      if (fails) return this.#steps.take({ kind: 'run-failed', frame, reason: 'out of memory' });
      const isWhole = to === segmentMs.length;
      const answer = isWhole ? { top: [], boxes: [], digest: this.#books.identityOf(frame) } : undefined;
      this.#steps.take({ kind: 'run-done', frame, overrun, ...(answer ? { answer } : {}) });
    });
  }

  /** The one thread does one thing after another. */
  #onThread(takesMs: number, done: () => void): void {
    this.#threadFreeMs = Math.max(this.#threadFreeMs, this.#clock.now()) + takesMs;
    this.#clock.after(this.#threadFreeMs - this.#clock.now(), done);
  }

  #bytesOnWire({ cut, codec, cloud }: Pick<Sending, 'cut' | 'codec' | 'cloud'>): number {
    const bytes = codec === 'jpeg' ? JPEG_BYTES : this.#world.scenario.cuts[cut]!.bytes;
    return this.#world.wireBytes(bytes, this.#spec, cloud);
  }

  #send(effect: Sending): void {
    const { node, sendFails } = this.#spec;
    const { chance, isCalm, scenario } = this.#world;
    const { frame, camera, epoch, cut, codec, cloud } = effect;
    const transfer: Transfer = { isOver: false };
    this.#transfers.set(frame, transfer);
    const onWire = this.#bytesOnWire(effect);
    const totalBytes = codec === 'jpeg' ? JPEG_BYTES : scenario.cuts[cut]!.bytes;
    const data = new TextEncoder().encode(this.#books.identityOf(frame));
    const of = { frame, epoch, camera, cut, codec, dims: [...scenario.cuts[cut]!.dims] };
    const first: TensorChunk = { ...of, totalBytes, offset: 0, data, frameWidth: 960, frameHeight: 540 };
    if (!this.#session.publish('tensor', node, first, cloud)) {
      this.#clock.after(0, () => this.#failTransfer(frame, transfer, 'the connection was lost'));
      return;
    }
    const startMs = this.#clock.now();
    const takesMs = this.#world.startTransfer(onWire, this.#spec);
    const failsAt = !isCalm && chance.is(sendFails) ? chance.between(0, 1) : undefined;
    this.#clock.after(takesMs * (failsAt ?? 1), () => {
      if (transfer.isOver) return;
      if (failsAt !== undefined) return this.#failTransfer(frame, transfer, 'the connection was lost');
      const last = { ...first, offset: totalBytes >> 1 };
      if (!this.#session.publish('tensor', node, last, cloud)) return;
      transfer.isOver = true;
      this.#transfers.delete(frame);
      this.#books.transferEnded(frame);
      const endMs = this.#clock.now();
      this.#steps.take({ kind: 'sent', frame, endMs, wireBytes: onWire, wireMs: endMs - startMs });
    });
  }

  #failTransfer(frame: number, transfer: Transfer, reason: string): void {
    if (transfer.isOver) return;
    transfer.isOver = true;
    this.#transfers.delete(frame);
    this.#books.transferEnded(frame);
    this.#steps.take({ kind: 'send-failed', frame, reason });
  }
}
