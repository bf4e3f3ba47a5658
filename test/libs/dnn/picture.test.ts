import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { seededRandom } from '../../../libs/clock/index.ts';
import { type Card, frameSizeOf, pictureToTensor, withOverlay } from '../../../libs/dnn/index.ts';

const CARD: Card = {
  ...{ height: 2, width: 3, channels: 'rgb', layout: 'nchw', range: [0, 1], fit: 'stretch', labels: [] },
  ...{ mean: [0, 0, 0], std: [1, 1, 1] },
};
/** The card of a network that takes the 8-bit values as they are. */
const RAW: Card = { ...CARD, range: [0, 255] };
const ORANGE = { r: 255, g: 128, b: 0 };

const plain = (width: number, height: number, background: object): Sharp =>
  sharp({ create: { width, height, channels: 3, background } });
const png = (width: number, height: number, background: object): Promise<Buffer> =>
  plain(width, height, background).png().toBuffer();

/** A picture of given 8-bit RGB values, row by row. */
function drawn(width: number, height: number, values: readonly number[]): Promise<Buffer> {
  return sharp(Uint8Array.from(values), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

async function values(picture: Uint8Array, card: Card): Promise<number[]> {
  return Array.from(await pictureToTensor(picture, card));
}

function near(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of actual.entries())
    assert.ok(Math.abs(value - expected[i]!) < 1e-6, `${i}: ${value} is not ${expected[i]}`);
}

const six = (value: number): number[] => new Array<number>(6).fill(value);

test('A picture of one colour gives its colour in every pixel, a plane a channel, in the card’s order.', async () => {
  const picture = await png(9, 4, ORANGE);
  assert.deepEqual(await values(picture, RAW), [...six(255), ...six(128), ...six(0)]);
  assert.deepEqual(await values(picture, { ...RAW, channels: 'bgr' }), [...six(0), ...six(128), ...six(255)]);
});

test('NHWC has the channels of a pixel side by side.', async () => {
  const picture = await png(9, 4, ORANGE);
  const pixels = (...pixel: number[]): number[] => six(0).flatMap(() => pixel);
  assert.deepEqual(await values(picture, { ...RAW, layout: 'nhwc' }), pixels(255, 128, 0));
  assert.deepEqual(await values(picture, { ...RAW, layout: 'nhwc', channels: 'bgr' }), pixels(0, 128, 255));
});

test('Range, mean and std are applied per channel, in the order of the network’s channels.', async () => {
  const picture = await png(3, 2, ORANGE);
  const card: Card = { ...CARD, range: [-1, 3], mean: [0.5, 0.25, 0], std: [0.5, 1, 2] };
  const scaled = (value: number): number => -1 + (4 * value) / 255;
  near(await values(picture, card), [
    ...six((scaled(255) - 0.5) / 0.5),
    ...six((scaled(128) - 0.25) / 1),
    ...six(scaled(0) / 2),
  ]);
  near(await values(picture, { ...card, channels: 'bgr' }), [
    ...six((scaled(0) - 0.5) / 0.5),
    ...six((scaled(128) - 0.25) / 1),
    ...six(scaled(255) / 2),
  ]);
});

test('Grey is one channel: black, white and every grey keep their value, and green is lighter than red.', async () => {
  const grey: Card = { ...RAW, channels: 'grey', mean: [0], std: [1] };
  for (const value of [0, 1, 77, 200, 255])
    assert.deepEqual(await values(await png(3, 2, { r: value, g: value, b: value }), grey), six(value));
  const [red] = await values(await png(3, 2, { r: 255, g: 0, b: 0 }), grey);
  const [green] = await values(await png(3, 2, { r: 0, g: 255, b: 0 }), grey);
  assert.ok(red! > 50 && red! < green! && green! < 255);
});

test('Each pixel of a picture of the right size stands in its place.', async () => {
  const pixels = Array.from({ length: 18 }, (_, i) => 10 * i);
  const plane = (channel: number): number[] => pixels.filter((_, i) => i % 3 === channel);
  const picture = await drawn(3, 2, pixels);
  assert.deepEqual(await values(picture, RAW), [...plane(0), ...plane(1), ...plane(2)]);
  assert.deepEqual(await values(picture, { ...RAW, layout: 'nhwc' }), pixels);
});

const SQUARE: Card = { ...RAW, height: 4, width: 4 };

test('Stretch fills the input with the whole picture, whatever its form.', async () => {
  const halves = await drawn(8, 1, [...new Array(12).fill(0), ...new Array(12).fill(255)]);
  const tensor = await values(halves, SQUARE);
  for (let row = 0; row < 4; row++) assert.deepEqual([tensor[4 * row], tensor[4 * row + 3]], [0, 255]);
});

test('Letterbox keeps the picture’s form and fills what is left with grey 114.', async () => {
  const wide = await values(await png(8, 4, ORANGE), { ...SQUARE, fit: 'letterbox' });
  const rows = (value: number): number[] => [114, value, value, 114].flatMap((row) => [row, row, row, row]);
  assert.deepEqual(wide, [...rows(255), ...rows(128), ...rows(0)]);
  const high = await values(await png(4, 8, ORANGE), { ...SQUARE, fit: 'letterbox' });
  const columns = (value: number): number[] => [0, 1, 2, 3].flatMap(() => [114, value, value, 114]);
  assert.deepEqual(high, [...columns(255), ...columns(128), ...columns(0)]);
});

test('A JPEG of one grey gives that grey, in colour or not.', async () => {
  const picture = plain(64, 48, { r: 100, g: 100, b: 100 });
  const expected = new Array(18).fill(100);
  assert.deepEqual(await values(await picture.clone().jpeg().toBuffer(), RAW), expected);
  assert.deepEqual(await values(await picture.clone().toColourspace('b-w').jpeg().toBuffer(), RAW), expected);
});

test('Pictures with transparency or 16 bits a channel are taken like others, but for rounding.', async () => {
  const background = { ...ORANGE, alpha: 1 };
  const clear = sharp({ create: { width: 9, height: 4, channels: 4, background } });
  const deep = plain(9, 4, ORANGE).toColourspace('rgb16');
  for (const picture of [clear, deep]) {
    const actual = await values(await picture.png().toBuffer(), RAW);
    const expected = [...six(255), ...six(128), ...six(0)];
    assert.equal(actual.length, expected.length);
    for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - expected[i]!) <= 1, `${value}`);
  }
});

