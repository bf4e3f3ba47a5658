/** The frames that codecs are measured on. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Card } from '@splitlane/dnn';
import { type Camera, type Frame, listPictures, openCamera } from '@splitlane/vehicle-node';
import { UsageError } from './exit-codes.ts';

/** Seed of the drawn road: the same frames in every run. */
export const SCENE_SEED = 7;
const SCENE_CAMERAS = 4;
/** A loss is a mean over so many frames of a run or of the drawn road, and over so many pictures of a folder. */
const FRAMES = 4;
const PICTURES = 8;

/** One folder for all vehicles, or its sub-folders with pictures, one for each vehicle in turn. */
export function framesDirs(option: string, folder: string): string[] {
  if (!existsSync(folder)) throw new UsageError(`${option} ${folder}: there is no such folder`);
  if (!statSync(folder).isDirectory())
    throw new UsageError(`${option} ${folder}: this is a file, not a folder`);
  const inside = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(folder, entry.name))
    .sort();
  const dirs = inside.filter((dir) => {
    try {
      return listPictures(dir).length > 0;
    } catch {
      return false;
    }
  });
  if (dirs.length > 0) return dirs;
  listPictures(folder);
  return [path.resolve(folder)];
}

/** A few frames of each camera in turn. @throws CameraError where one has none to give. */
export function framesInTurn(cameras: readonly Camera[]): Promise<Frame[]> {
  return Promise.all(
    Array.from({ length: FRAMES }, (_, frame) =>
      cameras[frame % cameras.length]!.capture(Math.floor(frame / cameras.length)),
    ),
  );
}

/** A few frames of the drawn road, as the first vehicle of the demo sees it. */
export function drawnFrames(card: Card): Promise<Frame[]> {
  const cameras = Array.from({ length: SCENE_CAMERAS }, (_, camera) => {
    const source = { kind: 'scene' as const, seed: SCENE_SEED, camera, cameras: SCENE_CAMERAS };
    return openCamera({ name: `camera-${camera + 1}`, source }, card, () => {});
  });
  return framesInTurn(cameras);
}

export interface SpreadFrames {
  readonly frames: readonly Frame[];
  /** Pictures that were to be taken and cannot be read; others are in their place, as far as there are. */
  readonly unreadable: readonly string[];
}

/**
 * A few pictures of folders, evenly spread over all that are there in the order of their names.
 * @throws CameraError where none can be read.
 */
export async function spreadFrames(folders: readonly string[], card: Card): Promise<SpreadFrames> {
  const unreadable: string[] = [];
  const pictures = folders.flatMap((folder) => {
    const source = { kind: 'pictures' as const, folder, first: 0, step: 1 };
    const camera = openCamera({ name: 'calibration', source }, card, (file) => unreadable.push(file));
    return listPictures(folder).map((file, index) => ({ file, index, camera }));
  });
  const frames: Frame[] = [];
  for (const place of spread(pictures.length)) {
    const { file, index, camera } = pictures[place]!;
    const frame = unreadable.includes(file) ? undefined : await camera.capture(index);
    // The camera gives the next one for a picture that it cannot read.
    if (frame && !unreadable.includes(file)) frames.push(frame);
    if (frames.length === PICTURES) break;
  }
  return { frames, unreadable };
}

/** All places from 0 to `count` − 1: first those that are evenly spread, then the others. */
function spread(count: number): Set<number> {
  const few = Math.min(PICTURES, count);
  return new Set([
    ...Array.from({ length: few }, (_, index) => Math.floor(((index + 0.5) * count) / few)),
    ...Array.from({ length: count }, (_, index) => index),
  ]);
}
