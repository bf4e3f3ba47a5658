import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { seededRandom } from '../../../../libs/clock/index.ts';
import { CodecError, TENSOR_CODECS } from '../../../../libs/dnn/codecs/index.ts';

const codec = TENSOR_CODECS['uint8-zstd'];
const DIMS = [1, 1000];
const framed = (frame: Uint8Array): Uint8Array => Uint8Array.of(0x15, ...frame, 0x15);

test('Zeros as a ReLU makes them take next to nothing, and noise never takes more than a byte more.', () => {
  const random = seededRandom(1);
  const noise = Float32Array.from({ length: 1000 }, () => random() - 0.5);
  const relu = noise.map((value) => Math.max(0, value - 0.4));
  assert.ok(codec.encode(new Float32Array(1000), DIMS).length < 40);
  assert.ok(codec.encode(relu, DIMS).length < 400);
  assert.equal(codec.encode(noise, DIMS).length, TENSOR_CODECS.uint8.encode(noise, DIMS).length + 1);
  assert.deepEqual(
    codec.decode(codec.encode(noise, DIMS), DIMS),
    TENSOR_CODECS.uint8.decode(TENSOR_CODECS.uint8.encode(noise, DIMS), DIMS),
  );
});

/** A frame of 16 KiB that unpacks to 512 MiB of zeros, with a window of 128 KiB [RFC 8878, 3.1.1]. */
function bomb(): Uint8Array {
  const blockBytes = 2 ** 17;
  const blocks = Array.from({ length: 4096 }, (_, index) => {
    const block = Buffer.alloc(4);
    const [last, runLength] = [index === 4095 ? 1 : 0, 1];
    block.writeUIntLE(last | (runLength << 1) | (blockBytes << 3), 0, 3);
    return block;
  });
  return framed(Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (17 - 10) << 3]), ...blocks]));
}

test('A frame that unpacks to more than the tensor is refused, without the memory it asks for.', () => {
  const bytes = bomb();
  const dims = [1, 2 ** 17];
  assert.ok(bytes.length < codec.maxBytes(dims));
  const beforeKiB = process.resourceUsage().maxRSS;
  assert.throws(() => codec.decode(bytes, dims), /Cannot create a Buffer larger/);
  assert.ok(process.resourceUsage().maxRSS - beforeKiB < 50_000);
});

test('A frame whose window is far greater than the tensor is refused, even where its content would fit.', () => {
  const plain = TENSOR_CODECS.uint8.encode(new Float32Array(1000), DIMS);
  const frame = zstdCompressSync(plain, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
  // Without a size of the content the window stands behind magic number and descriptor [RFC 8878, 3.1.1.1.2].
  const decodeWith = (windowLog: number): Float32Array => {
    frame[5] = (windowLog - 10) << 3;
    return codec.decode(framed(frame), DIMS);
  };
  assert.deepEqual(decodeWith(10), new Float32Array(1000));
  for (const windowLog of [12, 20, 27, 31]) assert.throws(() => decodeWith(windowLog), CodecError);
});

test('Bytes behind the frame are refused, and so is a second frame.', () => {
  const tensor = Float32Array.from({ length: 1000 }, (_, i) => i % 5);
  const bytes = codec.encode(tensor, DIMS);
  assert.equal(bytes[0], 0x15);
  for (const extra of [[0], [0x15], [0x28, 0xb5, 0x15], [1, 2, 3, 4, 5, 6, 7, 8], [...bytes.subarray(1)]])
    assert.throws(() => codec.decode(Uint8Array.of(...bytes, ...extra), DIMS), CodecError);
});
