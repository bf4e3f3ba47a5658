import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CodecError,
  TENSOR_CODECS,
  type TensorCodec,
  uint8,
  uint8Channel,
} from '../../../../libs/dnn/codecs/index.ts';
import { finiteSamples } from './tensors.ts';

const roundTrip = (codec: TensorCodec, tensor: Float32Array, dims: readonly number[]): Float32Array =>
  codec.decode(codec.encode(tensor, dims), dims);

/** A step of the range of values, 0 in it. */
function stepOf(values: Float32Array): number {
  const lowest = values.reduce((a, b) => Math.min(a, b), 0);
  const highest = values.reduce((a, b) => Math.max(a, b), 0);
  return (highest - lowest) / 255;
}

/** Half a step and what the shortened scale leaves out; a step more at the end of float32, all of it at its start. */
function boundOf(values: Float32Array): number {
  const step = stepOf(values);
  if (step < 2 ** -125) return 256 * step;
  return (values.some((value) => Math.abs(value) > 3e38) ? 1.51 : 0.51) * step;
}

test('Every value decodes at most half a step away.', () => {
  fc.assert(
    fc.property(finiteSamples, ({ tensor, dims }) => {
      const decoded = roundTrip(TENSOR_CODECS.uint8, tensor, dims);
      const bound = boundOf(tensor);
      for (const [i, value] of tensor.entries())
        assert.ok(Math.abs(decoded[i]! - value) <= bound, `${value}: ${decoded[i]}, ${bound}`);
    }),
    { numRuns: 1000 },
  );
});

