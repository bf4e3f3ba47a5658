import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import sharp from 'sharp';
import { saveFrames } from '../../cli/demo/saved-frames.ts';
import { UsageError } from '../../cli/exit-codes.ts';
import type { AnsweredFrame } from '../../field-tests/index.ts';
import { temporaryFolder } from '../system/splitlane.ts';

const BOX = { index: 0, label: 'car', score: 0.5, left: 4, top: 20, width: 30, height: 20 };
const ANSWERED: AnsweredFrame = {
  ...{ vehicle: 'vehicle-1', camera: 'camera-2', frameIndex: 7, jpegDigest: 'seven', policy: 'exact' },
  ...{ measured: true, top: [], boxes: [], digest: 'd' },
};

const SIZE = { width: 64, height: 48 };
const jpeg = await sharp({ create: { ...SIZE, channels: 3, background: 'teal' } })
  .jpeg()
  .toBuffer();
const frame = { jpeg, size: SIZE, tensor: new Float32Array(0) };

function folder(context: TestContext): string {
  const made = temporaryFolder();
  context.after(() => made[Symbol.dispose]());
  return made.path;
}

function saved(place: string): string[] {
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.jpg'))
    .sort();
}

test('Each measured frame is a picture under its policy; one of a round that was run again has a name of its own.', async (context) => {
  const place = folder(context);
  const answered: AnsweredFrame[] = [
    ANSWERED,
    { ...ANSWERED, boxes: [BOX] },
    { ...ANSWERED, policy: 'lo' },
    { ...ANSWERED, vehicle: 'vehicle-2', frameIndex: 123_456, jpegDigest: 'other' },
    { ...ANSWERED, frameIndex: 1, measured: false },
  ];
  const { policy, ...brokenOff } = { ...ANSWERED, frameIndex: 2 };
  const fractions: number[] = [];
  const counted = await saveFrames(
    place,
    async () => frame,
    [...answered, brokenOff],
    (fraction) => fractions.push(fraction),
  );
  assert.deepEqual(counted, { written: 4, changed: 0 });
  assert.deepEqual(saved(place), [
    'exact/vehicle-1-camera-2-000007-2.jpg',
    'exact/vehicle-1-camera-2-000007.jpg',
    'exact/vehicle-2-camera-2-123456.jpg',
    'lo/vehicle-1-camera-2-000007.jpg',
  ]);
  assert.deepEqual(readFileSync(path.join(place, 'exact/vehicle-1-camera-2-000007.jpg')), jpeg);
  assert.notDeepEqual(readFileSync(path.join(place, 'exact/vehicle-1-camera-2-000007-2.jpg')), jpeg);
  assert.deepEqual(fractions, [0.25, 0.5, 0.75, 1]);
});

test('A picture is captured once for all policies, and one that was changed since is left out and told apart.', async (context) => {
  const place = folder(context);
  const asked: string[] = [];
  const counted = await saveFrames(
    place,
    async ({ jpegDigest }) => {
      asked.push(jpegDigest);
      return jpegDigest === 'changed' ? undefined : frame;
    },
    [ANSWERED, { ...ANSWERED, policy: 'lo' }, { ...ANSWERED, frameIndex: 8, jpegDigest: 'changed' }],
    () => {},
  );
  assert.deepEqual(asked.sort(), ['changed', 'seven']);
  assert.deepEqual(counted, { written: 2, changed: 1 });
  assert.deepEqual(saved(place), ['exact/vehicle-1-camera-2-000007.jpg', 'lo/vehicle-1-camera-2-000007.jpg']);
});

test('Where the folder cannot be written any more the user is told in one line.', async (context) => {
  const place = folder(context);
  writeFileSync(path.join(place, 'exact'), 'a file where a folder is to be');
  await assert.rejects(
    saveFrames(
      place,
      async () => frame,
      [ANSWERED],
      () => {},
    ),
    (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /^--save-frames .*: cannot be written \(ENOTDIR\)$/);
      return true;
    },
  );
});
