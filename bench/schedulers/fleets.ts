/** The fleets that planners are measured on: vehicles with four cameras each, on one shared channel. */
import type { Cut, FleetVehicle } from '@splitlane/sched';
import { alexnetPlaces, vgg16Places } from '../../test/libs/sched/networks.ts';
import { ALEXNET_MS, kept, VGG16_MS } from './cut-tables.ts';

export const CAMERAS = 4;
/** Multiples of the speed at which a vehicle takes `ALEXNET_MS` for all of AlexNet. */
export const MIXED_SPEEDS = [0.25, 0.5, 1, 2];
/** The cloud's, where there are tails. */
const CLOUD_SPEED = 40;

/** The cut table of each camera of a vehicle of this speed. */
export type Cameras = (speed: number) => readonly (readonly Cut[])[];

export const alexnetCameras: Cameras = (speed) =>
  new Array(CAMERAS).fill(kept(alexnetPlaces(ALEXNET_MS / speed)));

/** The same with tails: the cloud is as fast as a vehicle of speed `CLOUD_SPEED`. */
export const alexnetWithTails: Cameras = (speed) => {
  const cuts = alexnetCameras(speed)[0]!;
  const whole = cuts.at(-1)!.p1;
  const tailed = cuts.map((cut) => ({
    ...cut,
    p3: cut.local ? 0 : ((whole - cut.p1) * speed) / CLOUD_SPEED,
  }));
  return new Array(CAMERAS).fill(tailed);
};

export const mixedCameras: Cameras = (speed) => {
  const small = kept(alexnetPlaces(ALEXNET_MS / speed));
  const large = kept(vgg16Places(VGG16_MS / speed));
  return Array.from({ length: CAMERAS }, (_, camera) => (camera % 2 === 0 ? small : large));
};

/** Vehicles of these speeds in turns; those of one speed are of one kind and share their tables. */
export function fleetOf(count: number, cameras: Cameras, speeds: readonly number[]): FleetVehicle[] {
  const kinds = speeds.map(cameras);
  return Array.from({ length: count }, (_, index) => ({
    id: `vehicle-${index + 1}`,
    cameras: kinds[index % kinds.length]!,
  }));
}

/** No two vehicles alike: as many speeds as vehicles, from the slowest to the fastest of the mixed ones in equal ratios. */
export function allDifferent(count: number, cameras: Cameras): FleetVehicle[] {
  const [slowest, fastest] = [Math.min(...MIXED_SPEEDS), Math.max(...MIXED_SPEEDS)];
  const speeds = Array.from(
    { length: count },
    (_, index) => slowest * (fastest / slowest) ** (index / (count - 1)),
  );
  return fleetOf(count, cameras, speeds);
}
