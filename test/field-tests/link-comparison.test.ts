import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  LINK_POLICIES,
  type LinkPolicy,
  type LinkResult,
  playLink,
  spreadOf,
} from '../../field-tests/link-comparison.ts';
import type { LinkScenario } from '../../field-tests/virtual-nodes.ts';
import { LinkTrace } from '../../libs/net/link-trace.ts';

/** A network of four segments, the shape of AlexNet: on a vehicle 400 ms, in the cloud 40. */
const segmentMs = [4, 12, 20, 4];
const cuts = [600_000, 190_000, 130_000, 16_000, 4000].map((bytes, index) => ({
  ...{ id: `cut-${index}`, dims: [bytes / 4], bytes },
}));

/** A link with some rates, each for so many seconds. */
const linkOf = (...pieces: readonly (readonly [seconds: number, mbit: number])[]): LinkTrace => {
  const startsMs: number[] = [];
  let lengthMs = 0;
  for (const [seconds] of pieces) {
    startsMs.push(lengthMs);
    lengthMs += seconds * 1000;
  }
  return new LinkTrace(
    startsMs,
    pieces.map(([, mbit]) => mbit * 1e6),
    lengthMs,
  );
};
const scenario = (trace: LinkTrace, more: Partial<LinkScenario> = {}): LinkScenario => ({
  ...{ trace, rttMs: 10, cameras: 4, vehicleMs: 400, profile: { segmentMs, cuts, jpegBytes: 50_000 } },
  ...{ cloudSegmentMs: segmentMs, cloudWorkers: 2, captureMs: 20 },
  ...more,
});
const playAll = (trace: LinkTrace): Record<LinkPolicy, LinkResult> => {
  const results = LINK_POLICIES.map((policy) => [policy, playLink(policy, scenario(trace))] as const);
  return Object.fromEntries(results) as Record<LinkPolicy, LinkResult>;
};

test('On a steady link there is nothing to adapt to, and nothing more to know.', () => {
  for (const mbit of [1, 2, 5, 20]) {
    const { fixed, adaptive, oracle } = playAll(linkOf([20, mbit]));
    assert.equal(adaptive.meanMs, fixed.meanMs);
    assert.ok(Math.abs(oracle.meanMs / fixed.meanMs - 1) < 0.01, `${oracle.meanMs}, ${fixed.meanMs}`);
    for (const { longestMs, medianMs, local } of [fixed, adaptive, oracle]) {
      assert.ok(longestMs < 1.01 * medianMs, `${longestMs}, ${medianMs}`);
      assert.equal(local, 0);
    }
  }
});

test('On a link that drops adaptive is ahead of fixed, and not of the oracle.', () => {
  for (const trace of [linkOf([30, 5], [30, 0.8]), linkOf([30, 3], [10, 0.3], [20, 3])]) {
    const { fixed, adaptive, oracle } = playAll(trace);
    for (const key of ['meanMs', 'longestMs'] as const)
      assert.ok(oracle[key] < adaptive[key] && adaptive[key] < fixed[key], key);
    assert.ok(adaptive.plans > fixed.plans);
  }
});

test('Where nothing goes through for a while the frames are finished on the vehicle, with adaptive soon after.', () => {
  const { fixed, adaptive, oracle } = playAll(linkOf([10.2, 5], [10, 0], [10, 5]));
  const allLocalMs = 4 * 400;
  assert.ok(oracle.longestMs <= 1.01 * allLocalMs, `${oracle.longestMs}`);
  assert.ok(adaptive.longestMs < 1.25 * allLocalMs, `${adaptive.longestMs}`);
  assert.ok(fixed.longestMs > 1.5 * adaptive.longestMs, `${fixed.longestMs}`);
  assert.ok(adaptive.local > 0 && fixed.local > 0);
});

test('The same input gives the same output, to the last bit.', () => {
  const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 5 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(pieces, (drawn) => {
      const trace = linkOf([2, 1], ...drawn);
      assert.deepEqual(playAll(trace), playAll(trace));
    }),
    { numRuns: 8 },
  );
});

test('As many rounds are played as are asked for; otherwise those that begin before the link does so again.', () => {
  const trace = linkOf([10, 2]);
  assert.equal(playLink('adaptive', scenario(trace), 7).rounds, 7);
  const once = playLink('fixed', scenario(trace));
  const twice = playLink('fixed', scenario(linkOf([20, 2])));
  assert.ok(Math.abs(twice.rounds - 2 * once.rounds) <= 4, `${once.rounds}, ${twice.rounds}`);
});

test('The 95th percentile is the least makespan that 95 % of the rounds do not exceed.', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(spreadOf(hundred), { rounds: 100, meanMs: 50.5, medianMs: 50, p95Ms: 95, longestMs: 100 });
  assert.deepEqual(spreadOf([3]), { rounds: 1, meanMs: 3, medianMs: 3, p95Ms: 3, longestMs: 3 });
});
