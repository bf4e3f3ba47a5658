import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../libs/clock/index.ts';
import { TensorAssembler } from '../../../libs/net/index.ts';
import type { TensorChunk } from '../../../libs/proto/index.ts';

const WANTED = (): undefined => undefined;

/** The chunks of one tensor, each with its data as a view in a larger packet, at an odd place. */
function chunksOf(data: Uint8Array, chunkBytes: number, job: Partial<TensorChunk> = {}): TensorChunk[] {
  const chunks: TensorChunk[] = [];
  for (let offset = 0; offset < data.length; offset += chunkBytes) {
    const piece = data.subarray(offset, offset + chunkBytes);
    const packet = new Uint8Array(piece.length + 3);
    packet.set(piece, 3);
    chunks.push({
      ...{ frame: 1, epoch: 1, camera: 'front', cut: 1, codec: 'jpeg', dims: [1], totalBytes: data.length },
      ...{ offset, data: packet.subarray(3), frameWidth: 960, frameHeight: 540, ...job },
    });
  }
  return chunks;
}

const bytes = (length: number, seed = length): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random() * 256);
};

test('Chunks in order give the tensor with its last one, in memory of its own that is aligned.', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 500 }),
      fc.integer({ min: 1, max: 200 }),
      (data, size) => {
        const assembler = new TensorAssembler();
        const chunks = chunksOf(data, size);
        const answers = chunks.map((chunk) => assembler.add('a', chunk, WANTED));
        assert.deepEqual(
          answers.map(({ kind }) => kind),
          [...new Array(chunks.length - 1).fill('more'), 'whole'],
        );
        const last = answers.at(-1)!;
        assert.ok(last.kind === 'whole');
        assert.deepEqual(last.tensor.bytes, data);
        assert.equal(last.tensor.bytes.byteOffset, 0);
        assert.equal(last.tensor.bytes.buffer.byteLength, data.length);
        assert.equal(last.tensor.header.frame, 1);
      },
    ),
  );
});

test('Chunks of several vehicles may be mixed in any way: each gets its own tensors.', () => {
  const vehicles = fc.array(
    fc.record({
      tensors: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 3 }),
      size: fc.integer({ min: 1, max: 90 }),
    }),
    { minLength: 2, maxLength: 4 },
  );
  fc.assert(
    fc.property(vehicles, fc.infiniteStream(fc.nat()), (fleet, picks) => {
      const assembler = new TensorAssembler();
      const sent = fleet.map(({ tensors }, v) => tensors.map((length, t) => bytes(length, 100 * v + t)));
      const queues = fleet.map(({ size }, v) =>
        sent[v]!.flatMap((data, frame) => chunksOf(data, size, { frame })),
      );
      const received: Uint8Array[][] = fleet.map(() => []);
      const pick = picks[Symbol.iterator]();
      for (;;) {
        const busy = queues.flatMap((queue, v) => (queue.length > 0 ? [v] : []));
        if (busy.length === 0) break;
        const vehicle = busy[Number(pick.next().value) % busy.length]!;
        const answer = assembler.add(`vehicle-${vehicle}`, queues[vehicle]!.shift()!, WANTED);
        assert.notEqual(answer.kind, 'dropped');
        if (answer.kind === 'whole') received[vehicle]!.push(answer.tensor.bytes);
      }
      assert.deepEqual(received, sent);
    }),
  );
});

test('A gap loses the tensor, says where, and does not touch the next one.', () => {
  const assembler = new TensorAssembler();
  const [first, , third, fourth] = chunksOf(bytes(40), 10);
  assembler.add('a', first!, WANTED);
  assert.deepEqual(assembler.add('a', third!, WANTED), {
    kind: 'dropped',
    reason: 'frame 1: chunks are missing at byte 10',
  });
  assert.deepEqual(assembler.add('a', fourth!, WANTED), {
    kind: 'dropped',
    reason: "frame 1: a chunk without its tensor's beginning",
  });
  const next = chunksOf(bytes(40), 20, { frame: 2 });
  assert.deepEqual(
    next.map((chunk) => assembler.add('a', chunk, WANTED).kind),
    ['more', 'whole'],
  );
});

