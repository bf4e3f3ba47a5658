/**
 * Real processes under fire: a roadside unit, cloud workers and vehicles run rounds and steady streams while any of them is
 * killed at any time and started again, and connections are cut and held up. Afterwards the logs are judged.
 */
import { createServer } from 'node:net';
import type { CloudConfig } from '../../apps/cloud/index.ts';
import type { VehicleConfig } from '../../apps/vehicle-node/index.ts';
import { recapturing } from '../../cli/demo/recapture.ts';
import { referenceAnswers } from '../../cli/demo/reference.ts';
import type { EdgeUnitConfig } from '../../cli/edge.ts';
import { answeredFrames, summarise } from '../../field-tests/index.ts';
import { seededRandom, systemClock } from '../../libs/clock/index.ts';
import { JournalError, type LogReader, openRun } from '../../libs/journal/index.ts';
import { HOST, type NodeProcess, type Nodes, pictureCameras, until } from '../system/nodes.ts';
import { recordedSteps, replay } from '../system/recorded-steps.ts';
import { UnkindProxy } from './unkind-proxy.ts';
import { type Verdict, verdictOf } from './verdict.ts';

export interface SoakOptions {
  readonly forMs: number;
  readonly seed: number;
  /** Between two kills, and between two cut or stalled connections, on average. */
  readonly killEveryMs: number;
  readonly cutEveryMs: number;
  readonly onProgress?: (line: string) => void;
}

export interface SoakResult extends Verdict {
  readonly kills: Readonly<Record<string, number>>;
  readonly sockets: { readonly cut: number; readonly stalled: number };
  /** Answers that differ from the whole model's. */
  readonly wrong: number;
}

const VEHICLES = 3;
const CLOUDS = 2;
const CAMERAS = 3;
const VEHICLE_MS = 60;
const UPLINK_BPS = 4e6;
/** Longer than a heartbeat's strikes at most, so that what is held up is taken for lost now and then. */
const LONGEST_STALL_MS = 7000;
const LONGEST_CUT_MS = 1500;
const LONGEST_REST_MS = 1000;
/** Rounds that every vehicle completes with the cloud once it is quiet again. */
const QUIET_ROUNDS = 3;
const PROGRESS_MS = 15_000;

type Role = 'rsu' | 'cloud' | 'vehicle';

