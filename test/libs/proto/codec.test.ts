import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_BATCH_BYTES } from '../../../libs/journal/hand-over.ts';
import {
  decode,
  encode,
  MAX_CHUNK_BYTES,
  type MessageOf,
  type TopicKey,
  topics,
  WireError,
} from '../../../libs/proto/index.ts';
import { messageOf } from './random-messages.ts';

const KEYS = Object.keys(topics) as TopicKey[];

const CHUNK: MessageOf<'tensor'> = {
  frame: 300,
  epoch: 2,
  camera: 'front',
  cut: 1,
  codec: 'float32',
  dims: [1, 2],
  totalBytes: 8,
  offset: 4,
  data: new Uint8Array([1, 2, 3, 4]),
  frameWidth: 960,
  frameHeight: 540,
};
const CHUNK_HEX =
  '08ac02' + // frame
  '1002' + // epoch
  '1a0566726f6e74' + // camera
  '2001' + // cut
  '2a07666c6f61743332' + // codec
  '32020102' + // dims, packed
  '3808' + // totalBytes
  '4004' + // offset
  '4a0401020304' + // data
  '50c007' + // frameWidth
  '589c04'; // frameHeight

/** The message as data: whose buffer its bytes are views on, or what made its objects, is no part of it. */
function plain(message: unknown): unknown {
  if (message instanceof Uint8Array || Array.isArray(message)) return Array.from(message, plain);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, plain(value)]));
}

function refused(key: TopicKey, bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => decode(key, bytes), { name: WireError.name, message });
}

for (const key of KEYS) {
  test(`Every ${key} message comes back as it was sent.`, () => {
    fc.assert(
      fc.property(messageOf(key), (message) => {
        assert.deepEqual(plain(decode(key, encode(key, message))), plain(message));
      }),
      { numRuns: 60 },
    );
  });

  test(`Random bytes on ${key} give a message or a WireError that names the topic, and nothing else.`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => readable(key, bytes)),
      { numRuns: 150 },
    );
  });

  test(`A ${key} message with bytes cut off, changed or put in gives a message or a WireError.`, () => {
    const edits = fc.array(
      fc.record({ place: fc.nat(), remove: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) }),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(messageOf(key), edits, fc.nat(), (message, changes, length) => {
        let bytes = Array.from(encode(key, message));
        for (const { place, remove, put } of changes)
          bytes = bytes.toSpliced(place % (bytes.length + 1), remove, ...put);
        readable(key, Uint8Array.from(bytes));
        readable(key, Uint8Array.from(bytes.slice(0, length % (bytes.length + 1))));
      }),
      { numRuns: 150 },
    );
  });
}

/** What is read is a message of the house: it can be sent again. What is not read is refused by name. */
function readable(key: TopicKey, bytes: Uint8Array): void {
  let message: MessageOf<TopicKey>;
  try {
    message = decode(key, bytes);
  } catch (error) {
    assert.ok(error instanceof WireError, `${error}`);
    assert.match(error.message, new RegExp(`^${key}: `));
    return;
  }
  assert.deepEqual(plain(decode(key, encode(key, message))), plain(message));
}

test('A tensor chunk has these bytes on the wire.', () => {
  assert.equal(encode('tensor', CHUNK).toString('hex'), CHUNK_HEX);
  assert.deepEqual(plain(decode('tensor', Buffer.from(CHUNK_HEX, 'hex'))), plain(CHUNK));
});

/** All fields of these may have their defaults, which proto3 leaves out: their bytes are then none. */
const MAY_BE_EMPTY: TopicKey[] = ['measure', 'clockPing', 'clockPong', 'ready', 'report'];

test('An empty payload is refused on every topic whose message must say something.', () => {
  for (const key of KEYS.filter((other) => !MAY_BE_EMPTY.includes(other)))
    refused(key, new Uint8Array(0), new RegExp(`^${key}: \\w+: `));
});

test('An empty payload is the message of all defaults where that is a message.', () => {
  assert.deepEqual(decode('measure', new Uint8Array(0)), {});
  assert.deepEqual(decode('ready', new Uint8Array(0)), { round: 0, cameras: [] });
  assert.equal(encode('ready', { round: 0, cameras: [] }).length, 0);
});

