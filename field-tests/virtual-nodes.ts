/**
 * A vehicle and a cloud worker on virtual time, with whoever leads them and a recorded link between: the very steps of
 * the apps, fed with events that come when they would come. What is sent over the link goes through it byte after byte,
 * tensors in their chunks, what is told to the roadside unit in its turn between them.
 */
import type { CloudEffect, CloudEvent } from '@splitlane/cloud/policy/events';
import {
  type CloudState,
  initialState as initialCloud,
  refusal,
  step as stepCloud,
} from '@splitlane/cloud/policy/step';
import type { LinkTrace } from '@splitlane/net';
import {
  type Codec,
  chunkBytesFor,
  encode,
  type Hello,
  type MessageOf,
  PROTOCOL_VERSION,
  type Profile,
  packetBytes,
  type Round,
  topicOf,
  type VehiclePlan,
  wireBytes,
} from '@splitlane/proto';
import type { CoordinatorEffect, CoordinatorEvent } from '@splitlane/roadside-unit/policy/events';
import type { RoundSummary, VehicleEffect, VehicleEvent } from '@splitlane/vehicle-node/policy/events';
import {
  initialState as initialVehicle,
  step as stepVehicle,
  type VehicleState,
} from '@splitlane/vehicle-node/policy/step';

export const VEHICLE = 'vehicle-1';
export const CLOUD = 'cloud-1';

/** One vehicle, one cloud worker, and the link between them. Times in ms. */
export interface LinkScenario {
  /** Time 0 is its beginning; as planned for, the link has its mean rate. */
  readonly trace: LinkTrace;
  readonly rttMs: number;
  readonly cameras: number;
  /** Time of the whole network on the vehicle. */
  readonly vehicleMs: number;
  /** As the vehicle measures itself, and as the cloud worker does. */
  readonly profile: Profile;
  readonly cloudSegmentMs: readonly number[];
  readonly cloudWorkers: number;
  /** From when a round is asked for until its frames are ready. */
  readonly captureMs: number;
}

export interface PlayedRound extends RoundSummary {
  /** Frames that were to go through the cloud, and were finished on the vehicle. */
  readonly local: number;
}

/** Whoever leads the nodes: what happens to it, and what it does about it. */
export type Lead = (event: CoordinatorEvent) => readonly CoordinatorEffect[];

type Untimed<Event> = Event extends unknown ? Omit<Event, 'atMs'> : never;

/** What a message and what is done about it take, on top of the link. */
const MESSAGE_MS = 1;
/** As the link sends them: so many of a tensor's chunks wait for it at most. */
const CHUNKS_IN_FLIGHT = 2;
/** Of a camera's frame; only the length of a chunk's header depends on it. */
const FRAME_SIZE = { frameWidth: 960, frameHeight: 540 };
const HASH = '0'.repeat(64);

export const cameraNames = (cameras: number): string[] =>
  Array.from({ length: cameras }, (_, index) => `camera-${index + 1}`);

export class VirtualNodes {
  readonly #scenario: LinkScenario;
  readonly #lead: Lead;
  readonly #rounds: PlayedRound[] = [];
  /** What is to come, the next at the end. */
  readonly #coming: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly #awake = new Set<number>();
  readonly #stopped = new Set<number>();
  #vehicle: VehicleState;
  #cloud: CloudState;
  #nowMs: number;
  #linkFreeMs: number;
  #lastFrame = 0;
  #local = 0;
  #plans = 0;

