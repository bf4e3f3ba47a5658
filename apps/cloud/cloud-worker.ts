/** A cloud worker: wires tensors, inference and log to its `policy/step`, and does what it says. */
import type { Clock, Timer } from '@splitlane/clock';
import {
  type FrameSize,
  InferenceThread,
  type Input,
  type PreparedModel,
  prepareModel,
} from '@splitlane/dnn';
import { NodeLog, StepRunner } from '@splitlane/journal';
import { ClockSync, Link, Session, TensorAssembler } from '@splitlane/net';
import { isCoded, PROTOCOL_VERSION, RefusedError, type TensorChunk } from '@splitlane/proto';
import type { CloudConfig } from './config.ts';
import type { CloudEffect, CloudEvent, TailJob } from './policy/events.ts';
import { type CloudState, initialState, refusal, step } from './policy/step.ts';

const HELLO_AGAIN_MS = 2000;

/** What of a job is kept until it is worked on. */
interface Held {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the picture that the tensor was made of. */
  readonly frameSize: FrameSize;
}

export class CloudWorker {
  readonly #config: CloudConfig;
  readonly #clock: Clock;
  readonly #onEnd: (error: Error) => void;
  readonly #log: NodeLog;
  readonly #assembler = new TensorAssembler();
  /** Of the tensors that wait. */
  readonly #tensors = new Map<string, Held>();
  /** Time of each segment on the machine that is emulated. */
  #emulatedMs: readonly number[] | undefined;
  #model!: PreparedModel;
  #threads: InferenceThread[] = [];
  #session!: Session;
  #clockSync: ClockSync | undefined;
  #helloDue: Timer | undefined;
  #steps!: StepRunner<CloudState, CloudEvent, CloudEffect>;
  #stopping = false;

  /** @param onEnd told when the node cannot go on: it was refused, or its log cannot be written. */
  constructor(config: CloudConfig, clock: Clock, onEnd: (error: Error) => void) {
    this.#config = config;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#log = new NodeLog({ folder: config.log, node: config.node, clock, onFailure: onEnd });
  }

