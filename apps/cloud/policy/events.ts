/** What can happen to a cloud worker, and what it can do about it, as plain data. Times in ms, own clock. */
import type { Box, Class, Codec, Result, TensorChunk, VehiclePlan } from '@splitlane/proto';

/** A tensor that has come in whole; its bytes stay outside the policy. */
export type TailJob = Readonly<Pick<TensorChunk, 'frame' | 'epoch' | 'camera' | 'cut'>> & {
  readonly vehicle: string;
  readonly codec: Codec;
};

export type CloudEvent = { readonly atMs: number } & (
  | { readonly kind: 'connected' }
  /** No verdict came: the hello may have been before the roadside unit listened. */
  | { readonly kind: 'hello-due' }
  | { readonly kind: 'disconnected'; readonly reason: string }
  /** The roadside unit does not know this node: it answers what was sent to it at `sentMs`. */
  | { readonly kind: 'unknown'; readonly sentMs: number }
  | { readonly kind: 'verdict'; readonly accepted: boolean; readonly reason: string }
  | { readonly kind: 'measure-asked' }
  | { readonly kind: 'plan'; readonly vehicle: string; readonly plan: VehiclePlan }
  | { readonly kind: 'tensor'; readonly job: TailJob }
  | {
      readonly kind: 'tail-done';
      readonly worker: number;
      readonly startMs: number;
      readonly endMs: number;
      readonly top: readonly Class[];
      readonly boxes: readonly Box[];
      readonly digest: string;
    }
  | { readonly kind: 'tail-failed'; readonly worker: number; readonly reason: string }
);

export type CloudEffect =
  /** Say hello with the highest epoch that was seen, and tell when it is due again. */
  | { readonly kind: 'hello'; readonly epoch: number }
  | { readonly kind: 'measure' }
  | { readonly kind: 'run'; readonly worker: number; readonly job: TailJob }
  | { readonly kind: 'answer'; readonly vehicle: string; readonly result: Result }
  /** The tensor is not worked on, and its bytes can go. */
  | { readonly kind: 'drop'; readonly job: TailJob; readonly reason: string }
  | { readonly kind: 'fault'; readonly fault: string; readonly detail: string }
  | { readonly kind: 'refused'; readonly reason: string };
