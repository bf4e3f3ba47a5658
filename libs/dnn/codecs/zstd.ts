/**
 * Another codec's bytes in one zstd frame [RFC 8878]. It pays where many bytes are alike, as the zeros behind a ReLU
 * are; where it does not, they are stored as they are. LZ4 was tried: 12 to 46 % more bytes of the same
 * tensors, which take longer to send than LZ4 is faster (docs/results/codecs.md). So were byte planes of float32 and
 * float16: more bytes.
 *
 * Bytes: the first byte says which; then the frame and the first byte again, or the inner codec's bytes. The byte at the
 * end is none that a frame can begin with: the beginning of a second frame is what Node's decoder takes for nothing.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CodecError, FIRST_BYTE, type TensorCodec } from './tensor-codec.ts';

/** Behind the input higher levels take longer than they save on a fast uplink: `npm run bench:codecs` prints both. */
const LEVEL = 1;
/** Least of Node's own limits for a chunk, and of zstd's for a window. */
const LEAST_CHUNK = 64;
const LEAST_WINDOW_LOG = 10;

export function zstd(inner: TensorCodec): TensorCodec {
  const id = `${inner.id}-zstd`;
  return {
    id,
    lossless: inner.lossless,
    maxBytes: (dims) => 1 + inner.maxBytes(dims),
    encode(tensor, dims) {
      const plain = inner.encode(tensor, dims);
      const frame = zstdCompressSync(plain, {
        params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
        // With the size known the window is no greater than the tensor, which the decoder insists on.
        pledgedSrcSize: plain.length,
        chunkSize: Math.max(LEAST_CHUNK, plain.length),
      });
      // A frame is worth it where it takes less with its two bytes than what is in it takes with one.
      const parts =
        frame.length + 1 < plain.length
          ? [[FIRST_BYTE.zstd], frame, [FIRST_BYTE.zstd]]
          : [[FIRST_BYTE.stored], plain];
      const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      return bytes;
    },
    decode(bytes, dims) {
      const plainBytes = inner.maxBytes(dims);
      if (bytes.length > 1 + plainBytes)
        throw new CodecError(
          `${id}: ${bytes.length} bytes, where a tensor of these dims takes at most ${1 + plainBytes}`,
        );
      if (bytes[0] === FIRST_BYTE.stored) return inner.decode(bytes.subarray(1), dims);
      if (bytes[0] !== FIRST_BYTE.zstd)
        throw new CodecError(
          `${id}: begins with ${bytes[0]}, where ${FIRST_BYTE.zstd} or ${FIRST_BYTE.stored} was expected`,
        );
      return inner.decode(unpacked(id, bytes.subarray(1), plainBytes), dims);
    },
  };
}

/** What is in a frame, up to `limit` bytes: neither the output nor the frame's window takes more memory. */
function unpacked(id: string, frameAndEnd: Uint8Array, limit: number): Uint8Array {
  const windowLog = Math.max(LEAST_WINDOW_LOG, Math.ceil(Math.log2(limit)));
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    result = zstdDecompressSync(frameAndEnd, {
      params: { [constants.ZSTD_d_windowLogMax]: windowLog },
      maxOutputLength: Math.max(1, limit),
      chunkSize: Math.max(LEAST_CHUNK, limit),
      info: true,
    }) as unknown as typeof result;
  } catch (error) {
    throw new CodecError(`${id}: broken: ${(error as Error).message}`);
  }
  // Node stops at the end of the frame, and says nothing of what stands behind it.
  const rest = frameAndEnd.length - result.engine.bytesWritten;
  if (rest !== 1 || frameAndEnd.at(-1) !== FIRST_BYTE.zstd)
    throw new CodecError(`${id}: broken: its frame does not end where it should`);
  return result.buffer;
}