test('A verdict and a presence say no on the wire, and do not leave it out.', () => {
  assert.equal(encode('presence', { online: false }).toString('hex'), '0800');
  assert.equal(encode('verdict', { accepted: false, reason: '' }).toString('hex'), '0800');
});

test('Fields that a later version adds are passed over.', () => {
  const later = Buffer.concat([encode('presence', { online: true }), Buffer.from('9a0603616263', 'hex')]);
  assert.deepEqual(decode('presence', later), { online: true });
});

test('More bytes than the table allows are refused unread on every topic.', () => {
  for (const key of KEYS) {
    const { maxBytes } = topics[key];
    refused(
      key,
      new Uint8Array(maxBytes + 1),
      new RegExp(`^${key}: ${maxBytes + 1} bytes, at most ${maxBytes} are allowed$`),
    );
  }
});

test('Groups nested deeper than any message are refused, without a stack overflow.', () => {
  refused('tensor', new Uint8Array(60_000).fill(0x7b), /^tensor: no TensorChunk in these 60000 bytes/);
});

test('A tensor’s data is a view on the received bytes, not a copy of them.', () => {
  const received = encode('tensor', CHUNK);
  const { data } = decode('tensor', received);
  assert.equal(data.buffer, received.buffer);
  assert.equal(data.length, 4);
});

test('A message of the largest lengths of its schema still fits into the limit of its topic.', () => {
  const wide = '€';
  const camera = 'c'.repeat(48);
  const job = { camera, cut: 4096, codec: 'float32' } as const;
  const fits = <K extends TopicKey>(key: K, message: MessageOf<K>): void =>
    assert.deepEqual(plain(decode(key, encode(key, message))), plain(message));
  const cameras = Array.from({ length: 64 }, () => camera);
  const time = 1e9 - 1 / 3;
  fits('verdict', { accepted: false, reason: wide.repeat(500) });
  fits('ready', { round: 0xffffffff, cameras });
  fits('hello', {
    ...{ protocol: 1, role: 'vehicle', modelHash: 'f'.repeat(64), cameras, vehicleMs: time },
    ...{ uplinkBps: 1e12, rttMs: time, workers: 1024, firstCut: 4096, epoch: 0xffffffff, round: 0xffffffff },
    channel: camera,
  });
  fits('report', {
    ...{ round: 1, makespanMs: time, uplinkBps: 1e12 },
    jobs: cameras.map(() => ({ ...job, outcome: 'dropped', tailMs: time, fixedMs: time, cloud: camera })),
  });
  const when = { headStartMs: time, headEndMs: time, uplinkStartMs: time, uplinkEndMs: time };
  fits('plan', {
    ...{ epoch: 0xffffffff, policy: camera, cloud: camera, makespanMs: time, lowerBoundMs: time },
    ...{
      segmentMs: new Array(4096).fill(time),
      uplinkBps: 1e12,
      jobTimeoutMs: time,
      round: 0,
      granted: true,
      periodMs: time,
    },
    streams: cameras.map(() => ({
      ...job,
      ...when,
      tailStartMs: time,
      tailEndMs: time,
      endMs: time,
      giveUpMs: time,
      cloud: camera,
    })),
  });
  fits('channelAsk', { frame: 0xffffffff, epoch: 0xffffffff, camera, bytes: 0xffffffff });
  fits('transfer', {
    ...{ round: 0xffffffff, wireBytes: 0xffffffff, wireMs: time, waiting: cameras },
    ...{ unsentBytes: 0xffffffff, vehicleMs: time },
  });
  fits('tensor', {
    ...{ ...job, frame: 0xffffffff, epoch: 0xffffffff, dims: [8, 8, 8, 8, 8, 8, 8, 32] },
    ...{ totalBytes: 256 * 1024 * 1024, offset: 128 * 1024 * 1024, data: new Uint8Array(MAX_CHUNK_BYTES) },
    ...{ frameWidth: 65_535, frameHeight: 65_535 },
  });
  const run = { run: 'f'.repeat(32), number: 0xffffffff };
  const position = new Array(16).fill(0xffffffff);
  fits('logBatch', {
    ...run,
    after: position,
    through: position,
    rows: new Uint8Array(MAX_BATCH_BYTES).fill(1),
  });
  fits('logAck', { ...run, position });
  const hundred = Array.from({ length: 100 }, () => ({ index: 0xffffffff, label: wide.repeat(200) }));
  const top = hundred.map((named) => ({ ...named, score: -1e300 }));
  const area = { left: 1 / 3, top: 1 / 3, width: 65_534 + 1 / 3, height: 65_534 + 1 / 3 };
  const boxes = hundred.map((named) => ({ ...named, ...area, score: 1 / 3 }));
  fits('result', {
    ...{ frame: 0xffffffff, epoch: 0xffffffff, camera, top, boxes },
    ...{ digest: 'f'.repeat(32), queueMs: time, tailMs: time },
  });
});

