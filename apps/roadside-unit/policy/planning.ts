/**
 * From profiles, links and what was seen of the tails to one plan per vehicle. Pure: the cut of each vehicle
 * is chosen by libs/sched on its own processor and uplink; what the plan predicts is judged with the
 * cloud's threads shared by all of them.
 */
import {
  type Codec,
  chunkBytesFor,
  isCoded,
  type Profile,
  type StreamPlan,
  type VehiclePlan,
  wireBytes,
} from '@splitlane/proto';
import {
  type Cut,
  fairShare,
  fleetGantt,
  type JobSchedule,
  jobAt,
  lowerBound,
  type Plan,
  POLICIES,
  planFleet,
  type Uplink,
  uncoordinated,
} from '@splitlane/sched';
import type { CodedPoint, PolicyName } from '../config.ts';
import { assignTails, type Planned, type PlannedCloud, poolOf } from './cloud-pool.ts';
import type { ChannelOrder } from './grants.ts';

/** A vehicle as planning sees it. */
export interface PlannedVehicle {
  readonly node: string;
  readonly cameras: readonly string[];
  readonly uplinkBps: number;
  readonly rttMs: number;
  /** Time of each segment on this vehicle, emulated or its own. */
  readonly segmentMs: readonly number[];
  /** How many times longer than on the machine itself everything takes on the vehicle that is emulated. */
  readonly slowdown: number;
  readonly cuts: Profile['cuts'];
  /** What processor and uplink are still busy with when the plan is to begin. */
  readonly busy?: { readonly vehicleMs: number; readonly uplinkMs: number };
  /** A camera's compressed frame, in bytes. */
  readonly jpegBytes: number;
}

type CodedCut = Cut & { readonly codec: Codec };

/** A job that is not confirmed in this many times its predicted time, and a second, is given up. */
const TIMEOUT_FACTOR = 3;
const TIMEOUT_GRACE_MS = 1000;

/** What may be sent, and how. */
export interface SendingRules {
  /** Nothing is sent at cut 0, compressed or not. */
  readonly keepFramesOnBoard: boolean;
  /** The codecs that policies choose among; `ro` and `ro-jpeg` are bound to theirs. */
  readonly codecs: readonly Codec[];
  /** What is known of coded tensors, and how much a job may lose. */
  readonly codedPoints: readonly CodedPoint[];
  readonly maxLoss: number;
  /** Rate of the channel that all vehicles share, in bit/s; each has a link of its own unless given. */
  readonly channelBps?: number | undefined;
}

/** A vehicle's part of a plan, before it is judged with the others. */
interface Choice {
  readonly cuts: readonly CodedCut[];
  /** Index of the cut of each camera. */
  readonly jobCuts: readonly number[];
  /** Cameras in the order in which their heads start. */
  readonly order: readonly number[];
  /** No plan of it, or of all vehicles that share its channel, ends earlier. */
  readonly lowerBoundMs: number;
}

export interface VehiclePlans {
  readonly plans: readonly Planned[];
  /** The cameras that send in the order in which they are to have a shared channel. */
  readonly channelOrder: ChannelOrder;
}

/**
 * Plans for all vehicles under one policy: cuts are chosen by what the workers of the cloud are on average, and each
 * tail goes to the one that will finish it first. Without a worker everything is local.
 * @param epoch of the decision: all vehicles' plans carry it.
 * @param round whose frames that have not begun it is for; 0 for whole rounds from now on.
 */
