/** The frames of a run as pictures, with what was answered drawn on them. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, withOverlay } from '@splitlane/dnn';
import type { AnsweredFrame } from '@splitlane/field-tests';
import type { Frame } from '@splitlane/vehicle-node';
import { UsageError } from '../exit-codes.ts';
import { answerSvg } from './answer-svg.ts';
import type { Recapture } from './recapture.ts';

/** So many pictures are made side by side. */
const AT_ONCE = 4;
const DIGITS = 6;

/**
 * Writes every answered frame of the measured rounds as `<policy>/<vehicle>-<camera>-<frame index>.jpg`; where a round
 * was run again, the frame's second picture ends in `-2`. Returns how many were written, and how many were left out
 * because the camera gives another picture now.
 * @param onProgress told after each frame; what it throws ends the work.
 * @throws UsageError where the folder cannot be written.
 */
export async function saveFrames(
  folder: string,
  recapture: Recapture,
  answered: readonly AnsweredFrame[],
  onProgress: (fraction: number) => void,
): Promise<{ readonly written: number; readonly changed: number }> {
  const names = fileNames(answered);
  const byPicture = Map.groupBy(names, ([{ jpegDigest }]) => jpegDigest).values();
  let [done, written] = [0, 0];
  const save = async (alike: readonly (readonly [AnsweredFrame, string])[]): Promise<void> => {
    const frame = await recapture(alike[0]![0]);
    for (const [answer, name] of alike) {
      if (frame) await write(folder, name, await drawn(frame, answer));
      if (frame) written++;
      onProgress(++done / names.length);
    }
  };
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const alike of byPicture) await save(alike);
    }),
  );
  return { written, changed: names.length - written };
}

/** The camera's own file where there is nothing to draw. */
async function drawn({ jpeg, size }: Frame, answer: AnsweredFrame): Promise<Buffer> {
  const svg = answerSvg(size, answer);
  return svg === undefined ? jpeg : withOverlay(jpeg, svg);
}

function fileNames(answered: readonly AnsweredFrame[]): (readonly [AnsweredFrame, string])[] {
  const times = new Map<string, number>();
  return answered.flatMap((frame) => {
    const { policy, measured, vehicle, camera, frameIndex } = frame;
    if (policy === undefined || !measured) return [];
    const name = path.join(policy, `${vehicle}-${camera}-${String(frameIndex).padStart(DIGITS, '0')}`);
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    return [[frame, time === 1 ? `${name}.jpg` : `${name}-${time}.jpg`] as const];
  });
}

async function write(folder: string, name: string, picture: Buffer): Promise<void> {
  try {
    makeFolder(path.dirname(path.join(folder, name)));
    await writeFile(path.join(folder, name), picture);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`--save-frames ${folder}: cannot be written (${code})`);
  }
}
