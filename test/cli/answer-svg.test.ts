/** What is drawn on a frame: seen as an SVG, and as the picture that it makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { answerSvg, colourOf, lineWidth } from '../../cli/demo/answer-svg.ts';
import type { FrameSize } from '../../libs/dnn/index.ts';
import type { Box, Class } from '../../libs/proto/index.ts';

const SIZE: FrameSize = { width: 960, height: 540 };
const BOX: Box = { index: 1, label: 'car', score: 0.875, left: 100, top: 200, width: 300, height: 150 };

const boxed = (size: FrameSize, ...boxes: Box[]): string => answerSvg(size, { top: [], boxes })!;
const classed = (size: FrameSize, ...top: Class[]): string => answerSvg(size, { top, boxes: [] })!;

/** The numbers of elements of a kind. */
function numbers(svg: string, element: string, ...names: readonly string[]): number[][] {
  return [...svg.matchAll(new RegExp(`<${element} [^>]*>`, 'g'))].map(([tag]) =>
    names.map((name) => Number(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? Number.NaN)),
  );
}

/** The area of a drawn picture that is not clear, from its first to its last column and row. */
async function inked(svg: string): Promise<{ left: number; right: number; top: number; bottom: number }> {
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const area = { left: info.width, right: -1, top: info.height, bottom: -1 };
  for (let y = 0; y < info.height; y++)
    for (let x = 0; x < info.width; x++) {
      if (data[4 * (y * info.width + x) + 3]! < 128) continue;
      area.left = Math.min(area.left, x);
      area.right = Math.max(area.right, x);
      area.top = Math.min(area.top, y);
      area.bottom = Math.max(area.bottom, y);
    }
  return area;
}

test('Where there is neither box nor class nothing is drawn.', () => {
  assert.equal(answerSvg(SIZE, { top: [], boxes: [] }), undefined);
});

test('A box’s line lies along its edges, inside of it, in the colour of its class.', async () => {
  const line = lineWidth(SIZE);
  assert.equal(line, 3);
  const { data, info } = await sharp(Buffer.from(boxed(SIZE, BOX)))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const colour = (x: number, y: number): string =>
    `#${data
      .subarray(info.channels * (y * info.width + x))
      .subarray(0, 3)
      .toString('hex')}`;
  for (const [x, y] of [
    [100, 300],
    [100 + line - 1, 300],
    [399, 300],
    [250, 349],
    [250, 349 - line + 1],
    [350, 200],
  ] as const)
    assert.equal(colour(x, y), colourOf(BOX), `${x},${y}`);
  for (const [x, y] of [
    [250, 275],
    [110, 300],
    [80, 300],
  ] as const)
    assert.equal(data[info.channels * (y * info.width + x) + 3], 0, `${x},${y} is clear`);
});

test('Lines and letters grow with the frame, and are never too fine to be seen.', () => {
  const fonts = [120, 540, 1080, 2160].map((height) => {
    const size = { width: 2 * height, height };
    return [lineWidth(size), numbers(boxed(size, BOX), 'text', 'font-size')[0]![0]!];
  });
  assert.deepEqual(fonts, [
    [1, 8],
    [3, 17],
    [6, 34],
    [12, 68],
  ]);
});

const side = fc.integer({ min: 60, max: 700 });
const label = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.constantFrom('W'.repeat(40), '信号灯'.repeat(9), '', 'a & b <c>'),
);
const share = fc.double({ min: 0, max: 1, noNaN: true });

test('Labels stay inside the picture, wherever their boxes lie and whatever they are called.', () => {
  fc.assert(
    fc.property(
      fc.record({ width: side, height: side }),
      fc.array(fc.record({ label, x: share, y: share, w: share, h: share }), { minLength: 1, maxLength: 5 }),
      (size, seen) => {
        const boxes = seen.map(({ label, x, y, w, h }, index) => {
          const [left, top] = [x * size.width, y * size.height];
          const area = { left, top, width: w * (size.width - left), height: h * (size.height - top) };
          return { index, label, score: 0.5, ...area };
        });
        const svg = boxed(size, ...boxes);
        const labels = numbers(svg, 'rect', 'x', 'y', 'width', 'height').slice(-boxes.length);
        for (const [x, y, width, height] of labels as [number, number, number, number][]) {
          assert.ok(x >= 0 && x + width <= size.width + 1e-6, `${x} + ${width} of ${size.width}`);
          assert.ok(y >= 0 && y + height <= size.height + 1e-6, `${y} + ${height} of ${size.height}`);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('Letters as wide as they come do not leave their label.', async (context) => {
  const edge = { ...BOX, left: 900, width: 60 };
  for (const word of ['WWWW mmmm @@@@', 'i'.repeat(20), '信号灯 traffic', 'W'.repeat(300)]) {
    const svg = boxed(SIZE, { ...edge, label: word });
    const [[x, y, width, height]] = numbers(svg, 'rect', 'x', 'y', 'width', 'height').slice(-1) as [
      [number, number, number, number],
    ];
    const onlyText = svg.replaceAll(/<rect [^>]*>/g, '');
    const ink = await inked(onlyText);
    if (ink.right < 0) return context.skip('there is no font on this machine');
    assert.ok(ink.left >= x - 1 && ink.right <= x + width + 1, `${word}: ${ink.left}–${ink.right}`);
    assert.ok(ink.top >= y - 1 && ink.bottom <= y + height + 1, `${word}: ${ink.top}–${ink.bottom}`);
  }
});

test('A label is the class and its score; what XML means otherwise is written as it is meant.', async () => {
  const svg = boxed(SIZE, { ...BOX, label: `<script>"&'\u0000` });
  assert.match(svg, />&lt;script&gt;"&amp;'� 0\.88<\/text>/);
  await sharp(Buffer.from(svg)).raw().toBuffer();
});

test('A label that is too long ends in dots, and keeps its score.', () => {
  const svg = boxed({ width: 100, height: 100 }, { ...BOX, label: 'a very long name of a thing' });
  assert.match(svg, />a very long n… 0\.88</);
});

test('The best box lies over the others, and labels lie over all lines.', () => {
  const svg = boxed(SIZE, { ...BOX, label: 'best' }, { ...BOX, label: 'worse', index: 2 });
  const order = [...svg.matchAll(/stroke="(#[^"]+)" stroke-width="3"|>(best|worse) /g)].map(
    ([, colour, word]) => colour ?? word,
  );
  assert.deepEqual(order, [colourOf({ index: 2 }), colourOf({ index: 1 }), 'worse', 'best']);
});

test('Classes stand line by line in the lower left corner, with their scores, within the picture.', async () => {
  const top = Array.from({ length: 5 }, (_, index) => ({
    ...{ index, label: `thing <${index}>`, score: 12.3456 / 10 ** (3 * index) },
  }));
  const texts = [...classed(SIZE, ...top).matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text);
  assert.deepEqual(texts.slice(0, 4), ['12.3', 'thing &lt;0&gt;', '0.0123', 'thing &lt;1&gt;']);
  for (const size of [SIZE, { width: 64, height: 48 }, { width: 40, height: 20 }]) {
    const svg = classed(size, ...top);
    const [[x, y, width, height]] = numbers(svg, 'rect', 'x', 'y', 'width', 'height') as [
      [number, number, number, number],
    ];
    assert.ok(x === 0 && y >= 0 && Math.abs(y + height - size.height) < 1e-6);
    assert.ok(size.width < 64 || width <= size.width, `${width} of ${size.width}`);
    const ink = await inked(svg);
    assert.ok(ink.bottom >= size.height - 2);
  }
});
