import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { tables } from '@splitlane/journal';
import { topics } from '@splitlane/proto';

const read = (file: string): string => readFileSync(path.join(import.meta.dirname, '..', file), 'utf8');

describe('the documents', () => {
  it('docs/wire.md has the rows of the table of topics', () => {
    const text = read('docs/wire.md');
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));
    const expected = Object.values(topics).map(({ pattern, message, from, to, qos, retain, maxBytes }) =>
      [
        `| \`${pattern}\``,
        message,
        from.join(', '),
        to.join(', '),
        qos,
        retain ? 'yes' : 'no',
        `${maxBytes} |`,
      ].join(' | '),
    );
    assert.deepEqual(rows, expected);
  });

  it('docs/log.md names every table of the log', () => {
    const text = read('docs/log.md');
    const named = text
      .split('\n')
      .flatMap((line) => (line.startsWith('| ') ? (line.split('|')[1] ?? '').split(',') : []));
    const names = named.map((name) => name.trim());
    assert.deepEqual(
      Object.keys(tables).filter((table) => !names.includes(table)),
      [],
    );
  });

  it('the README shows the two commands and links to documents that exist', () => {
    const text = read('README.md');
    assert.match(text, /^ *npm start/m);
    assert.match(text, /^ *npm test/m);
    for (const [, target] of text.matchAll(/\]\(([^)#]+)\)/g))
      assert.ok(read(target!).length > 0, `${target} is empty`);
  });
});
