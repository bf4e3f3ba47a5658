/**
 * The messages between the nodes, as the house sees them: readonly, validated types. The schemas are the
 * door: what does not fit them never gets in. Times are in ms, sizes in bytes, rates in bits per second.
 */
import { z } from 'zod';

/** Raised when a message of this version can no longer be read by the one before. */
export const PROTOCOL_VERSION = 1;

/** The roadside unit does not want a node; the message names both and says why. For users. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** Names of nodes, cameras and policies: they stand in topics and in the log. */
export const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,47}$/, 'must be lower-case letters, digits, hyphens');

/**
 * How the bytes of a tensor are coded: `float32` little-endian, fewer bits, these compressed; at cut 0 also the 8-bit
 * pixels that the input was made of, or the camera's own `jpeg`.
 */
export const Codec = z.enum([
  ...(['float32', 'float16', 'uint8', 'uint8-channel'] as const),
  ...(['float32-zstd', 'float16-zstd', 'uint8-zstd', 'uint8-channel-zstd'] as const),
  ...(['raw-uint8', 'jpeg'] as const),
]);
export type Codec = z.infer<typeof Codec>;

/** Codecs after which the network sees the very bits that it would have seen on the vehicle. */
const LOSSLESS: ReadonlySet<Codec> = new Set(['float32', 'float32-zstd', 'raw-uint8', 'jpeg']);

export function isLossless(codec: Codec): boolean {
  return LOSSLESS.has(codec);
}

/** A tensor is made into bytes on the vehicle, and from bytes in the cloud. */
export function isCoded(codec: Codec): boolean {
  return codec !== 'float32' && codec !== 'jpeg';
}

/**
 * How a frame ended: with an answer from the cloud or of its vehicle, or without one: shed for a newer frame of its
 * camera, past its deadline, or dropped. Why a frame has no answer is in the log.
 */
export const Outcome = z.enum(['cloud', 'local', 'shed', 'deadline', 'dropped']);
export type Outcome = z.infer<typeof Outcome>;

export function isAnswered(outcome: Outcome): boolean {
  return outcome === 'cloud' || outcome === 'local';
}

const ms = z.number().min(0).max(1e9);
const count = z.number().int().min(0).max(0xffffffff);
/** The longest name of a class. */
export const MAX_LABEL_LENGTH = 200;
/** Of one answer. */
export const MAX_BOXES = 100;
/** The longest side of a frame in pixels: no JPEG has a longer one. */
export const MAX_FRAME_SIDE = 65_535;
const MAX_CAMERAS = 64;
/** A report tells of the latest jobs. */
export const MAX_REPORTED_JOBS = 64;
const MAX_CUTS = 4096;
const MAX_TENSOR_BYTES = 256 * 1024 * 1024;
const cut = z.number().int().min(0).max(MAX_CUTS);
const dims = z.array(z.number().int().min(1)).min(1).max(8);
const frameSide = z.number().int().min(1).max(MAX_FRAME_SIDE);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const Hello = z
  .object({
    protocol: count,
    role: z.enum(['vehicle', 'cloud']),
    modelHash: hash,
    cameras: z.array(Name).max(MAX_CAMERAS),
    vehicleMs: ms,
    uplinkBps: z.number().min(0).max(1e12),
    rttMs: ms,
    workers: z.number().int().min(0).max(1024),
    firstCut: cut,
    /** The highest epoch of a plan, and number of a round, that it has seen: a roadside unit goes on from there. */
    epoch: count,
    round: count,
    /** The channel that a vehicle shares with others; empty or absent: its link is its own. */
    channel: z.union([Name, z.literal('')]).optional(),
  })
  .readonly();
export type Hello = z.infer<typeof Hello>;

export const Verdict = z.object({ accepted: z.boolean(), reason: z.string().max(500) }).readonly();
export type Verdict = z.infer<typeof Verdict>;

export const Presence = z.object({ online: z.boolean() }).readonly();
export type Presence = z.infer<typeof Presence>;

export const Measure = z.object({}).readonly();
export type Measure = z.infer<typeof Measure>;

export const CutShape = z
  .object({ id: z.string().min(1).max(500), dims, bytes: z.number().int().min(1).max(MAX_TENSOR_BYTES) })
  .readonly();
export type CutShape = z.infer<typeof CutShape>;

