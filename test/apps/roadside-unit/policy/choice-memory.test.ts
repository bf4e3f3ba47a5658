import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChoiceMemory } from '../../../../apps/roadside-unit/policy/choice-memory.ts';

test('What was chosen under the same circumstances for the same figures is not looked for again, and anything else is.', () => {
  const memory = new ChoiceMemory<string>();
  let searched = 0;
  const of = (circumstances: string, figures: string): string =>
    memory.of(circumstances, figures, () => `${circumstances} ${figures} ${++searched}`);
  assert.equal(of('a', '1'), 'a 1 1');
  assert.equal(of('a', '1'), 'a 1 1');
  assert.equal(of('b', '1'), 'b 1 2');
  assert.equal(of('a', '2'), 'a 2 3');
  assert.equal(of('b', '1'), 'b 1 2');
  assert.equal(searched, 3);
});

test('It forgets the oldest circumstances, and never holds more than a bounded number of choices.', () => {
  const memory = new ChoiceMemory<number>();
  let searched = 0;
  const of = (circumstances: number, figures: number): number =>
    memory.of(String(circumstances), String(figures), () => ++searched);
  for (let circumstances = 0; circumstances < 9; circumstances++) of(circumstances, 0);
  assert.equal(searched, 9);
  of(8, 0);
  assert.equal(searched, 9);
  of(0, 0);
  assert.equal(searched, 10);
  for (let figures = 0; figures < 5000; figures++) of(0, figures);
  assert.equal(of(0, 0), of(0, 0));
});
