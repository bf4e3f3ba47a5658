import assert from 'node:assert/strict';
import type { Ended } from '../system/splitlane.ts';

/** The program has ended for a fault of the user's: one line says so, apart from the model being prepared. */
export function refusedInOneLine({ code, stdout, stderr }: Ended, message: RegExp): void {
  assert.equal(code, 2, stderr);
  assert.equal(stdout, '');
  const lines = stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('preparing the model'));
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0]!, message);
  assert.match(lines[0]!, /^splitlane: /);
}