const spoil = (change: Partial<MessageOf<'tensor'>>): Buffer =>
  encode('tensor', { ...CHUNK, ...change } as MessageOf<'tensor'>);

test('A float32 chunk whose dimensions do not give its tensor’s length is refused.', () => {
  refused('tensor', spoil({ dims: [1, 3] }), /^tensor: TensorChunk: dims do not give the length/);
  refused('tensor', spoil({ totalBytes: 12 }), /dims do not give the length/);
  refused('tensor', spoil({ dims: [] }), /^tensor: dims: /);
  refused('tensor', spoil({ dims: [0, 2] }), /^tensor: dims\.0: /);
});

test('A compressed frame has the length of its bytes, whatever the dimensions of its tensor.', () => {
  const codec = 'jpeg' as const;
  const chunk = { ...CHUNK, codec, dims: [1, 3, 224, 224], totalBytes: 9, offset: 5 };
  assert.deepEqual(plain(decode('tensor', encode('tensor', chunk))), plain(chunk));
});

test('A chunk that ends past its tensor is refused, and one that ends with it is not.', () => {
  refused('tensor', spoil({ offset: 5 }), /^tensor: TensorChunk: chunk ends past its tensor$/);
  refused('tensor', spoil({ offset: 0xffffffff }), /chunk ends past its tensor/);
  assert.equal(decode('tensor', spoil({ offset: 4 })).offset, 4);
});

test('A frame without a size, or with a side that no JPEG has, is refused.', () => {
  for (const side of [0, 65_536]) {
    refused('tensor', spoil({ frameWidth: side }), /^tensor: frameWidth: /);
    refused('tensor', spoil({ frameHeight: side }), /^tensor: frameHeight: /);
  }
});

test('A box that is nowhere, too sure or too well-named is refused, and so are more than a hundred.', () => {
  const box = { index: 1, label: 'car', score: 0.5, left: 0, top: 0, width: 10, height: 10 };
  const result = (boxes: readonly object[]): Buffer =>
    encode('result', {
      ...{ frame: 1, epoch: 1, camera: 'front', top: [], digest: 'f'.repeat(32), queueMs: 0, tailMs: 0 },
      boxes: boxes as MessageOf<'result'>['boxes'],
    });
  assert.deepEqual(decode('result', result([box])).boxes, [box]);
  for (const side of ['left', 'top', 'width', 'height'])
    for (const value of [-1, 65_536, Number.NaN, Number.POSITIVE_INFINITY])
      refused(
        'result',
        result([box, { ...box, [side]: value }]),
        new RegExp(`^result: boxes\\.1\\.${side}: `),
      );
  for (const score of [-0.1, 1.1, Number.NaN])
    refused('result', result([{ ...box, score }]), /^result: boxes\.0\.score: /);
  refused('result', result([{ ...box, label: 'x'.repeat(201) }]), /^result: boxes\.0\.label: /);
  refused('result', result(new Array(101).fill(box)), /^result: boxes: /);
});

test('A chunk without data is refused.', () => {
  refused('tensor', spoil({ data: new Uint8Array(0) }), /^tensor: data: must be bytes$/);
});

