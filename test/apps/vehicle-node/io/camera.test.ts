/** Cameras: folders of pictures as they are found, and the drawn scene. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import type { CameraConfig } from '../../../../apps/vehicle-node/config.ts';
import {
  CameraError,
  type Frame,
  listPictures,
  openCamera,
} from '../../../../apps/vehicle-node/io/camera.ts';
import { type Card, pictureToTensor } from '../../../../libs/dnn/index.ts';

const CARD: Card = {
  height: 8,
  width: 8,
  channels: 'rgb',
  layout: 'nchw',
  range: [0, 1],
  mean: [0, 0, 0],
  std: [1, 1, 1],
  fit: 'stretch',
  labels: [],
};

function folderOf(t: TestContext, files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'splitlane-camera-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, name), bytes);
  return folder;
}

function painted(grey: number): Sharp {
  const background = { r: grey, g: grey, b: grey };
  return sharp({ create: { width: 40, height: 30, channels: 3, background } });
}
const jpegOf = (grey: number): Promise<Buffer> => painted(grey).jpeg().toBuffer();

/** Pictures in the order of their names, the n-th of brightness 10·n. */
async function pictures(count: number): Promise<Record<string, Buffer>> {
  const files = Array.from({ length: count }, async (_, n) => [`${n}.jpg`, await jpegOf(10 * n)] as const);
  return Object.fromEntries(await Promise.all(files));
}

function open(
  folder: string,
  first = 0,
  step = 1,
): { capture: (index: number) => Promise<Frame>; broken: string[] } {
  const broken: string[] = [];
  const source: CameraConfig['source'] = { kind: 'pictures', folder, first, step };
  const onBroken = (picture: string): void => void broken.push(path.basename(picture));
  const camera = openCamera({ name: 'camera-1', source }, CARD, onBroken);
  return { capture: (index) => camera.capture(index), broken };
}

/** Which of the `pictures` a frame shows. */
const shown = ({ tensor }: Frame): number => Math.round((tensor[0]! * 255) / 10);