export const Profile = z
  .object({
    segmentMs: z.array(ms).min(1).max(MAX_CUTS),
    cuts: z.array(CutShape).min(2).max(MAX_CUTS),
    jpegBytes: count,
  })
  .refine((profile) => profile.cuts.length === profile.segmentMs.length + 1, 'one more cut than segments')
  .readonly();
export type Profile = z.infer<typeof Profile>;

export const StreamPlan = z
  .object({
    camera: Name,
    cut,
    codec: Codec,
    headStartMs: ms,
    headEndMs: ms,
    uplinkStartMs: ms,
    uplinkEndMs: ms,
    tailStartMs: ms,
    tailEndMs: ms,
    endMs: ms,
    /** From the start of its transfer: then it is finished on the vehicle; 0 or absent: as the plan says. */
    giveUpMs: ms.optional(),
    /** The worker that runs its tail; empty or absent: the plan's. */
    cloud: z.union([Name, z.literal('')]).optional(),
  })
  .readonly();
export type StreamPlan = z.infer<typeof StreamPlan>;

export const VehiclePlan = z
  .object({
    epoch: z.number().int().min(1).max(0xffffffff),
    policy: Name,
    /** The worker that runs the tails of streams that name none; empty: no worker is there. */
    cloud: z.union([Name, z.literal('')]),
    streams: z.array(StreamPlan).max(MAX_CAMERAS),
    makespanMs: ms,
    lowerBoundMs: ms,
    segmentMs: z.array(ms).min(1).max(MAX_CUTS),
    uplinkBps: z.number().min(0).max(1e12),
    jobTimeoutMs: ms,
    /** Only for the frames of this round that have not begun; 0: for whole rounds from now on. */
    round: count,
    /** Tensors wait until the roadside unit grants the channel that vehicles share. */
    granted: z.boolean(),
    /** Of steady streams the period that it holds: the cameras' own, or the least that any plan holds; 0 or absent: it is for single rounds. */
    periodMs: ms.optional(),
  })
  .refine(
    (plan) => plan.streams.every((stream) => stream.cut <= plan.segmentMs.length),
    'cut is past the last',
  )
  .readonly();
/** One vehicle's plan: its streams stand in the order in which their heads start. */
export type VehiclePlan = z.infer<typeof VehiclePlan>;

/** The cloud worker that runs a stream's tail; empty where none is there. */
export function cloudOf(stream: StreamPlan, plan: VehiclePlan): string {
  return stream.cloud || plan.cloud;
}

export const Round = z
  .object({
    round: count,
    phase: z.enum(['capture', 'go']),
    frameIndex: count,
    measured: z.boolean(),
    /** Of steady streams the time between two frames of a camera, and how many each takes; 0 or absent: one frame. */
    periodMs: ms.optional(),
    ticks: count.optional(),
    /** From a frame's start to its answer: who cannot make it any more is dropped; 0 or absent: there is none. */
    deadlineMs: ms.optional(),
  })
  .readonly();
/** One frame of every camera, or a stretch of steady streams: `ticks` frames of each. */
export type Round = z.infer<typeof Round>;

export const Ready = z.object({ round: count, cameras: z.array(Name).max(MAX_CAMERAS) }).readonly();
export type Ready = z.infer<typeof Ready>;

export const JobReport = z
  .object({
    camera: Name,
    cut,
    codec: Codec,
    outcome: Outcome,
    tailMs: ms,
    fixedMs: ms,
    /** The worker that its plan names for its tail; empty or absent: none. */
    cloud: z.union([Name, z.literal('')]).optional(),
  })
  .readonly();
export type JobReport = z.infer<typeof JobReport>;

export const Report = z
  .object({
    round: count,
    makespanMs: ms,
    jobs: z.array(JobReport).max(MAX_REPORTED_JOBS),
    uplinkBps: z.number().min(0).max(1e12),
  })
  .readonly();
export type Report = z.infer<typeof Report>;

/** A tensor is ready for a channel that vehicles share. */
export const ChannelAsk = z
  .object({ frame: count, epoch: count, camera: Name, bytes: z.number().int().min(1).max(0xffffffff) })
  .readonly();
export type ChannelAsk = z.infer<typeof ChannelAsk>;

/** The channel is a vehicle's for one tensor. */
export const ChannelGrant = z
  .object({ frame: count, epoch: z.number().int().min(1).max(0xffffffff) })
  .readonly();
export type ChannelGrant = z.infer<typeof ChannelGrant>;

/** A tensor has left the channel, or is not wanted there any more. */
export const ChannelEnd = z.object({ frame: count, whole: z.boolean() }).readonly();
export type ChannelEnd = z.infer<typeof ChannelEnd>;

