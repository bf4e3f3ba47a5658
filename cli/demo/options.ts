/** The options of the main job, from the words of the command line to what they mean. */
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '@splitlane/dnn';
import { readLinkTrace } from '@splitlane/net';
import { Codec } from '@splitlane/proto';
import { PolicyName } from '@splitlane/roadside-unit';
import type { PowerModel } from '@splitlane/sched';
import { UsageError } from '../exit-codes.ts';
import { framesDirs, SCENE_SEED } from '../frames.ts';
import { amount, frameRate, linkBps, milliseconds, namesOf, powerModel, rateBps, whole } from '../options.ts';

/** What commander hands over. */
export interface DemoWords {
  readonly vehicles: string;
  readonly clouds: string;
  readonly cloudRtt: string;
  readonly edge?: string | true;
  readonly cameras: string;
  readonly rounds?: string;
  readonly fps?: string;
  readonly deadline?: string;
  readonly model: string;
  readonly frames?: string;
  readonly link?: string;
  readonly channel?: string;
  readonly rtt: string;
  readonly vehicleMs: string;
  readonly power: string;
  readonly policy?: string;
  readonly codecs?: string;
  readonly maxLoss?: string;
  readonly calibrate?: string;
  readonly keepFramesOnBoard?: boolean;
  readonly log?: string;
  readonly saveFrames?: string;
  readonly json?: boolean;
  readonly keepRunning?: boolean;
}

/** A channel that vehicles share, and its rate in bit/s. */
export interface DemoChannel {
  readonly name: string;
  readonly bps: number;
}

export interface DemoOptions {
  readonly vehicles: number;
  readonly clouds: number;
  /** Between each cloud worker and the roadside unit. */
  readonly cloudRttMs: number;
  /** The roadside unit has a worker of its own; with the time that the whole model takes on it, if it is emulated. */
  readonly edge?: { readonly modelMs?: number };
  readonly cameras: number;
  /** Measured rounds, or of steady streams frames of each camera. */
  readonly rounds: number;
  /** Frames of each camera a second; one round after another unless given. */
  readonly fps?: number;
  readonly deadlineMs?: number;
  readonly model: string;
  readonly framesDirs: readonly string[];
  /** Of vehicles with a link of their own; of a recorded link the mean. */
  readonly uplinkBps: number;
  /** The channels that vehicles are on, in turn; undefined: a link of its own. None: each has its own link. */
  readonly channels: readonly (DemoChannel | undefined)[];
  /** File of a recorded link. */
  readonly linkTrace?: string;
  readonly rttMs: number;
  readonly vehicleMs: readonly number[];
  readonly power: PowerModel;
  readonly policies: readonly PolicyName[];
  readonly codecs: readonly Codec[];
  readonly maxLoss: number;
  /** Folders of the pictures that codecs are measured on; none: the frames of the run. */
  readonly calibrateDirs: readonly string[];
  readonly keepFramesOnBoard: boolean;
  readonly log: string;
  /** Where frames with what was answered of them go; undefined: nowhere. */
  readonly saveFrames: string | undefined;
  readonly json: boolean;
  readonly keepRunning: boolean;
  readonly sceneSeed: number;
}

/** The table of the demo: the two extremes, the honest baseline, the literature's, and the optimum. */
const DEFAULT_POLICIES: readonly PolicyName[] = ['lo', 'ro', 'ro-jpeg', 'jps', 'exact'];
/** On a recorded link: one plan for its mean rate, or a plan for what it is seen to be. */
const TRACE_POLICIES: readonly PolicyName[] = ['lo', 'ro-jpeg', 'fixed', 'adaptive'];
/** On a shared channel: the rivals that know of no other, and one plan for all. */
const CHANNEL_POLICIES: readonly PolicyName[] = ['lo', 'uncoordinated', 'fair-share', 'exact'];
const FOR_CHANNELS: ReadonlySet<PolicyName> = new Set(['uncoordinated', 'fair-share']);
const DEFAULT_LINK = 'wifi';
/** In place of a channel's rate: these vehicles have a link of their own. */
const OWN = 'own';
const ROUNDS = '10';
const TICKS = '30';
const MAX_VEHICLES = 64;
const MAX_CLOUDS = 16;
const MAX_CAMERAS = 64;

