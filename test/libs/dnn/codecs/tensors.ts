/** Arbitrary tensors, and what all codecs must keep of them. */
import fc from 'fast-check';

/** Values as they occur, and as nobody expects them: zeros of both signs, the least and the greatest numbers. */
const finite = fc.oneof(
  { weight: 4, arbitrary: fc.float({ min: -10, max: 10, noNaN: true }) },
  { weight: 2, arbitrary: fc.constantFrom(0, -0) },
  { weight: 1, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true }) },
);
const any = fc.oneof({ weight: 5, arbitrary: finite }, { weight: 1, arbitrary: fc.float() });

export interface Sample {
  readonly dims: readonly number[];
  readonly tensor: Float32Array<ArrayBuffer>;
}

const size = fc.integer({ min: 1, max: 7 });
const shapes = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 2 }), size, size, size),
  fc.tuple(fc.constant(1), fc.integer({ min: 1, max: 60 })),
  fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
);

const samples = (values: fc.Arbitrary<number>): fc.Arbitrary<Sample> =>
  shapes.chain((dims) => {
    const length = dims.reduce((a, b) => a * b, 1);
    return fc
      .oneof(
        fc.array(values, { minLength: length, maxLength: length }),
        // Constant tensors.
        values.map((value) => new Array<number>(length).fill(value)),
      )
      .map((numbers) => ({ dims, tensor: Float32Array.from(numbers) }));
  });

export const finiteSamples = samples(finite);
/** NaN and Infinity among them. */
export const anySamples = samples(any);

/** The bits of each number: NaN is not equal to itself, and −0 is equal to 0. */
export function bitsOf(tensor: Float32Array): Uint32Array {
  return new Uint32Array(tensor.slice().buffer);
}

/** Bytes at an odd offset, as they lie in a received packet. */
export function received(bytes: Uint8Array): Uint8Array {
  const packet = new Uint8Array(bytes.length + 8);
  packet.set(bytes, 3);
  return packet.subarray(3, 3 + bytes.length);
}