/** What a tensor took on the wire, and what is left of the round: once it is confirmed by its result, or given up. */
export const TransferReport = z
  .object({
    round: count,
    wireBytes: count,
    /** Of a tensor that was given up what it had: its rate was lower still. */
    wireMs: ms.positive(),
    /** Cameras whose frames have not begun, in the plan's order. */
    waiting: z.array(Name).max(MAX_CAMERAS),
    /** Of tensors that are made, wait for the uplink or are on it. */
    unsentBytes: count,
    /** So long the processor is still busy. */
    vehicleMs: ms,
  })
  .readonly();
export type TransferReport = z.infer<typeof TransferReport>;

export const TensorChunk = z
  .object({
    frame: count,
    epoch: count,
    camera: Name,
    cut,
    codec: Codec,
    dims,
    totalBytes: z.number().int().min(1).max(MAX_TENSOR_BYTES),
    offset: count,
    data: z.custom<Uint8Array>((data) => data instanceof Uint8Array && data.length > 0, 'must be bytes'),
    frameWidth: frameSide,
    frameHeight: frameSide,
  })
  .refine((chunk) => chunk.offset + chunk.data.length <= chunk.totalBytes, 'chunk ends past its tensor')
  .refine(
    (chunk) => chunk.codec !== 'float32' || chunk.totalBytes === 4 * chunk.dims.reduce((a, b) => a * b, 1),
    'dims do not give the length of a float32 tensor',
  )
  .readonly();
/**
 * A piece of a tensor, and the size of the camera's picture that it was made of. `data` is a view on the received
 * packet: copy it before the packet is let go.
 */
export type TensorChunk = z.infer<typeof TensorChunk>;

export const Class = z
  .object({ index: count, label: z.string().max(MAX_LABEL_LENGTH), score: z.number() })
  .readonly();
export type Class = z.infer<typeof Class>;

const pixels = z.number().min(0).max(MAX_FRAME_SIDE);
export const Box = z
  .object({
    index: count,
    label: z.string().max(MAX_LABEL_LENGTH),
    score: z.number().min(0).max(1),
    left: pixels,
    top: pixels,
    width: pixels,
    height: pixels,
  })
  .readonly();
/** What lies where: in the frame's pixels from its upper left corner, never outside of it; its score is at most 1. */
export type Box = z.infer<typeof Box>;

export const Result = z
  .object({
    frame: count,
    epoch: count,
    camera: Name,
    top: z.array(Class).max(100),
    digest: z.string().regex(/^[0-9a-f]{32}$/),
    queueMs: ms,
    tailMs: ms,
    boxes: z.array(Box).max(MAX_BOXES),
  })
  .readonly();
export type Result = z.infer<typeof Result>;

const runId = z.string().regex(/^[0-9a-f]{32}$/);
/** Of each table of a log that is handed over the number of a row, in the order of docs/log.md. */
const position = z.array(count).max(16);

export const LogBatch = z
  .object({
    run: runId,
    number: count,
    after: position,
    through: position,
    rows: z.custom<Uint8Array>((rows) => rows instanceof Uint8Array && rows.length > 0, 'must be bytes'),
  })
  .refine(
    ({ after, through }) =>
      after.length === through.length && after.every((row, table) => row <= through[table]!),
    'its rows end before they begin',
  )
  .readonly();
/**
 * Rows of a log that its vehicle kept on board, packed, to be kept by the roadside unit. `rows` is a view on the received
 * packet: copy it before the packet is let go.
 */
export type LogBatch = z.infer<typeof LogBatch>;

export const LogAck = z.object({ run: runId, number: count, position }).readonly();
/** What the roadside unit has of a vehicle's log, durably, once it has taken or refused the batch of that number. */
export type LogAck = z.infer<typeof LogAck>;

/** A node asks for the roadside unit's clock so often; whoever is not heard for so many times is taken for gone. */
export const HEARTBEAT_MS = 1000;
export const STRIKES = 5;

export const ClockPing = z.object({ sentMs: z.number() }).readonly();
export type ClockPing = z.infer<typeof ClockPing>;

export const ClockPong = z
  .object({
    sentMs: z.number(),
    answeredMs: z.number(),
    /** The roadside unit does not know this node: it has to say hello again. */
    unknown: z.boolean(),
  })
  .readonly();
export type ClockPong = z.infer<typeof ClockPong>;
