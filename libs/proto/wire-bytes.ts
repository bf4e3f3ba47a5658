/** What a tensor costs on the wire beyond its own bytes. Pure, so that a planner can predict it. */
import { encode } from './codec.ts';
import type { TensorChunk } from './messages.ts';
import { MAX_CHUNK_BYTES, topicOf } from './topics.ts';

const MIN_CHUNK_BYTES = 1024;
const CHUNK_MS = 7;

/**
 * How many bytes of a tensor go into one message at a given rate: about 7 ms worth, so that a control
 * message waits no longer than that behind a tensor; between 1 KiB (or its protocol bytes weigh too
 * much) and 64 KiB.
 */
export function chunkBytesFor(uplinkBps: number): number {
  const bytes = 2 ** Math.floor(Math.log2((uplinkBps * CHUNK_MS) / 8000));
  return Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, bytes));
}

const HEADER: Omit<TensorChunk, 'data' | 'totalBytes' | 'offset'> = {
  frame: 1000,
  epoch: 100,
  camera: 'camera-1',
  cut: 1,
  codec: 'float32',
  dims: [1, 64, 27, 27],
  frameWidth: 960,
  frameHeight: 540,
};

/** Bytes of headers, by those of the numbers in them: a plan asks for many, and there are few. */
const headerLengths: number[] = [];

/** Bytes of a header without its data; the offset is taken for as long as it may become. */
function headerBytes(totalBytes: number): number {
  const varintBytes = Math.ceil((32 - Math.clz32(totalBytes)) / 7);
  headerLengths[varintBytes] ??= encode('tensor', {
    ...{ ...HEADER, totalBytes, offset: totalBytes },
    data: new Uint8Array(0),
  }).length;
  return headerLengths[varintBytes];
}

/** Bytes of the MQTT packet (QoS 0) that carries `payload` bytes on a topic. [MQTT-2.2.3] */
export function packetBytes(topic: string, payload: number): number {
  const remaining = 2 + Buffer.byteLength(topic) + payload;
  const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4;
  return 1 + lengthBytes + remaining;
}

/** Bytes on the wire, protocol included, of a tensor that a vehicle sends to a cloud worker in chunks of `chunkBytes`. */
export function wireBytes(tensorBytes: number, chunkBytes: number, vehicle: string, cloud: string): number {
  const topic = topicOf('tensor', vehicle, cloud);
  const chunk = (length: number): number => {
    const lengthBytes = length < 128 ? 1 : length < 16_384 ? 2 : 3;
    return packetBytes(topic, headerBytes(tensorBytes) + 1 + lengthBytes + length);
  };
  const whole = Math.floor(tensorBytes / chunkBytes);
  const rest = tensorBytes - whole * chunkBytes;
  return whole * chunk(chunkBytes) + (rest > 0 ? chunk(rest) : 0);
}
