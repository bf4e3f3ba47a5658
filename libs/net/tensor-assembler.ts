/** Puts the chunks of tensors together again. Bounded: one tensor at a time from each vehicle. */
import type { TensorChunk } from '@splitlane/proto';

export interface Assembled {
  readonly header: TensorChunk;
  /** The tensor's bytes in memory of their own, aligned for any element type. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface Partial {
  readonly header: TensorChunk;
  readonly bytes: Uint8Array<ArrayBuffer>;
  receivedBytes: number;
}

/** What a chunk led to: a whole tensor, nothing yet, or a reason why it was dropped. */
export type Assembly =
  | { readonly kind: 'whole'; readonly tensor: Assembled }
  | { readonly kind: 'more' }
  | { readonly kind: 'dropped'; readonly reason: string };

export class TensorAssembler {
  readonly #partials = new Map<string, Partial>();

  /**
   * Takes the next chunk of a vehicle. Chunks of a tensor arrive in order on one connection; a gap means
   * that some were lost, and the tensor with them.
   * @param check asked at a tensor's first chunk, before memory is taken for it: why it is not wanted.
   */
  add(vehicle: string, chunk: TensorChunk, check: (chunk: TensorChunk) => string | undefined): Assembly {
    let partial = this.#partials.get(vehicle);
    if (chunk.offset === 0) {
      const reason = check(chunk);
      // What is not wanted does not disturb the tensor that is on its way.
      if (reason !== undefined) return { kind: 'dropped', reason };
      partial = { header: chunk, bytes: new Uint8Array(new ArrayBuffer(chunk.totalBytes)), receivedBytes: 0 };
      this.#partials.set(vehicle, partial);
    }
    if (!partial || !belongs(chunk, partial.header))
      return { kind: 'dropped', reason: `frame ${chunk.frame}: a chunk without its tensor's beginning` };
    if (chunk.offset !== partial.receivedBytes) {
      this.#partials.delete(vehicle);
      return {
        kind: 'dropped',
        reason: `frame ${chunk.frame}: chunks are missing at byte ${partial.receivedBytes}`,
      };
    }
    partial.bytes.set(chunk.data, chunk.offset);
    partial.receivedBytes += chunk.data.length;
    if (partial.receivedBytes < chunk.totalBytes) return { kind: 'more' };
    this.#partials.delete(vehicle);
    return { kind: 'whole', tensor: { header: partial.header, bytes: partial.bytes } };
  }
}

function belongs(chunk: TensorChunk, header: TensorChunk): boolean {
  const { frame, epoch, totalBytes } = header;
  return chunk.frame === frame && chunk.epoch === epoch && chunk.totalBytes === totalBytes;
}
