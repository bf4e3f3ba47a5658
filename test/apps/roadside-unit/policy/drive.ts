/** Takes the coordinator's step through a table of events, each with the effects that must follow, in short. */
import assert from 'node:assert/strict';
import type { CoordinatorEffect, CoordinatorEvent } from '../../../../apps/roadside-unit/policy/events.ts';
import {
  type CoordinatorSetup,
  type CoordinatorState,
  initialState,
  step,
} from '../../../../apps/roadside-unit/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import {
  type Hello,
  type JobReport,
  PROTOCOL_VERSION,
  type Profile,
  type TransferReport,
} from '../../../../libs/proto/messages.ts';

export type Row = readonly [event: Untimed<CoordinatorEvent>, ...effects: string[]];

export const HASH = 'a'.repeat(64);

/** A network of three segments: on a vehicle 100 ms, in the cloud 10. Its cuts send less and less. */
export const profile: Profile = {
  segmentMs: [10, 20, 70],
  cuts: [40_000, 10_000, 2000, 40].map((bytes, index) => ({ id: `cut-${index}`, dims: [bytes / 4], bytes })),
  jpegBytes: 5000,
};
export const cloudProfile: Profile = { ...profile, segmentMs: [1, 2, 7], jpegBytes: 0 };

export function hello(node: string, more: Partial<Hello> = {}): Untimed<CoordinatorEvent> {
  const role = node.startsWith('cloud') ? 'cloud' : 'vehicle';
  const own =
    role === 'cloud'
      ? { cameras: [], vehicleMs: 0, uplinkBps: 0, rttMs: 0, workers: 2 }
      : { cameras: ['camera-1', 'camera-2'], vehicleMs: 100, uplinkBps: 1e6, rttMs: 0, workers: 0 };
  const all = {
    protocol: PROTOCOL_VERSION,
    role,
    modelHash: HASH,
    firstCut: 0,
    epoch: 0,
    round: 0,
    ...own,
    ...more,
  } as const;
  return { kind: 'hello', node, hello: all };
}
/** A heartbeat in which these nodes were heard. */
export const beat = (...heard: string[]): Untimed<CoordinatorEvent> => ({ kind: 'heartbeat', heard });
export const gone = (node: string): Untimed<CoordinatorEvent> => ({ kind: 'gone', node });
export const measured = (node: string, more: Partial<Profile> = {}): Untimed<CoordinatorEvent> => ({
  kind: 'profile',
  node,
  profile: { ...(node.startsWith('cloud') ? cloudProfile : profile), ...more },
});
export const ready = (
  node: string,
  round: number,
  cameras = ['camera-1', 'camera-2'],
): Untimed<CoordinatorEvent> => ({ kind: 'ready', node, ready: { round, cameras } });
export const report = (
  node: string,
  round: number,
  jobs: readonly Partial<JobReport>[] = [],
): Untimed<CoordinatorEvent> => {
  const job = {
    camera: 'camera-1',
    cut: 1,
    codec: 'float32',
    cloud: 'cloud-1',
    outcome: 'cloud',
    tailMs: 5,
    fixedMs: 2,
  } as const;
  const filled = jobs.map((each) => ({ ...job, ...each }));
  return { kind: 'report', node, report: { round, makespanMs: 100, uplinkBps: 1e6, jobs: filled } };
};
/** A confirmed tensor of 10,000 bytes that took so long, and what is left of the round. */
export const transfer = (
  node: string,
  round: number,
  wireMs: number,
  more: Partial<TransferReport> = {},
): Untimed<CoordinatorEvent> => ({
  kind: 'transfer',
  node,
  transfer: { round, wireBytes: 10_000, wireMs, waiting: [], unsentBytes: 0, vehicleMs: 0, ...more },
});
export const timeout = (round: number, phase: 'capture' | 'go'): Untimed<CoordinatorEvent> => ({
  kind: 'timeout',
  round,
  phase,
});

