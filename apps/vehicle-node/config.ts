/** What a vehicle node must be told. */
import { Name } from '@splitlane/proto';
import { z } from 'zod';

export const CameraConfig = z.strictObject({
  name: Name,
  source: z.discriminatedUnion('kind', [
    /** The drawn road scene, seen by camera `camera` of `cameras`. */
    z.strictObject({
      kind: z.literal('scene'),
      seed: z.number().int(),
      camera: z.number().int().min(0),
      cameras: z.number().int().min(1),
    }),
    /** Every `step`-th picture of a folder, from picture `first` on. */
    z.strictObject({
      kind: z.literal('pictures'),
      folder: z.string().min(1),
      first: z.number().int().min(0),
      step: z.number().int().min(1),
    }),
  ]),
});
export type CameraConfig = z.infer<typeof CameraConfig>;

export const VehicleConfig = z.strictObject({
  node: Name,
  broker: z.strictObject({ host: z.string().min(1), port: z.number().int().min(1).max(65_535) }),
  /** A built-in network's name or the path of an ONNX file. */
  model: z.string().min(1),
  cameras: z.array(CameraConfig).min(1).max(64),
  link: z.strictObject({
    /** Rate of the uplink in bit/s; what is sent is held to it. */
    uplinkBps: z.number().positive(),
    /** The channel that it shares with other vehicles, by the name that the roadside unit knows it by. */
    channel: Name.optional(),
    /** File of a recorded rate that it is held to instead: mahimahi's format, or seconds and Mbit/s; `uplinkBps` is its mean. */
    trace: z.string().min(1).optional(),
    /** Round-trip time that is added, in ms. */
    rttMs: z.number().min(0),
  }),
  /** Time that the whole model takes on the vehicle that is emulated, in ms; the machine's own if absent. */
  vehicleMs: z.number().positive().optional(),
  /** Folder of the log: one for all nodes of a run. */
  log: z.string().min(1),
});
export type VehicleConfig = z.infer<typeof VehicleConfig>;
