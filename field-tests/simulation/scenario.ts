/** From a seed to a system, and to what shall happen to it. Times in ms, rates in bit/s. */

import type { CloudSetup } from '@splitlane/cloud/policy/step';
import type { Profile } from '@splitlane/proto';
import type { CoordinatorSetup } from '@splitlane/roadside-unit/policy/step';
import { Chance } from './chance.ts';
import type { Conditions } from './memory-network.ts';

export interface VehicleSpec {
  readonly node: string;
  readonly cameras: readonly string[];
  /** What its own machine takes for each segment. */
  readonly segmentMs: readonly number[];
  /** The whole network on the vehicle that it emulates; absent: it is what it is. */
  readonly vehicleMs?: number;
  readonly uplinkBps: number;
  /** The channel that it shares with others; its link is its own unless given. */
  readonly channel?: string;
  /** Its link's real rate is between these shares of what it says, another one every two seconds. */
  readonly linkShare: readonly [least: number, most: number];
  readonly clockOffsetMs: number;
  /** Shares of captures, runs and transfers that fail. */
  readonly cameraFails: number;
  readonly runFails: number;
  readonly sendFails: number;
}

export interface CloudSpec {
  readonly node: string;
  readonly setup: CloudSetup;
  readonly segmentMs: readonly number[];
  readonly clockOffsetMs: number;
  /** Share of tails that fail. */
  readonly tailFails: number;
  /** Share of tails that stall for a while, up to five seconds. */
  readonly stalls: number;
}

/**
 * A node cannot reach the broker for so long, its process is killed and started again after so long, or is frozen for so
 * long: then its connection stands, and it says nothing.
 */
export interface Fault {
  readonly kind: 'cut' | 'crash' | 'freeze';
  readonly node: string;
  readonly atMs: number;
  readonly forMs: number;
}

export interface Scenario {
  readonly seed: number;
  readonly vehicles: readonly VehicleSpec[];
  readonly clouds: readonly CloudSpec[];
  readonly roadsideUnit: string;
  readonly setup: CoordinatorSetup;
  readonly cuts: Profile['cuts'];
  readonly conditions: Conditions;
  readonly faults: readonly Fault[];
  /** From then on nothing happens that should not. */
  readonly calmFromMs: number;
}

type PolicyName = CoordinatorSetup['campaign']['policies'][number];

const ROADSIDE_UNIT = 'roadside-unit';
const ALONE: readonly PolicyName[] = ['lo', 'ro', 'ro-jpeg', 'po', 'jps', 'exact', 'fixed', 'adaptive'];
const TOGETHER: readonly PolicyName[] = ['exact', 'uncoordinated', 'fair-share'];
/** Relative work of the segments, and bytes of the tensors at the cuts, from the input to the result. */
const NETWORK = { work: [0.1, 0.2, 0.3, 0.4], cutBytes: [40_000, 20_000, 8000, 2000, 40] };

