export { bestOrder } from './best-order.ts';
export { bruteForce } from './brute-force.ts';
export { eja } from './eja.ts';
export { planLoss } from './energy.ts';
export { type EngineOptions, type RateProfile, simulate } from './engine.ts';
export { exact } from './exact.ts';
export type { Channel, FleetPlan, FleetVehicle, FleetVehiclePlan } from './fleet.ts';
export {
  endOf,
  type FleetTimes,
  type FlowShopOptions,
  fleetGantt,
  gantt,
  type Interval,
  type JobSchedule,
  makespan,
  type VehicleJobs,
} from './flowshop.ts';
export { hull } from './hull.ts';
export { johnson, johnsonWithDelays } from './johnson.ts';
export { lowerBound } from './lower-bound.ts';
export { type ParetoFront, paretoFront } from './pareto-front.ts';
export { fairShare, planFleet, uncoordinated } from './plan-fleet.ts';
export { jps, jpsMix, lo, POLICIES, po, ro } from './policies.ts';
export { scheduleTree, type TreeJob } from './schedule-tree.ts';
export { planSteady, type SteadyPlan } from './steady.ts';
export { judgeSteady, type StageLoads, type SteadyOptions, type SteadyTimes } from './steady-judge.ts';
export type { SteadyConditions } from './steady-search.ts';
export { type RatioAnswer, type TheoremAnswer, theorem2, theorem3, theorem4, theorem5 } from './theorems.ts';
export { delaysOf, jobAt, transferMs } from './transfer.ts';
export {
  type BoundBy,
  type Busy,
  type Conditions,
  type Cut,
  type Job,
  type Plan,
  type PowerModel,
  ScheduleError,
  type Uplink,
} from './types.ts';
export { virtualBlocks } from './virtual-blocks.ts';