describe('A folder of pictures', () => {
  test('It is dealt out: each camera takes every so-many-th picture, and begins again after the last.', async (t) => {
    const folder = folderOf(t, await pictures(7));
    for (const first of [0, 1, 2]) {
      const { capture } = open(folder, first, 3);
      const seen = [];
      for (let index = 0; index < 9; index++) seen.push(shown(await capture(index)));
      assert.deepEqual(
        seen,
        Array.from({ length: 9 }, (_, index) => (first + 3 * index) % 7),
      );
    }
  });

  test('A camera beyond the last picture begins with the first again.', async (t) => {
    const { capture } = open(folderOf(t, await pictures(2)), 5, 6);
    assert.equal(shown(await capture(0)), 1);
  });

  test('A JPEG file goes out byte for byte, and its tensor is that of the picture.', async (t) => {
    // Not as we would write it: to read and write it anew would give other bytes.
    const file = await painted(99).jpeg({ quality: 31, progressive: true }).toBuffer();
    const folder = folderOf(t, { 'a.jpg': file });
    const { jpeg, size, tensor } = await open(folder).capture(0);
    assert.deepEqual(jpeg, file);
    assert.deepEqual(size, { width: 40, height: 30 });
    assert.deepEqual(tensor, await pictureToTensor(jpeg, CARD));
    assert.equal(tensor.length, 3 * 8 * 8);
  });

  test('Another kind of picture becomes a JPEG, and its tensor is that of this JPEG: the cloud sees no other.', async (t) => {
    const half = { left: 10, top: 10, input: await painted(240).resize(15, 15).png().toBuffer() };
    const colourful = painted(30).composite([half]);
    const files = {
      'a.png': await colourful.clone().png().toBuffer(),
      'b.webp': await colourful.clone().webp({ lossless: true }).toBuffer(),
      // Named like a JPEG, and none.
      'c.jpg': await colourful.clone().png().toBuffer(),
    };
    const { capture, broken } = open(folderOf(t, files));
    for (const index of [0, 1, 2]) {
      const { jpeg, tensor } = await capture(index);
      const { format, width, height } = await sharp(jpeg).metadata();
      assert.deepEqual({ format, width, height }, { format: 'jpeg', width: 40, height: 30 });
      assert.deepEqual(tensor, await pictureToTensor(jpeg, CARD));
    }
    assert.deepEqual(broken, []);
  });

  test('A picture that lies on its side is one that stands upright, as a JPEG file and as any other.', async (t) => {
    const onSide = painted(99).withMetadata({ orientation: 6 });
    const files = {
      'a.jpg': await onSide.clone().jpeg().toBuffer(),
      'b.webp': await onSide.clone().webp({ lossless: true }).toBuffer(),
    };
    const { capture } = open(folderOf(t, files));
    for (const index of [0, 1]) {
      const { jpeg, size, tensor } = await capture(index);
      assert.deepEqual(size, { width: 30, height: 40 });
      assert.deepEqual((await sharp(jpeg).metadata()).autoOrient, size);
      assert.deepEqual(tensor, await pictureToTensor(jpeg, CARD));
    }
  });

  test('A broken picture is skipped, counted once and named; the next one takes its place.', async (t) => {
    const files = await pictures(4);
    files['1.jpg'] = Buffer.from('this is no picture');
    files['2.jpg'] = files['2.jpg']!.subarray(0, 200);
    const { capture, broken } = open(folderOf(t, files));
    const seen = [];
    for (let index = 0; index < 8; index++) seen.push(shown(await capture(index)));
    assert.deepEqual(seen, [0, 3, 3, 3, 0, 3, 3, 3]);
    assert.deepEqual(broken, ['1.jpg', '2.jpg']);
  });

  test('The last picture may be broken: the first takes its place.', async (t) => {
    const { capture, broken } = open(folderOf(t, { ...(await pictures(2)), '9.jpg': 'no picture' }));
    assert.equal(shown(await capture(2)), 0);
    assert.deepEqual(broken, ['9.jpg']);
  });

  test('The same number gives the same frame, whatever was captured before, and broken pictures or not.', async (t) => {
    const files = await pictures(6);
    for (const name of ['0.jpg', '3.jpg', '4.jpg']) files[name] = Buffer.from([0xff, 0xd8, 0xff, 0]);
    const folder = folderOf(t, files);
    const forwards = open(folder, 1, 5);
    const backwards = open(folder, 1, 5);
    const indices = Array.from({ length: 12 }, (_, index) => index);
    const there: Frame[] = [];
    for (const index of indices) there[index] = await forwards.capture(index);
    const back: Frame[] = [];
    for (const index of indices.toReversed()) back[index] = await backwards.capture(index);
    assert.deepEqual(back, there);
    assert.deepEqual(await Promise.all(indices.map((index) => open(folder, 1, 5).capture(index))), there);
    assert.deepEqual(forwards.broken.sort(), ['0.jpg', '3.jpg', '4.jpg']);
    assert.deepEqual(backwards.broken.sort(), ['0.jpg', '3.jpg', '4.jpg']);
  });

  test('Where every picture is broken, each frame is an error that names the folder and how many there are.', async (t) => {
    const folder = folderOf(t, { 'a.jpg': 'no', 'b.png': 'neither' });
    const { capture, broken } = open(folder);
    for (const index of [0, 1])
      await assert.rejects(capture(index), (error: Error) => {
        assert.ok(error instanceof CameraError);
        assert.equal(error.message, `frames ${folder}: none of its 2 pictures can be read`);
        return true;
      });
    assert.deepEqual(broken, ['a.jpg', 'b.png']);
  });

  test('A picture that is removed while the camera runs is a broken one.', async (t) => {
    const folder = folderOf(t, await pictures(2));
    const { capture, broken } = open(folder);
    rmSync(path.join(folder, '0.jpg'));
    assert.equal(shown(await capture(0)), 1);
    assert.deepEqual(broken, ['0.jpg']);
  });

  test('What is no picture by its name is left out, and the order is that of the names.', async (t) => {
    const files = { 'b.JPG': '', 'a.jpeg': '', 'c.tiff': '', 'notes.txt': '', '.jpg.swp': '', 'd.png~': '' };
    const folder = folderOf(t, files);
    assert.deepEqual(
      listPictures(folder).map((picture) => path.relative(folder, picture)),
      ['a.jpeg', 'b.JPG', 'c.tiff'],
    );
  });

  test('A folder without a picture, a folder that is none, and one that is missing are errors in one line.', (t) => {
    const empty = folderOf(t, { 'notes.txt': 'no picture' });
    const file = path.join(empty, 'notes.txt');
    const missing = path.join(empty, 'missing');
    for (const [folder, message] of [
      [empty, `frames ${empty}: there is no picture in this folder`],
      [file, `frames ${file}: cannot be read (ENOTDIR)`],
      [missing, `frames ${missing}: cannot be read (ENOENT)`],
    ] as const)
      assert.throws(
        () => open(folder),
        (error: Error) => {
          assert.ok(error instanceof CameraError);
          assert.equal(error.message, message);
          return true;
        },
      );
  });
});

describe('The drawn scene', () => {
  const scene = (more: object = {}): CameraConfig => ({
    name: 'camera-1',
    source: { kind: 'scene', seed: 7, camera: 0, cameras: 4, ...more },
  });
  const never = (): void => assert.fail('nothing is broken here');

  test('The same number gives the same bytes from any camera object, and it repeats itself after 64 frames.', async () => {
    const one = openCamera(scene(), CARD, never);
    const other = openCamera(scene(), CARD, never);
    const first = await one.capture(3);
    assert.equal((await one.capture(3)).jpeg, first.jpeg, 'it is drawn once');
    await other.capture(5);
    assert.deepEqual(await other.capture(3), first);
    assert.deepEqual(await one.capture(3 + 64), first);
    assert.deepEqual(first.tensor, await pictureToTensor(first.jpeg, CARD));
    assert.deepEqual(first.size, { width: 960, height: 540 });
    assert.notDeepEqual((await one.capture(4)).jpeg, first.jpeg);
  });

  test('Another camera or another seed sees another picture.', async () => {
    const frames = await Promise.all(
      [scene(), scene({ camera: 1 }), scene({ seed: 8 })].map((config) =>
        openCamera(config, CARD, never).capture(0),
      ),
    );
    assert.equal(new Set(frames.map(({ jpeg }) => jpeg.toString('base64'))).size, 3);
  });

  test('A frame may be used up: the next capture of the same number has a tensor of its own.', async () => {
    const camera = openCamera(scene(), CARD, never);
    const first = await camera.capture(0);
    const kept = first.tensor.slice();
    first.tensor.fill(0);
    assert.deepEqual((await camera.capture(0)).tensor, kept);
  });
});