/** An effect in one line: what matters of it. */
export function inShort(effect: CoordinatorEffect): string {
  switch (effect.kind) {
    case 'verdict':
      return effect.accepted ? `accept ${effect.node}` : `refuse ${effect.node}: ${effect.reason}`;
    case 'measure':
    case 'disconnect':
      return `${effect.kind} ${effect.node}`;
    case 'plan': {
      const { epoch, policy, cloud, streams, round } = effect.plan;
      const at = (worker = cloud): string => (worker === cloud ? '' : ` at ${worker}`);
      const cuts = streams
        .map(({ camera, cut, cloud: worker }) => `${camera} ${cut}${at(worker)}`)
        .join(', ');
      const forRound = round === 0 ? '' : ` for round ${round}`;
      return `plan ${epoch} ${effect.vehicle} ${policy} ${cloud || 'alone'}${forRound}: ${cuts}`;
    }
    case 'round': {
      const { round, phase, measured } = effect.round;
      return `${phase} ${round} ${effect.vehicle}${measured ? '' : ' (warm-up)'}`;
    }
    case 'wake':
      return `wake ${effect.phase} ${effect.round}`;
    case 'progress':
      if (effect.done === 0) return `begin ${effect.policy}`;
      return `progress ${effect.policy} ${effect.done} of ${effect.of}`;
    case 'grant-channel':
      return `grant ${effect.vehicle} frame ${effect.grant.frame}`;
    case 'wake-channel':
      return `wake channel in ${effect.afterMs.toFixed(1)} ms`;
    case 'campaign-done':
      return effect.kind;
    case 'fault':
      return `fault ${effect.fault}: ${effect.detail}`;
  }
}

export function setup(more: Partial<CoordinatorSetup['campaign']> = {}, vehicles = 2): CoordinatorSetup {
  const campaign = { policies: ['jps'] as const, warmUpRounds: 1, rounds: 1, repeat: false, ...more };
  return {
    ...{ keepFramesOnBoard: false, codecs: ['float32'], codedPoints: [], maxLoss: 0 },
    ...{ vehicles, campaign },
  };
}

/** Feeds the events of the rows, 1 ms apart, and checks each row's effects. */
export function drive(
  rows: readonly Row[],
  initial: CoordinatorState = initialState(setup()),
): { state: CoordinatorState; effects: CoordinatorEffect[] } {
  let state = initial;
  const all: CoordinatorEffect[] = [];
  rows.forEach(([event, ...expected], index) => {
    const next = step(state, { atMs: index, ...event } as CoordinatorEvent);
    assert.deepEqual(next.effects.map(inShort), expected, `row ${index + 1}: ${JSON.stringify(event)}`);
    state = next.state;
    all.push(...next.effects);
  });
  return { state, effects: all };
}

/** Under jps these vehicles cut at 2: 30 ms of head and 16 of uplink are nearest to each other. */
export const JPS = 'camera-1 2, camera-2 2';
export const V1 = `vehicle-1 jps cloud-1: ${JPS}`;
export const V2 = `vehicle-2 jps cloud-1: ${JPS}`;

/** Two vehicles and a cloud are there and measured; round 1 is being captured under plan 1. */
export const begun: readonly Row[] = [
  [hello('cloud-1'), 'accept cloud-1', 'measure cloud-1'],
  [hello('vehicle-1'), 'accept vehicle-1'],
  [hello('vehicle-2'), 'accept vehicle-2'],
  [measured('cloud-1'), 'measure vehicle-1'],
  [measured('vehicle-1'), 'measure vehicle-2'],
  [
    measured('vehicle-2'),
    ...[`plan 1 ${V1}`, `plan 1 ${V2}`, 'begin jps'],
    ...['capture 1 vehicle-1 (warm-up)', 'capture 1 vehicle-2 (warm-up)', 'wake capture 1'],
  ],
];
