import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import type { Card } from '../../../../libs/dnn/card.ts';
import { CodecError, rawUint8, zstd } from '../../../../libs/dnn/codecs/index.ts';
import { pictureToTensor } from '../../../../libs/dnn/picture.ts';
import { bitsOf, received } from './tensors.ts';

const IMAGENET: Card = {
  ...{ height: 16, width: 16, channels: 'rgb', layout: 'nchw', range: [0, 1], fit: 'stretch', labels: [] },
  ...{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};
const dimsOf = ({ channels, layout, height, width }: Card): number[] => {
  const depth = channels === 'grey' ? 1 : 3;
  return layout === 'nchw' ? [1, depth, height, width] : [1, height, width, depth];
};
/** A picture with every 8-bit value in every channel. */
const allValues = sharp(
  Uint8Array.from({ length: 768 }, (_, i) => (Math.floor(i / 3) * [1, 7, 11][i % 3]!) % 256),
  { raw: { width: 16, height: 16, channels: 3 } },
)
  .png()
  .toBuffer();

const number = fc.double({ min: -300, max: 300, noNaN: true });
const three = <T>(values: fc.Arbitrary<T>) => fc.array(values, { minLength: 3, maxLength: 3 });
const cards = fc.record({
  channels: fc.constantFrom('rgb' as const, 'bgr' as const, 'grey' as const),
  layout: fc.constantFrom('nchw' as const, 'nhwc' as const),
  range: fc.oneof(
    fc.constantFrom([0, 1] as const, [0, 255] as const, [-1, 1] as const),
    fc.tuple(number, number),
  ),
  mean: three(number),
  std: three(number.filter((value) => Math.abs(value) > 1e-6)),
});

test('The input has the same bits after it, for every 8-bit value under any card.', async () => {
  const picture = await allValues;
  await fc.assert(
    fc.asyncProperty(cards, async (fields) => {
      const card: Card = { ...IMAGENET, ...fields };
      const tensor = await pictureToTensor(picture, card);
      const dims = dimsOf(card);
      for (const codec of [rawUint8(card), zstd(rawUint8(card))]) {
        const bytes = codec.encode(tensor, dims);
        assert.ok(bytes.length <= tensor.length + 2);
        assert.deepEqual(bitsOf(codec.decode(received(bytes), dims)), bitsOf(tensor));
      }
    }),
    { numRuns: 200 },
  );
});

test('A tensor that was not made from 8-bit pixels is refused, and so are other dims.', async () => {
  const codec = rawUint8(IMAGENET);
  const dims = dimsOf(IMAGENET);
  const tensor = await pictureToTensor(await allValues, IMAGENET);
  for (const strange of [tensor[5]! + 1e-3, 1e30, -3, Number.NaN, Number.POSITIVE_INFINITY]) {
    const changed = tensor.slice();
    changed[5] = strange;
    assert.throws(() => codec.encode(changed, dims), CodecError, `${strange}`);
  }
  assert.throws(() => codec.encode(tensor.subarray(1), [1, 767]), CodecError);
  assert.throws(() => codec.decode(new Uint8Array(768), [1, 767]), CodecError);
});

test('Bytes of another length or kind are refused.', async () => {
  const codec = rawUint8(IMAGENET);
  const dims = dimsOf(IMAGENET);
  const bytes = codec.encode(await pictureToTensor(await allValues, IMAGENET), dims);
  assert.equal(bytes.length, 769);
  for (const broken of [bytes.subarray(1), Uint8Array.of(...bytes, 0), bytes.with(0, 0x12)])
    assert.throws(() => codec.decode(broken, dims), CodecError);
});
