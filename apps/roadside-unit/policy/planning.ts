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
  judgeSteady,
  lowerBound,
  type Plan,
  POLICIES,
  planFleet,
  planSteady,
  type Uplink,
  uncoordinated,
} from '@splitlane/sched';
import type { CodedPoint, PolicyName } from '../config.ts';
import { ChoiceMemory } from './choice-memory.ts';
import { assignTails, type Planned, type PlannedCloud, poolsOf } from './cloud-pool.ts';
import type { ChannelOrder } from './grants.ts';

/** A vehicle as planning sees it. */
export interface PlannedVehicle {
  readonly node: string;
  readonly cameras: readonly string[];
  readonly uplinkBps: number;
  /** The channel that it shares with all others on it, and its rate in bit/s; its link is its own unless given. */
  readonly channel?: { readonly name: string; readonly bps: number };
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
/** Ends that are closer than this are the same. */
const SAME_MS = 1e-6;

/** What may be sent, and how. */
export interface SendingRules {
  /** Nothing is sent at cut 0, compressed or not. */
  readonly keepFramesOnBoard: boolean;
  /** The codecs that policies choose among; `ro` and `ro-jpeg` are bound to theirs. */
  readonly codecs: readonly Codec[];
  /** What is known of coded tensors, and how much a job may lose. */
  readonly codedPoints: readonly CodedPoint[];
  readonly maxLoss: number;
  /** Of steady streams the time between two frames of a camera; one round at a time unless given. */
  readonly periodMs?: number | undefined;
}

/** A vehicle's part of a plan, before it is judged with the others. */
interface Choice {
  readonly cuts: readonly CodedCut[];
  /** Index of the cut of each camera. */
  readonly jobCuts: readonly number[];
  /** Cameras in the order in which their heads start. */
  readonly order: readonly number[];
  /** No plan of it, or of all vehicles on its channel, ends earlier. */
  readonly lowerBoundMs: number;
  /** Of steady streams the period that it holds, and the longest that a frame then takes. */
  readonly steady?: { readonly periodMs: number; readonly worstLatencyMs: number };
}

export interface VehiclePlans {
  readonly plans: readonly Planned[];
  /** The cameras that send, those of one channel in the order in which they are to have it. */
  readonly channelOrder: ChannelOrder;
}

/**
 * Plans for all vehicles under one policy: cuts are chosen by what the workers of the cloud are on average, or by what one
 * kind of them is where that ends earlier, and each tail goes to the one that will finish it first. Without a worker
 * everything is local.
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
  const [first, ...others] = poolsOf(clouds).map((pool) =>
    planBy(pool, policy, vehicles, clouds, rules, epoch, round),
  );
  return others.reduce((best, other) => (endsEarlier(other, best) ? other : best), first!);
}

/** When the last result of all is there, and where that is the same when those of each vehicle are, counts. */
function endsEarlier(one: VehiclePlans, other: VehiclePlans): boolean {
  const [ends, otherEnds] = [one, other].map(({ plans }) => plans.map(({ plan }) => plan.makespanMs));
  const sum = (of: readonly number[]): number => of.reduce((total, ms) => total + ms, 0);
  const sooner = Math.max(...otherEnds!) - Math.max(...ends!);
  return Math.abs(sooner) > SAME_MS ? sooner > 0 : sum(ends!) < sum(otherEnds!) - SAME_MS;
}

/** @param cloud the workers as cuts are chosen by them; `clouds` run the tails. */
function planBy(
  cloud: PlannedCloud | undefined,
  policy: PolicyName,
  vehicles: readonly PlannedVehicle[],
  clouds: readonly PlannedCloud[],
  rules: SendingRules,
  epoch: number,
  round: number,
): VehiclePlans {
  const choices = chooseByGroup(policy, vehicles, cloud, rules);
  const channels = [...new Set(vehicles.flatMap(({ channel }) => channel?.name ?? []))];
  const rttMs = Math.max(0, ...vehicles.map((vehicle) => vehicle.rttMs));
  const schedules = fleetGantt(
    choices.map(({ cuts, jobCuts, order }, index) => {
      const { busy, channel } = vehicles[index]!;
      const uplinkBps = rateOf(vehicles[index]!);
      const jobs = jobCuts.map((cut) => jobAt(cuts[cut]!, { uplinkBps, rttMs }));
      const link = channel ? { link: channels.indexOf(channel.name) } : {};
      return { jobs, order, ...(busy ? { busy } : {}), ...link };
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
  const latestMs = new Map<string, number>();
  vehicles.forEach(({ channel }, index) => {
    if (!channel) return;
    latestMs.set(channel.name, Math.max(latestMs.get(channel.name) ?? 0, lastResultMs(assigned[index]!)));
  });
  const plans = choices.map(({ lowerBoundMs, steady }, index) => {
    const vehicle = vehicles[index]!;
    const makespanMs = Math.max(lastResultMs(assigned[index]!), steady?.worstLatencyMs ?? 0);
    const streams = assigned[index]!.map((planned) =>
      policy === 'adaptive' ? { ...planned, giveUpMs: giveUpMs(planned, vehicle) } : planned,
    );
    const plan: VehiclePlan = {
      ...{ epoch, policy, cloud: clouds[0]?.node ?? '', streams, makespanMs, round },
      lowerBoundMs: Math.min(makespanMs, lowerBoundMs),
      segmentMs: [...vehicle.segmentMs],
      uplinkBps: rateOf(vehicle),
      // Who shares a channel may have to wait for all others on it.
      jobTimeoutMs:
        TIMEOUT_FACTOR * (vehicle.channel ? latestMs.get(vehicle.channel.name)! : makespanMs) +
        TIMEOUT_GRACE_MS,
      granted: cloud !== undefined && vehicle.channel !== undefined && TOGETHER[policy] === planFleet,
      ...(steady ? { periodMs: steady.periodMs } : {}),
    };
    return { vehicle: vehicle.node, plan };
  });
  return { plans, channelOrder: channelOrderOf(plans) };
}

function lastResultMs(streams: readonly StreamPlan[]): number {
  return Math.max(0, ...streams.map(({ endMs }) => endMs));
}

/** What a vehicle sends with while it sends: its own link, or the whole channel. */
function rateOf({ channel, uplinkBps }: PlannedVehicle): number {
  return channel?.bps ?? uplinkBps;
}

/**
 * Vehicles on one channel are planned together on their part of the cloud's threads, channel by channel; who has a link of
 * its own, and every vehicle under a policy that knows of no other, is planned alone.
 */
function chooseByGroup(
  policy: PolicyName,
  vehicles: readonly PlannedVehicle[],
  cloud: PlannedCloud | undefined,
  rules: SendingRules,
): Choice[] {
  const together = cloud && TOGETHER[policy];
  const chosen = new Map<PlannedVehicle, Choice>();
  const groups = Map.groupBy(vehicles, ({ channel }) => together && channel?.name);
  for (const [name, group] of groups) {
    const choices =
      together && name !== undefined
        ? chooseTogether(together, group, partOf(cloud, group.length, vehicles.length), rules)
        : chooseEachAlone(policy, group, cloud, rules, vehicles.length);
    for (const [index, vehicle] of group.entries()) chosen.set(vehicle, choices[index]!);
  }
  return vehicles.map((vehicle) => chosen.get(vehicle)!);
}

/** Of the threads what is for so many of all vehicles: whole ones, and one at least. */
function partOf(cloud: PlannedCloud, vehicles: number, inAll: number): PlannedCloud {
  return { ...cloud, workers: Math.max(1, Math.floor((cloud.workers * vehicles) / inAll)) };
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
): Choice[] {
  const uplinkBps = rateOf(vehicles[0]!);
  // Vehicles of one kind share one table: it is looked at once.
  const tables = new Map<string, CodedCut[]>();
  const cutsOf = (vehicle: PlannedVehicle): CodedCut[] => {
    const { segmentMs, slowdown, jpegBytes } = vehicle;
    const key = JSON.stringify([segmentMs, slowdown, jpegBytes, vehicle.node.length]);
    const cuts = tables.get(key) ?? candidatesOf({ ...vehicle, uplinkBps }, cloud, rules);
    tables.set(key, cuts);
    return cuts;
  };
  const fleet = vehicles.map((vehicle) => {
    const cuts = cutsOf(vehicle);
    return { id: vehicle.node, cameras: vehicle.cameras.map(() => cuts) };
  });
  const rttMs = Math.max(cloud.fixedMs, ...vehicles.map((vehicle) => vehicle.rttMs));
  const planned = plan(fleet, { uplinkBps, rttMs, cloudWorkers: cloud.workers });
  return planned.vehicles.map(({ jobCuts, order }, index) => ({
    cuts: fleet[index]!.cameras[0]! as CodedCut[],
    ...{ jobCuts, order, lowerBoundMs: planned.lowerBoundMs },
  }));
}

const choices = new ChoiceMemory<Choice>();

function chooseEachAlone(
  policy: PolicyName,
  vehicles: readonly PlannedVehicle[],
  cloud: PlannedCloud | undefined,
  rules: SendingRules,
  inAll: number,
): Choice[] {
  const most = Math.max(0, ...vehicles.map(({ cuts }) => cuts.length));
  const tails = [...rules.codecs, 'jpeg' as const].map((codec) =>
    Array.from({ length: most }, (_, cut) => cloud?.tailMs(cut, codec) ?? 0),
  );
  const circumstances = JSON.stringify([policy, inAll, rules, tails, cloud]);
  return vehicles.map((vehicle) => {
    const { node, cameras, cuts, segmentMs, ...link } = vehicle;
    const table = cuts.map(({ id, bytes }) => `${id} ${bytes}`);
    // Of names only the length counts: it is on the wire.
    const figures = `${node.length} ${cameras.length} ${table} ${segmentMs} ${JSON.stringify(link)}`;
    return choices.of(circumstances, figures, () => chooseAlone(policy, vehicle, cloud, rules, inAll));
  });
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
  const { busy, uplinkBps } = vehicle;
  const uplink: Uplink = { uplinkBps, rttMs: Math.max(vehicle.rttMs, cloud?.fixedMs ?? 0) };
  // Where vehicles outnumber the threads each has a part of one, and its tails take the longer.
  const crowd = Math.max(1, vehicles / (cloud?.workers ?? 1));
  const crowded = cuts.map((cut) => ({ ...cut, p3: (cut.p3 ?? 0) * crowd }));
  if (rules.periodMs !== undefined) {
    const n = vehicle.cameras.length;
    const cloudWorkers = Math.max(1, Math.floor((cloud?.workers ?? 1) / vehicles));
    const way = { ...uplink, cloudWorkers };
    const steady = chooseSteady(planned(cloud ? policy : 'lo'), crowded, n, way, rules.periodMs);
    return { ...steady, cuts };
  }
  const conditions = busy ? { ...uplink, busy } : uplink;
  const best = planner(cloud ? policy : 'lo')(crowded, vehicle.cameras.length, conditions);
  const { jobCuts, order } = policy === 'adaptive' && cloud && !busy ? withProbe(best, cuts, uplink) : best;
  return { cuts, jobCuts, order, lowerBoundMs: vehicleAndUplinkBound(candidates, vehicle) };
}

/** Of streams `exact` is the plan of least worst-case latency that holds the period; another policy's is as it is, at the rate that it holds. */
function chooseSteady(
  policy: keyof typeof POLICIES,
  cuts: readonly Cut[],
  n: number,
  way: Uplink & { readonly cloudWorkers: number },
  periodMs: number,
): Omit<Choice, 'cuts'> {
  if (policy === 'exact') {
    const { jobCuts, order, lowerBoundMs, plannedPeriodMs, worstLatencyMs } = planSteady(
      cuts,
      n,
      way,
      periodMs,
    );
    return { jobCuts, order, lowerBoundMs, steady: { periodMs: plannedPeriodMs, worstLatencyMs } };
  }
  const { jobCuts, order, lowerBoundMs } = POLICIES[policy](cuts, n, way);
  const jobs = jobCuts.map((cut) => jobAt(cuts[cut]!, way));
  const halfMs = (way.rttMs ?? 0) / 2;
  const between = { cloudWorkers: way.cloudWorkers, uplinkDelayMs: halfMs, returnMs: halfMs };
  const asked = judgeSteady(jobs, order, periodMs, between);
  const heldMs = asked.holds ? periodMs : asked.sustainablePeriodMs;
  const { worstLatencyMs } = judgeSteady(jobs, order, heldMs, between);
  return { jobCuts, order, lowerBoundMs, steady: { periodMs: heldMs, worstLatencyMs } };
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
  return POLICIES[planned(policy)];
}

function planned(policy: PolicyName): keyof typeof POLICIES {
  return PLANNED_AS[policy] ?? (policy as keyof typeof POLICIES);
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