export async function soak(nodes: Nodes, options: SoakOptions): Promise<SoakResult> {
  const { forMs, killEveryMs, cutEveryMs, seed, onProgress = () => {} } = options;
  const random = seededRandom(seed);
  const between = (least: number, most: number): number => least + (most - least) * random();
  const oneOf = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const [model, pictures, port] = await Promise.all([nodes.prepare(), nodes.pictures(), freePort()]);

  const proxies: UnkindProxy[] = [];
  const proxied = async (): Promise<{ host: string; port: number }> => {
    const proxy = new UnkindProxy(port);
    proxies.push(proxy);
    return { host: HOST, port: await proxy.start() };
  };
  const unit = (): EdgeUnitConfig => unitConfig(nodes, port, model.hash, random);
  const configs = new Map<
    string,
    { role: Role; config: () => EdgeUnitConfig | CloudConfig | VehicleConfig }
  >();
  configs.set('roadside-unit', { role: 'rsu', config: unit });
  for (let index = 1; index <= CLOUDS; index++) {
    const node = `cloud-${index}`;
    const broker = await proxied();
    const fixed = { node, broker, model: nodes.model, workers: 1, firstCut: 0, rttMs: 0, log: nodes.log };
    configs.set(node, { role: 'cloud', config: () => fixed });
  }
  const vehicles: VehicleConfig[] = [];
  for (let index = 1; index <= VEHICLES; index++) {
    const vehicle: VehicleConfig = {
      ...{ node: `vehicle-${index}`, broker: await proxied(), model: nodes.model, log: nodes.log },
      cameras: pictureCameras(pictures, CAMERAS),
      link: { uplinkBps: UPLINK_BPS, rttMs: 0 },
      vehicleMs: VEHICLE_MS,
    };
    vehicles.push(vehicle);
    configs.set(vehicle.node, { role: 'vehicle', config: () => vehicle });
  }

  const running = new Map<string, NodeProcess>();
  const failures: string[] = [];
  const expected = new Set<NodeProcess>();
  const start = (node: string): NodeProcess => {
    const { role, config } = configs.get(node)!;
    const process = nodes.start(role, config());
    running.set(node, process);
    process.ended.then(({ code, signal, message }) => {
      if (!expected.has(process)) failures.push(`${node} ended by itself (${signal ?? code}): ${message}`);
    });
    return process;
  };
  await start('roadside-unit').ready;
  await Promise.all(
    [...configs.keys()].filter((node) => node !== 'roadside-unit').map((node) => start(node).ready),
  );

  const kills: Record<string, number> = { rsu: 0, cloud: 0, vehicle: 0 };
  const sockets = { cut: 0, stalled: 0 };
  const endMs = systemClock.now() + forMs;
  const isOver = (): boolean => systemClock.now() >= endMs;
  const killing = async (): Promise<void> => {
    while (!isOver()) {
      await systemClock.sleep(between(0.5, 1.5) * killEveryMs);
      const node = oneOf([...configs.keys()]);
      const process = running.get(node)!;
      expected.add(process);
      await process.stop('SIGKILL');
      kills[configs.get(node)!.role]!++;
      await systemClock.sleep(between(0, LONGEST_REST_MS));
      start(node);
    }
  };
  const cutting = async (): Promise<void> => {
    while (!isOver()) {
      await systemClock.sleep(between(0.5, 1.5) * cutEveryMs);
      const proxy = oneOf(proxies);
      if (random() < 0.6) sockets.cut += proxy.cut(between(0, LONGEST_CUT_MS));
      else sockets.stalled += proxy.stall(between(50, LONGEST_STALL_MS));
    }
  };
  const telling = async (): Promise<void> => {
    while (!isOver()) {
      await systemClock.sleep(Math.min(PROGRESS_MS, Math.max(0, endMs - systemClock.now())));
      const sum = Object.values(kills).reduce((a, b) => a + b, 0);
      onProgress(
        `${Math.max(0, (endMs - systemClock.now()) / 1000).toFixed(0)} s left, ${sum} kills, ${sockets.cut} sockets cut, ${sockets.stalled} stalled`,
      );
    }
  };
  await Promise.all([killing(), cutting(), telling()]);

  onProgress('quiet now; waiting until every vehicle works with the cloud again');
  const quietMs = systemClock.now();
  await until(() => vehicles.every(({ node }) => quietRounds(nodes, node, quietMs) >= QUIET_ROUNDS));
  onProgress(`all are back after ${((systemClock.now() - quietMs) / 1000).toFixed(1)} s`);
  for (const process of running.values()) expected.add(process);
  for (const role of ['vehicle', 'cloud', 'rsu'] as const) {
    const of = [...running].filter(([node]) => configs.get(node)!.role === role);
    for (const { code, signal, message } of await Promise.all(of.map(([, process]) => process.stop())))
      if (code !== 0) failures.push(`a ${role} ended with ${signal ?? code}: ${message}`);
  }
  await Promise.all(proxies.map((proxy) => proxy.stop()));

  const logs = openRun(nodes.log);
  try {
    const verdict = verdictOf(logs);
    const frames = answeredFrames(logs);
    const { whole } = await referenceAnswers(
      model,
      recapturing(model.card, vehicles),
      frames,
      true,
      () => {},
    );
    const { identical } = summarise(
      logs,
      whole,
      model.cuts.map(({ id }) => id),
    );
    const differences = logs.flatMap((log) => {
      if (log.rows('run').length === 0) return [];
      const difference = replay(recordedSteps(log), model);
      return difference ? [`${log.file} replays differently at event ${difference.sequence}`] : [];
    });
    const breaches = [...verdict.breaches, ...differences, ...failures];
    return { ...verdict, breaches, kills, sockets, wrong: frames.length - identical };
  } finally {
    for (const log of logs) log.close();
  }
}

/** A roadside unit that leads rounds or steady streams for ever; which of them it is changes from start to start. */
function unitConfig(nodes: Nodes, port: number, modelHash: string, random: () => number): EdgeUnitConfig {
  const isStreaming = random() < 0.5;
  return {
    ...{ node: 'roadside-unit', listen: { host: HOST, port }, modelHash, log: nodes.log },
    ...{ keepFramesOnBoard: false, codecs: ['float32', 'jpeg'], codedPoints: [], maxLoss: 0 },
    ...{ vehicles: 1, clouds: 1 },
    campaign: {
      policies: ['exact', 'ro', 'jps', 'adaptive'],
      ...{ warmUpRounds: 1, rounds: isStreaming ? 1 : 4, repeat: true },
      ...(isStreaming ? { streams: { fps: 4, ticks: 8 }, deadlineMs: 900 } : {}),
    },
  };
}

/** Rounds with a result from the cloud that a vehicle has begun since then. */
function quietRounds(nodes: Nodes, vehicle: string, sinceMs: number): number {
  let logs: LogReader[] = [];
  try {
    logs = openRun(nodes.log);
    const own = logs.filter((log) => log.rows('run')[0]?.node === vehicle);
    return own.reduce((sum, log) => {
      const cloudy = new Set(
        log.rows('result').flatMap(({ frame, outcome }) => (outcome === 'cloud' ? [frame] : [])),
      );
      const frames = log.rows('frame').filter(({ frame }) => cloudy.has(frame));
      const rounds = log.rows('round').filter(({ start_ms }) => start_ms > sinceMs);
      return sum + rounds.filter(({ round }) => frames.some((frame) => frame.round === round)).length;
    }, 0);
  } catch (error) {
    // Somebody is about to begin one.
    if (error instanceof JournalError) return 0;
    throw error;
  } finally {
    for (const log of logs) log.close();
  }
}

/** A port that nobody listens on: a roadside unit that is started again must have the one it had. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
