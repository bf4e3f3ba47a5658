import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder } from '../../../libs/dnn/index.ts';
import { folder } from './models.ts';

test('A folder is made with all of those above it, and one that is there is left alone.', (context) => {
  const wanted = path.join(folder(context), 'a', 'b', 'c');
  makeFolder(wanted);
  assert.ok(statSync(wanted).isDirectory());
  writeFileSync(path.join(wanted, 'file'), 'content');
  makeFolder(wanted);
  assert.equal(statSync(path.join(wanted, 'file')).size, 7);
});

test('Where no folder can be made the system’s reason is thrown, and nobody waits for ever.', (context) => {
  const file = path.join(folder(context), 'file');
  writeFileSync(file, '');
  assert.throws(() => makeFolder(path.join(file, 'a', 'b')), { code: 'ENOTDIR' });
  assert.throws(() => makeFolder('/proc/splitlane/a'), { code: /ENOENT|EACCES|EPERM/ });
});
