import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CodecError,
  rawUint8,
  TENSOR_CODECS,
  type TensorCodec,
  uint8,
  uint8Channel,
  zstd,
} from '../../../../libs/dnn/codecs/index.ts';
import { anySamples, bitsOf, finiteSamples, received, type Sample } from './tensors.ts';

const CLIPPED: readonly TensorCodec[] = [
  uint8({ clipPercent: 5 }),
  zstd(uint8Channel({ clipPercent: 20 })),
  uint8({ range: [-1, 2] }),
];
const CODECS: readonly TensorCodec[] = [...Object.values(TENSOR_CODECS), ...CLIPPED];

const decoded = (codec: TensorCodec, { tensor, dims }: Sample): Float32Array<ArrayBuffer> =>
  codec.decode(received(codec.encode(tensor, dims)), dims);

/** What bytes decode to: a tensor of the right length, or `undefined` where they are refused as they should be. */
function tried(codec: TensorCodec, bytes: Uint8Array, dims: readonly number[]): Float32Array | undefined {
  try {
    const tensor = codec.decode(bytes, dims);
    assert.equal(
      tensor.length,
      dims.reduce((a, b) => a * b, 1),
    );
    return tensor;
  } catch (error) {
    assert.ok(error instanceof CodecError, `${error}`);
    return undefined;
  }
}

test('The registry has every codec under its own id.', () => {
  for (const [id, codec] of Object.entries(TENSOR_CODECS)) assert.equal(codec.id, id);
});

for (const codec of CODECS) {
  const clipped = CLIPPED.includes(codec);
  describe(`${codec.id} (${clipped ? 'clipped' : 'as registered'})`, () => {
    test('A tensor of finite values decodes to finite values, whatever they are.', () => {
      fc.assert(
        fc.property(finiteSamples, (sample) => {
          const tensor = decoded(codec, sample);
          assert.equal(tensor.length, sample.tensor.length);
          assert.ok(tensor.every(Number.isFinite), `${tensor}`);
        }),
      );
    });

    test('What was decoded once is coded and decoded to the very same bits.', () => {
      fc.assert(
        // What is clipped is counted among the finite values, and what was infinite is finite once decoded.
        fc.property(clipped ? finiteSamples : anySamples, ({ tensor, dims }) => {
          const once = decoded(codec, { tensor, dims });
          assert.deepEqual(bitsOf(decoded(codec, { tensor: once, dims })), bitsOf(once));
        }),
        { numRuns: 500 },
      );
    });

    if (codec.lossless)
      test('Lossless means the same bits, NaN with its payload and −0 too.', () => {
        fc.assert(
          fc.property(anySamples, (sample) => {
            assert.deepEqual(bitsOf(decoded(codec, sample)), bitsOf(sample.tensor));
          }),
        );
        const odd = Uint32Array.of(0x7f800001, 0xffc12345, 0x7fffffff, 0x80000000, 0xff800000, 1);
        const tensor = new Float32Array(odd.buffer);
        assert.deepEqual(bitsOf(decoded(codec, { tensor, dims: [6] })), odd);
      });

    test('Zero stays exactly zero.', () => {
      fc.assert(
        fc.property(anySamples, (sample) => {
          const tensor = decoded(codec, sample);
          for (const [i, value] of sample.tensor.entries()) if (value === 0) assert.ok(tensor[i] === 0);
        }),
      );
    });

    test('It never takes more bytes than it said, and without zstd exactly as many.', () => {
      fc.assert(
        fc.property(anySamples, ({ tensor, dims }) => {
          const { length } = codec.encode(tensor, dims);
          if (codec.id.endsWith('-zstd')) assert.ok(length <= codec.maxBytes(dims));
          else assert.equal(length, codec.maxBytes(dims));
        }),
      );
    });

    test('Encoding changes neither the tensor nor what was encoded before.', () => {
      fc.assert(
        fc.property(anySamples, anySamples, (first, second) => {
          const before = bitsOf(first.tensor);
          const bytes = codec.encode(first.tensor, first.dims);
          const copy = bytes.slice();
          codec.encode(second.tensor, second.dims);
          assert.deepEqual(bytes, copy);
          assert.deepEqual(bitsOf(first.tensor), before);
        }),
      );
    });

    test('Bytes cut short anywhere, or with one too many, are refused.', () => {
      fc.assert(
        fc.property(anySamples, ({ tensor, dims }) => {
          const bytes = codec.encode(tensor, dims);
          for (let length = 0; length < bytes.length; length++)
            assert.equal(tried(codec, bytes.subarray(0, length), dims), undefined, `${length}`);
          for (const extra of [0, 0x15, 0x28, 0x50])
            assert.equal(tried(codec, Uint8Array.of(...bytes, extra), dims), undefined);
        }),
        { numRuns: 30 },
      );
    });

    test('Bytes that were changed anywhere decode to a tensor or are refused.', () => {
      const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1 });
      fc.assert(
        fc.property(finiteSamples, changes, ({ tensor, dims }, places) => {
          const bytes = codec.encode(tensor, dims).slice();
          for (const [place, value] of places) if (bytes.length > 0) bytes[place % bytes.length] = value;
          tried(codec, bytes, dims);
        }),
        { numRuns: 500 },
      );
    });

    test('Random bytes decode to a tensor or are refused, and in 8 bits never to what is no finite number.', () => {
      const noise = fc.uint8Array({ maxLength: 200 });
      fc.assert(
        fc.property(anySamples, noise, fc.integer({ min: 0x10, max: 0x17 }), ({ dims }, bytes, first) => {
          if (bytes.length > 0) bytes[0] = first;
          const length = codec.maxBytes(dims);
          for (const tensor of [
            tried(codec, bytes, dims),
            tried(
              codec,
              Uint8Array.from({ length }, (_, i) => bytes[i % bytes.length] ?? 0),
              dims,
            ),
          ])
            if (tensor && codec.id.startsWith('uint8')) assert.ok(tensor.every(Number.isFinite));
        }),
        { numRuns: 500 },
      );
    });

    test('A tensor of another length than its dims, and dims of no tensor, are refused.', () => {
      for (const dims of [[5], [1, 3], [-4], [2.5], [Number.NaN], [2 ** 40, 2 ** 40]]) {
        assert.throws(() => codec.encode(new Float32Array(4), dims), CodecError);
        assert.throws(() => codec.decode(new Uint8Array(4), dims), CodecError);
      }
    });
  });
}

test('Every codec refuses the bytes of every other.', () => {
  const dims = [1, 2, 4, 4];
  const tensor = Float32Array.from({ length: 32 }, (_, i) => i % 3);
  const card = {
    height: 4,
    width: 4,
    channels: 'rgb',
    layout: 'nchw',
    range: [0, 255],
    fit: 'stretch',
  } as const;
  const raw = rawUint8({ ...card, channels: 'grey', height: 8, mean: [0], std: [1], labels: [] });
  const codecs = [...Object.values(TENSOR_CODECS), raw];
  for (const codec of codecs)
    for (const other of codecs)
      if (codec !== other)
        assert.throws(
          () => codec.decode(other.encode(tensor, dims), dims),
          CodecError,
          `${codec.id} ${other.id}`,
        );
});
