/** What codecs do to a model's tensors on some frames, from the cache where it has been measured alike. */
import { createHash } from 'node:crypto';
import {
  keepMeasurement,
  measurementFile,
  type PreparedModel,
  readMeasurement,
  thisMachine,
  wallTime,
} from '@splitlane/dnn';
import { Codec } from '@splitlane/proto';
import type { Frame } from '@splitlane/vehicle-node';
import { z } from 'zod';
import { type CodecMeasurement, calibrate } from '../calibration.ts';

/** Raised when a codec, or how it is measured, is another. */
const CODECS_VERSION = 1;

const share = z.number().min(0).max(1);
const ms = z.number().min(0);
const Kept = z.strictObject({
  measuredAt: z.iso.datetime(),
  points: z
    .array(
      z.strictObject({
        cut: z.number().int().min(0),
        codec: Codec,
        bytes: z.number().min(0),
        encodeMs: ms,
        decodeMs: ms,
        lossless: z.boolean(),
        top1Agreement: share,
        cosine: z.number().min(-1).max(1),
        maxDifference: z.number().min(0),
        loss: z.number().min(0),
      }),
    )
    .readonly(),
});

export interface CodecProfile {
  readonly points: readonly CodecMeasurement[];
  /** As in ISO 8601. */
  readonly measuredAt: string;
  readonly fromCache: boolean;
  /** Why it could not be put into the cache: the system's error code. */
  readonly notKept?: string;
}

/** @param onProgress as `calibrate` has it; not called where the cache has it. */
export async function profileCodecs(
  model: PreparedModel,
  frames: readonly Frame[],
  codecs: readonly Codec[],
  byCosine: boolean,
  { fresh, onProgress }: { readonly fresh: boolean; readonly onProgress: (fraction: number) => void },
): Promise<CodecProfile> {
  const digests = frames.map(({ jpeg }) => createHash('sha256').update(jpeg).digest('hex'));
  const settings = [codecs, byCosine, digests];
  const file = measurementFile(model, thisMachine(), 'codecs', CODECS_VERSION, ...settings);
  const known = fresh ? undefined : readMeasurement(file, Kept);
  if (known) return { ...known, fromCache: true };
  const points = await calibrate(model, frames, codecs, byCosine, onProgress);
  const measured = { measuredAt: wallTime(), points };
  const notKept = keepMeasurement(file, measured);
  return { ...measured, fromCache: false, ...(notKept === undefined ? {} : { notKept }) };
}
