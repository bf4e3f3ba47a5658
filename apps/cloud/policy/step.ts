/**
 * The heart of a cloud worker, without I/O, clock or chance. Tails are served in order of arrival by the
 * first thread that is free; a tensor that no known plan asked for, or asked another worker for, is not taken.
 */
import { cloudOf, isCoded, type TensorChunk, type VehiclePlan } from '@splitlane/proto';
import type { CloudEffect, CloudEvent, TailJob } from './events.ts';

/** Plans of so many epochs of each vehicle are known: jobs begun under an older plan keep it. */
const KNOWN_EPOCHS = 16;
/** So many tensors wait at most. */
const MAX_WAITING = 256;
const MAX_JPEG_BYTES = 16 * 1024 * 1024;
/** A coded tensor is seldom longer than the plain one, and by no more than what its scales take. */
const MAX_CODED_EXTRA = 64 * 1024;

export interface CloudSetup {
  /** Name of this worker: plans say whose a tensor is. */
  readonly node: string;
  readonly workers: number;
  readonly firstCut: number;
  /** Bytes of the float32 tensor at each cut. */
  readonly cutBytes: readonly number[];
}

interface Waiting {
  readonly job: TailJob;
  readonly arrivedMs: number;
}

export interface CloudState {
  readonly setup: CloudSetup;
  readonly connected: boolean;
  readonly accepted: boolean;
  /** When it said hello last. */
  readonly helloMs: number;
  /** The highest of all plans, of any vehicle and any roadside unit. */
  readonly epoch: number;
  readonly plans: Readonly<Record<string, readonly VehiclePlan[]>>;
  readonly waiting: readonly Waiting[];
  /** What each thread works on. */
  readonly running: readonly (Waiting | undefined)[];
}

export interface Step {
  readonly state: CloudState;
  readonly effects: readonly CloudEffect[];
}

export function initialState(setup: CloudSetup): CloudState {
  const running = new Array<undefined>(setup.workers).fill(undefined);
  const none = { connected: false, accepted: false, helloMs: 0, epoch: 0 };
  return { setup, ...none, plans: {}, waiting: [], running };
}

/** Why a tensor that begins with this chunk is not wanted; undefined if it is. */
export function refusal(state: CloudState, vehicle: string, chunk: TensorChunk): string | undefined {
  const { setup, waiting, running } = state;
  const { frame, epoch, camera, cut, codec, totalBytes } = chunk;
  const plan = knownPlans(state, vehicle).find((known) => known.epoch === epoch);
  const stream = plan?.streams.find((planned) => planned.camera === camera);
  const about = `frame ${frame} of ${vehicle}: `;
  if (!plan) return `${about}no plan of epoch ${epoch} is known`;
  if (!stream) return `${about}plan ${epoch} has no camera ${camera}`;
  if (stream.cut !== cut || stream.codec !== codec)
    return `${about}plan ${epoch} cuts ${camera} at ${stream.cut} as ${stream.codec}, not at ${cut} as ${codec}`;
  if (cloudOf(stream, plan) !== setup.node)
    return `${about}plan ${epoch} gives ${camera} to ${cloudOf(stream, plan) || 'nobody'}, not to ${setup.node}`;
  if (cut < setup.firstCut || cut >= setup.cutBytes.length - 1)
    return `${about}cut ${cut} is not served here`;
  if (codec === 'float32' && totalBytes !== setup.cutBytes[cut])
    return `${about}${totalBytes} bytes where cut ${cut} has ${setup.cutBytes[cut]}`;
  if (isCoded(codec) && totalBytes > setup.cutBytes[cut]! + MAX_CODED_EXTRA)
    return `${about}${totalBytes} bytes of ${codec} where cut ${cut} has ${setup.cutBytes[cut]} in float32`;
  if (codec === 'jpeg' && (cut !== 0 || totalBytes > MAX_JPEG_BYTES))
    return `${about}a JPEG of ${totalBytes} bytes at cut ${cut}`;
  const known = [...waiting, ...running].some(
    (other) => other?.job.vehicle === vehicle && other.job.frame === frame && other.job.epoch === epoch,
  );
  if (known) return `${about}it is here already`;
  if (waiting.length >= MAX_WAITING) return `${about}${waiting.length} tensors are waiting already`;
  return undefined;
}

