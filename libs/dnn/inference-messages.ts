/** What a node's main thread and its inference thread say to each other. */
import type { Box, Class, Codec, CutShape } from '@splitlane/proto';
import type { Card } from './card.ts';
import type { FrameSize } from './picture.ts';

/** What an inference thread loads: one session per segment, from segment `first` on. */
export interface Assignment {
  readonly segments: readonly string[];
  readonly cuts: readonly CutShape[];
  readonly first: number;
  readonly card: Card;
}

/** What an inference thread is started with. */
export interface ThreadData {
  readonly assignment: Assignment;
  /** Its one element is not 0 once the thread is to end. */
  readonly stopped: Int32Array<SharedArrayBuffer>;
}

/** A tensor at the cut `from`, plain or coded, or at cut 0 the camera's JPEG. */
export type Input =
  | { readonly kind: 'float32'; readonly data: Float32Array<ArrayBuffer> }
  | { readonly kind: 'coded'; readonly codec: Codec; readonly data: Uint8Array }
  | { readonly kind: 'jpeg'; readonly data: Uint8Array };

export interface RunRequest {
  readonly kind: 'run';
  readonly id: number;
  /** Cuts: segments `from` … `to`−1 are run. */
  readonly from: number;
  readonly to: number;
  readonly input: Input;
  /** Of the picture that the input was made of: boxes are told in its pixels, and without it none are. */
  readonly frameSize?: FrameSize;
  /** The tensor at `to` is wanted in this codec as well. */
  readonly encodeAs?: Codec;
  /** The network's output is wanted as a tensor too. */
  readonly wantsOutput?: boolean;
  /** The run is held until it has taken this long: a slow vehicle on a fast machine. */
  readonly emulatedMs?: number;
}

export interface MeasureRequest {
  readonly kind: 'measure';
  readonly id: number;
  /** Runs of the chain that count, and runs before them that do not. */
  readonly repetitions: number;
  readonly warmUps: number;
  /** Rest before each run. */
  readonly gapMs: number;
}

/** The thread is to end as soon as it is out of the runtime. */
export interface StopRequest {
  readonly kind: 'stop';
}

/** What the network said of a frame. */
export interface Answer {
  /** The best classes; none unless the card says `classify`. */
  readonly top: readonly Class[];
  /** In the frame's pixels; none unless the card says `detect`. */
  readonly boxes: readonly Box[];
  /** 128 bits of the SHA-256 of the output's bytes, in hexadecimal: equal only for equal bits. */
  readonly digest: string;
}

export interface RunReply {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Time of the inference itself, its answer read, without what was waited for. */
  readonly realMs: number;
  /** The inference took longer than the time it should have had. */
  readonly overrun: boolean;
  /** The tensor at the cut `to`; absent where that is the output and nobody wants it. */
  readonly tensor?: Float32Array<ArrayBuffer>;
  /** The same in the codec that was asked for. */
  readonly coded?: Uint8Array<ArrayBuffer>;
  /** Time of encoding and of decoding, in ms; both are in `realMs`. */
  readonly codecMs: number;
  readonly answer?: Answer;
}

export interface MeasureReply {
  readonly id: number;
  /** For each segment that is loaded, its time in ms in each run. */
  readonly segmentRuns: readonly (readonly number[])[];
}

export type Reply = RunReply | MeasureReply | { readonly id: number; readonly error: string };