test('Whatever is lost, repeated or changes places, a tensor that comes out is one that was sent.', () => {
  const edits = fc.array(fc.record({ place: fc.nat(), kind: fc.constantFrom('lose', 'repeat', 'swap') }), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(edits, (changes) => {
      const assembler = new TensorAssembler();
      const sent = [bytes(50, 1), bytes(50, 2), bytes(50, 3)];
      const chunks = sent.flatMap((data, frame) => chunksOf(data, 10, { frame }));
      for (const { place, kind } of changes) {
        const at = place % chunks.length;
        if (kind === 'lose') chunks.splice(at, 1);
        else if (kind === 'repeat') chunks.splice(at, 0, chunks[at]!);
        else chunks.splice(at, 2, ...chunks.slice(at, at + 2).reverse());
      }
      for (const chunk of chunks) {
        const answer = assembler.add('a', chunk, WANTED);
        if (answer.kind === 'whole') assert.deepEqual(answer.tensor.bytes, sent[answer.tensor.header.frame]);
      }
    }),
    { numRuns: 300 },
  );
});

test('A first chunk that comes twice begins its tensor again, which is whole all the same.', () => {
  const assembler = new TensorAssembler();
  const data = bytes(30);
  const [first, second, third] = chunksOf(data, 10);
  const kinds = [first, second, first, second, third].map((chunk) => assembler.add('a', chunk!, WANTED).kind);
  assert.deepEqual(kinds, ['more', 'more', 'more', 'more', 'whole']);
});

test('A new tensor takes the place of one that was not finished.', () => {
  const assembler = new TensorAssembler();
  assembler.add('a', chunksOf(bytes(30), 10)[0]!, WANTED);
  const data = bytes(20, 7);
  const [first, second] = chunksOf(data, 10, { frame: 2 });
  assert.equal(assembler.add('a', first!, WANTED).kind, 'more');
  const answer = assembler.add('a', second!, WANTED);
  assert.ok(answer.kind === 'whole');
  assert.deepEqual(answer.tensor.bytes, data);
});

test('Chunks of another frame, another epoch or another length do not continue a tensor.', () => {
  for (const other of [{ frame: 2 }, { epoch: 2 }, { totalBytes: 31 }]) {
    const assembler = new TensorAssembler();
    const [first, second, third] = chunksOf(bytes(30), 10);
    assembler.add('a', first!, WANTED);
    const answer = assembler.add('a', { ...second!, ...other }, WANTED);
    assert.ok(answer.kind === 'dropped' && /without its tensor's beginning$/.test(answer.reason));
    assert.equal(assembler.add('a', second!, WANTED).kind, 'more');
    assert.equal(assembler.add('a', third!, WANTED).kind, 'whole');
  }
});

test('What is not wanted is refused at its first chunk, before memory is taken for it.', () => {
  const assembler = new TensorAssembler();
  const [first, second] = chunksOf(bytes(20), 10, { totalBytes: Number.MAX_SAFE_INTEGER });
  const asked: TensorChunk[] = [];
  const refuse = (chunk: TensorChunk): string => {
    asked.push(chunk);
    return 'too large';
  };
  // So much memory cannot be had: taking it would throw.
  assert.throws(() => assembler.add('a', first!, WANTED), RangeError);
  assert.deepEqual(assembler.add('a', first!, refuse), { kind: 'dropped', reason: 'too large' });
  assert.equal(assembler.add('a', second!, refuse).kind, 'dropped');
  assert.deepEqual(asked, [first]);
});

test('What is refused does not disturb the tensor that is on its way.', () => {
  const assembler = new TensorAssembler();
  const [first, second] = chunksOf(bytes(20), 10);
  assembler.add('a', first!, WANTED);
  assert.equal(assembler.add('a', { ...first!, frame: 9 }, () => 'stale').kind, 'dropped');
  assert.equal(assembler.add('a', second!, WANTED).kind, 'whole');
});
