/**
 * A vehicle's step on virtual time with steady streams: everything takes the time that the plan has for it, and nothing
 * fails. One worker of the cloud serves in order of arrival.
 */
import assert from 'node:assert/strict';
import type { VehicleEffect, VehicleEvent } from '../../../../apps/vehicle-node/policy/events.ts';
import { initialState, step, type VehicleState } from '../../../../apps/vehicle-node/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import type { Outcome, VehiclePlan } from '../../../../libs/proto/messages.ts';
import { answer, resultOf } from './drive.ts';

export interface Ended {
  readonly camera: string;
  readonly tick: number;
  readonly outcome: Outcome;
  /** From its start to its end. */
  readonly ms: number;
  /** Of the processor and of the uplink. */
  readonly costMs: number;
}

export interface Streams {
  readonly periodMs: number;
  readonly ticks: number;
  readonly deadlineMs?: number;
  /** How many times as long as planned a tensor takes on the uplink. */
  readonly uplinkTimes?: number;
}

interface Frame {
  readonly camera: string;
  readonly tick: number;
  readonly startMs: number;
  costMs: number;
}

/** Runs the streams to their end. @returns how each frame ended, in the order of its end. */
export function runStreams(
  plan: VehiclePlan,
  { periodMs, ticks, deadlineMs = 0, uplinkTimes = 1 }: Streams,
): Ended[] {
  const cameras = plan.streams.map(({ camera }) => camera);
  const waiting: { readonly atMs: number; readonly order: number; readonly event: Untimed<VehicleEvent> }[] =
    [];
  const frames = new Map<number, Frame>();
  const ended: Ended[] = [];
  const uplink = new Map<number, number>();
  let state: VehicleState = initialState({ lastCut: plan.segmentMs.length, emulated: true });
  let [nowMs, order, lastFrame, tick, cloudFreeMs] = [0, 0, 0, 0, 0];
  let isDone = false;

  const later = (afterMs: number, event: Untimed<VehicleEvent>): void => {
    waiting.push({ atMs: nowMs + afterMs, order: order++, event });
  };
  const cost = (frame: number, ms: number): void => {
    frames.get(frame)!.costMs += ms;
  };
  const perform = (effect: VehicleEffect): void => {
    switch (effect.kind) {
      case 'capture': {
        const taken = cameras.map((camera) => {
          frames.set(++lastFrame, { camera, tick, startMs: nowMs, costMs: 0 });
          return { camera, frame: lastFrame };
        });
        tick++;
        return later(0, { kind: 'captured', round: effect.round.round, frames: taken });
      }
      case 'await-tick':
        return later(effect.afterMs, { kind: 'tick', round: effect.round });
      case 'ready':
        return later(0, { kind: 'round', round: { ...round, phase: 'go' } });
      case 'run': {
        cost(effect.frame, effect.emulatedMs!);
        const whole = effect.to === plan.segmentMs.length ? { answer } : {};
        return later(effect.emulatedMs!, { kind: 'run-done', frame: effect.frame, overrun: false, ...whole });
      }
      case 'send': {
        const { uplinkStartMs, uplinkEndMs } = plan.streams.find(({ camera }) => camera === effect.camera)!;
        const wireMs = uplinkTimes * (uplinkEndMs - uplinkStartMs);
        uplink.set(effect.frame, nowMs);
        return later(wireMs, { kind: 'sent', frame: effect.frame, endMs: 0, wireBytes: 1000, wireMs });
      }
      case 'stop-send':
        cost(effect.frame, nowMs - uplink.get(effect.frame)!);
        uplink.delete(effect.frame);
        return;
      case 'wake':
        return later(effect.afterMs, { kind: 'timeout', frame: effect.frame });
      case 'finish': {
        const { camera, tick: of, startMs, costMs } = frames.get(effect.frame)!;
        ended.push({ camera, tick: of, outcome: effect.outcome, ms: nowMs - startMs, costMs });
        frames.delete(effect.frame);
        return;
      }
      case 'round-done':
        isDone = true;
    }
  };
  /** What reaches the cloud has its tail run there. */
  const reached = (frame: number): void => {
    cost(frame, nowMs - uplink.get(frame)!);
    const { camera } = frames.get(frame)!;
    const { tailStartMs, tailEndMs, endMs } = plan.streams.find((stream) => stream.camera === camera)!;
    cloudFreeMs = Math.max(nowMs, cloudFreeMs) + tailEndMs - tailStartMs;
    later(cloudFreeMs - nowMs + endMs - tailEndMs, {
      kind: 'result',
      result: resultOf(frame, plan.epoch, { camera }),
    });
  };
  const round = { round: 1, frameIndex: 0, measured: true, periodMs, ticks, deadlineMs };
  for (const event of [
    { kind: 'connected' },
    { kind: 'plan', plan },
    { kind: 'round', round: { ...round, phase: 'capture' } },
  ] as const)
    later(0, event);
  while (waiting.length > 0 && !isDone) {
    waiting.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    const { atMs, event } = waiting.shift()!;
    nowMs = atMs;
    // A transfer that was stopped is over.
    if (event.kind === 'sent' && !uplink.has(event.frame)) continue;
    const timed = event.kind === 'sent' ? { ...event, endMs: nowMs } : event;
    const next = step(state, { atMs: nowMs, ...timed } as VehicleEvent);
    state = next.state;
    if (event.kind === 'sent' && frames.has(event.frame)) reached(event.frame);
    for (const effect of next.effects) perform(effect);
  }
  assert.ok(isDone, 'the streams come to an end');
  assert.equal(frames.size, 0, 'every frame ends');
  return ended;
}
