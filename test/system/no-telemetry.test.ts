import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { writeTinyModel } from '../tiny-model.ts';
import { temporaryFolder } from './splitlane.ts';

const CLI = path.join(import.meta.dirname, '../../cli/main.ts');

it('ONNX Runtime keeps no identity of the machine, and writes no report on the models for its maker.', () => {
  using home = temporaryFolder();
  const temporary = path.join(home.path, 'tmp');
  mkdirSync(temporary);
  const model = writeTinyModel(home.path);
  // Nothing of the tests' own environment, which may have it turned off already.
  const env = { PATH: process.env.PATH, HOME: home.path, TMPDIR: temporary };
  execFileSync(process.execPath, [CLI, 'profile', model], { env, stdio: 'pipe' });
  assert.deepEqual(readdirSync(path.join(home.path, '.cache')), ['splitlane']);
  assert.deepEqual(
    readdirSync(temporary).filter((name) => name.startsWith('mat-')),
    [],
  );
});
