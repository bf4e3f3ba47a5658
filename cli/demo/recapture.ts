/** The frames of a run once more: a camera gives the same frame for the same number. */
import { createHash } from 'node:crypto';
import type { Card } from '@splitlane/dnn';
import type { AnsweredFrame } from '@splitlane/field-tests';
import { type Camera, type Frame, openCamera, type VehicleConfig } from '@splitlane/vehicle-node';

/** Captures a frame again; undefined where it comes out different, because its picture was changed meanwhile. */
export type Recapture = (frame: AnsweredFrame) => Promise<Frame | undefined>;

/** @param vehicles whose cameras the frames are of. */
export function recapturing(card: Card, vehicles: readonly VehicleConfig[]): Recapture {
  const cameras = new Map<string, Camera>();
  const cameraOf = (vehicle: string, name: string): Camera => {
    const key = `${vehicle}/${name}`;
    const config = vehicles
      .find(({ node }) => node === vehicle)!
      .cameras.find((camera) => camera.name === name)!;
    const camera = cameras.get(key) ?? openCamera(config, card, () => {});
    cameras.set(key, camera);
    return camera;
  };
  return async ({ vehicle, camera, frameIndex, jpegDigest }) => {
    const frame = await cameraOf(vehicle, camera).capture(frameIndex);
    const digest = createHash('sha256').update(frame.jpeg).digest('hex').slice(0, 32);
    return digest === jpegDigest ? frame : undefined;
  };
}
