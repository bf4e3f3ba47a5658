/** The drawn road scene's road: all that comes from its seed, and where places on it lie. */
import { seededRandom } from '@splitlane/clock';
import type { Drawing, Pose } from './geometry.ts';

export const SIZE_PX = [960, 540] as const;
export const LANE_M = 3.5;
export const SIGHT_M = 250;
export const TURN_RAD = 2 * Math.PI;

/** Randomness of its own for each thing, so that a thing stays the same from frame to frame. */
export const randomFor = (seed: number, stream: number, index: number): (() => number) =>
  seededRandom(
    Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b) ^ Math.imul(index, 0xc2b2ae35),
  );

export const chosen = <T>(random: () => number, from: readonly T[]): T =>
  from[Math.floor(random() * from.length)]!;

/** All of a seed that does not move. Along and across are metres on the road, from its centre line leftward. */
export interface Road {
  readonly seed: number;
  readonly lanes: number;
  readonly speedMps: number;
  readonly bends: readonly (readonly [swingM: number, waveM: number, phaseRad: number])[];
  readonly town: boolean;
  readonly sky: (typeof SKIES)[number];
  readonly sunBearingRad: number;
}

/** Noon, morning, an overcast day, evening. */
const SKIES = [
  { top: 0x3c78c0, low: 0xbdd8ec, haze: 0xc0d4e2, cloud: 0xffffff, sunRad: 0.9, ambient: 0.55 },
  { top: 0x6f9cd0, low: 0xf4dfc4, haze: 0xdcd6cb, cloud: 0xfff4e6, sunRad: 0.32, ambient: 0.5 },
  { top: 0x929ca6, low: 0xccd1d5, haze: 0xc2c8cc, cloud: 0x7f8892, sunRad: 1.3, ambient: 0.82 },
  { top: 0x36446e, low: 0xf0ab7c, haze: 0xb99d92, cloud: 0x6b5a70, sunRad: 0.13, ambient: 0.42 },
];

export function roadOf(seed: number): Road {
  const random = randomFor(seed, 0, 0);
  return {
    seed,
    lanes: random() < 0.6 ? 2 : 3,
    speedMps: 12 + 10 * random(),
    bends: [110, 190].map((waveM) => [(0.001 + 0.0018 * random()) * waveM ** 2, waveM, TURN_RAD * random()]),
    town: random() < 0.5,
    sky: chosen(random, SKIES),
    sunBearingRad: TURN_RAD * random(),
  };
}

/** One camera's view of the road at one instant. */
export interface Outlook {
  readonly road: Road;
  readonly drawing: Drawing;
  readonly timeS: number;
  /** Where the vehicle is on the road. */
  readonly alongM: number;
  readonly headingRad: number;
  /** From a place on the road to where the vehicle sees it. */
  readonly place: (alongM: number, acrossM: number) => Pose;
}

/** A place on the road as it lies in the country, where the road as a whole runs ahead. */
export function onRoad({ bends }: Road, alongM: number, acrossM: number): Pose {
  let [leftM, slope] = [0, 0];
  for (const [swingM, waveM, phaseRad] of bends) {
    leftM += swingM * Math.sin(alongM / waveM + phaseRad);
    slope += (swingM / waveM) * Math.cos(alongM / waveM + phaseRad);
  }
  const headingRad = Math.atan(slope);
  return {
    aheadM: alongM - acrossM * Math.sin(headingRad),
    leftM: leftM + acrossM * Math.cos(headingRad),
    headingRad,
  };
}

/** Walks over the road in sight in cells of one length, each with its own randomness. */
export function each(
  { road, alongM }: Outlook,
  cellM: number,
  stream: number,
  visit: (fromM: number, random: () => number) => void,
): void {
  const last = Math.floor((alongM + SIGHT_M) / cellM);
  for (let cell = Math.ceil((alongM - SIGHT_M) / cellM); cell < last; cell++)
    visit(cell * cellM, randomFor(road.seed, stream, cell));
}
