/**
 * A vehicle's link: a duplex stream around its socket that knows what of it is on the wire, and that can
 * be as slow as a radio. What `publish` of an MQTT client calls sent is only buffered; this is where the
 * true start and end of a tensor are known.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from '@splitlane/clock';
import type { PlayedTrace } from './link-trace.ts';

export interface LinkShape {
  /** Rate that the link is held to, in bit/s, tensor and protocol bytes alike; unlimited if absent. */
  readonly uplinkBps?: number;
  /** A recorded rate that it is held to instead; it goes on playing where a link is lost and made again. */
  readonly trace?: PlayedTrace;
  /** Round-trip time that is added, half of it in each direction. */
  readonly rttMs?: number;
}

/**
 * A timer that fires late must not cost rate: up to so much lateness is made good. More would be a burst
 * that no radio could send.
 */
const FORGIVEN_MS = 5;
/** Timers are not more precise than this; what is due sooner goes now, and virtual time keeps the rate. */
const TIMER_GRAIN_MS = 0.7;
/** Two writes closer than this follow each other without a pause of the link. */
const BACK_TO_BACK_MS = 0.5;

/** What the kernel has not taken yet: more than this, and the network itself is slower than the link. */
const MAX_KERNEL_BACKLOG_BYTES = 256 * 1024;

type WriteCallback = (error?: Error | null) => void;

export class Link extends Duplex {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #uplinkBps: number | undefined;
  readonly #trace: PlayedTrace | undefined;
  readonly #delayMs: number;
  readonly #timers = new Set<Timer>();
  readonly #marks: { readonly atBytes: number; readonly reached: (atMs: number) => void }[] = [];
  #sentBytes = 0;
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #lastDoneMs = Number.NEGATIVE_INFINITY;

  constructor(socket: Socket, shape: LinkShape, clock: Clock) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#clock = clock;
    this.#uplinkBps = shape.uplinkBps;
    this.#trace = shape.trace;
    this.#delayMs = (shape.rttMs ?? 0) / 2;
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => this.#later(() => this.push(data) || socket.pause()));
    socket.on('end', () => this.#later(() => this.push(null)));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.#later(() => this.destroy()));
  }

  /** Bytes handed to the link so far, those that still wait for the wire included. */
  get acceptedBytes(): number {
    return this.#sentBytes + this.writableLength;
  }

  /** Calls `reached` with the time at which the first `atBytes` accepted bytes have left the vehicle. */
  whenSent(atBytes: number, reached: (atMs: number) => void): void {
    if (this.#sentBytes >= atBytes) return reached(this.#clock.now());
    this.#marks.push({ atBytes, reached });
    this.#marks.sort((a, b) => a.atBytes - b.atBytes);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: WriteCallback): void {
    this.#transmit([chunk], done);
  }

  override _writev(parts: { chunk: Buffer }[], done: WriteCallback): void {
    this.#transmit(
      parts.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: WriteCallback): void {
    this.#later(() => {
      this.#socket.end();
      done();
    });
  }

  override _destroy(error: Error | null, done: WriteCallback): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#marks.length = 0;
    this.#socket.destroy();
    done(error);
  }

  /** The last byte leaves when the bucket has let through all that was before it. */
  #transmit(chunks: Buffer[], done: WriteCallback): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const nowMs = this.#clock.now();
    const backToBack = nowMs - this.#lastDoneMs < BACK_TO_BACK_MS;
    const startMs = Math.max(this.#freeAtMs, backToBack ? nowMs - FORGIVEN_MS : nowMs);
    this.#freeAtMs = this.#endOf(startMs, bytes);
    const deliver = (): void => {
      this.#later(() => {
        for (const chunk of chunks) this.#socket.write(chunk);
      });
      const left = (): void => {
        this.#lastDoneMs = this.#clock.now();
        this.#sentBytes += bytes;
        done();
        this.#reachMarks();
      };
      if (this.#socket.writableLength > MAX_KERNEL_BACKLOG_BYTES) this.#socket.once('drain', left);
      else left();
    };
    const waitMs = this.#freeAtMs - nowMs;
    // Never within this call: whoever is told writes more, and a stream loses what is written meanwhile.
    if (waitMs < TIMER_GRAIN_MS) queueMicrotask(deliver);
    else this.#after(waitMs, deliver);
  }

  #endOf(startMs: number, bytes: number): number {
    if (this.#trace) return this.#trace.endOf(startMs, bytes);
    return startMs + (this.#uplinkBps === undefined ? 0 : (bytes * 8000) / this.#uplinkBps);
  }

  #reachMarks(): void {
    while (this.#marks.length > 0 && this.#marks[0]!.atBytes <= this.#sentBytes)
      this.#marks.shift()!.reached(this.#lastDoneMs);
  }

  #later(run: () => void): void {
    if (this.#delayMs === 0) run();
    else this.#after(this.#delayMs, run);
  }

  #after(delayMs: number, run: () => void): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      if (!this.destroyed) run();
    });
    this.#timers.add(timer);
  }
}
