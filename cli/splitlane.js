#!/usr/bin/env node
// Plain JavaScript on purpose: it runs under any Node ≥ 20, before anything is installed, and hands over to
// the Node 26 that the installation brings along.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const main = join(root, 'cli', 'main.ts');
const installed = existsSync(join(root, 'node_modules', '@splitlane', 'cli'));
const node = join(root, 'node_modules', '.bin', 'node');

if (!installed) {
  process.stderr.write(
    `splitlane: nothing is installed yet: run 'npm install' in ${root} (or 'npm start', which installs and runs the demo)\n`,
  );
  process.exitCode = 2;
} else if (Number(process.versions.node.split('.')[0]) >= 26) {
  await import(main);
} else if (!existsSync(node)) {
  process.stderr.write(
    `splitlane: Node 26 is missing and this is ${process.version}: run 'npm install --include=optional' in ${root}\n`,
  );
  process.exitCode = 2;
} else {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.on('SIGINT', () => {}); // the terminal sends it to the child as well
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code ?? 1;
  });
}
