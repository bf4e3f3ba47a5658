/** What a roadside unit must be told. */
import { Codec, Name } from '@splitlane/proto';
import { z } from 'zod';

/**
 * How the cameras' frames are shared between vehicle and cloud; named as in the literature. `adaptive` is `exact` on the
 * rate that each link is seen to have, planned anew when that changes; `fixed` is `exact` on the rate that it is said to
 * have, whatever comes. The last two are for a shared channel: each vehicle plans as if it were alone, or on its equal part
 * of the channel, and all send at once; for a vehicle with a link of its own they are `exact`.
 */
export const PolicyName = z.enum([
  'lo',
  'ro',
  'ro-jpeg',
  'po',
  'jps',
  'jps-mix',
  'exact',
  'fixed',
  'adaptive',
  'uncoordinated',
  'fair-share',
]);
export type PolicyName = z.infer<typeof PolicyName>;

/** A tensor at a cut in a codec, as it was measured on some frames. */
export const CodedPoint = z.strictObject({
  cut: z.number().int().min(0),
  codec: Codec,
  /** Mean of the coded bytes. */
  bytes: z.number().positive(),
  /** Times on the machine that measured, in ms. */
  encodeMs: z.number().min(0),
  decodeMs: z.number().min(0),
  /** How much of the network's answer is lost: 0 for none. */
  loss: z.number().min(0),
});
export type CodedPoint = z.infer<typeof CodedPoint>;

export const RoadsideUnitConfig = z.strictObject({
  node: Name,
  /** Where the broker listens; port 0 takes a free one. */
  listen: z.strictObject({ host: z.string().min(1), port: z.number().int().min(0).max(65_535) }),
  /** Hash of the model that every node must have; the first node's unless given. */
  modelHash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Frames stay on the vehicles: cut 0 is forbidden. */
  keepFramesOnBoard: z.boolean(),
  /** The codecs that policies choose among: a JPEG only at cut 0, as the camera made it. */
  codecs: z.array(Codec).min(1).default(['float32']),
  /** What is known of coded tensors: only these are planned. */
  codedPoints: z.array(CodedPoint).default([]),
  /** No job may lose more than this. */
  maxLoss: z.number().min(0).default(0),
  /**
   * Rates in bit/s of channels that vehicles share, by name: `exact` plans for all vehicles on one together. Who names no
   * channel has a link of its own.
   */
  channels: z.record(Name, z.number().positive()).optional(),
  /** Rounds begin when so many vehicles and cloud workers are there, one worker unless given. */
  vehicles: z.number().int().min(1).max(1000),
  clouds: z.number().int().min(1).max(100).optional(),
  /** Policies in turn, each for so many rounds, the first ones of which are not measured. */
  campaign: z.strictObject({
    policies: z.array(PolicyName).min(1).default(['exact']),
    warmUpRounds: z.number().int().min(1),
    rounds: z.number().int().min(1),
    /** Steady streams: so many frames of each camera in a second, and how many each takes in a round; one a round unless given. */
    streams: z
      .strictObject({ fps: z.number().positive().max(1000), ticks: z.number().int().min(1) })
      .optional(),
    /** From a frame's start to its answer, in ms: who cannot make it any more is dropped. */
    deadlineMs: z.number().positive().optional(),
    /** Begin again with the first policy after the last. */
    repeat: z.boolean(),
  }),
  /** Folder of the log: one for all nodes of a run. */
  log: z.string().min(1),
});
export type RoadsideUnitConfig = z.infer<typeof RoadsideUnitConfig>;
