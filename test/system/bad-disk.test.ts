import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openLog } from '../../libs/journal/index.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { processesMentioning, splitlane, temporaryFolder } from './splitlane.ts';

/** Why no small or read-only disk can be made here; undefined if it can. */
function whyNoMount(folder: string): string | undefined {
  const { status, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
  if (status !== 0) return `mount is not allowed here (${error?.message ?? `exit code ${status}`})`;
  spawnSync('umount', [folder]);
  return undefined;
}

describe('a log folder that cannot be written', { timeout: 120_000 }, () => {
  const home = temporaryFolder();
  const mounted: string[] = [];
  let fast: string[];
  const disk = (name: string, options: string): string => {
    const folder = path.join(home.path, name);
    mkdirSync(folder);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status, 0);
    mounted.push(folder);
    return folder;
  };
  const probe = path.join(home.path, 'probe');
  mkdirSync(probe);
  const skip = whyNoMount(probe) ?? false;

  before(() => {
    const model = writeTinyModel(home.path);
    fast = ['demo', '--model', model, '--vehicle-ms', '80', '--link', '4', '--rounds', '200'];
  });
  after(() => {
    for (const folder of mounted) spawnSync('umount', ['-l', folder]);
    home[Symbol.dispose]();
  });

  it('on a read-only disk is refused at once in one line', { skip }, async () => {
    const folder = disk('read-only', 'ro,size=1m');
    for (const log of [folder, path.join(folder, 'run')]) {
      const { code, stderr } = await splitlane([...fast, '--log', log], home.path);
      assert.equal(code, 2, stderr);
      assert.equal(stderr.trimEnd().split('\n').at(-1), `splitlane: --log ${log}: cannot be written (EROFS)`);
    }
  });

  for (const size of ['200k', '1500k'])
    it(`on a disk of ${size} ends the run when it is full, with one line, and stays readable`, {
      skip,
    }, async () => {
      const folder = disk(`full-${size}`, `size=${size}`);
      const { code, stderr } = await splitlane([...fast, '--log', path.join(folder, 'run')], home.path);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /\nsplitlane: .*(cannot be written \(.*full.*\)|ENOSPC).*\n$/);
      assert.deepEqual(processesMentioning(folder), []);
      if (size === '200k') return;
      const logs = readdirSync(path.join(folder, 'run')).filter((name) => name.endsWith('.sqlite'));
      assert.equal(logs.length, 4);
      for (const name of logs) {
        const log = openLog(path.join(folder, 'run', name));
        assert.ok(log.rows('event').length > 0, `${name} has events`);
        log.close();
      }
    });
});
