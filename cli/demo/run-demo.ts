/** The main job: a roadside unit, cloud workers and vehicles as processes, one campaign, one table. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '@splitlane/clock';
import type { CloudConfig } from '@splitlane/cloud';
import { type PreparedModel, prepareModel } from '@splitlane/dnn';
import { answeredFrames, type RunSummary, summarise } from '@splitlane/field-tests';
import { openRun } from '@splitlane/journal';
import { SharedChannel } from '@splitlane/net';
import { isCoded } from '@splitlane/proto';
import type { CampaignProgress, CodedPoint } from '@splitlane/roadside-unit';
import { type Camera, type CameraConfig, openCamera, type VehicleConfig } from '@splitlane/vehicle-node';
import { calibrate, judgedByCosine } from '../calibration.ts';
import type { EdgeUnitConfig } from '../edge.ts';
import { UsageError } from '../exit-codes.ts';
import { framesInTurn, spreadFrames } from '../frames.ts';
import { ProgressLine } from '../progress.ts';
import { type DemoChannel, type DemoOptions, makeOwnFolder } from './options.ts';
import { recapturing } from './recapture.ts';
import { referenceAnswers } from './reference.ts';
import { saveFrames } from './saved-frames.ts';
import { Supervisor } from './supervisor.ts';

const WARM_UP_ROUNDS = 3;
/** Of all cloud workers together, but each has one. */
const CLOUD_THREADS = 2;
const HOST = '127.0.0.1';

/** The user pressed Ctrl-C before the end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * Runs the demo and returns what its logs say.
 * @param interrupt aborts it: with `keepRunning` that is its end, otherwise it throws `Interrupted`.
 */
export async function runDemo(options: DemoOptions, interrupt: AbortSignal): Promise<RunSummary> {
  const progress = new ProgressLine();
  const stopIfInterrupted = (log: string): void => {
    if (interrupt.aborted && !options.keepRunning) throw new Interrupted(`stopped before the end; ${log}`);
  };
  const model = await prepareModel(options.model, {
    onProgress: (what, fraction) => progress.show(`preparing the model: ${what}`, fraction),
  });
  if (options.keepFramesOnBoard && model.cuts.length < 3)
    throw new UsageError(`--keep-frames-on-board: ${model.name} has no cut between its input and its output`);
  await checkFrames(options, model);
  stopIfInterrupted('nothing was begun');
  const byCosine = judgedByCosine(options.model, model.card);
  const codedPoints = await codedPointsOf(options, model, byCosine, (fraction) => {
    stopIfInterrupted('nothing was begun');
    progress.show('measuring codecs', fraction);
  });
  progress.clear();
  if (options.saveFrames !== undefined) makeOwnFolder('--save-frames', options.saveFrames);
  makeOwnFolder('--log', options.log);
  const vehicles = await campaign(options, model, codedPoints, interrupt, progress);

  const logs = openRun(options.log);
  try {
    const frames = answeredFrames(logs);
    const recapture = recapturing(model.card, vehicles);
    const { whole, lossy } = await referenceAnswers(model, recapture, frames, byCosine, (fraction) => {
      stopIfInterrupted(`the log is in ${options.log}`);
      progress.show('comparing with the whole model', fraction);
    });
    if (options.saveFrames !== undefined) {
      const { written, changed } = await saveFrames(options.saveFrames, recapture, frames, (fraction) => {
        stopIfInterrupted(`the log is in ${options.log}`);
        progress.show('saving frames', fraction);
      });
      const leftOut = changed > 0 ? `; ${changed} are left out, their pictures have changed since` : '';
      progress.line(`${written} frames are in ${options.saveFrames}${leftOut}`);
    }
    progress.clear();
    return summarise(
      logs,
      whole,
      model.cuts.map(({ id }) => id),
      options.power,
      { answers: lossy, maxLoss: options.maxLoss },
    );
  } finally {
    for (const log of logs) log.close();
  }
}

/** Starts all processes, waits for the end of the campaign, and stops them. Returns the vehicles. */
async function campaign(
  options: DemoOptions,
  model: PreparedModel,
  codedPoints: readonly CodedPoint[],
  interrupt: AbortSignal,
  progress: ProgressLine,
): Promise<VehicleConfig[]> {
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => {});
  const supervisor = new Supervisor({
    onProgress: (told) => {
      const step = told as CampaignProgress;
      if (step.kind === 'campaign-done') return ended.resolve();
      const left = `${step.done} of ${step.of} rounds done, about ${(step.predictedMs / 1000).toFixed(0)} s left`;
      progress.show(`policy ${step.policy}`, step.done / step.of, left);
    },
    onRestart: (node, how) => progress.line(`${node} ended (${how}); it is started again`),
    onFailure: ended.reject,
  });
  const stopNow = (): void => {
    if (options.keepRunning) ended.resolve();
    else ended.reject(new Interrupted(`stopped before the end; the log is in ${options.log}`));
  };
  interrupt.addEventListener('abort', stopNow);
  if (interrupt.aborted) stopNow();
  const unlessEnded = <T>(work: Promise<T>): Promise<T> =>
    Promise.race([work, ended.promise.then(() => work)]);

  const save = (name: string, config: unknown): string => {
    const file = path.join(options.log, `${name}.json`);
    writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
    return file;
  };
  const channels: SharedChannel[] = [];
  try {
    progress.show('starting the nodes', 0);
    const rsu = roadsideUnitConfig(options, model, codedPoints);
    const port = (await unlessEnded(supervisor.start(rsu.node, 'rsu', save(rsu.node, rsu))))!;
    progress.show('starting the nodes', 0.3);
    const clouds = cloudConfigs(options, port);
    const ports = new Map<string, number>();
    for (const { name, bps } of channelsOf(options)) {
      const channel = new SharedChannel({ host: HOST, port, bps }, systemClock);
      channels.push(channel);
      ports.set(name, await channel.start());
    }
    const vehicles = vehicleConfigs(options, port, ports);
    await unlessEnded(
      Promise.all([
        ...clouds.map((cloud) => supervisor.start(cloud.node, 'cloud', save(cloud.node, cloud))),
        ...vehicles.map((vehicle) => supervisor.start(vehicle.node, 'vehicle', save(vehicle.node, vehicle))),
      ]),
    );
    progress.show('nodes measure their segments, one after another', 0.6);
    await ended.promise;
    return vehicles;
  } catch (error) {
    if (!(options.keepRunning && interrupt.aborted)) throw error;
    return [];
  } finally {
    progress.clear();
    await supervisor.stop();
    await Promise.all(channels.map((channel) => channel.stop()));
  }
}

