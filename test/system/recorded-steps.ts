/** A node's log fed through the `policy/step` that wrote it: what it was told gives what it did, or not. */
import type { CloudConfig } from '../../apps/cloud/index.ts';
import * as cloud from '../../apps/cloud/policy/step.ts';
import type { RoadsideUnitConfig } from '../../apps/roadside-unit/index.ts';
import * as roadsideUnit from '../../apps/roadside-unit/policy/step.ts';
import type { VehicleConfig } from '../../apps/vehicle-node/index.ts';
import * as vehicle from '../../apps/vehicle-node/policy/step.ts';
import type { PreparedModel } from '../../libs/dnn/index.ts';
import { type Difference, type LogReader, type Row, replaySteps } from '../../libs/journal/index.ts';

/** What happened to a node, and what it decided. */
export interface RecordedSteps {
  readonly run: Row<'run'>;
  readonly events: readonly Row<'event'>[];
  readonly effects: readonly Row<'effect'>[];
}

export function recordedSteps(log: LogReader): RecordedSteps {
  return { run: log.rows('run')[0]!, events: log.rows('event'), effects: log.rows('effect') };
}

/** The first difference between what was recorded and what the same step does now; undefined if none. */
export function replay(recorded: RecordedSteps, model: PreparedModel): Difference | undefined {
  const { role, config } = recorded.run;
  const told = JSON.parse(config) as unknown;
  switch (role) {
    case 'vehicle': {
      const emulated = (told as VehicleConfig).vehicleMs !== undefined;
      const initial = vehicle.initialState({ lastCut: model.segments.length, emulated });
      return replaySteps(initial, vehicle.step, recorded);
    }
    case 'cloud': {
      const { node, workers, firstCut } = told as CloudConfig;
      const cutBytes = model.cuts.map(({ bytes }) => bytes);
      return replaySteps(cloud.initialState({ node, workers, firstCut, cutBytes }), cloud.step, recorded);
    }
    default:
      return replaySteps(roadsideUnit.initialState(told as RoadsideUnitConfig), roadsideUnit.step, recorded);
  }
}
