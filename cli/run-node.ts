/** Runs one node as a process: configuration in, until it is told to stop. */
import { readFileSync } from 'node:fs';
import { systemClock } from '@splitlane/clock';
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import { exitCodeOf, USER_FAULT, UsageError } from './exit-codes.ts';

const STARTING_MS = 300;

/** What a node tells the process that started it, if that wants to know. */
export type NodeMessage =
  | { readonly kind: 'ready'; readonly port?: number }
  | { readonly kind: 'progress'; readonly progress: unknown }
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: number };

/** Tells the parent process, where there is one that listens; resolves when it is on its way. */
export async function tellParent(message: NodeMessage): Promise<void> {
  if (!process.connected) return;
  await new Promise<void>((resolve) => process.send!(message, undefined, undefined, () => resolve()));
}

/**
 * A node's configuration from a YAML or JSON file.
 * @throws UsageError with all faults of the file at once.
 */
export function readConfig<S extends z.ZodType>(file: string, schema: S): z.infer<S> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`config ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let content: unknown;
  try {
    content = parseYaml(text);
  } catch (error) {
    throw new UsageError(`config ${file}: not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`);
  throw new UsageError(`config ${file}: ${faults.join('; ')}`);
}

/** A node that can be started and stopped. */
export interface RunnableNode {
  start(softwareVersion: string): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Starts a node and lets it run until SIGTERM, SIGINT, or the end of the process that started it; then
 * stops it and ends the process. `end` is for the node to say that it cannot go on.
 */
export async function runNode(
  makeNode: (end: (error: Error) => void) => RunnableNode,
  softwareVersion: string,
): Promise<void> {
  const supervised = process.connected === true;
  const ended = Promise.withResolvers<Error | undefined>();
  const node = makeNode((error) => ended.resolve(error));
  process.on('SIGTERM', () => ended.resolve(undefined));
  // Ctrl-C reaches the whole group; a supervised node leaves it to its supervisor to stop it.
  process.on('SIGINT', () => {
    if (!supervised) ended.resolve(undefined);
  });
  process.on('disconnect', () => ended.resolve(undefined));

  const started = node.start(softwareVersion).then(
    (port) => tellParent({ kind: 'ready', ...(typeof port === 'number' ? { port } : {}) }),
    (error: Error) => ended.resolve(error),
  );
  const error = await ended.promise;
  // A node that still loads its model is not waited for: what it has opened is closed, and that is all.
  await Promise.race([started, systemClock.sleep(STARTING_MS)]);
  await node.stop();
  process.exit(error ? await report(error, supervised) : 0);
}

async function report(error: Error, supervised: boolean): Promise<number> {
  const exitCode = exitCodeOf(error);
  const message = exitCode === USER_FAULT ? error.message : (error.stack ?? error.message);
  if (supervised) await tellParent({ kind: 'failed', message, exitCode });
  else process.stderr.write(`splitlane: ${message}\n`);
  return exitCode;
}
