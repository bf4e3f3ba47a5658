import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TENSOR_CODECS } from '../../../../libs/dnn/codecs/index.ts';

const codec = TENSOR_CODECS.float16;

/** Every finite half from its definition [IEEE 754-2019, 3.4], smallest first: sign, 5 bits, 10 bits. */
const POSITIVE = Array.from({ length: 0x7c00 }, (_, bits) => {
  const exponent = bits >> 10;
  const fraction = bits & 0x3ff;
  return exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
});

/** The nearest half of a finite number; of two equally near the one with the even last bit; 65,504 beyond it. */
function nearestHalf(value: number): number {
  const magnitude = Math.abs(value);
  let low = 0;
  let high = POSITIVE.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (POSITIVE[middle]! <= magnitude) low = middle;
    else high = middle - 1;
  }
  const below = POSITIVE[low]!;
  const above = POSITIVE[low + 1] ?? below;
  const up =
    above - magnitude < magnitude - below || (above - magnitude === magnitude - below && low % 2 === 1);
  return Math.sign(value) * (up ? above : below);
}

const roundTrip = (values: Float32Array): Float32Array =>
  codec.decode(codec.encode(values, [values.length]), [values.length]);

test('Every number becomes the nearest half, ties to even, and none becomes infinite.', () => {
  const halfway = fc.nat({ max: 0x7bfe }).map((bits) => (POSITIVE[bits]! + POSITIVE[bits + 1]!) / 2);
  const beside = fc.tuple(halfway, fc.constantFrom(-1, 0, 1)).map(([value, ulps]) => {
    const bits = new Int32Array(Float32Array.of(value).buffer);
    bits[0]! += ulps;
    return new Float32Array(bits.buffer)[0]!;
  });
  const values = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ min: -70_000, max: 70_000, noNaN: true }),
    beside,
    beside.map((value) => -value),
  );
  fc.assert(
    fc.property(fc.array(values), (numbers) => {
      const tensor = Float32Array.from(numbers);
      assert.deepEqual(
        Array.from(roundTrip(tensor), (value) => value + 0),
        Array.from(tensor, (value) => nearestHalf(value) + 0),
      );
    }),
    { numRuns: 1000 },
  );
});

test('Every half is kept, with its sign, and so are Infinity and NaN.', () => {
  const both = Float32Array.from([...POSITIVE, ...POSITIVE.map((value) => -value)]);
  assert.deepEqual(roundTrip(both), both);
  const special = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  assert.deepEqual(roundTrip(special), special);
});

test('The bytes are those of the table of IEEE 754: 1 is 3C00, −2 is C000, the greatest is 7BFF.', () => {
  const bytes = codec.encode(Float32Array.of(1, -2, 65_504, 1e30, -1e30, 2 ** -24), [6]);
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    `11${'003c'}${'00c0'}${'ff7b'}${'ff7b'}${'fffb'}${'0100'}`,
  );
});