export function planVehicles(
  policy: PolicyName,
  vehicles: readonly PlannedVehicle[],
  clouds: readonly PlannedCloud[],
  rules: SendingRules,
  epoch: number,
  round = 0,
): VehiclePlans {
  const { channelBps } = rules;
  const cloud = poolOf(clouds);
  const together = cloud && channelBps !== undefined ? TOGETHER[policy] : undefined;
  const choices = together
    ? chooseTogether(together, vehicles, cloud!, rules, channelBps!)
    : vehicles.map((vehicle) => chooseAlone(policy, vehicle, cloud, rules, vehicles.length));
  const rttMs = Math.max(0, ...vehicles.map((vehicle) => vehicle.rttMs));
  const schedules = fleetGantt(
    choices.map(({ cuts, jobCuts, order }, index) => {
      const { busy, uplinkBps } = vehicles[index]!;
      const jobs = jobCuts.map((cut) => jobAt(cuts[cut]!, { uplinkBps: channelBps ?? uplinkBps, rttMs }));
      return { jobs, order, ...(busy ? { busy } : {}), ...(channelBps === undefined ? {} : { link: 0 }) };
    }),
    {
      cloudWorkers: cloud?.workers ?? 1,
      uplinkDelayMs: rttMs / 2,
      returnMs: Math.max(0, (cloud?.fixedMs ?? 0) - rttMs / 2),
    },
  );
  const judged = choices.map(({ cuts, jobCuts }, index) => {
    const vehicle = vehicles[index]!;
    const streams = schedules[index]!.map((job): StreamPlan => {
      const cut = cuts[jobCuts[job.job]!]!;
      const number = vehicle.cuts.findIndex(({ id }) => id === cut.id);
      return streamPlan(vehicle.cameras[job.job]!, number, cut.codec, job);
    });
    return { streams, lastCut: vehicle.cuts.length - 1 };
  });
  const assigned = assignTails(judged, clouds, rttMs);
  // Who shares a channel may have to wait for all others.
  const latestMs = Math.max(0, ...assigned.map(lastResultMs));
  const plans = choices.map(({ lowerBoundMs }, index) => {
    const vehicle = vehicles[index]!;
    const makespanMs = lastResultMs(assigned[index]!);
    const streams = assigned[index]!.map((planned) =>
      policy === 'adaptive' ? { ...planned, giveUpMs: giveUpMs(planned, vehicle) } : planned,
    );
    const plan: VehiclePlan = {
      ...{ epoch, policy, cloud: clouds[0]?.node ?? '', streams, makespanMs, round },
      lowerBoundMs: Math.min(makespanMs, lowerBoundMs),
      segmentMs: [...vehicle.segmentMs],
      uplinkBps: channelBps ?? vehicle.uplinkBps,
      jobTimeoutMs: TIMEOUT_FACTOR * (channelBps === undefined ? makespanMs : latestMs) + TIMEOUT_GRACE_MS,
      granted: together === planFleet,
    };
    return { vehicle: vehicle.node, plan };
  });
  return { plans, channelOrder: channelOrderOf(plans) };
}

function lastResultMs(streams: readonly StreamPlan[]): number {
  return Math.max(0, ...streams.map(({ endMs }) => endMs));
}

/** How vehicles that share a channel are planned. */
const TOGETHER: Partial<Record<PolicyName, typeof planFleet>> = {
  exact: planFleet,
  uncoordinated,
  'fair-share': fairShare,
};

function chooseTogether(
  plan: typeof planFleet,
  vehicles: readonly PlannedVehicle[],
  cloud: PlannedCloud,
  rules: SendingRules,
  channelBps: number,
): Choice[] {
  // Vehicles of one kind share one table: it is looked at once.
  const tables = new Map<string, CodedCut[]>();
  const cutsOf = (vehicle: PlannedVehicle): CodedCut[] => {
    const { segmentMs, slowdown, jpegBytes } = vehicle;
    const key = JSON.stringify([segmentMs, slowdown, jpegBytes, vehicle.node.length]);
    const cuts = tables.get(key) ?? candidatesOf({ ...vehicle, uplinkBps: channelBps }, cloud, rules);
    tables.set(key, cuts);
    return cuts;
  };
  const fleet = vehicles.map((vehicle) => {
    const cuts = cutsOf(vehicle);
    return { id: vehicle.node, cameras: vehicle.cameras.map(() => cuts) };
  });
  const rttMs = Math.max(cloud.fixedMs, ...vehicles.map((vehicle) => vehicle.rttMs));
  const planned = plan(fleet, { uplinkBps: channelBps, rttMs, cloudWorkers: cloud.workers });
  return planned.vehicles.map(({ jobCuts, order }, index) => ({
    cuts: fleet[index]!.cameras[0]! as CodedCut[],
    ...{ jobCuts, order, lowerBoundMs: planned.lowerBoundMs },
  }));
}

