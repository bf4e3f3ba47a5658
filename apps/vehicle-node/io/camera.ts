/** Cameras: where a vehicle's frames come from. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Card, type FrameSize, frameSizeOf, pictureToTensor } from '@splitlane/dnn';
import sharp from 'sharp';
import type { CameraConfig } from '../config.ts';
import { drawRoadScene } from './road-scene/road-scene.ts';

/** A frame as the camera delivers it, and as the network wants it. */
export interface Frame {
  readonly jpeg: Buffer;
  readonly size: FrameSize;
  /** The network's input, float32. */
  readonly tensor: Float32Array<ArrayBuffer>;
}

export interface Camera {
  readonly name: string;
  /** The frame of that number: the same number gives the same frame. @throws CameraError if there is none. */
  capture(index: number): Promise<Frame>;
}

/** A camera has no frame to give. For users. */
export class CameraError extends Error {
  override readonly name = 'CameraError';
}

/** The drawn scene repeats itself after so many frames. */
const SCENE_FRAMES = 64;
const PICTURES = /\.(jpe?g|png|webp|avif|tiff?|bmp)$/i;

/**
 * Opens a camera. @param onBroken told of each picture that cannot be read, once.
 * @throws CameraError where its folder is missing or holds no picture.
 */
export function openCamera(config: CameraConfig, card: Card, onBroken: (picture: string) => void): Camera {
  const { name, source } = config;
  if (source.kind === 'pictures') return pictureCamera(name, source, card, onBroken);
  const drawn = new Map<number, Promise<Buffer>>();
  return {
    name,
    async capture(index) {
      const frame = index % SCENE_FRAMES;
      const { seed, camera, cameras } = source;
      const drawing = drawn.get(frame) ?? drawRoadScene({ seed, camera, cameras, frame });
      drawn.set(frame, drawing);
      const jpeg = await drawing;
      return frameOf(jpeg, card);
    },
  };
}

async function frameOf(jpeg: Buffer, card: Card): Promise<Frame> {
  return { jpeg, size: await frameSizeOf(jpeg), tensor: await pictureToTensor(jpeg, card) };
}

/** The pictures of a folder, in the order of their names. @throws CameraError where there is none. */
export function listPictures(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new CameraError(`frames ${folder}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const pictures = names.filter((name) => PICTURES.test(name)).sort();
  if (pictures.length === 0) throw new CameraError(`frames ${folder}: there is no picture in this folder`);
  return pictures.map((name) => path.join(folder, name));
}

function pictureCamera(
  name: string,
  source: CameraConfig['source'] & { kind: 'pictures' },
  card: Card,
  onBroken: (picture: string) => void,
): Camera {
  const pictures = listPictures(source.folder);
  const broken = new Set<string>();
  return {
    name,
    async capture(index) {
      const first = source.first + index * source.step;
      for (let tried = 0; tried < pictures.length; tried++) {
        const picture = pictures[(first + tried) % pictures.length]!;
        if (broken.has(picture)) continue;
        try {
          const bytes = readFileSync(picture);
          return await frameOf(isJpeg(bytes) ? bytes : await asJpeg(bytes), card);
        } catch {
          broken.add(picture);
          onBroken(picture);
        }
      }
      throw new CameraError(`frames ${source.folder}: none of its ${pictures.length} pictures can be read`);
    },
  };
}

/** Upright, for a JPEG of ours does not say that it lies on its side. */
function asJpeg(picture: Buffer): Promise<Buffer> {
  return sharp(picture, { failOn: 'error', autoOrient: true }).jpeg().toBuffer();
}

function isJpeg(bytes: Buffer): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8;
}
