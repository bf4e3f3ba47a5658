/**
 * What was measured of a model, kept beside its segments: when those are made anew, it goes with them. A file is named
 * after all that the figures depend on, and begins with the digest of what it says.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { systemClock } from '@splitlane/clock';
import { z } from 'zod';
import type { PreparedModel } from './prepared-model.ts';
import { writeWhole } from './weights.ts';

/** What times are worth comparing on. */
export const Machine = z.strictObject({
  cpu: z.string(),
  cores: z.number().int().min(1),
  node: z.string(),
  onnxruntime: z.string(),
});
export type Machine = z.infer<typeof Machine>;

export function thisMachine(): Machine {
  // To import the runtime itself would load it into this thread, which never runs it.
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    node: process.versions.node,
    onnxruntime: version,
  };
}

const STAMP = new Intl.DateTimeFormat('sv-SE', {
  dateStyle: 'short',
  timeStyle: 'medium',
  timeZone: 'UTC',
});

/** Wall time as in ISO 8601, to the second. */
export const wallTime = (): string => `${STAMP.format(systemClock.wallMs()).replace(' ', 'T')}Z`;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * The file for a measurement of a model on a machine.
 * @param version raised when it is measured or kept differently.
 * @param settings whatever else it depends on, as JSON has it.
 */
export function measurementFile(
  { hash, cuts, segments }: PreparedModel,
  machine: Machine,
  what: string,
  version: number,
  ...settings: readonly unknown[]
): string {
  const key = sha256(JSON.stringify([version, hash, cuts, machine, ...settings])).slice(0, 32);
  return path.join(path.dirname(segments[0]!), `${what}-${key}.json`);
}

/** What a file says; undefined where there is none, or where it is not as it was written. */
export function readMeasurement<Of>(file: string, schema: z.ZodType<Of>): Of | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [digest, body = ''] = text.split('\n');
  return digest === sha256(body) ? schema.safeParse(JSON.parse(body)).data : undefined;
}

/** Returns the system's error code where the cache cannot be written: the figures are good all the same. */
export function keepMeasurement(file: string, measurement: unknown): string | undefined {
  const body = JSON.stringify(measurement);
  try {
    writeWhole(file, Buffer.from(`${sha256(body)}\n${body}\n`));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
