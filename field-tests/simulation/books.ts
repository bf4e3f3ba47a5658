/**
 * What must hold of a run, whatever happens to it: the books are kept on all nodes at once, beside their steps, and
 * whoever breaks an invariant is named with it.
 */

import type { CloudEffect, TailJob } from '@splitlane/cloud/policy/events';
import type { CloudState } from '@splitlane/cloud/policy/step';
import { BATCH_MS } from '@splitlane/journal';
import { cloudOf, isAnswered, type Outcome, type VehiclePlan } from '@splitlane/proto';
import type { CoordinatorEffect } from '@splitlane/roadside-unit/policy/events';
import type { CoordinatorState } from '@splitlane/roadside-unit/policy/step';
import type { VehicleEffect, VehicleEvent } from '@splitlane/vehicle-node/policy/events';
import type { VehicleState } from '@splitlane/vehicle-node/policy/step';
import type { MemoryLog } from './memory-log.ts';

/** What must hold, each with what it means that it does not. */
export const INVARIANTS = {
  'step-goes-on': 'a decision must never end in an exception',
  'known-effects': 'a step asks for something that the simulation does not know',
  'ends-once':
    'a captured frame ends in exactly one of cloud, local, or shed, past its deadline or dropped with a reason',
  'ends-at-all': 'every captured frame ends: a crash alone may leave some, no more than were under way',
  'own-answer': 'the answer that a frame ends with is of its own picture',
  'newest-plan': 'a job begins under the newest plan that its vehicle has',
  'plan-asked': 'a tensor is sent, and worked on, as a plan of its epoch says and not otherwise',
  'one-on-uplink':
    'a vehicle has one tensor on its uplink at a time, and on a granted channel none without a grant',
  'one-on-processor': 'a vehicle runs one frame at a time, from where its tensor stands',
  'bounded-queues': 'queues stay within their bounds',
  'numbers-rise':
    'plans and rounds are numbered past all that their vehicles have seen, of a roadside unit that died too',
  'silence-noticed':
    'whoever says nothing for longer than its strikes is gone for the roadside unit, and a dead connection for its node',
  'three-grants': 'three grants at most are out on a channel, and only to vehicles that are on it',
  'none-refused': 'no node of the house is refused',
  'log-agrees': 'what is durable replays to the same effects, and says of each frame what has happened',
  'goes-on': 'once nothing disturbs it any more, every vehicle completes rounds under a plan with a cloud',
} as const;
export type Invariant = keyof typeof INVARIANTS;

/** An invariant does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail} (${INVARIANTS[invariant]})`);
    this.invariant = invariant;
  }
}

const MOST_WAITING_TENSORS = 256;
/** Of rounds: the one that runs, the next one, and what a restarted roadside unit asks for meanwhile. */
const MOST_ROUNDS = 4;
const MOST_GRANTS = 3;

function hold(holds: boolean, invariant: Invariant, detail: () => string): void {
  if (!holds) throw new Violation(invariant, detail());
}

/** All plans that were ever made: what may be sent, and worked on by whom. */
export class PlansMade {
  readonly #streams = new Set<string>();

  add(vehicle: string, plan: VehiclePlan): void {
    for (const stream of plan.streams) {
      const { camera, cut, codec } = stream;
      this.#streams.add([vehicle, plan.epoch, camera, cut, codec, cloudOf(stream, plan)].join());
    }
  }

  has({ vehicle, epoch, camera, cut, codec }: Omit<TailJob, 'frame'>, cloud: string): boolean {
    return this.#streams.has([vehicle, epoch, camera, cut, codec, cloud].join());
  }
}

/** How many frames ended how, in all processes. */
export interface Tally {
  cloud: number;
  local: number;
  /** Of steady streams: for a newer frame of their camera, and for their deadline. */
  shed: number;
  deadline: number;
  dropped: number;
  /** Captured, durable, and without an end when their vehicle crashed. */
  lostInCrash: number;
  /** Captured so shortly before a crash that nothing of them is durable. */
  neverDurable: number;
  rounds: number;
  crashes: number;
}

interface OpenFrame {
  readonly capturedMs: number;
  at: number;
  hasRun: boolean;
}