function roadsideUnitConfig(
  options: DemoOptions,
  model: PreparedModel,
  codedPoints: readonly CodedPoint[],
): EdgeUnitConfig {
  return {
    node: 'roadside-unit',
    listen: { host: HOST, port: 0 },
    modelHash: model.hash,
    keepFramesOnBoard: options.keepFramesOnBoard,
    codecs: [...options.codecs],
    codedPoints: [...codedPoints],
    maxLoss: options.maxLoss,
    channels: Object.fromEntries(channelsOf(options).map(({ name, bps }) => [name, bps])),
    vehicles: options.vehicles,
    clouds: options.clouds + (options.edge ? 1 : 0),
    ...(options.edge
      ? { edge: { ...options.edge, model: options.model, workers: 1, firstCut: firstCut(options) } }
      : {}),
    campaign: {
      policies: [...options.policies],
      warmUpRounds: WARM_UP_ROUNDS,
      ...(options.fps === undefined
        ? { rounds: options.rounds }
        : { rounds: 1, streams: { fps: options.fps, ticks: options.rounds } }),
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
      repeat: options.keepRunning,
    },
    log: options.log,
  };
}

function cloudConfigs(options: DemoOptions, port: number): CloudConfig[] {
  return Array.from({ length: options.clouds }, (_, index) => ({
    node: `cloud-${index + 1}`,
    broker: { host: HOST, port },
    model: options.model,
    workers: Math.max(1, Math.round(CLOUD_THREADS / options.clouds)),
    firstCut: firstCut(options),
    rttMs: options.cloudRttMs,
    log: options.log,
  }));
}

function firstCut({ keepFramesOnBoard }: DemoOptions): number {
  return keepFramesOnBoard ? 1 : 0;
}

/** @param ports of the emulated channels, by name. */
function vehicleConfigs(
  options: DemoOptions,
  port: number,
  ports: ReadonlyMap<string, number>,
): VehicleConfig[] {
  return Array.from({ length: options.vehicles }, (_, index) => {
    const channel = options.channels[index % options.channels.length];
    return {
      node: `vehicle-${index + 1}`,
      broker: { host: HOST, port: channel ? ports.get(channel.name)! : port },
      model: options.model,
      cameras: cameraConfigs(options, index),
      link: linkConfig(options, channel),
      vehicleMs: options.vehicleMs[index % options.vehicleMs.length]!,
      log: options.log,
    };
  });
}

function linkConfig(
  { uplinkBps, linkTrace, rttMs }: DemoOptions,
  channel: DemoChannel | undefined,
): VehicleConfig['link'] {
  if (channel) return { uplinkBps: channel.bps, channel: channel.name, rttMs };
  return { uplinkBps, ...(linkTrace === undefined ? {} : { trace: linkTrace }), rttMs };
}

function channelsOf({ channels }: DemoOptions): DemoChannel[] {
  return channels.filter((channel) => channel !== undefined);
}

function cameraConfigs(options: DemoOptions, vehicle: number): CameraConfig[] {
  const { cameras, framesDirs, sceneSeed } = options;
  return Array.from({ length: cameras }, (_, camera) => ({
    name: `camera-${camera + 1}`,
    source:
      framesDirs.length > 0
        ? { kind: 'pictures', folder: framesDirs[vehicle % framesDirs.length]!, first: camera, step: cameras }
        : { kind: 'scene', seed: sceneSeed + vehicle, camera, cameras },
  }));
}

/** Codecs, measured on the pictures that were named, or on the frames that the vehicles will see. */
async function codedPointsOf(
  options: DemoOptions,
  model: PreparedModel,
  byCosine: boolean,
  onProgress: (fraction: number) => void,
): Promise<CodedPoint[]> {
  const coded = options.codecs.filter(isCoded);
  if (coded.length === 0) return [];
  const frames =
    options.calibrateDirs.length > 0
      ? (await spreadFrames(options.calibrateDirs, model.card)).frames
      : await framesInTurn(
          cameraConfigs(options, 0).map((config): Camera => openCamera(config, model.card, () => {})),
        );
  const measured = await calibrate(model, frames, coded, byCosine, onProgress);
  return measured.map(({ cut, codec, bytes, encodeMs, decodeMs, loss }) => ({
    ...{ cut, codec, bytes, encodeMs, decodeMs, loss },
  }));
}

/** @throws CameraError where a folder has no picture that can be read: better now than in the first round. */
async function checkFrames(options: DemoOptions, model: PreparedModel): Promise<void> {
  for (const folder of [...options.framesDirs, ...options.calibrateDirs]) {
    const config: CameraConfig = { name: 'check', source: { kind: 'pictures', folder, first: 0, step: 1 } };
    await openCamera(config, model.card, () => {}).capture(0);
  }
}
