/** Folders and files systems for the log's tests. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { type Clock, FakeClock } from '../../../libs/clock/index.ts';
import { type JournalError, openLog } from '../../../libs/journal/index.ts';
import { Journal } from '../../../libs/journal/journal.ts';

/** A folder of the test's own that is gone after it. */
export function folder(context: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'splitlane-journal-'));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A small file system in memory, writable or not; undefined, and the test skipped, where none can be mounted. */
export function mounted(context: TestContext, options: string): string | undefined {
  const place = mkdtempSync(path.join(tmpdir(), 'splitlane-journal-'));
  const command = ['-t', 'tmpfs', '-o', options, 'tmpfs', place];
  const { status, stderr, error } = spawnSync('mount', command, { encoding: 'utf8' });
  context.after(() => {
    if (status === 0) spawnSync('umount', ['-l', place]);
    rmSync(place, { recursive: true, force: true });
  });
  if (status === 0) return place;
  context.skip(`no file system can be mounted here: ${error?.message ?? stderr.trim()}`);
  return undefined;
}

/** Lets the event loop turn until `holds`. @throws Error where it never does, so that no test hangs. */
export async function until(holds: () => boolean): Promise<void> {
  const lastMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > lastMs) throw new Error(`waited in vain for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A log that is begun, and its failures; it is stopped after the test where the test did not. */
export async function begun(context: TestContext, file: string, clock: Clock = new FakeClock()) {
  const failures: JournalError[] = [];
  const journal = new Journal(file, clock, (error) => failures.push(error));
  await journal.start();
  context.after(() => journal.stop());
  return { journal, failures };
}

/** The sequence numbers of the events in a log. */
export function sequences(file: string): number[] {
  const log = openLog(file);
  try {
    return log.rows('event').map(({ sequence }) => sequence);
  } finally {
    log.close();
  }
}