export function scenarioOf(seed: number): Scenario {
  const chance = new Chance(seed);
  const fleet = chance.is(0.05) ? chance.whole(8, 24) : chance.whole(1, 4);
  const channels = channelsOf(chance);
  const names = Object.keys(channels);
  const isMixed = names.length > 0 && chance.is(0.4);
  const kindMs = [chance.spread(40, 400), chance.spread(40, 400)];
  const isFaulty = chance.is(0.8);
  const faultShare = (most: number): number => (isFaulty && chance.is(0.4) ? chance.between(0, most) : 0);
  const clockOffsetMs = (): number => chance.whole(0, 1e6);
  const vehicles = Array.from({ length: fleet }, (_, index): VehicleSpec => {
    const wholeMs = chance.oneOf(kindMs);
    const isEmulated = chance.is(0.5);
    const isSteady = chance.is(0.6);
    const channel = names.length === 0 || (isMixed && chance.is(0.3)) ? undefined : chance.oneOf(names);
    return {
      node: `vehicle-${index + 1}`,
      cameras: Array.from({ length: chance.whole(1, 4) }, (__, camera) => `camera-${camera + 1}`),
      segmentMs: NETWORK.work.map((share) => share * (isEmulated ? 20 : wholeMs)),
      ...(isEmulated ? { vehicleMs: wholeMs } : {}),
      ...(channel === undefined
        ? { uplinkBps: chance.spread(5e5, 2e7) }
        : { uplinkBps: channels[channel]!, channel }),
      linkShare: isSteady ? [0.9, 1] : [0.15, 2],
      clockOffsetMs: clockOffsetMs(),
      ...{ cameraFails: faultShare(0.2), runFails: faultShare(0.05), sendFails: faultShare(0.1) },
    };
  });
  const cloudMs = chance.spread(5, 60);
  const clouds = Array.from({ length: chance.is(0.5) ? 1 : chance.whole(2, 3) }, (_, index): CloudSpec => {
    const node = `cloud-${index + 1}`;
    const slowness = chance.between(0.7, 1.5);
    return {
      node,
      setup: {
        ...{ node, workers: chance.whole(1, 3), firstCut: chance.is(0.2) ? 1 : 0 },
        cutBytes: NETWORK.cutBytes,
      },
      segmentMs: NETWORK.work.map((share) => share * cloudMs * slowness),
      clockOffsetMs: clockOffsetMs(),
      ...{ tailFails: faultShare(0.1), stalls: faultShare(0.1) },
    };
  });
  const policies = names.length === 0 ? ALONE : TOGETHER;
  const warmUpRounds = chance.whole(1, 2);
  const setup: CoordinatorSetup = {
    keepFramesOnBoard: chance.is(0.3),
    codecs: chance.is(0.3) ? ['float32', 'jpeg'] : ['float32'],
    codedPoints: [],
    maxLoss: 0,
    channels,
    vehicles: fleet,
    clouds: clouds.length,
    campaign: {
      policies: Array.from({ length: chance.whole(1, 3) }, () => chance.oneOf(policies)),
      ...{ warmUpRounds, rounds: chance.whole(1, 4), repeat: true },
      ...(names.length === 0 && chance.is(0.4)
        ? { streams: { fps: chance.spread(1, 25), ticks: chance.whole(2, 12) } }
        : {}),
      ...(chance.is(0.2) ? { deadlineMs: chance.spread(30, 3000) } : {}),
    },
  };
  const lengthMs = chance.between(1000, 8000);
  const nodes = [...vehicles, ...clouds].map(({ node }) => node);
  const faults = isFaulty ? faultsOf(chance, nodes, lengthMs) : [];
  return {
    ...{ seed, vehicles, clouds, roadsideUnit: ROADSIDE_UNIT, setup, faults },
    cuts: NETWORK.cutBytes.map((bytes, index) => ({ id: `cut-${index}`, dims: [bytes / 4], bytes })),
    conditions: {
      delayMs: [0.2, chance.spread(0.5, 30)],
      ...{ lateShare: faultShare(0.1), lateMs: chance.spread(10, 3000) },
      ...{ lossShare: faultShare(0.2), doubleShare: faultShare(0.2), reorders: isFaulty && chance.is(0.2) },
    },
    calmFromMs: Math.max(lengthMs, ...faults.map(({ atMs, forMs }) => atMs + forMs)),
  };
}

/** None, one, or two; a node may be called what every object has, and so may a channel. */
function channelsOf(chance: Chance): Record<string, number> {
  if (!chance.is(0.4)) return {};
  const names = chance.is(0.5) ? ['channel-1'] : ['channel-1', 'constructor'];
  return Object.fromEntries(names.map((name) => [name, chance.spread(5e5, 8e6)]));
}

/** Long enough to be taken for gone. */
const LONGEST_FREEZE_MS = 20_000;
const LONGEST_FAULT_MS = 4000;

/**
 * Of any node, half of them at any time, half of them shortly after each other; crashes and freezes, too, of the roadside
 * unit, and of it no cuts: it is the broker.
 */
function faultsOf(chance: Chance, nodes: readonly string[], lengthMs: number): Fault[] {
  const blows = [chance.between(0, lengthMs), chance.between(0, lengthMs)];
  const faults = Array.from({ length: chance.whole(0, 10) }, (): Fault => {
    const kind = chance.oneOf(['cut', 'cut', 'crash', 'crash', 'crash', 'freeze'] as const);
    const node = chance.oneOf(kind === 'cut' ? nodes : [...nodes, 'cloud-1', ROADSIDE_UNIT]);
    const atMs = chance.is(0.5) ? chance.between(0, lengthMs) : chance.oneOf(blows) + chance.spread(1, 1000);
    const longestMs = kind === 'freeze' ? LONGEST_FREEZE_MS : LONGEST_FAULT_MS;
    return { kind, node, atMs, forMs: chance.spread(1, longestMs) };
  });
  return faults.sort((a, b) => a.atMs - b.atMs);
}