test('A tensor of no bytes or of more than 256 MiB is refused.', () => {
  refused('tensor', spoil({ codec: 'jpeg', totalBytes: 0 }), /^tensor: totalBytes: /);
  refused('tensor', spoil({ codec: 'jpeg', totalBytes: 256 * 1024 * 1024 + 1 }), /^tensor: totalBytes: /);
});

test('A name that could not stand in a topic is refused.', () => {
  for (const camera of ['', 'Front', 'a/b', '+', '#', '-a', 'a b', 'ä', 'a'.repeat(49)])
    refused('tensor', spoil({ camera }), /^tensor: camera: must be lower-case letters, digits, hyphens$/);
});

test('A codec, role, phase or outcome that is not known is refused.', () => {
  refused('tensor', spoil({ codec: 'int4' as 'jpeg' }), /^tensor: codec: /);
  const round = { round: 1, phase: 'stop' as 'go', frameIndex: 1, measured: true };
  refused('round', encode('round', round), /^round: phase: /);
  const job = { camera: 'front', cut: 1, codec: 'jpeg', outcome: 'lost' as 'local', tailMs: 1, fixedMs: 1 };
  const report = { round: 1, makespanMs: 1, jobs: [job], uplinkBps: 1 } as MessageOf<'report'>;
  refused('report', encode('report', report), /^report: jobs\.0\.outcome: /);
});

test('Times and rates that are negative, no numbers or endless are refused.', () => {
  for (const makespanMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2e9])
    refused(
      'report',
      encode('report', { round: 1, makespanMs, jobs: [], uplinkBps: 1 }),
      /^report: makespanMs: /,
    );
  for (const sentMs of [Number.NaN, Number.NEGATIVE_INFINITY])
    refused('clockPing', encode('clockPing', { sentMs }), /^clockPing: sentMs: /);
});

const PLAN: MessageOf<'plan'> = {
  ...{ epoch: 3, policy: 'jps', cloud: 'cloud', makespanMs: 9, lowerBoundMs: 8, segmentMs: [1, 2] },
  ...{ uplinkBps: 1e6, jobTimeoutMs: 100, round: 0, granted: false, periodMs: 0 },
  streams: [
    {
      ...{ camera: 'front', cut: 2, codec: 'float32', headStartMs: 0, headEndMs: 3, uplinkStartMs: 3 },
      ...{ uplinkEndMs: 4, tailStartMs: 4, tailEndMs: 5, endMs: 6, giveUpMs: 0, cloud: '' },
    },
  ],
};

test('A plan whose cut is past the last of its profile is refused.', () => {
  assert.deepEqual(decode('plan', encode('plan', PLAN)), PLAN);
  const streams = PLAN.streams.map((stream) => ({ ...stream, cut: 3 }));
  refused('plan', encode('plan', { ...PLAN, streams }), /^plan: Plan: cut is past the last$/);
});

test('A plan without an epoch, without segments, or for more cameras than a vehicle has is refused.', () => {
  refused('plan', encode('plan', { ...PLAN, epoch: 0 }), /^plan: epoch: /);
  refused('plan', encode('plan', { ...PLAN, streams: [], segmentMs: [] }), /^plan: segmentMs: /);
  const streams = Array.from({ length: 65 }, () => PLAN.streams[0]!);
  refused('plan', encode('plan', { ...PLAN, streams }), /^plan: streams: /);
});

test('A profile that has not one cut more than segments is refused.', () => {
  const cut = { id: 'input', dims: [1, 3], bytes: 12 };
  const profile = { segmentMs: [1, 2], cuts: [cut, cut], jpegBytes: 0 };
  refused('profile', encode('profile', profile), /^profile: Profile: one more cut than segments$/);
  assert.equal(decode('profile', encode('profile', { ...profile, segmentMs: [1] })).cuts.length, 2);
});

test('A hash or digest that is not one is refused.', () => {
  const result = {
    frame: 1,
    epoch: 1,
    camera: 'front',
    top: [],
    digest: 'f'.repeat(31),
    queueMs: 0,
    tailMs: 0,
    boxes: [],
  };
  refused('result', encode('result', result), /^result: digest: /);
  refused('result', encode('result', { ...result, digest: 'F'.repeat(32) }), /^result: digest: /);
});