/** The books of one process of a vehicle. */
export class VehicleBooks {
  readonly #name: string;
  readonly #node: string;
  readonly #cameras: number;
  readonly #plans: PlansMade;
  readonly #tally: Tally;
  readonly #open = new Map<number, OpenFrame>();
  readonly #captured = new Map<number, number>();
  readonly #grants = new Set<string>();
  /** Epochs of plans whose tensors wait for a grant. */
  readonly #granted = new Set<number>();
  #running: number | undefined;
  #sending: number | undefined;
  #newestEpoch = 0;
  #newestRound = 0;
  #wholePlan: VehiclePlan | undefined;
  #revisions: VehiclePlan[] = [];
  #mostPeriods = 0;

  constructor(name: string, node: string, cameras: number, plans: PlansMade, tally: Tally) {
    this.#name = name;
    this.#node = node;
    this.#cameras = cameras;
    this.#plans = plans;
    this.#tally = tally;
  }

  captured(frame: number, atMs: number): void {
    this.#open.set(frame, { capturedMs: atMs, at: 0, hasRun: false });
    this.#captured.set(frame, atMs);
    const most = this.#mostOpen();
    this.#hold(this.#open.size <= most, 'bounded-queues', () => `${this.#open.size} frames are open`);
  }

  /** Steady streams overlap as far as their plan has it. */
  #mostOpen(): number {
    return (MOST_ROUNDS + this.#mostPeriods) * this.#cameras;
  }

  ran(frame: number, to: number | undefined): void {
    if (this.#running === frame) this.#running = undefined;
    const open = this.#open.get(frame);
    if (open && to !== undefined) open.at = to;
  }

  transferEnded(frame: number): void {
    if (this.#sending === frame) this.#sending = undefined;
  }

  decided(
    before: VehicleState,
    event: VehicleEvent,
    after: VehicleState,
    effects: readonly VehicleEffect[],
  ): void {
    this.#hears(before, event);
    this.#checkBegun(before, after);
    for (const effect of effects) this.#check(effect);
  }

  #hears(before: VehicleState, event: VehicleEvent): void {
    if (event.kind === 'granted') this.#grants.add(`${event.frame}/${event.epoch}`);
    if (event.kind === 'connected') this.#wholePlan = undefined;
    if (event.kind === 'round' && event.round.phase === 'capture')
      this.#newestRound = Math.max(this.#newestRound, event.round.round);
    if (event.kind !== 'plan' || event.plan.epoch <= this.#newestEpoch) return;
    this.#newestEpoch = event.plan.epoch;
    if (event.plan.granted) this.#granted.add(event.plan.epoch);
    else this.#granted.delete(event.plan.epoch);
    const { makespanMs, periodMs = 0 } = event.plan;
    if (periodMs > 0) this.#mostPeriods = Math.max(this.#mostPeriods, Math.ceil(makespanMs / periodMs));
    if (event.plan.round === 0) this.#wholePlan = event.plan;
    else if (before.running?.round.round === event.plan.round) this.#revisions.push(event.plan);
  }

  /** A round begins under the newest plan, and a job under that, or under the newest for what is left of its round. */
  #checkBegun(before: VehicleState, after: VehicleState): void {
    const { running } = after;
    if (!running) return;
    const isNew = before.running?.startMs !== running.startMs || before.running.round !== running.round;
    if (isNew) {
      this.#revisions = [];
      const [has, newest] = [running.plan?.epoch ?? 0, this.#wholePlan?.epoch ?? 0];
      this.#hold(
        has === newest,
        'newest-plan',
        () => `round ${running.round.round} has plan ${has}, not ${newest}`,
      );
    }
    for (const job of running.jobs) {
      if (job.stage === 'waiting') continue;
      const was = isNew ? undefined : before.running?.jobs.find(({ frame }) => frame === job.frame);
      if (was && was.stage !== 'waiting') continue;
      const revised = this.#revisions.findLast(({ streams }) =>
        streams.some(({ camera }) => camera === job.camera),
      );
      const isSteady = (running.round.periodMs ?? 0) > 0;
      // Frames of steady streams wait through many plans; who is alone obeys none.
      if (isSteady && running.alone) continue;
      const whole = isSteady ? (this.#wholePlan?.epoch ?? 0) : (running.plan?.epoch ?? 0);
      const isNewest = job.epoch === (isSteady ? whole : (revised?.epoch ?? whole));
      this.#hold(
        isNewest || (isSteady && revised?.epoch === job.epoch && job.epoch > whole),
        'newest-plan',
        () => `frame ${job.frame} began under plan ${job.epoch}, not ${revised?.epoch ?? whole}`,
      );
    }
  }

