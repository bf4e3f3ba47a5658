/**
 * A drawn road scene in place of a vehicle's cameras: the vehicle drives along a winding road of several
 * lanes, among traffic and past trees and houses that all come from one seed.
 */
import sharp from 'sharp';
import { blend, css, Drawing, type Light, type Pinhole, type Point, paintersOrder } from './geometry.ts';
import { drawGround, drawHorizon, grassOf } from './land.ts';
import { LANE_M, type Outlook, onRoad, type Road, randomFor, roadOf, SIZE_PX, TURN_RAD } from './road.ts';
import { drawShadow, scenery, traffic } from './things.ts';

const FRAMES_PER_S = 10;
/** Grain and quality together give a frame the size of a real picture of a road. */
const GRAIN = 0.036;
const JPEG_QUALITY = 80;

/**
 * What one of a vehicle's cameras sees: a JPEG of 960 × 540 pixels, the same bytes for the same arguments.
 * The cameras look around in equal steps from ahead clockwise (of 4: ahead, right, rear, left); the frames
 * are 0.1 s apart; a seed is one stretch of road with its traffic, landscape and time of day.
 */
export async function drawRoadScene(view: {
  seed: number;
  camera: number;
  cameras: number;
  frame: number;
}): Promise<Buffer> {
  const { seed, camera, cameras, frame } = view;
  const svg = roadSvg(roadOf(seed), mounting(camera, cameras), frame / FRAMES_PER_S);
  const pixels = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
  addGrain(pixels, randomFor(seed, 1000 + camera, frame));
  const raw = { width: SIZE_PX[0], height: SIZE_PX[1], channels: 3 } as const;
  return sharp(pixels, { raw }).jpeg({ quality: JPEG_QUALITY }).toBuffer();
}

/** Each camera sits on the side of the vehicle that it looks out from, a little askew. */
function mounting(camera: number, cameras: number): Pinhole {
  const yawRad = (TURN_RAD * camera) / cameras;
  return {
    at: [1.7 * Math.cos(yawRad), -0.95 * Math.sin(yawRad), 1.3 + 0.12 * Math.cos(3 * camera)],
    yawRad: yawRad + 0.015 * Math.sin(5 * camera),
    pitchRad: 0.05 + 0.02 * Math.sin(2 * camera),
    focalPx: 500,
    sizePx: SIZE_PX,
  };
}

function roadSvg(road: Road, camera: Pinhole, timeS: number): string {
  const alongM = road.speedMps * timeS;
  const acrossM = (1.5 - road.lanes) * LANE_M;
  const own = onRoad(road, alongM, acrossM);
  const drawing = new Drawing(camera, lightOf(road, own.headingRad));
  const [cos, sin] = [Math.cos(own.headingRad), Math.sin(own.headingRad)];
  const place: Outlook['place'] = (thereAlongM, thereAcrossM) => {
    const there = onRoad(road, thereAlongM, thereAcrossM);
    const [x, y] = [there.aheadM - own.aheadM, there.leftM - own.leftM];
    const headingRad = there.headingRad - own.headingRad;
    return { aheadM: x * cos + y * sin, leftM: y * cos - x * sin, headingRad };
  };
  const outlook = { road, drawing, timeS, alongM, headingRad: own.headingRad, place };
  drawHorizon(outlook);
  drawGround(outlook);
  const things = [...traffic(outlook), ...scenery(outlook)];
  for (const thing of things) drawShadow(drawing, thing);
  const eye: Point = [alongM + camera.at[0], acrossM + camera.at[1], camera.at[2]];
  for (const thing of paintersOrder(things, eye)) drawing.solid(thing.parts, thing.pose);
  return svgOf(road, drawing.elements);
}

function lightOf({ sky, sunBearingRad }: Road, headingRad: number): Light {
  const [flat, bearingRad] = [Math.cos(sky.sunRad), sunBearingRad + headingRad];
  const sun = [flat * Math.cos(bearingRad), -flat * Math.sin(bearingRad), Math.sin(sky.sunRad)] as const;
  return { sun, ambient: sky.ambient, haze: sky.haze, hazeM: 420 };
}

function svgOf(road: Road, elements: readonly string[]): string {
  const { top, low, haze } = road.sky;
  const gradient = (id: string, from: number, to: number): string =>
    `<linearGradient id="${id}" x2="0" y2="1"><stop stop-color="${css(from)}"/>` +
    `<stop offset="1" stop-color="${css(to)}"/></linearGradient>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE_PX[0]}" height="${SIZE_PX[1]}"><defs>`,
    gradient('sky', top, low),
    gradient('ground', blend(grassOf(road), haze, 0.5), grassOf(road)),
    '</defs><rect width="100%" height="50%" fill="url(#sky)"/>',
    ...elements,
    '</svg>',
  ].join('');
}

/** A sensor's noise: of brightness, and less of colour. */
function addGrain(pixels: Buffer, random: () => number): void {
  for (let i = 0; i < pixels.length; i += 3) {
    const bits = random() * 0x1000000;
    const brightness = ((bits & 255) + ((bits >> 8) & 255) - 255) * GRAIN;
    const tint = ((bits >> 16) - 127.5) * GRAIN * 0.4;
    pixels[i] = Math.min(255, Math.max(0, pixels[i]! + brightness + tint));
    pixels[i + 1] = Math.min(255, Math.max(0, pixels[i + 1]! + brightness));
    pixels[i + 2] = Math.min(255, Math.max(0, pixels[i + 2]! + brightness - tint));
  }
}
