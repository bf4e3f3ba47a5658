/** Sends tensors, one at a time, in pieces so that control messages are not stuck behind them. */
import { chunkBytesFor, MAX_CHUNK_BYTES, type TensorChunk } from '@splitlane/proto';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

/** So many chunks wait for the wire at most: enough that it never idles, few enough to stay short. */
const CHUNKS_IN_FLIGHT = 2;

export type TensorHeader = Omit<TensorChunk, 'data' | 'offset' | 'totalBytes'>;

/** When a tensor was on the wire, by the vehicle's clock, and how many bytes it took there. */
export interface Sent {
  readonly startMs: number;
  readonly endMs: number;
  readonly wireBytes: number;
}

/** A transfer under way. `stop` leaves the rest of the tensor unsent. */
export interface Transfer {
  readonly done: Promise<Sent>;
  stop(): void;
}

/**
 * Sends a tensor to a cloud worker over a session whose bytes go through `link`.
 * `done` rejects where the connection is lost or the transfer is stopped.
 */
export function sendTensor(
  session: Session,
  link: Link,
  { vehicle, cloud }: { readonly vehicle: string; readonly cloud: string },
  header: TensorHeader,
  data: Uint8Array,
  options: { readonly uplinkBps?: number; readonly now: () => number },
): Transfer {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const chunkBytes = options.uplinkBps === undefined ? MAX_CHUNK_BYTES : chunkBytesFor(options.uplinkBps);
  const startMs = options.now();
  const firstByte = link.acceptedBytes;
  let offset = 0;
  let inFlight = 0;
  let stopped = false;

  const closed = (): void => reject(new Error('the connection was lost'));
  const pump = (): void => {
    while (!stopped && offset < data.length && inFlight < CHUNKS_IN_FLIGHT) {
      const chunk = data.subarray(offset, offset + chunkBytes);
      const message = { ...header, totalBytes: data.length, offset, data: chunk };
      if (!session.publish('tensor', vehicle, message, cloud)) return closed();
      offset += chunk.length;
      inFlight++;
      link.whenSent(link.acceptedBytes, (atMs) => {
        inFlight--;
        if (offset < data.length) return pump();
        if (inFlight > 0) return;
        link.off('close', closed);
        resolve({ startMs, endMs: atMs, wireBytes: link.acceptedBytes - firstByte });
      });
    }
  };
  link.once('close', closed);
  pump();
  return {
    done: promise,
    stop: () => {
      stopped = true;
      link.off('close', closed);
      reject(new Error('the transfer was stopped'));
    },
  };
}