/** @throws UsageError that names the option, what it was, and what it may be. */
export function parseDemo(words: DemoWords, defaultLog: string): DemoOptions {
  const keepFramesOnBoard = words.keepFramesOnBoard === true;
  if (words.channel !== undefined && words.fps !== undefined)
    throw new UsageError('--channel and --fps: steady streams are planned for a link of each vehicle only');
  return {
    vehicles: whole('--vehicles', words.vehicles, MAX_VEHICLES),
    clouds: whole('--clouds', words.clouds, MAX_CLOUDS),
    cloudRttMs: milliseconds('--cloud-rtt', words.cloudRtt, 0),
    ...edgeOf(words),
    cameras: whole('--cameras', words.cameras, MAX_CAMERAS),
    rounds: whole('--rounds', words.rounds ?? (words.fps === undefined ? ROUNDS : TICKS), 1_000_000),
    ...(words.fps === undefined ? {} : { fps: frameRate('--fps', words.fps) }),
    ...(words.deadline === undefined
      ? {}
      : { deadlineMs: milliseconds('--deadline', words.deadline, Number.MIN_VALUE) }),
    model: words.model,
    framesDirs: words.frames === undefined ? [] : framesDirs('--frames', words.frames),
    ...linksOf(words),
    rttMs: milliseconds('--rtt', words.rtt, 0),
    vehicleMs: words.vehicleMs.split(',').map((word) => milliseconds('--vehicle-ms', word, Number.MIN_VALUE)),
    power: powerModel('--power', words.power),
    policies: policies(words, keepFramesOnBoard),
    codecs: codecs(words),
    maxLoss: words.maxLoss === undefined ? 0 : amount('--max-loss', words.maxLoss, 'a loss'),
    calibrateDirs: words.calibrate === undefined ? [] : framesDirs('--calibrate', words.calibrate),
    keepFramesOnBoard,
    log: checkOwnFolder('--log', words.log ?? defaultLog),
    saveFrames:
      words.saveFrames === undefined ? undefined : checkOwnFolder('--save-frames', words.saveFrames),
    json: words.json === true,
    keepRunning: words.keepRunning === true,
    sceneSeed: SCENE_SEED,
  };
}

function edgeOf({ edge }: DemoWords): Pick<DemoOptions, 'edge'> {
  if (edge === undefined) return {};
  return { edge: edge === true ? {} : { modelMs: milliseconds('--edge', edge, Number.MIN_VALUE) } };
}

/** Tensors as they are, unless codecs are named; whoever says what may be lost means all of them. */
function codecs({ codecs: named, maxLoss }: DemoWords): Codec[] {
  if (named !== undefined) return namesOf('--codecs', named, Codec.options);
  return maxLoss === undefined ? ['float32'] : [...Codec.options];
}

/** @throws UsageError where a folder of the run's own is a file, or holds something already. */
function checkOwnFolder(option: string, named: string): string {
  const folder = path.resolve(named);
  if (!existsSync(folder)) return folder;
  if (!statSync(folder).isDirectory())
    throw new UsageError(`${option} ${folder}: this is a file, not a folder`);
  if (readdirSync(folder).length > 0)
    throw new UsageError(`${option} ${folder}: the folder is not empty; name one that is absent or empty`);
  return folder;
}

/** Makes a folder of the run's own. @throws UsageError where it cannot be written. */
export function makeOwnFolder(option: string, folder: string): void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new UsageError(`${option} ${folder}: cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Channels, and of each vehicle's own link a rate or, where a file has that name, a recorded one. */
function linksOf({ link, channel }: DemoWords): Pick<DemoOptions, 'uplinkBps' | 'linkTrace' | 'channels'> {
  const channels = channel === undefined ? [] : channelsOf(channel);
  const isOwn = channels.length === 0 || channels.includes(undefined);
  if (!isOwn && link !== undefined)
    throw new UsageError(
      `--channel and --link: vehicles share a channel, or have a link each, or both with --channel ${channel},${OWN}`,
    );
  const word = link ?? DEFAULT_LINK;
  if (!isFile(word)) return { uplinkBps: linkBps(word), channels };
  const linkTrace = path.resolve(word);
  return { uplinkBps: readLinkTrace(linkTrace).meanBps, linkTrace, channels };
}

/** @throws UsageError for a word that is neither a rate nor `own`, and where none is a rate. */
function channelsOf(words: string): DemoOptions['channels'] {
  const channels = words.split(',').map((word, index): DemoChannel | undefined => {
    if (word.trim() === OWN) return undefined;
    return { name: `channel-${index + 1}`, bps: rateBps('--channel', word) };
  });
  if (channels.every((channel) => channel === undefined))
    throw new UsageError(
      `--channel ${words}: no channel is named; leave it out where every vehicle has a link of its own`,
    );
  return channels;
}

function isFile(word: string): boolean {
  return statSync(word, { throwIfNoEntry: false })?.isFile() === true;
}

function policies({ policy, link, channel }: DemoWords, keepFramesOnBoard: boolean): PolicyName[] {
  const sendsFrames = (name: PolicyName): boolean => name === 'ro' || name === 'ro-jpeg';
  const usual =
    channel !== undefined ? CHANNEL_POLICIES : link && isFile(link) ? TRACE_POLICIES : DEFAULT_POLICIES;
  if (policy === undefined) return usual.filter((name) => !keepFramesOnBoard || !sendsFrames(name));
  const named = namesOf('--policy', policy, PolicyName.options);
  const alone = channel === undefined ? named.find((name) => FOR_CHANNELS.has(name)) : undefined;
  if (alone !== undefined)
    throw new UsageError(`--policy ${alone}: it is for vehicles that share a --channel`);
  const forbidden = keepFramesOnBoard ? named.find(sendsFrames) : undefined;
  if (forbidden !== undefined)
    throw new UsageError(`--policy ${forbidden}: it sends frames, which --keep-frames-on-board forbids`);
  return named;
}
