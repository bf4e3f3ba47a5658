/**
 * Real node processes for the system tests: each is `splitlane rsu|cloud|vehicle` of its own, with its
 * configuration, model, pictures, cache and log in one temporary folder. `close` leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import type { CloudConfig } from '../../apps/cloud/index.ts';
import type { CampaignProgress, PolicyName } from '../../apps/roadside-unit/index.ts';
import type { CameraConfig, VehicleConfig } from '../../apps/vehicle-node/index.ts';
import { recapturing } from '../../cli/demo/recapture.ts';
import { referenceAnswers } from '../../cli/demo/reference.ts';
import type { EdgeUnitConfig } from '../../cli/edge.ts';
import type { NodeMessage } from '../../cli/run-node.ts';
import { answeredFrames, type RunSummary, summarise } from '../../field-tests/index.ts';
import { seededRandom, systemClock } from '../../libs/clock/index.ts';
import { type PreparedModel, prepareModel } from '../../libs/dnn/index.ts';
import {
  JournalError,
  type LogReader,
  openLog,
  openRun,
  type Row,
  type Table,
} from '../../libs/journal/index.ts';
import { TINY, writeTinyModel } from '../tiny-model.ts';

export const HOST = '127.0.0.1';
const MAIN = path.join(import.meta.dirname, '../../cli/main.ts');
const PICTURES = 12;
const PICTURE_SIDE = 48;
const POLL_MS = 20;
const LONGEST_WAIT_MS = 180_000;

type Role = 'rsu' | 'cloud' | 'vehicle';
type NodeConfig = EdgeUnitConfig | CloudConfig | VehicleConfig;

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said was wrong: to its parent, or on stderr where none listens. */
  readonly message: string;
}

/** One process of ours. */
export class NodeProcess {
  readonly child: ChildProcess;
  /** Its port if it has one, once it is ready; rejects where it ends before. */
  readonly ready: Promise<number | undefined>;
  readonly ended: Promise<End>;
  readonly name: string;