function chooseAlone(
  policy: PolicyName,
  vehicle: PlannedVehicle,
  cloud: PlannedCloud | undefined,
  rules: SendingRules,
  vehicles: number,
): Choice {
  const codecs: readonly Codec[] = policy === 'ro-jpeg' ? [...rules.codecs, 'jpeg'] : rules.codecs;
  const candidates = candidatesOf(vehicle, cloud, { ...rules, codecs });
  const cuts =
    policy === 'ro'
      ? candidatesOf(vehicle, cloud, { ...rules, codecs: ['float32'] })
      : policy === 'ro-jpeg'
        ? candidates.toSorted((a, b) => Number(b.codec === 'jpeg') - Number(a.codec === 'jpeg'))
        : candidates;
  const { busy, uplinkBps, rttMs } = vehicle;
  const uplink: Uplink = { uplinkBps, rttMs };
  // Where vehicles outnumber the threads each has a part of one, and its tails take the longer.
  const crowd = Math.max(1, vehicles / (cloud?.workers ?? 1));
  const crowded = cuts.map((cut) => ({ ...cut, p3: (cut.p3 ?? 0) * crowd }));
  const conditions = busy ? { ...uplink, busy } : uplink;
  const best = planner(cloud ? policy : 'lo')(crowded, vehicle.cameras.length, conditions);
  const { jobCuts, order } = policy === 'adaptive' && cloud && !busy ? withProbe(best, cuts, uplink) : best;
  return { cuts, jobCuts, order, lowerBoundMs: vehicleAndUplinkBound(candidates, vehicle) };
}

/** By the time at which their tensors start, as far as they send. */
function channelOrderOf(plans: VehiclePlans['plans']): ChannelOrder {
  return plans
    .flatMap(({ vehicle, plan: { streams } }) =>
      streams
        .filter(({ uplinkStartMs, uplinkEndMs }) => uplinkEndMs > uplinkStartMs)
        .map(({ camera, uplinkStartMs }) => ({ vehicle, camera, uplinkStartMs })),
    )
    .toSorted((a, b) => a.uplinkStartMs - b.uplinkStartMs)
    .map(({ vehicle, camera }) => ({ vehicle, camera }));
}

/**
 * The ways to send a frame of this vehicle, from the first that may be sent to local-only: each cut's tensor in each
 * codec of which enough is known and little enough is lost, and at cut 0 the camera's own compressed frame, as far as
 * their codecs are among those given.
 */
function candidatesOf(
  { cuts, segmentMs, slowdown, node, uplinkBps, jpegBytes }: PlannedVehicle,
  cloud: PlannedCloud | undefined,
  { keepFramesOnBoard, codecs, codedPoints, maxLoss }: SendingRules,
): CodedCut[] {
  const chunkBytes = chunkBytesFor(uplinkBps);
  const last = cuts.length - 1;
  const firstSent = Math.max(keepFramesOnBoard ? 1 : 0, cloud?.firstCut ?? 0);
  let p1 = 0;
  return cuts.flatMap(({ id, bytes }, index): CodedCut[] => {
    if (index > 0) p1 += segmentMs[index - 1]!;
    if (index === last) return [{ id, p1, bytes: 0, p3: 0, local: true, codec: 'float32' }];
    if (index < firstSent) return [];
    const ways: readonly Pick<CodedPoint, 'codec' | 'bytes' | 'encodeMs' | 'loss'>[] = [
      { codec: 'float32', bytes, encodeMs: 0, loss: 0 },
      ...(index === 0
        ? [{ codec: 'jpeg' as const, bytes: Math.max(1, jpegBytes), encodeMs: 0, loss: 0 }]
        : []),
      ...codedPoints.filter(({ cut, codec }) => cut === index && isCoded(codec)),
    ];
    const headMs = p1;
    return ways
      .filter(({ codec, loss }) => codecs.includes(codec) && loss <= maxLoss)
      .map(({ codec, bytes: sentBytes, encodeMs, loss }) => ({
        id,
        p1: headMs + slowdown * encodeMs,
        loss,
        bytes: wireBytes(Math.ceil(sentBytes), chunkBytes, node, cloud?.node ?? ''),
        p3: cloud?.tailMs(index, codec) ?? 0,
        codec,
      }));
  });
}

