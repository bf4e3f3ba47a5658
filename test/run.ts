/**
 * Runs everything that must hold: types, lint, the law of the rooms, and the tests. The last line reads
 * `N passed, N failed, N skipped`. `--checks-only` leaves the tests out; paths run those tests only.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const CHECKS = [
  { name: 'types (tsc)', command: ['tsc', '--noEmit'] },
  { name: 'lint and format (biome)', command: ['biome', 'check', '.'] },
  {
    name: 'law of the rooms (dependency-cruiser)',
    command: ['depcruise', 'apps', 'libs', 'field-tests', 'cli'],
  },
] as const;

// Tests that load ONNX Runtime themselves tell its maker nothing either.
process.env.ORT_DISABLE_TELEMETRY = '1';

const counts = { passed: 0, failed: 0, skipped: 0 };
const root = `${import.meta.dirname}/..`;
const { values, positionals } = parseArgs({
  options: { 'checks-only': { type: 'boolean', default: false } },
  allowPositionals: true,
});

function check(name: string, command: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(
    `${root}/node_modules/.bin/${command[0]}`,
    command.slice(1),
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  if (status === 0) {
    counts.passed++;
    process.stdout.write(`✔ ${name}\n`);
    return;
  }
  counts.failed++;
  process.stdout.write(`✖ ${name}\n${stdout}${stderr}${error?.message ?? ''}\n`);
}

async function runTests(files: string[], concurrency: number): Promise<void> {
  const stream = run({ files, concurrency, cwd: root });
  const isTest = (data: { details: { type?: string }; skip?: string | boolean }): boolean =>
    data.details.type !== 'suite';
  stream.on('test:pass', (data) => {
    if (!isTest(data)) return;
    if (data.skip === undefined) counts.passed++;
    else counts.skipped++;
  });
  stream.on('test:fail', (data) => {
    if (isTest(data)) counts.failed++;
  });
  for await (const text of stream.compose(new spec())) process.stdout.write(text);
}

if (positionals.length === 0) for (const { name, command } of CHECKS) check(name, command);
if (!values['checks-only']) {
  const all = positionals.length > 0 ? positionals : globSync('test/**/*.test.ts', { cwd: root }).sort();
  const isSystem = (file: string): boolean => file.includes('test/system/');
  const alone = all.filter((file) => !isSystem(file));
  if (alone.length > 0) await runTests(alone, 2);
  // A system test starts processes of its own and needs both cores.
  const system = all.filter(isSystem);
  if (system.length > 0) await runTests(system, 1);
}
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed > 0 ? 1 : 0;