  /** @param options.ipc whether a parent listens: without one a node says what is wrong on stderr. */
  constructor(
    name: string,
    words: readonly string[],
    options: {
      readonly ipc: boolean;
      readonly env: NodeJS.ProcessEnv;
      readonly onProgress?: (progress: CampaignProgress) => void;
    },
  ) {
    this.name = name;
    this.child = spawn(process.execPath, [MAIN, ...words], {
      stdio: ['ignore', 'ignore', 'pipe', ...(options.ipc ? ['ipc' as const] : [])],
      env: options.env,
    });
    const ready = Promise.withResolvers<number | undefined>();
    const ended = Promise.withResolvers<End>();
    ready.promise.catch(() => {});
    this.ready = ready.promise;
    this.ended = ended.promise;
    let told = '';
    let stderr = '';
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    this.child.on('message', (message: NodeMessage) => {
      if (message.kind === 'ready') ready.resolve(message.port);
      else if (message.kind === 'failed') told = message.message;
      else options.onProgress?.(message.progress as CampaignProgress);
    });
    this.child.once('close', (code, signal) => {
      const message = told || stderr;
      ended.resolve({ code, signal, message });
      ready.reject(new Error(`${name} ended (${signal ?? `exit code ${code}`}): ${message}`));
    });
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Tells it to end, and waits until it has. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<End> {
    if (this.running) this.child.kill(signal);
    return this.ended;
  }
}

/** Where processes of one test live: a folder, and the means to start them in it. */
export class Nodes {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'splitlane-test-'));
  /** The run's logs. */
  readonly log = path.join(this.folder, 'run');
  readonly model: string;
  readonly #cacheHome = path.join(this.folder, 'cache');
  /** The environment of the processes: the cache is in the folder too. */
  readonly env = { ...process.env, XDG_CACHE_HOME: this.#cacheHome };
  readonly #processes: NodeProcess[] = [];
  readonly #logs: LogReader[] = [];

  constructor() {
    mkdirSync(this.log);
    this.model = this.writeModel('model', TINY.seed);
  }

  /** Writes the tiny model into a folder of its own, with a card beside it if one is given. */
  writeModel(name: string, seed: number, card?: string): string {
    const folder = path.join(this.folder, name);
    mkdirSync(folder);
    const file = writeTinyModel(folder, { ...TINY, seed });
    if (card !== undefined) writeFileSync(file.replace(/\.onnx$/, '.yaml'), card);
    return file;
  }

  /** A model as the nodes see it; made once, so that no two of them make it at the same time. */
  prepare(model = this.model): Promise<PreparedModel> {
    return prepareModel(model, { cacheDir: path.join(this.#cacheHome, 'splitlane') });
  }

  /** A folder of small pictures, no two of them alike. */
  async pictures(): Promise<string> {
    const folder = path.join(this.folder, 'pictures');
    mkdirSync(folder);
    const random = seededRandom(1);
    for (let index = 0; index < PICTURES; index++) {
      const pixels = Uint8Array.from({ length: 3 * PICTURE_SIDE ** 2 }, () => 256 * random());
      await sharp(pixels, { raw: { width: PICTURE_SIDE, height: PICTURE_SIDE, channels: 3 } })
        .jpeg()
        .toFile(path.join(folder, `${String(index).padStart(2, '0')}.jpg`));
    }
    return folder;
  }

  /** Starts a node as a process. */
  start(
    role: Role,
    config: NodeConfig,
    options: { readonly ipc?: boolean; readonly onProgress?: (progress: CampaignProgress) => void } = {},
  ): NodeProcess {
    const file = this.write(`${config.node}.json`, JSON.stringify(config));
    return this.run(config.node, [role, '--config', file], options);
  }

  /** Starts `splitlane` with these words as a process. */
  run(
    name: string,
    words: readonly string[],
    options: { readonly ipc?: boolean; readonly onProgress?: (progress: CampaignProgress) => void } = {},
  ): NodeProcess {
    const started = new NodeProcess(name, words, { ipc: true, env: this.env, ...options });
    this.#processes.push(started);
    return started;
  }

  /** Writes a file into the folder; returns its path. */
  write(name: string, text: string): string {
    const file = path.join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  /** The logs of the run; they are closed with everything else. */
  logs(folder = this.log): LogReader[] {
    const logs = openRun(folder);
    this.#logs.push(...logs);
    return logs;
  }

  /** What a node has written into a table so far, whether it runs, was stopped, or was killed. */
  rows<T extends Table>(node: string, table: T): Row<T>[] {
    const file = path.join(this.log, `${node}.sqlite`);
    if (!existsSync(file)) return [];
    let log: LogReader | undefined;
    try {
      log = openLog(file);
      return log.rows(table);
    } catch (error) {
      // The file is there before the log in it is.
      if (error instanceof JournalError) return [];
      throw error;
    } finally {
      log?.close();
    }
  }

  /** Stops all processes that run, those that were started last first; returns how they ended. */
  async stop(): Promise<End[]> {
    const ends: End[] = [];
    for (const process of this.#processes.toReversed().filter(({ running }) => running))
      ends.push(await process.stop());
    return ends;
  }

  /** Kills whatever still runs and removes the folder: for the `after` hook, whatever has happened. */
  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop('SIGKILL')));
    for (const log of this.#logs) log.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Resolves once something holds. The test's own timeout comes first; a wait that outlives its test would keep the process
 * from ending.
 */
export async function until(holds: () => boolean): Promise<void> {
  const endMs = systemClock.now() + LONGEST_WAIT_MS;
  while (!holds()) {
    assert.ok(systemClock.now() < endMs, `${holds} does not hold after ${LONGEST_WAIT_MS} ms`);
    await systemClock.sleep(POLL_MS);
  }
}

export interface CampaignOptions {
  readonly policies: readonly PolicyName[];
  readonly vehicles?: number;
  /** Cloud workers; one of two threads unless given, else of one thread each. */
  readonly clouds?: number;
  /** Round trip between each of them and the roadside unit. */
  readonly cloudRttMs?: number;
  /** The roadside unit has a worker of its own, that takes so long for the whole model. */
  readonly edgeMs?: number;
  readonly warmUpRounds?: number;
  readonly cameras?: number;
  readonly rounds?: number;
  /** Steady streams, and how long a frame of them may take. */
  readonly streams?: { readonly fps: number; readonly ticks: number };
  readonly deadlineMs?: number;
  readonly vehicleMs?: number;
  readonly uplinkBps?: number;
  /** A file that says how their links' rate changes. */
  readonly trace?: string;
  /** The channels that vehicles are on, in turn, and their rates; undefined: a link of its own. */
  readonly channels?: readonly ({ readonly name: string; readonly bps: number } | undefined)[];
  /** The port that a vehicle connects to, given the broker's: where somebody stands in between. */
  readonly portOf?: (vehicle: string, port: number) => Promise<number>;
  /** The same for a cloud worker. */
  readonly cloudPortOf?: (cloud: string, port: number) => Promise<number>;
  readonly onProgress?: (progress: CampaignProgress) => void;
}

/** A campaign that is under way: a roadside unit, cloud workers and vehicles. */
export interface Campaign {
  readonly port: number;
  readonly model: PreparedModel;
  /** The first of the workers. */
  readonly cloud: NodeProcess;
  readonly cloudConfig: CloudConfig;
  readonly rsu: NodeProcess;
  readonly rsuConfig: EdgeUnitConfig;
  readonly vehicles: readonly NodeProcess[];
  readonly vehicleConfigs: readonly VehicleConfig[];
  /** Resolves at the end of the campaign; rejects where the roadside unit ends before. */
  readonly done: Promise<void>;
}

export const WARM_UP_ROUNDS = 1;

/** Starts a campaign; it goes on by itself. */
export async function startCampaign(nodes: Nodes, options: CampaignOptions): Promise<Campaign> {
  const { vehicles = 1, cameras = 2, rounds = 3, vehicleMs = 100, onProgress, channels = [] } = options;
  const { uplinkBps = 4e6, clouds = 1, warmUpRounds = WARM_UP_ROUNDS, edgeMs, trace } = options;
  const [model, folder] = await Promise.all([nodes.prepare(), nodes.pictures()]);
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => {});
  const rsuConfig: EdgeUnitConfig = {
    node: 'roadside-unit',
    listen: { host: HOST, port: 0 },
    modelHash: model.hash,
    keepFramesOnBoard: false,
    codecs: ['float32'],
    codedPoints: [],
    maxLoss: 0,
    channels: Object.fromEntries(
      channels.flatMap((channel) => (channel ? [[channel.name, channel.bps]] : [])),
    ),
    vehicles,
    clouds: clouds + (edgeMs === undefined ? 0 : 1),
    ...(edgeMs === undefined
      ? {}
      : { edge: { model: nodes.model, workers: 1, firstCut: 0, modelMs: edgeMs } }),
    campaign: {
      ...{ policies: [...options.policies], warmUpRounds, rounds, repeat: false },
      ...(options.streams ? { streams: options.streams } : {}),
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    },
    log: nodes.log,
  };
  const rsu = nodes.start('rsu', rsuConfig, {
    onProgress: (progress) => {
      onProgress?.(progress);
      if (progress.kind === 'campaign-done') done.resolve();
    },
  });
  rsu.ended.then(({ message }) =>
    done.reject(new Error(`the roadside unit ended before the campaign: ${message}`)),
  );
  const port = (await rsu.ready)!;
  const cloudConfigs = await Promise.all(
    Array.from({ length: clouds }, async (_, index): Promise<CloudConfig> => {
      const node = `cloud-${index + 1}`;
      return {
        node,
        broker: { host: HOST, port: (await options.cloudPortOf?.(node, port)) ?? port },
        model: nodes.model,
        workers: clouds === 1 ? 2 : 1,
        firstCut: 0,
        rttMs: options.cloudRttMs ?? 0,
        log: nodes.log,
      };
    }),
  );
  const vehicleConfigs = await Promise.all(
    Array.from({ length: vehicles }, async (_, index): Promise<VehicleConfig> => {
      const node = `vehicle-${index + 1}`;
      const channel = channels[index % channels.length];
      return {
        node,
        broker: { host: HOST, port: (await options.portOf?.(node, port)) ?? port },
        model: nodes.model,
        cameras: pictureCameras(folder, cameras),
        link: {
          ...{ uplinkBps: channel?.bps ?? uplinkBps, rttMs: 0 },
          ...(channel ? { channel: channel.name } : {}),
          ...(trace === undefined ? {} : { trace }),
        },
        vehicleMs,
        log: nodes.log,
      };
    }),
  );
  const workers = cloudConfigs.map((config) => nodes.start('cloud', config));
  const started = vehicleConfigs.map((config) => nodes.start('vehicle', config));
  await Promise.all([...workers, ...started].map(({ ready }) => ready));
  return {
    port,
    model,
    rsu,
    rsuConfig,
    cloud: workers[0]!,
    cloudConfig: cloudConfigs[0]!,
    vehicles: started,
    vehicleConfigs,
    done: done.promise,
  };
}

/** Cameras `camera-1`, `camera-2`, … that share the pictures of a folder. */
export function pictureCameras(folder: string, cameras: number): CameraConfig[] {
  return Array.from({ length: cameras }, (_, index) => ({
    name: `camera-${index + 1}`,
    source: { kind: 'pictures', folder, first: index, step: cameras },
  }));
}

/** Runs a whole campaign, stops its processes, and returns what its logs say. */
export async function runCampaign(
  nodes: Nodes,
  options: CampaignOptions,
): Promise<{ readonly campaign: Campaign; readonly logs: LogReader[]; readonly summary: RunSummary }> {
  const campaign = await startCampaign(nodes, options);
  return { campaign, ...(await endCampaign(nodes, campaign)) };
}

/** Waits for a campaign's end, stops its processes, and returns what its logs say. */
export async function endCampaign(
  nodes: Nodes,
  campaign: Campaign,
): Promise<{ readonly logs: LogReader[]; readonly summary: RunSummary }> {
  await campaign.done;
  for (const end of await nodes.stop()) assert.deepEqual(end, { code: 0, signal: null, message: '' });
  const logs = nodes.logs();
  return { logs, summary: await summaryOf(campaign, logs) };
}

/** The summary of logs, every result compared with the whole model's. */
export async function summaryOf(campaign: Campaign, logs: readonly LogReader[]): Promise<RunSummary> {
  const { model, vehicleConfigs } = campaign;
  const { whole: expected } = await referenceAnswers(
    model,
    recapturing(model.card, vehicleConfigs),
    answeredFrames(logs),
    true,
    () => {},
  );
  return summarise(
    logs,
    expected,
    model.cuts.map(({ id }) => id),
  );
}
