/** What a cloud worker must be told. */
import { Name } from '@splitlane/proto';
import { z } from 'zod';

export const CloudConfig = z.strictObject({
  node: Name,
  broker: z.strictObject({ host: z.string().min(1), port: z.number().int().min(1).max(65_535) }),
  /** A built-in network's name or the path of an ONNX file. */
  model: z.string().min(1),
  /** Tails that run side by side, each in a thread with its own copy of the weights. */
  workers: z.number().int().min(1).max(64),
  /** The earliest cut that is served: what lies before it is not loaded. */
  firstCut: z.number().int().min(0),
  /** Time that all that is served of the model takes on the machine that is emulated, in ms; the machine's own if absent. */
  modelMs: z.number().positive().optional(),
  /** Round-trip time that is added to its connection, in ms. */
  rttMs: z.number().min(0).optional(),
  /** Folder of the log: one for all nodes of a run. */
  log: z.string().min(1),
});
export type CloudConfig = z.infer<typeof CloudConfig>;