/**
 * A vehicle that sends nothing learns nothing of its link. Where the plan of a whole round has it so, its first frame is sent all the
 * same, in the way that is the soonest sent: what has come of its head is not lost where it must be given up.
 */
function withProbe(
  plan: Pick<Plan, 'jobCuts' | 'order'>,
  cuts: readonly CodedCut[],
  uplink: Uplink,
): Pick<Plan, 'jobCuts' | 'order'> {
  if (plan.jobCuts.some((cut) => !cuts[cut]!.local)) return plan;
  const sent = cuts.flatMap((cut, index) => (cut.local ? [] : [{ index, job: jobAt(cut, uplink) }]));
  const soonest = sent.toSorted((a, b) => a.job.p1 + a.job.p2 - b.job.p1 - b.job.p2)[0];
  if (!soonest) return plan;
  return { ...plan, jobCuts: plan.jobCuts.with(plan.order[0]!, soonest.index) };
}

/** Of what it would take to finish a frame on its vehicle, so much is waited for it longer than planned: docs/results/links.md. */
const PATIENCE = 0.5;

/**
 * To wait longer than planned costs more and more, to finish the frame on the vehicle what is left of the network there:
 * whoever has waited in vain for half as long again as that takes loses one and a half times of it, and never more.
 */
function giveUpMs({ cut, uplinkStartMs, endMs }: StreamPlan, { segmentMs }: PlannedVehicle): number {
  const restMs = segmentMs.slice(cut).reduce((sum, ms) => sum + ms, 0);
  return endMs - uplinkStartMs + PATIENCE * restMs;
}

/** Whatever the cloud has of workers, and whoever else they serve: vehicle and uplink alone take as long as this. */
function vehicleAndUplinkBound(cuts: readonly Cut[], { cameras, uplinkBps }: PlannedVehicle): number {
  const without = cuts.map((cut) => ({ ...cut, p3: 0 }));
  return lowerBound(without, cameras.length, { uplinkBps });
}

/** The rate that a link is said to have, or the one that it is seen to have: beside that they are `exact`. */
const PLANNED_AS: Partial<Record<PolicyName, keyof typeof POLICIES>> = {
  'ro-jpeg': 'ro',
  fixed: 'exact',
  adaptive: 'exact',
  uncoordinated: 'exact',
  'fair-share': 'exact',
};

/** `ro` takes the first way to send a frame, and for `ro-jpeg` that is the JPEG, where there is one. */
function planner(policy: PolicyName): (typeof POLICIES)['ro'] {
  return POLICIES[PLANNED_AS[policy] ?? (policy as keyof typeof POLICIES)];
}

function streamPlan(camera: string, cut: number, codec: Codec, job: JobSchedule): StreamPlan {
  const { head, uplink, tail, endMs } = job;
  return {
    camera,
    cut,
    codec,
    headStartMs: head.startMs,
    headEndMs: head.endMs,
    uplinkStartMs: uplink?.startMs ?? head.endMs,
    uplinkEndMs: uplink?.endMs ?? head.endMs,
    tailStartMs: tail?.startMs ?? head.endMs,
    tailEndMs: tail?.endMs ?? head.endMs,
    endMs,
  };
}