test('Per channel every value decodes at most half a step of its own channel away, never a greater one.', () => {
  const planes = fc.array(
    fc.array(fc.float({ min: -9, max: 9, noNaN: true }), { minLength: 16, maxLength: 16 }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(planes, (channels) => {
      const tensor = Float32Array.from(channels.flat());
      const decoded = roundTrip(TENSOR_CODECS['uint8-channel'], tensor, [1, channels.length, 4, 4]);
      for (const [i, value] of tensor.entries()) {
        const channel = i >> 4;
        const bound = boundOf(tensor.subarray(16 * channel, 16 * channel + 16));
        assert.ok(bound <= boundOf(tensor));
        assert.ok(Math.abs(decoded[i]! - value) <= bound, `${value}: ${decoded[i]}, ${bound}`);
      }
    }),
  );
});

test('A quiet channel beside a loud one keeps its values per channel, and loses them per tensor.', () => {
  const tensor = Float32Array.from({ length: 32 }, (_, i) => (i < 16 ? i / 1000 : 100 * i));
  const dims = [1, 2, 4, 4];
  const perTensor = roundTrip(TENSOR_CODECS.uint8, tensor, dims);
  const perChannel = roundTrip(TENSOR_CODECS['uint8-channel'], tensor, dims);
  assert.deepEqual(perTensor.subarray(0, 16), new Float32Array(16));
  for (let i = 0; i < 16; i++) assert.ok(Math.abs(perChannel[i]! - i / 1000) < 1e-4);
});

test('Per channel is for four dimensions with planes of 16 pixels or more; others get one range.', () => {
  const { maxBytes } = TENSOR_CODECS['uint8-channel'];
  assert.equal(maxBytes([1, 256, 6, 6]), 1 + 4 * 256 + 9216);
  assert.equal(maxBytes([2, 3, 4, 4]), 1 + 4 * 6 + 96);
  for (const dims of [[1, 4096], [1, 512, 1, 1], [1, 512, 3, 5], [8, 8, 8], [1, 2, 3, 4, 5], []])
    assert.equal(maxBytes(dims), TENSOR_CODECS.uint8.maxBytes(dims), `${dims}`);
});

test('NaN becomes 0, and Infinity the end of the range of what is finite.', () => {
  const tensor = Float32Array.of(
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -255,
    255,
    2,
  );
  assert.deepEqual(roundTrip(TENSOR_CODECS.uint8, tensor, [6]), Float32Array.of(0, 256, -254, -254, 256, 2));
  const nothing = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  assert.deepEqual(roundTrip(TENSOR_CODECS.uint8, nothing, [3]), new Float32Array(3));
});

test('The scale is the tensor’s range over 255 and the bytes are the documented ones.', () => {
  const bytes = TENSOR_CODECS.uint8.encode(Float32Array.of(0, 1, -5, 250), [4]);
  assert.equal(Buffer.from(bytes).toString('hex'), '12' + '3f8000' + '05' + '050600ff');
});

test('A scale that is negative, infinite or no number is refused, and so is one that leads out of float32.', () => {
  const scaled = (...scale: readonly number[]): Uint8Array => Uint8Array.of(0x12, ...scale, 0, 255);
  assert.deepEqual(TENSOR_CODECS.uint8.decode(scaled(0x3f, 0x80, 0), [1]), Float32Array.of(255));
  for (const scale of [
    [0xbf, 0x80, 0],
    [0x80, 0, 1],
    [0x7f, 0x80, 0],
    [0x7f, 0xc0, 0],
    [0x7f, 0, 0],
  ] as const)
    assert.throws(() => TENSOR_CODECS.uint8.decode(scaled(...scale), [1]), CodecError);
});

test('Constant tensors keep their value to a hundredth of a step, zeros exactly.', () => {
  fc.assert(
    fc.property(fc.float({ min: -1000, max: 1000, noNaN: true }), (value) => {
      fc.pre(value === 0 || Math.abs(value) > 1e-30);
      const tensor = new Float32Array(16).fill(value);
      for (const codec of [TENSOR_CODECS.uint8, TENSOR_CODECS['uint8-channel']])
        for (const decoded of roundTrip(codec, tensor, [1, 1, 4, 4]))
          assert.ok(Math.abs(decoded - value) <= Math.abs(value) / 255 / 100);
    }),
  );
});

test('Clipped at a percentile, the many values get finer steps and the few beyond it become the end.', () => {
  const tensor = Float32Array.from({ length: 1000 }, (_, i) =>
    i === 7 ? 1000 : i === 8 ? -1000 : (i % 10) / 10,
  );
  const plain = roundTrip(uint8(), tensor, [1000]);
  const clipped = roundTrip(uint8({ clipPercent: 0.2 }), tensor, [1000]);
  assert.ok(Math.abs(plain[5]! - 0.5) > 0.1);
  assert.ok(Math.abs(clipped[5]! - 0.5) < 0.002);
  assert.ok(Math.abs(clipped[7]! - 0.9) < 0.002);
  assert.equal(clipped[8], 0);
});

test('Clipping counts values of the tensor itself, as sorting them would.', () => {
  const values = fc.array(fc.float({ min: -9, max: 9, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 49 }), (numbers, clipPercent) => {
      const sorted = Float32Array.from(numbers).sort();
      const outside = Math.floor((clipPercent / 100) * (numbers.length - 1));
      const [lowest, highest] = [sorted[outside]!, sorted[sorted.length - 1 - outside]!];
      const tensor = Float32Array.from(numbers);
      const range = [Math.min(0, lowest), Math.max(0, highest)] as const;
      assert.deepEqual(
        uint8({ clipPercent }).encode(tensor, [numbers.length]),
        uint8({ range }).encode(tensor, [numbers.length]),
      );
    }),
    { numRuns: 500 },
  );
});

test('A range measured before is used in place of the tensor’s own.', () => {
  const codec = uint8({ range: [0, 255] });
  assert.deepEqual(roundTrip(codec, Float32Array.of(-3, 7.4, 300), [3]), Float32Array.of(0, 7, 255));
});

test('Options without sense are refused when the codec is made.', () => {
  for (const clipPercent of [-1, 50, Number.NaN])
    for (const make of [uint8, uint8Channel]) assert.throws(() => make({ clipPercent }), RangeError);
  for (const range of [
    [1, 0],
    [0, Number.NaN],
    [0, 1e39],
    [Number.NEGATIVE_INFINITY, 0],
  ] as const)
    assert.throws(() => uint8({ range }), RangeError);
});
