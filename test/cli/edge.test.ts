import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EdgeUnitConfig } from '../../cli/edge.ts';

const UNIT = {
  ...{
    node: 'unit',
    listen: { host: '127.0.0.1', port: 0 },
    keepFramesOnBoard: false,
    vehicles: 1,
    log: 'log',
  },
  campaign: { warmUpRounds: 1, rounds: 1, repeat: false },
};
const STREAMS = { ...UNIT, campaign: { ...UNIT.campaign, streams: { fps: 2, ticks: 10 } } };
const faultsOf = (config: object): string[] =>
  EdgeUnitConfig.safeParse(config).error?.issues.map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  ) ?? [];

test('A roadside unit leads rounds, on channels or not, or steady streams, and not these on channels.', () => {
  assert.deepEqual(faultsOf(UNIT), []);
  assert.deepEqual(faultsOf({ ...UNIT, channels: { lte: 5e6 } }), []);
  assert.deepEqual(faultsOf(STREAMS), []);
  assert.deepEqual(faultsOf({ ...STREAMS, channels: { lte: 5e6 } }), [
    'campaign.streams: steady streams are planned for a link of each vehicle, not for channels',
  ]);
});

test('With a worker of its own a roadside unit has a name that leaves room for that of the worker.', () => {
  const edge = { model: 'alexnet', workers: 1, firstCut: 0 };
  assert.deepEqual(faultsOf({ ...UNIT, edge }), []);
  const [fault] = faultsOf({ ...UNIT, edge, node: 'n'.repeat(44) });
  assert.equal(fault, 'node: with -edge behind it must have at most 48 characters');
});

test('A channel, a deadline and a rate of 0 are none.', () => {
  for (const config of [
    { ...UNIT, channels: { lte: 0 } },
    { ...UNIT, campaign: { ...UNIT.campaign, deadlineMs: 0 } },
    { ...UNIT, campaign: { ...UNIT.campaign, streams: { fps: 0, ticks: 1 } } },
  ])
    assert.equal(faultsOf(config).length, 1);
});