/** The newest first. A vehicle may be called what every object has, such as `constructor`. */
function knownPlans({ plans }: CloudState, vehicle: string): readonly VehiclePlan[] {
  return Object.hasOwn(plans, vehicle) ? plans[vehicle]! : [];
}

export function step(state: CloudState, event: CloudEvent): Step {
  const effects: CloudEffect[] = [];
  const next = advance(react(state, event, effects), effects);
  return { state: next, effects };
}

function react(state: CloudState, event: CloudEvent, effects: CloudEffect[]): CloudState {
  switch (event.kind) {
    case 'connected':
      return greet({ ...state, connected: true, plans: {} }, event.atMs, effects);
    case 'hello-due':
      return state.connected && !state.accepted ? greet(state, event.atMs, effects) : state;
    case 'unknown':
      // What was sent before the hello says nothing of it.
      if (!state.connected || event.sentMs <= state.helloMs) return state;
      return greet({ ...state, accepted: false }, event.atMs, effects);
    case 'disconnected':
      for (const { job } of state.waiting) effects.push({ kind: 'drop', job, reason: event.reason });
      return { ...state, connected: false, accepted: false, waiting: [] };
    case 'verdict':
      if (!event.accepted) effects.push({ kind: 'refused', reason: event.reason });
      return { ...state, accepted: event.accepted };
    case 'measure-asked':
      effects.push({ kind: 'measure' });
      return state;
    case 'plan': {
      const known = knownPlans(state, event.vehicle);
      const newest = known[0]?.epoch ?? 0;
      if (event.plan.epoch <= newest) {
        const detail = `${event.vehicle}: epoch ${event.plan.epoch} is not after ${newest}`;
        effects.push({ kind: 'fault', fault: 'plan-refused', detail });
        return state;
      }
      const plans = [event.plan, ...known].slice(0, KNOWN_EPOCHS);
      const epoch = Math.max(state.epoch, event.plan.epoch);
      return { ...state, epoch, plans: { ...state.plans, [event.vehicle]: plans } };
    }
    case 'tensor':
      return { ...state, waiting: [...state.waiting, { job: event.job, arrivedMs: event.atMs }] };
    case 'tail-done': {
      const { job, arrivedMs } = state.running[event.worker]!;
      const { frame, epoch, camera, vehicle } = job;
      const { startMs, endMs, top, boxes, digest } = event;
      const times = { queueMs: Math.max(0, startMs - arrivedMs), tailMs: endMs - startMs };
      const result = { frame, epoch, camera, top: [...top], boxes: [...boxes], digest, ...times };
      effects.push({ kind: 'answer', vehicle, result });
      return { ...state, running: state.running.with(event.worker, undefined) };
    }
    case 'tail-failed': {
      const { job } = state.running[event.worker]!;
      effects.push({ kind: 'drop', job, reason: event.reason });
      return { ...state, running: state.running.with(event.worker, undefined) };
    }
  }
}

function greet(state: CloudState, atMs: number, effects: CloudEffect[]): CloudState {
  effects.push({ kind: 'hello', epoch: state.epoch });
  return { ...state, helloMs: atMs };
}

function advance(state: CloudState, effects: CloudEffect[]): CloudState {
  let { waiting, running } = state;
  while (waiting.length > 0 && running.includes(undefined)) {
    const worker = running.indexOf(undefined);
    effects.push({ kind: 'run', worker, job: waiting[0]!.job });
    running = running.with(worker, waiting[0]);
    waiting = waiting.slice(1);
  }
  return { ...state, waiting, running };
}
