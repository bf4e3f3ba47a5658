/** The decisions that are simulated: those of the real nodes, unless somebody wants to see what others would do. */
import type { CloudEffect, CloudEvent } from '@splitlane/cloud/policy/events';
import { type CloudState, step as stepCloud } from '@splitlane/cloud/policy/step';
import type { StepFunction } from '@splitlane/journal';
import type { CoordinatorEffect, CoordinatorEvent } from '@splitlane/roadside-unit/policy/events';
import { type CoordinatorState, step as stepCoordinator } from '@splitlane/roadside-unit/policy/step';
import type { VehicleEffect, VehicleEvent } from '@splitlane/vehicle-node/policy/events';
import { step as stepVehicle, type VehicleState } from '@splitlane/vehicle-node/policy/step';

export interface Steps {
  readonly vehicle: StepFunction<VehicleState, VehicleEvent, VehicleEffect>;
  readonly cloud: StepFunction<CloudState, CloudEvent, CloudEffect>;
  readonly coordinator: StepFunction<CoordinatorState, CoordinatorEvent, CoordinatorEffect>;
}

export const REAL_STEPS: Steps = { vehicle: stepVehicle, cloud: stepCloud, coordinator: stepCoordinator };
