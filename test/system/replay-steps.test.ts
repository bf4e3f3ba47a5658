import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CloudConfig } from '../../apps/cloud/index.ts';
import * as cloud from '../../apps/cloud/policy/step.ts';
import type { RoadsideUnitConfig } from '../../apps/roadside-unit/index.ts';
import * as roadsideUnit from '../../apps/roadside-unit/policy/step.ts';
import type { VehicleConfig } from '../../apps/vehicle-node/index.ts';
import * as vehicle from '../../apps/vehicle-node/policy/step.ts';
import type { PreparedModel } from '../../libs/dnn/index.ts';
import { type Difference, type Row, replaySteps } from '../../libs/journal/index.ts';
import { Nodes, runCampaign } from './nodes.ts';

/** A node's recorded decisions. */
interface Recorded {
  readonly events: readonly Row<'event'>[];
  readonly effects: readonly Row<'effect'>[];
}

/** What a node wrote: with which configuration it was started, what happened, and what it decided. */
interface Record {
  readonly config: unknown;
  readonly recorded: Recorded;
}

const nodes = new Nodes();
after(() => nodes.close());

let records: Map<string, Record>;
let model: PreparedModel;

before(
  async () => {
    const { campaign, logs } = await runCampaign(nodes, { policies: ['lo', 'ro', 'ro-jpeg', 'jps'] });
    model = campaign.model;
    records = new Map(
      logs.map((log) => {
        const { node, config } = log.rows('run')[0]!;
        const recorded = { events: log.rows('event'), effects: log.rows('effect') };
        return [node, { config: JSON.parse(config) as unknown, recorded }];
      }),
    );
  },
  { timeout: 60_000 },
);

function replayVehicle({ config }: Record, recorded: Recorded): Difference | undefined {
  const emulated = (config as VehicleConfig).vehicleMs !== undefined;
  const setup = { lastCut: model.segments.length, emulated };
  return replaySteps(vehicle.initialState(setup), vehicle.step, recorded);
}

function replayCloud({ config }: Record, recorded: Recorded): Difference | undefined {
  const { workers, firstCut } = config as CloudConfig;
  const setup = { workers, firstCut, cutBytes: model.cuts.map(({ bytes }) => bytes) };
  return replaySteps(cloud.initialState(setup), cloud.step, recorded);
}

function replayRoadsideUnit({ config }: Record, recorded: Recorded): Difference | undefined {
  return replaySteps(roadsideUnit.initialState(config as RoadsideUnitConfig), roadsideUnit.step, recorded);
}

/** A node, how its record is replayed, and an event of it that is changed on purpose. */
const NODES = [
  {
    node: 'vehicle-1',
    replay: replayVehicle,
    change: (event: string) =>
      event.includes('"kind":"result"') ? event.replace(/"frame":\d+/, '"frame":999') : event,
  },
  {
    node: 'cloud-1',
    replay: replayCloud,
    change: (event: string) =>
      event.includes('"kind":"tail-done"') ? event.replace(/"digest":"./, '"digest":"x') : event,
  },
  {
    node: 'roadside-unit',
    replay: replayRoadsideUnit,
    change: (event: string) =>
      event.includes('"kind":"hello"') ? event.replace(/"modelHash":"../, '"modelHash":"zz') : event,
  },
] as const;

for (const { node, replay, change } of NODES) {
  test(`The recorded events of ${node} give the recorded effects again.`, () => {
    const record = records.get(node)!;
    assert.ok(record.recorded.events.length > 10);
    assert.ok(record.recorded.effects.length > 10);
    assert.equal(replay(record, record.recorded), undefined);
  });

  test(`An event of ${node} that was changed shows as a difference that names it.`, () => {
    const record = records.get(node)!;
    const { events } = record.recorded;
    const spoiled = events.map((row) => ({ ...row, event: change(row.event) }));
    const first = spoiled.find((row, index) => row.event !== events[index]!.event)!;
    const difference = replay(record, { ...record.recorded, events: spoiled });
    assert.ok(difference);
    assert.equal(difference.sequence, first.sequence);
    assert.equal(difference.event, first.event);
    assert.notDeepEqual(difference.replayed, difference.recorded);
  });

  test(`A missing effect of ${node} shows as a difference at its event.`, () => {
    const record = records.get(node)!;
    const { events, effects } = record.recorded;
    const last = effects.at(-1)!;
    const difference = replay(record, { events, effects: effects.slice(0, -1) });
    assert.equal(difference?.sequence, last.sequence);
    assert.equal(difference.event, events.find(({ sequence }) => sequence === last.sequence)?.event);
  });
}