  /** @param fromMs when the nodes begin, on the trace's time. */
  constructor(scenario: LinkScenario, lead: Lead, fromMs = 0) {
    this.#scenario = scenario;
    this.#lead = lead;
    this.#nowMs = fromMs;
    this.#linkFreeMs = fromMs;
    const { cuts, segmentMs } = scenario.profile;
    const admitted = { connected: true, accepted: true };
    this.#vehicle = { ...initialVehicle({ lastCut: segmentMs.length, emulated: true }), ...admitted };
    const cutBytes = cuts.map(({ bytes }) => bytes);
    this.#cloud = {
      ...initialCloud({ node: CLOUD, workers: scenario.cloudWorkers, firstCut: 0, cutBytes }),
      ...admitted,
    };
  }

  /** Rounds that have ended. */
  get rounds(): readonly PlayedRound[] {
    return this.#rounds;
  }

  /** Plans that were made, those for the rest of a round too. */
  get plans(): number {
    return this.#plans;
  }

  /** Both nodes come to whoever leads them, and all goes on until `isEnough` or nothing is to come. */
  lead(isEnough: () => boolean): void {
    this.#tell({ kind: 'hello', node: CLOUD, hello: this.#hello('cloud') });
    this.#tell({ kind: 'hello', node: VEHICLE, hello: this.#hello('vehicle') });
    this.#goOn(isEnough);
  }

  /** A single round under a plan, with nobody to lead it. */
  playRound(plan: VehiclePlan): PlayedRound {
    const round: Round = { round: 1, phase: 'capture', frameIndex: 0, measured: true };
    this.#takeCloud({ kind: 'plan', vehicle: VEHICLE, plan });
    this.#takeVehicle({ kind: 'plan', plan });
    this.#takeVehicle({ kind: 'round', round });
    this.#takeVehicle({ kind: 'round', round: { ...round, phase: 'go' } });
    this.#goOn(() => this.#rounds.length > 0);
    return this.#rounds[0]!;
  }

  #goOn(isEnough: () => boolean): void {
    while (!isEnough()) {
      const next = this.#coming.pop();
      if (!next) return;
      this.#nowMs = next.atMs;
      next.run();
    }
  }

  /** Of what comes at one time, what was said first comes first. */
  #after(delayMs: number, run: () => void): void {
    const atMs = this.#nowMs + delayMs;
    let at = this.#coming.length;
    while (at > 0 && this.#coming[at - 1]!.atMs <= atMs) at--;
    this.#coming.splice(at, 0, { atMs, run });
  }

  #hello(role: Hello['role']): Hello {
    const { cameras, vehicleMs, trace, rttMs, cloudWorkers } = this.#scenario;
    const own =
      role === 'cloud'
        ? { cameras: [], vehicleMs: 0, uplinkBps: 0, rttMs: 0, workers: cloudWorkers }
        : { cameras: cameraNames(cameras), vehicleMs, uplinkBps: trace.meanBps, rttMs, workers: 0 };
    return { protocol: PROTOCOL_VERSION, role, modelHash: HASH, firstCut: 0, epoch: 0, round: 0, ...own };
  }

  #tell(event: Untimed<CoordinatorEvent>): void {
    const effects = this.#lead({ atMs: this.#nowMs, ...event } as CoordinatorEvent);
    for (const effect of effects) this.#performLead(effect);
  }

  #performLead(effect: CoordinatorEffect): void {
    const { rttMs, profile, cloudSegmentMs } = this.#scenario;
    const toVehicle = (event: Untimed<VehicleEvent>): void =>
      this.#after(rttMs / 2 + MESSAGE_MS, () => this.#takeVehicle(event));
    switch (effect.kind) {
      case 'measure': {
        const { node } = effect;
        const measured = node === CLOUD ? { ...profile, segmentMs: [...cloudSegmentMs] } : profile;
        return this.#after(0, () => this.#tell({ kind: 'profile', node, profile: measured }));
      }
      case 'plan': {
        const { vehicle, plan } = effect;
        this.#plans++;
        this.#after(0, () => this.#takeCloud({ kind: 'plan', vehicle, plan }));
        return toVehicle({ kind: 'plan', plan });
      }
      case 'round':
        return toVehicle({ kind: 'round', round: effect.round });
      case 'wake': {
        const { round, phase, afterMs } = effect;
        return this.#after(afterMs, () => this.#tell({ kind: 'timeout', round, phase }));
      }
    }
  }

  #takeVehicle(event: Untimed<VehicleEvent>): void {
    const { state, effects } = stepVehicle(this.#vehicle, { atMs: this.#nowMs, ...event } as VehicleEvent);
    this.#vehicle = state;
    for (const effect of effects) this.#performVehicle(effect);
  }

  #performVehicle(effect: VehicleEffect): void {
    const node = VEHICLE;
    switch (effect.kind) {
      case 'capture':
        return this.#capture(effect.round);
      case 'ready': {
        const ready = { round: effect.round, cameras: [...effect.cameras] };
        return this.#message('ready', ready, () => this.#tell({ kind: 'ready', node, ready }));
      }
      case 'run': {
        const { frame, to, emulatedMs } = effect;
        const answer = to === this.#scenario.cloudSegmentMs.length ? { answer: NO_ANSWER } : {};
        return this.#after(emulatedMs!, () =>
          this.#takeVehicle({ kind: 'run-done', frame, overrun: false, ...answer }),
        );
      }
      case 'send':
        return this.#send(effect);
      case 'stop-send':
        this.#stopped.add(effect.frame);
        return;
      case 'wake': {
        const { frame, afterMs } = effect;
        this.#awake.add(frame);
        return this.#after(afterMs, () => {
          if (this.#awake.has(frame)) this.#takeVehicle({ kind: 'timeout', frame });
        });
      }
      case 'finish':
        this.#awake.delete(effect.frame);
        if (effect.outcome === 'local' && effect.reason !== undefined) this.#local++;
        return;
      case 'transferred': {
        const { report } = effect;
        return this.#message('transfer', report, () =>
          this.#tell({ kind: 'transfer', node, transfer: report }),
        );
      }
      case 'round-done': {
        const { summary, report } = effect;
        this.#rounds.push({ ...summary, local: this.#local });
        this.#local = 0;
        return this.#message('report', report, () => this.#tell({ kind: 'report', node, report }));
      }
    }
  }

  #capture({ round }: Round): void {
    const frames = cameraNames(this.#scenario.cameras).map((camera) => ({
      frame: ++this.#lastFrame,
      camera,
    }));
    this.#after(this.#scenario.captureMs, () => this.#takeVehicle({ kind: 'captured', round, frames }));
  }

  /** Puts bytes behind all that the link was given before. */
  #transmit(bytes: number, left: () => void, arrived: () => void): void {
    this.#linkFreeMs = this.#scenario.trace.endOf(Math.max(this.#linkFreeMs, this.#nowMs), bytes);
    const waitMs = this.#linkFreeMs - this.#nowMs;
    this.#after(waitMs, left);
    this.#after(waitMs + this.#scenario.rttMs / 2 + MESSAGE_MS, arrived);
  }

  #message<K extends 'ready' | 'transfer' | 'report'>(
    key: K,
    message: MessageOf<K>,
    arrived: () => void,
  ): void {
    this.#transmit(packetBytes(topicOf(key, VEHICLE), encode(key, message).length), () => {}, arrived);
  }

  #send({ frame, camera, epoch, cut, codec }: VehicleEffect & { kind: 'send' }): void {
    const { profile, trace } = this.#scenario;
    const totalBytes = profile.cuts[cut]!.bytes;
    const chunkBytes = chunkBytesFor(trace.meanBps);
    const chunkOnWire = wireBytes(chunkBytes, chunkBytes, VEHICLE, CLOUD);
    const startMs = this.#nowMs;
    let [offset, inFlight, onWire] = [0, 0, 0];
    const pump = (): void => {
      while (!this.#stopped.has(frame) && offset < totalBytes && inFlight < CHUNKS_IN_FLIGHT) {
        const length = Math.min(chunkBytes, totalBytes - offset);
        const bytes = length === chunkBytes ? chunkOnWire : wireBytes(length, chunkBytes, VEHICLE, CLOUD);
        offset += length;
        onWire += bytes;
        inFlight++;
        const isLast = offset === totalBytes;
        this.#transmit(bytes, left, () => {
          if (isLast) this.#arrive({ frame, camera, epoch, cut, codec, totalBytes });
        });
      }
    };
    const left = (): void => {
      inFlight--;
      if (offset < totalBytes) return pump();
      if (inFlight > 0 || this.#stopped.has(frame)) return;
      const wireMs = this.#nowMs - startMs;
      this.#takeVehicle({ kind: 'sent', frame, endMs: this.#nowMs, wireBytes: onWire, wireMs });
    };
    pump();
  }

  #arrive(tensor: {
    readonly frame: number;
    readonly camera: string;
    readonly epoch: number;
    readonly cut: number;
    readonly codec: Codec;
    readonly totalBytes: number;
  }): void {
    const chunk = { ...tensor, ...FRAME_SIZE, dims: [1], offset: 0, data: new Uint8Array(0) };
    if (refusal(this.#cloud, VEHICLE, chunk) !== undefined) return;
    const { frame, camera, epoch, cut, codec } = tensor;
    this.#takeCloud({ kind: 'tensor', job: { frame, camera, epoch, cut, codec, vehicle: VEHICLE } });
  }

  #takeCloud(event: Untimed<CloudEvent>): void {
    const { state, effects } = stepCloud(this.#cloud, { atMs: this.#nowMs, ...event } as CloudEvent);
    this.#cloud = state;
    for (const effect of effects) this.#performCloud(effect);
  }

  #performCloud(effect: CloudEffect): void {
    const { cloudSegmentMs, rttMs } = this.#scenario;
    if (effect.kind === 'run') {
      const { worker, job } = effect;
      const startMs = this.#nowMs;
      const tailMs = cloudSegmentMs.slice(job.cut).reduce((sum, ms) => sum + ms, 0);
      this.#after(tailMs, () => {
        const endMs = this.#nowMs;
        this.#takeCloud({ kind: 'tail-done', worker, startMs, endMs, ...NO_ANSWER });
      });
    } else if (effect.kind === 'answer') {
      const { result } = effect;
      this.#after(rttMs / 2 + MESSAGE_MS, () => this.#takeVehicle({ kind: 'result', result }));
    }
  }
}

/** Nobody looks at what the network says. */
const NO_ANSWER = { top: [], boxes: [], digest: '' };
