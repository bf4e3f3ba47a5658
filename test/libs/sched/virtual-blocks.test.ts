import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cut, virtualBlocks } from '../../../libs/sched/index.ts';
import { optimum, twoStages } from './brute-force.ts';
import { alexnetPlaces, vgg16Places } from './networks.ts';
import { BYTE_A_MS, lineOfCuts } from './problems.ts';

const kept = (cuts: readonly Cut[]): Cut[] => virtualBlocks(cuts).map((index) => cuts[index]!);

test('With two stages the kept cuts lose nothing: their optimum is the optimum over all cuts.', () => {
  fc.assert(
    fc.property(lineOfCuts(4), fc.integer({ min: 1, max: 4 }), (cuts, n) => {
      const points = (some: readonly Cut[]) => some.map((cut) => twoStages(cut, BYTE_A_MS.uplinkBps));
      assert.equal(optimum(points(kept(cuts)), n), optimum(points(cuts), n));
    }),
    { numRuns: 150 },
  );
});

test('The input and local-only are always kept, and what the cuts between them send falls strictly.', () => {
  fc.assert(
    fc.property(lineOfCuts(8), (cuts) => {
      const indices = virtualBlocks(cuts);
      assert.equal(indices[0], 0);
      assert.equal(indices.at(-1), cuts.length - 1);
      const sent = indices.map((index) => (cuts[index]!.local ? 0 : cuts[index]!.bytes));
      for (const [i, bytes] of sent.slice(1).entries()) assert.ok(bytes < sent[i]!);
    }),
  );
});

test('Every cut that is left out sends no less than an earlier one that is kept.', () => {
  fc.assert(
    fc.property(lineOfCuts(8), (cuts) => {
      const indices = virtualBlocks(cuts);
      cuts.forEach((cut, index) => {
        if (indices.includes(index)) return;
        assert.ok(indices.some((other) => other < index && cuts[other]!.bytes <= cut.bytes));
      });
    }),
  );
});

test('Of several cuts with equal bytes the first is kept.', () => {
  assert.deepEqual(virtualBlocks([9, 12, 5, 5, 7, 4].map((bytes) => ({ bytes }))), [0, 2, 5]);
});

test('Local-only is kept although the network’s output is larger than every inner cut.', () => {
  assert.deepEqual(virtualBlocks([{ bytes: 9 }, { bytes: 2 }, { bytes: 50, local: true }]), [0, 1, 2]);
});

test('The kept cuts of AlexNet are those of the published table.', () => {
  assert.deepEqual(
    kept(alexnetPlaces(400)).map(({ id, bytes }) => [id, bytes]),
    [
      ['input', 602_112],
      ['pool1', 186_624],
      ['pool2', 129_792],
      ['pool5', 36_864],
      ['fc6', 16_384],
      ['fc8', 4000],
    ],
  );
});

test('The kept cuts of VGG-16 are those of the published table.', () => {
  assert.deepEqual(
    kept(vgg16Places(400)).map(({ id, bytes }) => [id, bytes]),
    [
      ['input', 602_112],
      ['pool4', 401_408],
      ['pool5', 100_352],
      ['fc6', 16_384],
      ['fc8', 4000],
    ],
  );
});

test('Where raw frames stay on board VGG-16 has its early pools among the kept cuts.', () => {
  const [, ...onBoard] = vgg16Places(400);
  const ids = kept(onBoard).map(({ id }) => id);
  assert.deepEqual(ids, ['conv1_1', 'pool1', 'pool2', 'pool3', 'pool4', 'pool5', 'fc6', 'fc8']);
});
