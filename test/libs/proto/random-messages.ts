/** Random valid messages of every topic. */
import fc from 'fast-check';
import type { MessageOf, TopicKey } from '../../../libs/proto/index.ts';

const ms = fc.double({ min: 0, max: 1e9, noNaN: true });
const rate = fc.double({ min: 0, max: 1e12, noNaN: true });
const anyTime = fc.double({ noNaN: true, noDefaultInfinity: true });
const count = fc.integer({ min: 0, max: 0xffffffff });
const cut = fc.integer({ min: 0, max: 4096 });
const codec = fc.constantFrom('float32' as const, 'jpeg' as const);
const dims = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 8 });
const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: 'grapheme', minLength, maxLength })
    .map((long) => (long.length <= maxLength ? long : 'x'.repeat(Math.max(1, minLength))));
const hex = (length: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));

/** Names of nodes and cameras. */
export const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,47}$/);
const cameras = fc.array(name, { maxLength: 64 });

const plan: fc.Arbitrary<MessageOf<'plan'>> = fc
  .array(ms, { minLength: 1, maxLength: 40 })
  .chain((segmentMs) =>
    fc.record({
      epoch: fc.integer({ min: 1, max: 0xffffffff }),
      policy: name,
      cloud: fc.oneof(name, fc.constant('')),
      streams: fc.array(
        fc.record({
          camera: name,
          cut: fc.integer({ min: 0, max: segmentMs.length }),
          codec,
          headStartMs: ms,
          headEndMs: ms,
          uplinkStartMs: ms,
          uplinkEndMs: ms,
          tailStartMs: ms,
          tailEndMs: ms,
          endMs: ms,
          giveUpMs: ms,
          cloud: fc.oneof(name, fc.constant('')),
        }),
        { maxLength: 64 },
      ),
      round: count,
      granted: fc.boolean(),
      periodMs: ms,
      makespanMs: ms,
      lowerBoundMs: ms,
      segmentMs: fc.constant(segmentMs),
      uplinkBps: rate,
      jobTimeoutMs: ms,
    }),
  );

const profile: fc.Arbitrary<MessageOf<'profile'>> = fc.integer({ min: 1, max: 30 }).chain((segments) =>
  fc.record({
    segmentMs: fc.array(ms, { minLength: segments, maxLength: segments }),
    cuts: fc.array(
      fc.record({ id: text(1, 60), dims, bytes: fc.integer({ min: 1, max: 256 * 1024 * 1024 }) }),
      { minLength: segments + 1, maxLength: segments + 1 },
    ),
    jpegBytes: count,
  }),
);

const bytes = fc.uint8Array({ minLength: 1, maxLength: 4000 });
const jobId = { frame: count, epoch: count, camera: name };
const side = fc.integer({ min: 1, max: 65_535 });
const size = { frameWidth: side, frameHeight: side };
const pixels = fc.double({ min: 0, max: 65_535, noNaN: true });
const box = fc.record({
  ...{ index: count, label: text(0, 200), score: fc.double({ min: 0, max: 1, noNaN: true }) },
  ...{ left: pixels, top: pixels, width: pixels, height: pixels },
});
const tensor: fc.Arbitrary<MessageOf<'tensor'>> = fc.oneof(
  fc
    .record({ ...jobId, ...size, cut, dims, data: bytes, before: fc.nat(100_000), after: fc.nat(100_000) })
    .map(
      ({ before, after, ...chunk }): MessageOf<'tensor'> => ({
        ...chunk,
        codec: 'jpeg',
        totalBytes: before + chunk.data.length + after,
        offset: before,
      }),
    ),
  fc
    .record({
      ...jobId,
      ...size,
      cut,
      dims: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
      data: bytes,
      offset: fc.nat(80_000),
    })
    .map(({ offset, data, ...chunk }): MessageOf<'tensor'> => {
      const totalBytes = 4 * chunk.dims.reduce((a, b) => a * b, 1);
      const at = offset % totalBytes;
      return { ...chunk, codec: 'float32', totalBytes, offset: at, data: data.subarray(0, totalBytes - at) };
    }),
);

const messages: { readonly [K in TopicKey]: fc.Arbitrary<MessageOf<K>> } = {
  hello: fc.record({
    protocol: count,
    role: fc.constantFrom('vehicle', 'cloud'),
    modelHash: hex(64),
    cameras,
    vehicleMs: ms,
    uplinkBps: rate,
    rttMs: ms,
    workers: fc.integer({ min: 0, max: 1024 }),
    firstCut: cut,
    epoch: count,
    round: count,
    channel: fc.oneof(name, fc.constant('')),
  }),
  verdict: fc.record({ accepted: fc.boolean(), reason: text(0, 500) }),
  presence: fc.record({ online: fc.boolean() }),
  measure: fc.constant({}),
  profile,
  clockPing: fc.record({ sentMs: anyTime }),
  clockPong: fc.record({ sentMs: anyTime, answeredMs: anyTime, unknown: fc.boolean() }),
  plan,
  round: fc.record({
    round: count,
    phase: fc.constantFrom('capture', 'go'),
    frameIndex: count,
    measured: fc.boolean(),
    periodMs: ms,
    ticks: count,
    deadlineMs: ms,
  }),
  ready: fc.record({ round: count, cameras }),
  report: fc.record({
    round: count,
    makespanMs: ms,
    jobs: fc.array(
      fc.record({
        camera: name,
        cut,
        codec,
        outcome: fc.constantFrom('cloud', 'local', 'shed', 'deadline', 'dropped'),
        tailMs: ms,
        fixedMs: ms,
        cloud: fc.oneof(name, fc.constant('')),
      }),
      { maxLength: 64 },
    ),
    uplinkBps: rate,
  }),
  channelAsk: fc.record({ ...jobId, bytes: fc.integer({ min: 1, max: 0xffffffff }) }),
  channelGrant: fc.record({ frame: count, epoch: fc.integer({ min: 1, max: 0xffffffff }) }),
  channelEnd: fc.record({ frame: count, whole: fc.boolean() }),
  transfer: fc.record({
    round: count,
    wireBytes: count,
    wireMs: fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
    waiting: cameras,
    unsentBytes: count,
    vehicleMs: ms,
  }),
  logBatch: fc
    .record({
      ...{ run: hex(32), number: count, rows: bytes },
      tables: fc.array(fc.record({ after: fc.nat(1e9), more: fc.nat(1e9) }), { maxLength: 16 }),
    })
    .map(({ tables, ...batch }) => ({
      ...batch,
      after: tables.map(({ after }) => after),
      through: tables.map(({ after, more }) => after + more),
    })),
  logAck: fc.record({ run: hex(32), number: count, position: fc.array(count, { maxLength: 16 }) }),
  tensor,
  result: fc.record({
    ...jobId,
    top: fc.array(fc.record({ index: count, label: text(0, 200), score: anyTime }), { maxLength: 5 }),
    digest: hex(32),
    queueMs: ms,
    tailMs: ms,
    boxes: fc.array(box, { maxLength: 20 }),
  }),
};

/** Valid messages of a topic. */
export function messageOf<K extends TopicKey>(key: K): fc.Arbitrary<MessageOf<K>> {
  return messages[key];
}