  /** Loads the model, opens the log, and begins to connect. */
  async start(softwareVersion: string): Promise<void> {
    const { node, broker, workers, firstCut, rttMs = 0 } = this.#config;
    this.#model = await prepareModel(this.#config.model);
    const { hash } = this.#model;
    await this.#log.start({ role: 'cloud', softwareVersion, config: this.#config, modelHash: hash });
    const assignment = { ...this.#model, first: firstCut };
    this.#threads = Array.from({ length: workers }, () => new InferenceThread(assignment));
    await Promise.all(this.#threads.map((thread) => thread.ready()));

    const cutBytes = this.#model.cuts.map(({ bytes }) => bytes);
    const initial = initialState({ node, workers, firstCut, cutBytes });
    this.#steps = new StepRunner(initial, step, {
      recorder: this.#log,
      clock: this.#clock,
      perform: (effect) => this.#perform(effect),
    });
    this.#session = new Session({
      host: broker.host,
      port: broker.port,
      node,
      clock: this.#clock,
      ...(rttMs > 0 ? { wrap: (socket) => new Link(socket, { rttMs }, this.#clock) } : {}),
      onConnect: () => this.#steps.take({ kind: 'connected' }),
      onDisconnect: (reason) => this.#steps.take({ kind: 'disconnected', reason }),
      onRejected: (reason) => this.#log.fault('message-rejected', reason),
      onNameTaken: (reason) =>
        this.#onEnd(new RefusedError(`${node}: refused by the roadside unit: ${reason}`)),
    });
    const session = this.#session;
    session.subscribe('verdict', node, (verdict) => this.#steps.take({ kind: 'verdict', ...verdict }));
    session.subscribe('measure', node, () => this.#steps.take({ kind: 'measure-asked' }));
    session.subscribe('plan', '+', (plan, vehicle) => this.#steps.take({ kind: 'plan', vehicle, plan }));
    session.subscribe('tensor', '+', (chunk, vehicle) => this.#collect(vehicle, chunk), node);
    session.start();
    this.#clockSync = new ClockSync(this.#session, node, this.#clock, {
      onOffset: ({ offsetMs, rttMs }, atMs) =>
        this.#log.write('clock_offset', { at_ms: atMs, offset_ms: offsetMs, rtt_ms: rttMs }),
      onUnknown: (sentMs) => this.#steps.take({ kind: 'unknown', sentMs }),
    });
    this.#clockSync.start();
  }

  /** Ends all work, says goodbye and closes the log. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#steps?.stop();
    this.#clockSync?.stop();
    await this.#session?.stop();
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    await this.#log.stop();
  }

  #perform(effect: CloudEffect): void {
    switch (effect.kind) {
      case 'hello':
        return this.#hello(effect.epoch);
      case 'measure':
        this.#measure().catch((error: Error) => this.#failed(error));
        return;
      case 'run':
        return void this.#run(effect.worker, effect.job);
      case 'answer':
        this.#session.publish('result', effect.vehicle, effect.result);
        return;
      case 'drop':
        this.#tensors.delete(keyOf(effect.job));
        return this.#log.fault(
          'job-dropped',
          `frame ${effect.job.frame} of ${effect.job.vehicle}: ${effect.reason}`,
        );
      case 'fault':
        return this.#log.fault(effect.fault, effect.detail);
      case 'refused':
        return this.#onEnd(
          new RefusedError(`${this.#config.node}: refused by the roadside unit: ${effect.reason}`),
        );
    }
  }

  #hello(epoch: number): void {
    const { node, workers, firstCut, rttMs = 0 } = this.#config;
    this.#session.publish('hello', node, {
      protocol: PROTOCOL_VERSION,
      role: 'cloud',
      modelHash: this.#model.hash,
      cameras: [],
      vehicleMs: 0,
      uplinkBps: 0,
      rttMs,
      ...{ workers, firstCut, epoch, round: 0 },
    });
    this.#helloDue?.cancel();
    this.#helloDue = this.#clock.after(HELLO_AGAIN_MS, () => this.#steps.take({ kind: 'hello-due' }));
  }

  /** What is under way when the node is told to stop is left. */
  #failed(error: Error): void {
    if (!this.#stopping) this.#onEnd(error);
  }

  async #measure(): Promise<void> {
    const ownMs = await this.#threads[0]!.measure();
    const { modelMs } = this.#config;
    const wholeMs = ownMs.reduce((sum, ms) => sum + ms, 0);
    if (modelMs !== undefined && wholeMs > 0) this.#emulatedMs = ownMs.map((ms) => (ms * modelMs) / wholeMs);
    const segmentMs = this.#emulatedMs ?? ownMs;
    const profile = { segmentMs: [...segmentMs], cuts: [...this.#model.cuts], jpegBytes: 0 };
    const at_ms = this.#clock.now();
    this.#log.write('profile', { at_ms, node: this.#config.node, profile: JSON.stringify(profile) });
    this.#session.publish('profile', this.#config.node, profile);
  }

  /** Takes a chunk; a tensor that is whole becomes an event. */
  #collect(vehicle: string, chunk: TensorChunk): void {
    this.#log.warm();
    const assembly = this.#assembler.add(vehicle, chunk, (first) =>
      refusal(this.#steps.state, vehicle, first),
    );
    if (assembly.kind === 'dropped') return this.#log.fault('tensor-refused', assembly.reason);
    if (assembly.kind === 'more') return;
    const { header, bytes } = assembly.tensor;
    const { frame, epoch, camera, cut, codec, frameWidth: width, frameHeight: height } = header;
    const job = { vehicle, frame, epoch, camera, cut, codec };
    this.#tensors.set(keyOf(job), { bytes, frameSize: { width, height } });
    this.#steps.take({ kind: 'tensor', job });
  }

  async #run(worker: number, job: TailJob): Promise<void> {
    const { vehicle, frame, cut, codec } = job;
    const { bytes, frameSize } = this.#tensors.get(keyOf(job))!;
    this.#tensors.delete(keyOf(job));
    const { arrivedMs } = this.#steps.state.running[worker]!;
    const emulatedMs = this.#emulatedMs?.slice(cut).reduce((sum, ms) => sum + ms, 0);
    const input: Input =
      codec === 'jpeg'
        ? { kind: 'jpeg', data: bytes }
        : isCoded(codec)
          ? { kind: 'coded', codec, data: bytes }
          : { kind: 'float32', data: new Float32Array(bytes.buffer) };
    try {
      const { startMs, endMs, realMs, answer } = await this.#threads[worker]!.run({
        from: cut,
        to: this.#model.segments.length,
        input,
        frameSize,
        ...(emulatedMs === undefined ? {} : { emulatedMs }),
      });
      this.#log.span(vehicle, frame, 'queue', arrivedMs, startMs);
      this.#log.span(vehicle, frame, 'tail', startMs, endMs, realMs);
      this.#steps.take({ kind: 'tail-done', worker, startMs, endMs, ...answer! });
    } catch (error) {
      this.#steps.take({ kind: 'tail-failed', worker, reason: (error as Error).message });
    }
  }
}

const keyOf = (job: TailJob): string => `${job.vehicle}/${job.frame}/${job.epoch}`;
