/** Runs the demo as a user does, for benchmarks that tell what it tells. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RunSummary } from '@splitlane/field-tests';

const CLI = path.join(import.meta.dirname, '../cli/main.ts');

/** @param read what is wanted of the run, while its log is still there. @throws Error where the demo fails. */
export function liveDemo<T>(words: readonly string[], read: (summary: RunSummary, log: string) => T): T {
  const log = mkdtempSync(path.join(tmpdir(), 'splitlane-bench-'));
  try {
    const { stdout, status } = spawnSync(process.execPath, [CLI, 'demo', ...words, '--log', log, '--json'], {
      ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 },
    });
    if (status !== 0) throw new Error(`the demo ended with exit code ${status}`);
    return read(JSON.parse(stdout) as RunSummary, log);
  } finally {
    rmSync(log, { recursive: true, force: true });
  }
}
