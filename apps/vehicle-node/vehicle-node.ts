/** A vehicle node: wires cameras, inference, uplink and log to its `policy/step`, and does what it says. */
import { createHash } from 'node:crypto';
import type { Clock, Timer } from '@splitlane/clock';
import { type FrameSize, InferenceThread, type PreparedModel, prepareModel } from '@splitlane/dnn';
import { LogSender, NodeLog, type SendWindow, StepRunner } from '@splitlane/journal';
import {
  ClockSync,
  Link,
  PlayedTrace,
  readLinkTrace,
  Session,
  sendTensor,
  type Transfer,
} from '@splitlane/net';
import {
  type Codec,
  chunkBytesFor,
  isCoded,
  PROTOCOL_VERSION,
  RefusedError,
  type Round,
  wireBytes,
} from '@splitlane/proto';
import type { VehicleConfig } from './config.ts';
import { type Camera, CameraError, type Frame, openCamera } from './io/camera.ts';
import type { VehicleEffect, VehicleEvent } from './policy/events.ts';
import { initialState, step, type VehicleState } from './policy/step.ts';

const HELLO_AGAIN_MS = 2000;
/** A round that lasts longer does not keep the log waiting for its end. */
const LONG_ROUND_MS = 2000;
/** After a round the next one is waited for so long. */
const PAUSE_MS = 500;
/** A vehicle that stops hands over what is left of its log for so long at most. */
const DRAIN_MS = 2000;

/** What of a frame is kept until it has ended. */
interface Held {
  readonly jpeg: Buffer;
  readonly size: FrameSize;
  /** The tensor at the cut that the job has reached. */
  tensor: Float32Array<ArrayBuffer>;
  /** The same as it is to be sent, where it is coded. */
  coded?: Uint8Array;
}

export class VehicleNode {
  readonly #config: VehicleConfig;
  readonly #clock: Clock;
  readonly #onEnd: (error: Error) => void;
  readonly #log: NodeLog;
  readonly #held = new Map<number, Held>();
  readonly #transfers = new Map<number, Transfer>();
  readonly #wakers = new Map<number, Timer>();
  #model!: PreparedModel;
  #cameras: Camera[] = [];
  #thread!: InferenceThread;
  #session!: Session;
  #link: Link | undefined;
  #trace: PlayedTrace | undefined;
  #policy = '';
  #clockSync: ClockSync | undefined;
  #helloDue: Timer | undefined;
  #sender: LogSender | undefined;
  #roundEndMs: number | undefined;
  #steps!: StepRunner<VehicleState, VehicleEvent, VehicleEffect>;
  #capturing = Promise.resolve();
  #tickTimer: Timer | undefined;
  #lastFrame = 0;
  #stopping = false;

  /** @param onEnd told when the node cannot go on: it was refused, or its log cannot be written. */
  constructor(config: VehicleConfig, clock: Clock, onEnd: (error: Error) => void) {
    this.#config = config;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#log = new NodeLog({ folder: config.log, node: config.node, clock, onFailure: onEnd });
  }

