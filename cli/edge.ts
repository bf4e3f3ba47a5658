/** A roadside unit with a cloud worker of its own beside it, in one process: they meet on the unit's broker, as all nodes do. */
import type { Clock } from '@splitlane/clock';
import { CloudConfig, CloudWorker } from '@splitlane/cloud';
import { RoadsideUnit, RoadsideUnitConfig, type RoadsideUnitListeners } from '@splitlane/roadside-unit';
import type { z } from 'zod';
import type { RunnableNode } from './run-node.ts';

const MAX_NAME = 48;

/** What a worker of the roadside unit's own must be told. */
export const EdgeConfig = CloudConfig.pick({ model: true, workers: true, firstCut: true, modelMs: true });
export type EdgeConfig = z.infer<typeof EdgeConfig>;

/** A roadside unit's configuration, with that of its own worker if it has one. */
export const EdgeUnitConfig = RoadsideUnitConfig.extend({ edge: EdgeConfig.optional() })
  .refine(({ node, edge }) => edge === undefined || edgeName(node).length <= MAX_NAME, {
    path: ['node'],
    message: `with -edge behind it must have at most ${MAX_NAME} characters`,
  })
  .refine(({ channels = {}, campaign }) => !(Object.keys(channels).length > 0 && campaign.streams), {
    path: ['campaign', 'streams'],
    message: 'steady streams are planned for a link of each vehicle, not for channels',
  });
export type EdgeUnitConfig = z.infer<typeof EdgeUnitConfig>;

/** Name of a roadside unit's own worker. */
export function edgeName(roadsideUnit: string): string {
  return `${roadsideUnit}-edge`;
}

export class EdgeUnit implements RunnableNode {
  readonly #config: EdgeUnitConfig;
  readonly #clock: Clock;
  readonly #listeners: RoadsideUnitListeners;
  readonly #unit: RoadsideUnit;
  #worker: CloudWorker | undefined;

  constructor({ edge, ...unit }: EdgeUnitConfig, clock: Clock, listeners: RoadsideUnitListeners) {
    this.#config = { ...unit, edge };
    this.#clock = clock;
    this.#listeners = listeners;
    this.#unit = new RoadsideUnit(unit, clock, listeners);
  }

  /** Starts the roadside unit, then its worker; returns the port that the unit listens on. */
  async start(softwareVersion: string): Promise<number> {
    const { node, listen, log, edge } = this.#config;
    const port = await this.#unit.start(softwareVersion);
    if (!edge) return port;
    const config = { ...edge, node: edgeName(node), broker: { host: listen.host, port }, log };
    this.#worker = new CloudWorker(config, this.#clock, this.#listeners.onEnd);
    await this.#worker.start(softwareVersion);
    return port;
  }

  async stop(): Promise<void> {
    await this.#worker?.stop();
    await this.#unit.stop();
  }
}