  #check(effect: VehicleEffect): void {
    switch (effect.kind) {
      case 'hello': {
        const { epoch, round } = effect;
        const isTrue = epoch === this.#newestEpoch && round === this.#newestRound;
        const seen = `epoch ${this.#newestEpoch} and round ${this.#newestRound}`;
        this.#hold(isTrue, 'numbers-rise', () => `it says ${epoch} and ${round}, and has seen ${seen}`);
        return;
      }
      case 'run': {
        const open = this.#openFrame(effect.frame, 'is to be run');
        const isFree = this.#running === undefined;
        this.#hold(isFree, 'one-on-processor', () => `frame ${effect.frame} beside ${this.#running}`);
        this.#hold(
          effect.from === open.at && effect.to > effect.from,
          'one-on-processor',
          () =>
            `frame ${effect.frame} stands at ${open.at} and is to run from ${effect.from} to ${effect.to}`,
        );
        this.#running = effect.frame;
        return;
      }
      case 'send': {
        const { frame, camera, epoch, cut, codec, cloud } = effect;
        const open = this.#openFrame(frame, 'is to be sent');
        const isFree = this.#sending === undefined;
        this.#hold(isFree, 'one-on-uplink', () => `frame ${frame} beside ${this.#sending}`);
        const isPlanned = this.#plans.has({ vehicle: this.#node, camera, epoch, cut, codec }, cloud);
        this.#hold(
          isPlanned && open.at === cut,
          'plan-asked',
          () =>
            `frame ${frame} of ${camera}, at cut ${open.at}, is sent to ${cloud} at cut ${cut} as ${codec} by plan ${epoch}`,
        );
        const isGranted = !this.#granted.has(epoch) || this.#grants.has(`${frame}/${epoch}`);
        this.#hold(isGranted, 'one-on-uplink', () => `frame ${frame} is sent without a grant`);
        this.#sending = frame;
        return;
      }
      case 'stop-send':
        return this.transferEnded(effect.frame);
      case 'finish': {
        const { frame, outcome, answer, reason } = effect;
        this.#openFrame(frame, `ends as ${outcome}`);
        const isWhole = isAnswered(outcome) ? !!answer : !answer && !!reason;
        this.#hold(
          isWhole,
          'ends-once',
          () => `frame ${frame} ends as ${outcome} without what belongs to it`,
        );
        const isOwn = !answer || answer.digest === this.identityOf(frame);
        this.#hold(isOwn, 'own-answer', () => `frame ${frame} ends with the answer of ${answer?.digest}`);
        this.#open.delete(frame);
        this.#tally[outcome]++;
        return;
      }
      case 'round-done':
        this.#tally.rounds++;
        return;
      case 'refused':
        throw new Violation('none-refused', `${this.#name}: ${effect.reason}`);
      default:
        return;
    }
  }

  #openFrame(frame: number, what: string): OpenFrame {
    const open = this.#open.get(frame);
    const was = this.#captured.has(frame) ? 'has ended already' : 'was never captured';
    this.#hold(open !== undefined, 'ends-once', () => `frame ${frame} ${what} and ${was}`);
    return open!;
  }

  /** What a frame's picture is known by, in all the world. */
  identityOf(frame: number): string {
    return `${this.#name}/${frame}`;
  }

  /** After a crash: the log names what has no end. */
  crashed(log: MemoryLog, atMs: number): void {
    const frames = log.rows('frame');
    const ended = new Set(log.rows('result').map(({ frame }) => frame));
    const left = frames.filter(({ frame }) => !ended.has(frame));
    const most = this.#mostOpen() + this.#endedSince(log);
    this.#hold(left.length <= most, 'ends-at-all', () => `${left.length} frames are left by a crash`);
    const durable = new Set(frames.map(({ frame }) => frame));
    for (const [frame, capturedMs] of this.#captured)
      this.#hold(
        durable.has(frame) || capturedMs > atMs - BATCH_MS - 1e-6,
        'log-agrees',
        () => `frame ${frame} is ${atMs - capturedMs} ms old and not durable`,
      );
    this.#checkLog(log);
    this.#tally.lostInCrash += left.length;
    this.#tally.neverDurable += this.#captured.size - durable.size;
    this.#tally.crashes++;
  }

  /** After a stop: nothing is left. */
  stopped(log: MemoryLog): void {
    const [left] = this.#open.keys();
    this.#hold(left === undefined, 'ends-at-all', () => `frame ${left} has no end when its vehicle stops`);
    this.#checkLog(log);
    const [frames, results] = [log.rows('frame').length, log.rows('result').length];
    const agrees = frames === results && frames === this.#captured.size;
    this.#hold(agrees, 'log-agrees', () => `${frames} frames and ${results} results are in the log`);
  }

  /** Frames whose end is known here and not yet in the log. */
  #endedSince(log: MemoryLog): number {
    return this.#captured.size - this.#open.size - log.rows('result').length;
  }

  #checkLog(log: MemoryLog): void {
    const frames = new Set(log.rows('frame').map(({ frame }) => frame));
    const ended = new Set<number>();
    for (const { frame, outcome, reason } of log.rows('result')) {
      const isFirst = !ended.has(frame) && frames.has(frame) && !this.#open.has(frame);
      this.#hold(
        isFirst,
        'log-agrees',
        () => `the log has a result of frame ${frame} that it should not have`,
      );
      this.#hold(
        isAnswered(outcome as Outcome) || !!reason,
        'log-agrees',
        () => `the log does not say why frame ${frame} was dropped`,
      );
      ended.add(frame);
    }
  }

  #hold(holds: boolean, invariant: Invariant, detail: () => string): void {
    hold(holds, invariant, () => `${this.#name}: ${detail()}`);
  }
}