  /** Loads the model, opens the cameras and the log, and begins to connect. */
  async start(softwareVersion: string): Promise<void> {
    const { node, broker, link, cameras, vehicleMs } = this.#config;
    this.#model = await prepareModel(this.#config.model);
    const { hash } = this.#model;
    if (link.trace !== undefined) this.#trace = new PlayedTrace(readLinkTrace(link.trace), this.#clock.now());
    await this.#log.start({ role: 'vehicle', softwareVersion, config: this.#config, modelHash: hash });
    this.#cameras = cameras.map((camera) =>
      openCamera(camera, this.#model.card, (picture) => this.#log.fault('broken-picture', picture)),
    );
    for (const { name, source } of cameras)
      this.#log.write('stream', { camera: name, source: JSON.stringify(source) });
    this.#thread = new InferenceThread(this.#model);
    await this.#thread.ready();

    const initial = initialState({ lastCut: this.#model.segments.length, emulated: vehicleMs !== undefined });
    this.#steps = new StepRunner(initial, step, {
      recorder: this.#log,
      clock: this.#clock,
      perform: (effect, atMs) => this.#perform(effect, atMs),
    });
    this.#session = new Session({
      host: broker.host,
      port: broker.port,
      node,
      clock: this.#clock,
      wrap: (socket) => {
        const { uplinkBps, rttMs } = link;
        const held = this.#trace ? { trace: this.#trace } : { uplinkBps };
        this.#link = new Link(socket, { ...held, rttMs }, this.#clock);
        return this.#link;
      },
      onConnect: () => this.#steps.take({ kind: 'connected' }),
      onDisconnect: (reason) => {
        this.#steps.take({ kind: 'disconnected', reason });
        this.#sender?.lost();
      },
      onRejected: (reason) => this.#log.fault('message-rejected', reason),
      onNameTaken: (reason) =>
        this.#onEnd(new RefusedError(`${node}: refused by the roadside unit: ${reason}`)),
    });
    this.#sender = new LogSender(this.#log, this.#clock, {
      uplinkBps: link.uplinkBps,
      window: () => this.#logWindow(),
      send: ({ after, through, ...batch }) =>
        this.#session.publish('logBatch', node, { ...batch, after: [...after], through: [...through] }),
    });
    this.#session.start();
    this.#subscribe();
    this.#clockSync = new ClockSync(this.#session, node, this.#clock, {
      onOffset: ({ offsetMs, rttMs }, atMs) =>
        this.#log.write('clock_offset', { at_ms: atMs, offset_ms: offsetMs, rtt_ms: rttMs }),
      onUnknown: (sentMs) => this.#steps.take({ kind: 'unknown', sentMs }),
      isSending: () => this.#transfers.size > 0,
    });
    this.#clockSync.start();
  }

  /** Drops what has not ended, says goodbye and closes the log. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#capturing;
    this.#steps?.take({ kind: 'stopping' });
    this.#steps?.stop();
    this.#clockSync?.stop();
    this.#tickTimer?.cancel();
    for (const timer of this.#wakers.values()) timer.cancel();
    for (const transfer of this.#transfers.values()) transfer.stop();
    await this.#sender?.drain(DRAIN_MS);
    await this.#session?.stop();
    await this.#thread?.stop();
    await this.#log.stop();
  }

  #subscribe(): void {
    const { node } = this.#config;
    const session = this.#session;
    session.subscribe('verdict', node, (verdict) => {
      this.#steps.take({ kind: 'verdict', ...verdict });
      if (verdict.accepted) this.#sender!.letIn();
    });
    session.subscribe('logAck', node, (ack) => this.#sender!.acked(ack));
    session.subscribe('measure', node, () => this.#steps.take({ kind: 'measure-asked' }));
    session.subscribe('plan', node, (plan) => {
      // Every policy meets the same link.
      if (plan.policy !== this.#policy) this.#trace?.restart(this.#clock.now());
      this.#policy = plan.policy;
      this.#steps.take({ kind: 'plan', plan });
    });
    session.subscribe('channelGrant', node, (grant) => this.#steps.take({ kind: 'granted', ...grant }));
    session.subscribe('round', node, (round) => this.#steps.take({ kind: 'round', round }));
    session.subscribe('result', node, (result) => this.#steps.take({ kind: 'result', result }));
    session.subscribe('presence', '+', ({ online }, other) => {
      if (!online && other !== node) this.#steps.take({ kind: 'cloud-lost', cloud: other });
    });
  }

  #perform(effect: VehicleEffect, atMs: number): void {
    const { node } = this.#config;
    switch (effect.kind) {
      case 'hello':
        return this.#hello(effect);
      case 'measure':
        this.#measure().catch((error: Error) => this.#failed(error));
        return;
      case 'capture':
        this.#capturing = Promise.all([this.#capturing, this.#capture(effect.round)]).then(() => {});
        this.#sender!.look();
        return;
      case 'await-tick': {
        const { round, afterMs } = effect;
        this.#tickTimer = this.#clock.after(afterMs, () => this.#steps.take({ kind: 'tick', round }));
        return;
      }
      case 'ready':
        this.#session.publish('ready', node, { round: effect.round, cameras: [...effect.cameras] });
        return;
      case 'run':
        return void this.#run(effect);
      case 'send':
        return this.#send(effect);
      case 'ask-channel': {
        const { frame, epoch, camera, cloud } = effect;
        const chunkBytes = chunkBytesFor(this.#config.link.uplinkBps);
        const bytes = wireBytes(this.#tensorBytes(effect).length, chunkBytes, node, cloud);
        this.#session.publish('channelAsk', node, { frame, epoch, camera, bytes });
        return;
      }
      case 'end-channel': {
        const { frame, whole } = effect;
        this.#session.publish('channelEnd', node, { frame, whole });
        return;
      }
      case 'stop-send':
        return this.#transfers.get(effect.frame)?.stop();
      case 'wake': {
        const { frame, afterMs } = effect;
        this.#wakers.set(
          frame,
          this.#clock.after(afterMs, () => this.#steps.take({ kind: 'timeout', frame })),
        );
        return;
      }
      case 'finish': {
        const { frame, outcome, answer, through, startMs = null, reason = null } = effect;
        this.#wakers.get(frame)?.cancel();
        this.#wakers.delete(frame);
        this.#held.delete(frame);
        const digest = answer?.digest ?? null;
        const top = answer ? JSON.stringify(answer.top) : null;
        const boxes = answer ? JSON.stringify(answer.boxes) : null;
        const { epoch = null, cut = null, codec = null } = through ?? {};
        this.#log.write('result', {
          frame,
          outcome,
          reason,
          epoch,
          cut,
          codec,
          digest,
          top,
          boxes,
          start_ms: startMs,
          end_ms: atMs,
        });
        return;
      }
      case 'transferred':
        this.#session.publish('transfer', node, effect.report);
        return;
      case 'round-done': {
        const { round, epoch, policy, measured, startMs, makespanMs, predictedMs, lowerBoundMs } =
          effect.summary;
        const { periodMs, plannedPeriodMs, deadlineMs } = effect.summary;
        this.#roundEndMs = atMs;
        this.#log.write('round', {
          round,
          epoch,
          policy,
          measured: measured ? 1 : 0,
          period_ms: periodMs,
          planned_period_ms: plannedPeriodMs,
          deadline_ms: deadlineMs,
          start_ms: startMs,
          makespan_ms: makespanMs,
          predicted_ms: predictedMs,
          lower_bound_ms: lowerBoundMs,
        });
        this.#session.publish('report', node, effect.report);
        return;
      }
      case 'fault':
        return this.#log.fault(effect.fault, effect.detail);
      case 'refused':
        return this.#onEnd(new RefusedError(`${node}: refused by the roadside unit: ${effect.reason}`));
    }
  }

  /**
   * Whether the uplink has room for the log. While the cameras take a round's frames nobody has a tensor to send, and what
   * is sent before `ready` holds up none.
   */
  #logWindow(): SendWindow {
    const { running, next } = this.#steps.state;
    const nowMs = this.#clock.now();
    if (this.#transfers.size > 0 || next?.frames) return 'closed';
    if (running) return nowMs - running.startMs > LONG_ROUND_MS ? 'share' : 'closed';
    if (next) return 'open';
    if (this.#roundEndMs === undefined) return 'share';
    return nowMs - this.#roundEndMs > PAUSE_MS ? 'open' : 'closed';
  }

  #hello({ epoch, round }: VehicleEffect & { kind: 'hello' }): void {
    const { node, link, vehicleMs = 0 } = this.#config;
    this.#session.publish('hello', node, {
      protocol: PROTOCOL_VERSION,
      role: 'vehicle',
      modelHash: this.#model.hash,
      cameras: this.#cameras.map(({ name }) => name),
      vehicleMs,
      uplinkBps: link.uplinkBps,
      rttMs: link.rttMs,
      ...{ workers: 0, firstCut: 0, epoch, round, channel: link.channel ?? '' },
    });
    this.#helloDue?.cancel();
    this.#helloDue = this.#clock.after(HELLO_AGAIN_MS, () => this.#steps.take({ kind: 'hello-due' }));
  }

  /** What is under way when the node is told to stop is left. */
  #failed(error: Error): void {
    if (!this.#stopping) this.#onEnd(error);
  }

  async #measure(): Promise<void> {
    const segmentMs = await this.#thread.measure();
    const sizes: number[] = [];
    for (const camera of this.#cameras) {
      try {
        sizes.push((await camera.capture(0)).jpeg.length);
      } catch (error) {
        if (!(error instanceof CameraError)) throw error;
        this.#log.fault('camera', error.message);
      }
    }
    const jpegBytes = sizes.sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
    const profile = { segmentMs: [...segmentMs], cuts: [...this.#model.cuts], jpegBytes };
    const at_ms = this.#clock.now();
    this.#log.write('profile', { at_ms, node: this.#config.node, profile: JSON.stringify(profile) });
    this.#session.publish('profile', this.#config.node, profile);
  }

  async #capture(round: Round): Promise<void> {
    const captured = await Promise.all(
      this.#cameras.map(async (camera): Promise<{ camera: string; frame: number } | undefined> => {
        const startMs = this.#clock.now();
        let taken: Frame;
        try {
          taken = await camera.capture(round.frameIndex);
        } catch (error) {
          if (!(error instanceof CameraError)) throw error;
          this.#log.fault('camera', error.message);
          return undefined;
        }
        const frame = ++this.#lastFrame;
        this.#held.set(frame, { jpeg: taken.jpeg, size: taken.size, tensor: taken.tensor });
        const captured_ms = this.#clock.now();
        this.#log.write('frame', {
          frame,
          round: round.round,
          frame_index: round.frameIndex,
          camera: camera.name,
          measured: round.measured ? 1 : 0,
          captured_ms,
          jpeg_bytes: taken.jpeg.length,
          jpeg_digest: createHash('sha256').update(taken.jpeg).digest('hex').slice(0, 32),
        });
        this.#span(frame, 'prepare', startMs, captured_ms);
        return { camera: camera.name, frame };
      }),
    );
    this.#log.warm();
    this.#steps.take({
      kind: 'captured',
      round: round.round,
      frames: captured.filter((taken) => taken !== undefined),
    });
  }

  async #run(effect: VehicleEffect & { kind: 'run' }): Promise<void> {
    const { frame, from, to, stage, emulatedMs, encodeAs } = effect;
    const held = this.#held.get(frame)!;
    try {
      const input = { kind: 'float32' as const, data: held.tensor };
      // The thread gets a copy: until the head is done the job still stands at the cut before it.
      const reply = await this.#thread.run(
        {
          ...{ from, to, input, frameSize: held.size },
          ...(emulatedMs === undefined ? {} : { emulatedMs }),
          ...(encodeAs === undefined ? {} : { encodeAs }),
        },
        true,
      );
      this.#span(frame, stage, reply.startMs, reply.endMs, reply.realMs);
      if (reply.tensor) held.tensor = reply.tensor;
      if (reply.coded) held.coded = reply.coded;
      const { overrun, answer } = reply;
      this.#steps.take({ kind: 'run-done', frame, overrun, ...(answer ? { answer } : {}) });
    } catch (error) {
      this.#steps.take({ kind: 'run-failed', frame, reason: (error as Error).message });
    }
  }

  /** A job's tensor as it goes over the wire. */
  #tensorBytes({ frame, codec }: { readonly frame: number; readonly codec: Codec }): Uint8Array {
    const { tensor, jpeg, coded } = this.#held.get(frame)!;
    if (codec === 'jpeg') return jpeg;
    return isCoded(codec) ? coded! : new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength);
  }

  #send(effect: VehicleEffect & { kind: 'send' }): void {
    const { frame, camera, epoch, cut, codec, cloud } = effect;
    const { node: vehicle, link } = this.#config;
    const data = this.#tensorBytes(effect);
    const { width: frameWidth, height: frameHeight } = this.#held.get(frame)!.size;
    const dims = [...this.#model.cuts[cut]!.dims];
    const header = { frame, epoch, camera, cut, codec, dims, frameWidth, frameHeight };
    const options = { uplinkBps: link.uplinkBps, now: () => this.#clock.now() };
    const transfer = sendTensor(this.#session, this.#link!, { vehicle, cloud }, header, data, options);
    this.#transfers.set(frame, transfer);
    transfer.done
      .then(
        ({ startMs, endMs, wireBytes: onWire }) => {
          this.#span(frame, 'uplink', startMs, endMs);
          const sample = { at_ms: endMs, frame, wire_bytes: onWire, wire_ms: endMs - startMs };
          this.#log.write('link_sample', sample);
          this.#steps.take({ kind: 'sent', frame, endMs, wireBytes: onWire, wireMs: endMs - startMs });
        },
        (error: Error) => this.#steps.take({ kind: 'send-failed', frame, reason: error.message }),
      )
      .finally(() => this.#transfers.delete(frame));
  }

  #span(frame: number, stage: string, startMs: number, endMs: number, realMs: number | null = null): void {
    this.#log.span(this.#config.node, frame, stage, startMs, endMs, realMs);
  }
}