test('The same picture gives the same bits, in every run.', async () => {
  const random = seededRandom(3);
  const picture = await drawn(
    40,
    30,
    Array.from({ length: 3600 }, () => Math.floor(256 * random())),
  );
  const card: Card = {
    ...CARD,
    height: 16,
    width: 16,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  };
  assert.deepEqual(await values(picture, card), await values(picture, card));
});

/** What leads from the upright picture to the stored one, for each orientation of EXIF. */
const STORED: readonly ((upright: Buffer) => Promise<Buffer>)[] = [
  (upright) => sharp(upright).toBuffer(),
  (upright) => sharp(upright).flop().toBuffer(),
  (upright) => sharp(upright).rotate(180).toBuffer(),
  (upright) => sharp(upright).flip().toBuffer(),
  async (upright) =>
    sharp(await sharp(upright).rotate(90).toBuffer())
      .flop()
      .toBuffer(),
  (upright) => sharp(upright).rotate(270).toBuffer(),
  async (upright) =>
    sharp(await sharp(upright).rotate(90).toBuffer())
      .flip()
      .toBuffer(),
  (upright) => sharp(upright).rotate(90).toBuffer(),
];

/** Quarters of different grey, wider than high. */
async function quarters(): Promise<Buffer> {
  const grey = (value: number): Promise<Buffer> => png(32, 16, { r: value, g: value, b: value });
  return plain(64, 32, { r: 0, g: 0, b: 0 })
    .composite([
      { input: await grey(80), left: 32, top: 0 },
      { input: await grey(160), left: 0, top: 16 },
      { input: await grey(240), left: 32, top: 16 },
    ])
    .png()
    .toBuffer();
}

test('A picture is taken upright however it is stored, and its size is the one of what the network sees.', async () => {
  const upright = await quarters();
  const card: Card = { ...RAW, height: 32, width: 64 };
  const expected = await values(upright, card);
  for (const [index, store] of STORED.entries()) {
    const stored = sharp(await store(upright)).withMetadata({ orientation: index + 1 });
    const jpeg = await stored.jpeg({ quality: 100 }).toBuffer();
    assert.deepEqual(await frameSizeOf(jpeg), { width: 64, height: 32 }, `orientation ${index + 1}`);
    const tensor = await values(jpeg, card);
    const furthest = tensor.reduce((far, value, i) => Math.max(far, Math.abs(value - expected[i]!)), 0);
    assert.ok(furthest <= 8, `orientation ${index + 1}: ${furthest}`);
  }
});

test('What is drawn over a picture lies on it as it stands upright, and is all that changes.', async () => {
  const store = STORED[5]!;
  const jpeg = await sharp(await store(await quarters()))
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 100 })
    .toBuffer();
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="32">' +
    '<rect x="48" y="0" width="16" height="8" fill="#ff0000"/></svg>';
  const drawnOn = await withOverlay(jpeg, svg);
  const { format, orientation } = await sharp(drawnOn).metadata();
  assert.deepEqual({ format, orientation }, { format: 'jpeg', orientation: undefined });
  const { data, info } = await sharp(drawnOn).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height], [64, 32]);
  const pixel = (x: number, y: number): number[] => [
    ...data.subarray(3 * (64 * y + x), 3 * (64 * y + x) + 3),
  ];
  for (const [x, y, expected] of [
    [56, 4, [255, 0, 0]],
    [40, 8, [80, 80, 80]],
    [8, 4, [0, 0, 0]],
    [8, 24, [160, 160, 160]],
    [56, 24, [240, 240, 240]],
  ] as const)
    assert.ok(
      pixel(x, y).every((value, channel) => Math.abs(value - expected[channel]!) <= 12),
      `${x},${y}: ${pixel(x, y)}`,
    );
});

test('A JPEG that is cut short anywhere is refused.', async () => {
  const random = seededRandom(5);
  const noise = Array.from({ length: 96 * 64 * 3 }, () => Math.floor(256 * random()));
  const whole = await sharp(await drawn(96, 64, noise))
    .jpeg()
    .toBuffer();
  await pictureToTensor(whole, RAW);
  for (const length of [0, 2, 10, 200, whole.length >> 1, whole.length - 100, whole.length - 2])
    await assert.rejects(pictureToTensor(whole.subarray(0, length), RAW), `${length} bytes`);
});

test('A JPEG whose header is broken is refused, and so is what is no picture.', async () => {
  const whole = await plain(96, 64, ORANGE).jpeg().toBuffer();
  const broken = Buffer.from(whole);
  broken.fill(0xff, 2, 200);
  for (const bytes of [broken, Buffer.from('no picture'), Buffer.alloc(1000)])
    await assert.rejects(pictureToTensor(bytes, RAW));
});
