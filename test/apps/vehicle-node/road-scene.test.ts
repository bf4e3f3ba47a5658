import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { drawRoadScene } from '../../../apps/vehicle-node/io/road-scene/road-scene.ts';

const VIEW = { seed: 7, camera: 0, cameras: 4, frame: 12 };

test('The same seed, camera and frame give the same bytes.', async () => {
  const [first, second] = await Promise.all([drawRoadScene(VIEW), drawRoadScene({ ...VIEW })]);
  assert.deepEqual(first, second);
});

test('Another frame, camera or seed gives another picture, and no two of them are alike.', async () => {
  const views = [
    VIEW,
    { ...VIEW, frame: 13 },
    { ...VIEW, camera: 1 },
    { ...VIEW, cameras: 6, camera: 1 },
    { ...VIEW, seed: 8 },
  ];
  const drawn = await Promise.all(views.map((view) => drawRoadScene(view)));
  // The grain alone would tell two pictures apart: scaled down it averages out, and the scene remains.
  const scenes = await Promise.all(drawn.map((jpeg) => sharp(jpeg).resize(96, 54).raw().toBuffer()));
  for (const [i, scene] of scenes.entries())
    for (const other of scenes.slice(i + 1)) assert.ok(largestDifference(scene, other) > 40);
});

test('Every camera of every seed gives a JPEG of 960 × 540 pixels and 30 to 90 kB.', async () => {
  for (const seed of [0, 1, 2, 3])
    for (const camera of [0, 1, 2, 3]) {
      const jpeg = await drawRoadScene({ seed, camera, cameras: 4, frame: 20 * seed });
      const { format, width, height, channels } = await sharp(jpeg, { failOn: 'error' }).metadata();
      assert.deepEqual(
        { format, width, height, channels },
        { format: 'jpeg', width: 960, height: 540, channels: 3 },
      );
      const { data } = await sharp(jpeg, { failOn: 'error' }).raw().toBuffer({ resolveWithObject: true });
      assert.equal(data.length, 960 * 540 * 3);
      assert.ok(
        jpeg.length > 30_000 && jpeg.length < 90_000,
        `seed ${seed}, camera ${camera}: ${jpeg.length} bytes`,
      );
    }
});

test('A vehicle of any number of cameras that has driven for hours still has its picture.', async () => {
  for (const cameras of [1, 3, 8]) {
    const jpeg = await drawRoadScene({ seed: -5, camera: cameras - 1, cameras, frame: 200_000 });
    assert.ok(jpeg.length > 30_000 && jpeg.length < 90_000, `${cameras} cameras: ${jpeg.length} bytes`);
  }
});

function largestDifference(one: Buffer, other: Buffer): number {
  return one.reduce((largest, value, i) => Math.max(largest, Math.abs(value - other[i]!)), 0);
}
