/** What the whole, uncut model says of the frames of a run: the measure of every split result. */
import { createHash } from 'node:crypto';
import { type Assignment, InferenceThread, type PreparedModel } from '@splitlane/dnn';
import type { AnsweredFrame } from '@splitlane/field-tests';
import { type Camera, type CameraConfig, openCamera, type VehicleConfig } from '@splitlane/vehicle-node';

const THREADS = 2;

/**
 * Digests of the whole model's answers, by the digest of the frame's JPEG. The frames are captured again:
 * a camera gives the same frame for the same number. A frame that comes out different has no entry.
 * @param onProgress told after each frame; what it throws ends the work.
 */
export async function referenceDigests(
  model: PreparedModel,
  vehicles: readonly VehicleConfig[],
  frames: readonly AnsweredFrame[],
  onProgress: (fraction: number) => void,
): Promise<Map<string, string>> {
  const whole: Assignment = { ...model, segments: [model.file], cuts: [model.cuts[0]!, model.cuts.at(-1)!] };
  const threads = Array.from({ length: THREADS }, () => new InferenceThread(whole));
  const cameras = new Map<string, Camera>();
  const cameraOf = (vehicle: string, name: string): Camera => {
    const key = `${vehicle}/${name}`;
    const known = cameras.get(key);
    if (known) return known;
    const { cameras: configs } = vehicles.find(({ node }) => node === vehicle)!;
    const config: CameraConfig = configs.find((camera) => camera.name === name)!;
    const camera = openCamera(config, model.card, () => {});
    cameras.set(key, camera);
    return camera;
  };

  const wanted = [...new Map(frames.map((frame) => [frame.jpegDigest, frame])).values()];
  const digests = new Map<string, string>();
  let done = 0;
  const next = wanted.values();
  try {
    await Promise.all(threads.map((thread) => thread.ready()));
    await Promise.all(
      threads.map(async (thread) => {
        for (const { vehicle, camera, frameIndex, jpegDigest } of next) {
          const { jpeg, tensor } = await cameraOf(vehicle, camera).capture(frameIndex);
          const digest = createHash('sha256').update(jpeg).digest('hex').slice(0, 32);
          if (digest === jpegDigest) {
            const { answer } = await thread.run({ from: 0, to: 1, input: { kind: 'float32', data: tensor } });
            digests.set(jpegDigest, answer!.digest);
          }
          onProgress(++done / wanted.length);
        }
      }),
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.stop()));
  }
  return digests;
}
