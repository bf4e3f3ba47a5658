/** The drawn road scene's land: sun, clouds, hills, fields and the road itself. */
import { blend, OVAL, type Point } from './geometry.ts';
import {
  chosen,
  each,
  LANE_M,
  type Outlook,
  type Road,
  randomFor,
  SIGHT_M,
  SIZE_PX,
  TURN_RAD,
} from './road.ts';

export const grassOf = ({ sky }: Road): number => blend(0x1c2c1c, 0x7c9450, 0.4 + 0.6 * sky.ambient);

/** Sun, clouds and two ranges of hills: they turn with the vehicle, but never come nearer. */
export function drawHorizon({ road, drawing, headingRad }: Outlook): void {
  const { sky, seed, sunBearingRad } = road;
  const random = randomFor(seed, 1, 0);
  const far = (bearingRad: number, upRad: number): Point => [
    1000 * Math.cos(bearingRad + headingRad),
    -1000 * Math.sin(bearingRad + headingRad),
    1000 * Math.tan(upRad),
  ];
  const oval = (bearingRad: number, upRad: number, wideRad: number, highRad: number): Point[] =>
    OVAL.map(([x, y]) => far(bearingRad + wideRad * x, upRad + highRad * y));
  for (const haloRad of sky.sunRad < 1 ? [0.2, 0.14, 0.09, 0.04] : [])
    drawing.fill(oval(sunBearingRad, sky.sunRad, haloRad, haloRad), 0xfff4d0, { opacity: 0.02 / haloRad });
  for (let cloud = 0; cloud < 14; cloud++) {
    const [bearingRad, upRad, wideRad] = [TURN_RAD * random(), 0.1 + 0.4 * random(), 0.08 + 0.12 * random()];
    for (let puff = 0; puff < 5; puff++) {
      const [aside, share] = [(random() - 0.5) * wideRad * 1.6, 0.4 + 0.5 * random()];
      const outline = oval(bearingRad + aside, upRad + 0.01 * puff, wideRad * share, wideRad * share * 0.2);
      drawing.fill(outline, sky.cloud, { opacity: 0.25 });
    }
  }
  for (const [heightRad, colour, waves] of [
    [0.075, 0x5f7890, 2],
    [0.028, grassOf(road), 5],
  ] as const) {
    const phasesRad = Array.from({ length: 6 }, () => TURN_RAD * random());
    const ridge = Array.from({ length: 81 }, (_, i): Point => {
      const bearingRad = drawing.camera.yawRad - headingRad + (i - 40) * 0.025;
      const wave = (sum: number, phaseRad: number, n: number): number =>
        sum + Math.sin(bearingRad * waves * (n + 1) + phaseRad) / (n + 2);
      return far(bearingRad, heightRad * Math.max(0.1, phasesRad.reduce(wave, 1)));
    });
    const foot = [ridge.at(-1)!, ridge[0]!].map(([x, y]): Point => [x, y, -20]);
    drawing.fill([...ridge, ...foot], colour, { distanceM: 320 });
  }
}

/** Between two of these distances from the vehicle the haze is the same on the ground. */
const STEPS_M = [-SIGHT_M, -150, -90, -45, 45, 90, 150, SIGHT_M];
const PAINT = 0xe6e6e0;

export function drawGround(outlook: Outlook): void {
  const { road, drawing, alongM } = outlook;
  const horizonPx = SIZE_PX[1] / 2 - drawing.camera.focalPx * Math.tan(drawing.camera.pitchRad);
  drawing.elements.push(`<rect y="${horizonPx}" width="100%" height="100%" fill="url(#ground)"/>`);
  const edgeM = road.lanes * LANE_M + 0.3;
  const asphalt = blend(0x303236, 0x7c7e82, 0.35 + 0.65 * road.sky.ambient);
  each(outlook, 60, 2, (fromM, random) => {
    const crop = blend(grassOf(road), chosen(random, [0xb8a860, 0x3f5a30, 0x8a7a58, 0x87a050]), 0.45);
    for (const side of [-1, 1]) strip(outlook, crop, fromM, fromM + 60, side * (edgeM + 24), side * 150);
  });
  for (const [i, stepM] of STEPS_M.slice(1).entries()) {
    // Each step overlaps the one before: between two that only touch, the grass would shine through.
    const band = (colour: number, fromM: number, toM: number, opacity = 1): void =>
      strip(outlook, colour, alongM + STEPS_M[i]! - 0.3, alongM + stepM, fromM, toM, opacity);
    const verge = blend(road.town ? 0xa09c94 : 0x8a8468, asphalt, 0.4);
    band(verge, -edgeM - (road.town ? 3 : 1.1), edgeM + (road.town ? 3 : 1.1));
    if (road.town) band(0xb9b6ae, -edgeM - 0.2, edgeM + 0.2);
    band(asphalt, -edgeM, edgeM);
    for (let lane = -road.lanes; lane < road.lanes; lane++)
      for (const wheelM of [0.7, 2.3])
        band(0x202226, lane * LANE_M + wheelM, lane * LANE_M + wheelM + 0.5, 0.13);
    for (const lineM of [0.5 - edgeM, -0.24, 0.1, edgeM - 0.64]) band(PAINT, lineM, lineM + 0.14);
  }
  each(outlook, 19, 3, (fromM, random) => {
    const patchM = (random() * 2 - 1) * (edgeM - 3);
    const colour = random() < 0.7 ? 0x26282c : 0xa8a8a4;
    strip(outlook, colour, fromM, fromM + 2 + 9 * random(), patchM, patchM + 0.5 + 2 * random(), 0.2);
  });
  each(outlook, 9, 4, (fromM) => {
    for (let lane = 1 - road.lanes; lane < road.lanes; lane++)
      if (lane !== 0) strip(outlook, PAINT, fromM, fromM + 3, lane * LANE_M - 0.07, lane * LANE_M + 0.07);
  });
}

/** A band on the ground along the road. */
function strip(
  { drawing, place, alongM }: Outlook,
  colour: number,
  fromM: number,
  toM: number,
  rightM: number,
  leftM: number,
  opacity = 1,
): void {
  const pieces = Math.ceil((toM - fromM) / 6);
  const side = (acrossM: number): Point[] =>
    Array.from({ length: pieces + 1 }, (_, i) => {
      const there = place(fromM + ((toM - fromM) * i) / pieces, acrossM);
      return [there.aheadM, there.leftM, 0];
    });
  const distanceM = Math.abs((fromM + toM) / 2 - alongM);
  drawing.fill([...side(rightM), ...side(leftM).reverse()], colour, { distanceM, opacity });
}
