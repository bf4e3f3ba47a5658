import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PolicyName } from '../../apps/roadside-unit/config.ts';
import type { PreparedModel } from '../../libs/dnn/index.ts';
import { Nodes, runCampaign } from './nodes.ts';
import { type RecordedSteps, recordedSteps, replay } from './recorded-steps.ts';

/** A node, the kind of an event of it, and what is changed in the first of that kind on purpose. */
const SPOILED = [
  ['vehicle-1', 'result', /"frame":\d+/, '"frame":999'],
  ['cloud-1', 'tail-done', /"digest":"../, '"digest":"zz'],
  ['roadside-unit', 'hello', /"modelHash":"../, '"modelHash":"zz'],
] as const;

const nodes = new Nodes();
after(() => nodes.close());

let records: Map<string, RecordedSteps>;
let model: PreparedModel;

before(
  async () => {
    const { campaign, logs } = await runCampaign(nodes, { policies: PolicyName.options });
    model = campaign.model;
    records = new Map(logs.map((log) => [log.rows('run')[0]!.node, recordedSteps(log)]));
  },
  { timeout: 60_000 },
);

for (const [node, kind, part, changed] of SPOILED) {
  test(`The recorded events of ${node} give the recorded effects again.`, (t) => {
    const recorded = records.get(node)!;
    const { events, effects } = recorded;
    t.diagnostic(`${events.length} events, ${effects.length} effects`);
    assert.ok(events.length > 10);
    assert.ok(effects.length > 10);
    assert.equal(replay(recorded, model), undefined);
  });

  test(`An event '${kind}' of ${node} that was changed shows as a difference that names it.`, () => {
    const recorded = records.get(node)!;
    const { events } = recorded;
    const index = events.findIndex(({ event }) => event.includes(`"kind":"${kind}"`));
    const spoiled = { ...events[index]!, event: events[index]!.event.replace(part, changed) };
    const difference = replay({ ...recorded, events: events.with(index, spoiled) }, model);
    assert.equal(difference?.sequence, spoiled.sequence);
    assert.equal(difference.event, spoiled.event);
    assert.notDeepEqual(difference.replayed, difference.recorded);
  });

  test(`An effect of ${node} that is missing shows as a difference at its event.`, () => {
    const recorded = records.get(node)!;
    const { events, effects } = recorded;
    const { sequence } = effects.at(-1)!;
    const difference = replay({ ...recorded, effects: effects.slice(0, -1) }, model);
    assert.equal(difference?.sequence, sequence);
    assert.equal(difference.event, events.find((event) => event.sequence === sequence)?.event);
  });
}
