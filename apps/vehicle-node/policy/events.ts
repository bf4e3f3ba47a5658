/** What can happen to a vehicle node, and what it can do about it, as plain data. Times in ms, own clock. */
import type {
  Box,
  Class,
  Codec,
  JobReport,
  Outcome,
  Report,
  Result,
  Round,
  TransferReport,
  VehiclePlan,
} from '@splitlane/proto';

/** What the network said of a frame. */
export interface Answer {
  readonly top: readonly Class[];
  readonly boxes: readonly Box[];
  readonly digest: string;
}

export type VehicleEvent = { readonly atMs: number } & (
  | { readonly kind: 'connected' }
  /** No verdict came: the hello may have been before the roadside unit listened. */
  | { readonly kind: 'hello-due' }
  | { readonly kind: 'disconnected'; readonly reason: string }
  /** The roadside unit does not know this node: it answers what was sent to it at `sentMs`. */
  | { readonly kind: 'unknown'; readonly sentMs: number }
  | { readonly kind: 'verdict'; readonly accepted: boolean; readonly reason: string }
  | { readonly kind: 'measure-asked' }
  | { readonly kind: 'plan'; readonly plan: VehiclePlan }
  | { readonly kind: 'round'; readonly round: Round }
  | {
      readonly kind: 'captured';
      readonly round: number;
      readonly frames: readonly { readonly frame: number; readonly camera: string }[];
    }
  /** The cameras of this round's steady streams are to take their next frame. */
  | { readonly kind: 'tick'; readonly round: number }
  | { readonly kind: 'run-done'; readonly frame: number; readonly overrun: boolean; readonly answer?: Answer }
  | { readonly kind: 'run-failed'; readonly frame: number; readonly reason: string }
  /** A tensor has left; `wireMs` is what it took on the wire. */
  | {
      readonly kind: 'sent';
      readonly frame: number;
      readonly endMs: number;
      readonly wireBytes: number;
      readonly wireMs: number;
    }
  /** The channel that vehicles share is this one's, for this frame's tensor. */
  | { readonly kind: 'granted'; readonly frame: number; readonly epoch: number }
  | { readonly kind: 'send-failed'; readonly frame: number; readonly reason: string }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'cloud-lost'; readonly cloud: string }
  | { readonly kind: 'timeout'; readonly frame: number }
  /** The node is about to stop: nothing comes after this. */
  | { readonly kind: 'stopping' }
);

export type VehicleEffect =
  /** Say hello with the highest epoch and round that were seen, and tell when it is due again. */
  | { readonly kind: 'hello'; readonly epoch: number; readonly round: number }
  | { readonly kind: 'measure' }
  /** Take a frame from every camera and prepare it. */
  | { readonly kind: 'capture'; readonly round: Round }
  /** Tell of `tick` when `afterMs` have passed. */
  | { readonly kind: 'await-tick'; readonly round: number; readonly afterMs: number }
  | { readonly kind: 'ready'; readonly round: number; readonly cameras: readonly string[] }
  /** Run the segments between two cuts, for as long as the emulated vehicle would take if it says so. */
  | {
      readonly kind: 'run';
      readonly frame: number;
      readonly from: number;
      readonly to: number;
      readonly stage: 'head' | 'local';
      /** The tensor at `to` is to be coded so. */
      readonly encodeAs?: Codec;
      readonly emulatedMs?: number;
    }
  | {
      readonly kind: 'send';
      readonly frame: number;
      readonly camera: string;
      readonly epoch: number;
      readonly cut: number;
      readonly codec: Codec;
      readonly cloud: string;
    }
  /** Ask for the channel that vehicles share. */
  | {
      readonly kind: 'ask-channel';
      readonly frame: number;
      readonly epoch: number;
      readonly camera: string;
      readonly cut: number;
      readonly codec: Codec;
      readonly cloud: string;
    }
  | { readonly kind: 'end-channel'; readonly frame: number; readonly whole: boolean }
  | { readonly kind: 'stop-send'; readonly frame: number }
  /** Tell of a timeout of this frame when `afterMs` have passed. */
  | { readonly kind: 'wake'; readonly frame: number; readonly afterMs: number }
  /** A frame has ended: once and only once for each. */
  | {
      readonly kind: 'finish';
      readonly frame: number;
      readonly camera: string;
      /** What its answer came through: absent where it was finished here. */
      readonly through?: { readonly epoch: number; readonly cut: number; readonly codec: Codec };
      readonly outcome: Outcome;
      /** When its time began; absent for one whose round never did. */
      readonly startMs?: number;
      readonly answer?: Answer;
      /** Why the frame did not go the planned way. */
      readonly reason?: string;
    }
  /** A tensor is confirmed by its result, or given up: tell what it took on the wire, and what is left of the round. */
  | { readonly kind: 'transferred'; readonly report: TransferReport }
  | { readonly kind: 'round-done'; readonly summary: RoundSummary; readonly report: Report }
  | { readonly kind: 'fault'; readonly fault: string; readonly detail: string }
  /** The roadside unit does not want this node. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface RoundSummary {
  readonly round: number;
  readonly epoch: number;
  readonly policy: string;
  readonly measured: boolean;
  /** Of steady streams the time between two frames of a camera, and the one that the plan holds; 0: one frame of each. */
  readonly periodMs: number;
  readonly plannedPeriodMs: number;
  /** 0: there is none. */
  readonly deadlineMs: number;
  readonly startMs: number;
  readonly makespanMs: number;
  readonly predictedMs: number;
  readonly lowerBoundMs: number;
}

export type { JobReport };
