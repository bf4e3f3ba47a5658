/** Takes a vehicle's step through a table of events, each with the effects that must follow, in short. */
import assert from 'node:assert/strict';
import type { VehicleEffect, VehicleEvent } from '../../../../apps/vehicle-node/policy/events.ts';
import { initialState, step, type VehicleState } from '../../../../apps/vehicle-node/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import type { Codec, Result, StreamPlan, VehiclePlan } from '../../../../libs/proto/messages.ts';

export type Row = readonly [event: Untimed<VehicleEvent>, ...effects: string[]];

/** A network of three segments: cuts 0 (the input) to 3 (local only). */
export const LAST_CUT = 3;
export const SEGMENT_MS = [10, 20, 70];
export const TIMEOUT_MS = 5000;

export const answer = {
  top: [{ index: 1, label: 'one', score: 0.5 }],
  boxes: [{ index: 2, label: 'two', score: 0.75, left: 0, top: 1.5, width: 20, height: 30 }],
  digest: 'a'.repeat(32),
};

/** One stream of a plan: its camera, its cut, its codec unless it is float32, and its worker unless it is the plan's. */
export function stream(camera: string, cut: number, codec: Codec = 'float32', cloud = ''): StreamPlan {
  const none = { headStartMs: 0, headEndMs: 0, uplinkStartMs: 0, uplinkEndMs: 0 };
  return { camera, cut, codec, cloud, ...none, tailStartMs: 0, tailEndMs: 0, endMs: 0 };
}

export function planOf(
  epoch: number,
  streams: readonly StreamPlan[],
  more: Partial<VehiclePlan> = {},
): VehiclePlan {
  return {
    epoch,
    policy: 'jps',
    cloud: 'cloud-1',
    streams: [...streams],
    makespanMs: 100,
    lowerBoundMs: 90,
    segmentMs: [...SEGMENT_MS],
    uplinkBps: 1e6,
    jobTimeoutMs: TIMEOUT_MS,
    round: 0,
    granted: false,
    ...more,
  };
}

export function resultOf(frame: number, epoch: number, more: Partial<Result> = {}): Result {
  return { frame, epoch, camera: `camera-${frame}`, ...answer, queueMs: 1, tailMs: 5, ...more };
}

export const capture = (round: number): Untimed<VehicleEvent> => ({
  kind: 'round',
  round: { round, phase: 'capture', frameIndex: 0, measured: true },
});
export const go = (round: number): Untimed<VehicleEvent> => ({
  kind: 'round',
  round: { round, phase: 'go', frameIndex: 0, measured: true },
});
/** Frame n of camera-n. */
export const captured = (round: number, ...frames: number[]): Untimed<VehicleEvent> => ({
  kind: 'captured',
  round,
  frames: frames.map((frame) => ({ frame, camera: `camera-${frame}` })),
});
export const runDone = (frame: number): Untimed<VehicleEvent> => ({
  kind: 'run-done',
  frame,
  overrun: false,
});
export const runEnded = (frame: number): Untimed<VehicleEvent> => ({ ...runDone(frame), answer }) as never;
export const sent = (frame: number): Untimed<VehicleEvent> => ({
  kind: 'sent',
  frame,
  ...{ endMs: 0, wireBytes: 1000, wireMs: 8 },
});
export const timeout = (frame: number): Untimed<VehicleEvent> => ({ kind: 'timeout', frame });
export const result = (frame: number, epoch = 1): Untimed<VehicleEvent> => ({
  kind: 'result',
  result: resultOf(frame, epoch),
});
export const plan = (...args: Parameters<typeof planOf>): Untimed<VehicleEvent> => ({
  kind: 'plan',
  plan: planOf(...args),
});
export const lost = (cloud = 'cloud-1'): Untimed<VehicleEvent> => ({ kind: 'cloud-lost', cloud });
export const disconnected: Untimed<VehicleEvent> = { kind: 'disconnected', reason: 'the cable is cut' };

const elsewhere = (cloud: string): string => (cloud === 'cloud-1' ? '' : ` to ${cloud}`);

/** An effect in one line: what matters of it. */
export function inShort(effect: VehicleEffect): string {
  switch (effect.kind) {
    case 'hello': {
      const { epoch, round } = effect;
      return epoch + round > 0 ? `hello, seen ${epoch} and ${round}` : 'hello';
    }
    case 'measure':
      return effect.kind;
    case 'capture':
      return `capture ${effect.round.round}`;
    case 'await-tick':
      return `tick in ${effect.afterMs} ms`;
    case 'ready':
      return `ready ${effect.round}: ${effect.cameras.join(' ')}`;
    case 'run': {
      const time = effect.emulatedMs === undefined ? '' : ` ${effect.emulatedMs} ms`;
      const codec = effect.encodeAs === undefined ? '' : ` as ${effect.encodeAs}`;
      return `run ${effect.frame} ${effect.stage} ${effect.from}-${effect.to}${codec}${time}`;
    }
    case 'send':
      return `send ${effect.frame} cut ${effect.cut} ${effect.codec}${elsewhere(effect.cloud)}`;
    case 'ask-channel':
      return `ask ${effect.frame} cut ${effect.cut} ${effect.codec}${elsewhere(effect.cloud)}`;
    case 'end-channel':
      return `end ${effect.frame} ${effect.whole ? 'whole' : 'not whole'}`;
    case 'stop-send':
      return `stop ${effect.frame}`;
    case 'wake':
      return `wake ${effect.frame} in ${effect.afterMs} ms`;
    case 'finish': {
      const reason = effect.reason === undefined ? '' : `: ${effect.reason}`;
      return `finish ${effect.frame} ${effect.outcome}${reason}`;
    }
    case 'transferred':
      return 'transferred';
    case 'round-done': {
      const { round, jobs } = effect.report;
      return `round-done ${round}: ${jobs.map(({ camera, outcome }) => `${camera} ${outcome}`).join(', ')}`;
    }
    case 'fault':
      return `fault ${effect.fault}: ${effect.detail}`;
    case 'refused':
      return `refused: ${effect.reason}`;
  }
}

/** Feeds the events of the rows, 1 ms apart, and checks each row's effects. Returns the state at the end. */
export function drive(rows: readonly Row[], options: { state?: VehicleState; emulated?: boolean } = {}) {
  const { emulated = true } = options;
  let state = options.state ?? initialState({ lastCut: LAST_CUT, emulated });
  const effects: VehicleEffect[] = [];
  rows.forEach(([event, ...expected], index) => {
    const next = step(state, { atMs: index, ...event } as VehicleEvent);
    state = next.state;
    effects.push(...next.effects);
    // What confirms every result has tests of its own.
    const shown = next.effects.filter(({ kind }) => kind !== 'transferred').map(inShort);
    assert.deepEqual(shown, expected, `row ${index + 1}: ${JSON.stringify(event)}`);
  });
  return { state, effects };
}

/** A vehicle that is connected, accepted, has its plan and has begun round 1 with the given frames. */
export function begun(streams: readonly StreamPlan[], frames: number, first: readonly string[]): Row[] {
  const all = Array.from({ length: frames }, (_, index) => index + 1);
  return [
    [{ kind: 'connected' }, 'hello'],
    [{ kind: 'verdict', accepted: true, reason: '' }],
    [plan(1, streams)],
    [capture(1), 'capture 1'],
    [captured(1, ...all), `ready 1: ${all.map((n) => `camera-${n}`).join(' ')}`],
    [go(1), ...first],
  ];
}