/** The books of one process of a cloud worker. */
export function checkCloud(
  name: string,
  node: string,
  plans: PlansMade,
  vehicles: number,
  after: CloudState,
  effects: readonly CloudEffect[],
): void {
  const { length } = after.waiting;
  // Each vehicle may have one in assembly that was let in before.
  const most = MOST_WAITING_TENSORS + vehicles;
  hold(length <= most, 'bounded-queues', () => `${name}: ${length} tensors wait`);
  for (const effect of effects) {
    if (effect.kind === 'refused') throw new Violation('none-refused', `${name}: ${effect.reason}`);
    if (effect.kind !== 'run') continue;
    const { job } = effect;
    hold(
      plans.has(job, node),
      'plan-asked',
      () => `${name}: works on ${JSON.stringify(job)}, which no plan asked for`,
    );
  }
}

/** The books of one process of the roadside unit. */
export function checkCoordinator(
  { nodes, grants }: CoordinatorState,
  effects: readonly CoordinatorEffect[],
  nodesInAll: number,
  camerasInAll: number,
  plans: PlansMade,
): void {
  const known = Object.keys(nodes).length;
  hold(
    known <= nodesInAll,
    'bounded-queues',
    () => `the roadside unit knows ${known} nodes of ${nodesInAll}`,
  );
  const isOn = (channel: string, vehicle: string): boolean => nodes[vehicle]?.hello.channel === channel;
  for (const [channel, { granted, waiting }] of Object.entries(grants)) {
    hold(granted.length <= MOST_GRANTS, 'three-grants', () => `${granted.length} grants are out`);
    for (const { vehicle } of [...granted, ...waiting])
      hold(isOn(channel, vehicle), 'three-grants', () => `${vehicle} is not on ${channel}`);
    const most = MOST_ROUNDS * camerasInAll;
    hold(waiting.length <= most, 'bounded-queues', () => `${waiting.length} tensors wait for ${channel}`);
  }
  for (const effect of effects) {
    if (effect.kind === 'plan') {
      const { vehicle, plan } = effect;
      plans.add(vehicle, plan);
      const isNew = plan.epoch > (nodes[vehicle]?.hello.epoch ?? 0);
      hold(isNew, 'numbers-rise', () => `${vehicle} has seen more than plan ${plan.epoch}`);
    }
    if (effect.kind === 'round' && effect.round.phase === 'capture') {
      const { vehicle, round } = effect;
      const isNew = round.round > (nodes[vehicle]?.hello.round ?? 0);
      hold(isNew, 'numbers-rise', () => `${vehicle} has seen more than round ${round.round}`);
    }
    if (effect.kind !== 'grant-channel') continue;
    const { vehicle } = effect;
    const channel = nodes[vehicle]?.hello.channel ?? '';
    hold(
      Object.hasOwn(grants, channel),
      'three-grants',
      () => `${vehicle} is granted what it does not share`,
    );
  }
}
