/** The drawn road scene's things: the traffic, what stands beside the road, and their shadows. */
import { type Drawing, type Extent, OVAL, type Part, type Point, type Pose } from './geometry.ts';
import { each, LANE_M, type Outlook, randomFor, SIGHT_M, TURN_RAD } from './road.ts';
import { house, lamp, post, tree, vehicle } from './shapes.ts';

/** Something on or beside the road; its extent is on the road, its pose as the vehicle sees it. */
interface Thing {
  readonly extent: Extent;
  readonly pose: Pose;
  readonly parts: readonly Part[];
}

/** A thing at a place on the road, turned round if it is to face the vehicle; none where the camera sees none. */
function thingAt(
  outlook: Outlook,
  alongM: number,
  acrossM: number,
  turned: boolean,
  parts: () => Part[],
): Thing[] {
  const { at, yawRad } = outlook.drawing.camera;
  const pose = outlook.place(alongM, acrossM);
  const [x, y] = [pose.aheadM - at[0], pose.leftM - at[1]];
  const aside = Math.abs(x * Math.sin(yawRad) + y * Math.cos(yawRad));
  if (x * Math.cos(yawRad) - y * Math.sin(yawRad) < aside - 18) return [];
  const made = parts();
  const end = (i: number, pick: (...values: number[]) => number): number =>
    pick(...made.map(({ extent }) => extent[i]!));
  const along = [end(0, Math.min), end(1, Math.max)] as const;
  const across = [end(2, Math.min), end(3, Math.max)] as const;
  const [rearM, frontM] = turned ? [-along[1], -along[0]] : along;
  const [rightM, leftM] = turned ? [-across[1], -across[0]] : across;
  const onGround = [alongM + rearM, alongM + frontM, acrossM + rightM, acrossM + leftM] as const;
  const extent: Extent = [...onGround, 0, end(5, Math.max)];
  return [{ extent, parts: made, pose: { ...pose, headingRad: pose.headingRad + (turned ? Math.PI : 0) } }];
}

/** In a lane all drive at one speed and sway less than the gaps between them, so that none meets the next. */
export function* traffic(outlook: Outlook): Generator<Thing> {
  const { road, timeS, alongM } = outlook;
  const [ownLane, gapM] = [1 - road.lanes, 34];
  for (let lane = -road.lanes; lane < road.lanes; lane++) {
    const fasterMps = lane < 0 ? 3.3 * (lane - ownLane) : -1.8 * road.speedMps - lane;
    const shiftM = fasterMps * timeS + (lane === ownLane ? 0 : gapM * randomFor(road.seed, 5, lane)());
    const last = Math.floor((SIGHT_M - shiftM) / gapM);
    for (let slot = Math.ceil((-SIGHT_M - shiftM) / gapM); slot <= last; slot++) {
      const random = randomFor(road.seed, 20 + lane, slot);
      const swayM = 2.5 * Math.sin(timeS * 0.5 + TURN_RAD * random()) + 12 * (random() - 0.5);
      if (random() < 0.12 || (lane === ownLane && slot === 0)) continue;
      const thereM = alongM + slot * gapM + shiftM + swayM;
      yield* thingAt(outlook, thereM, (lane + 0.4 + 0.2 * random()) * LANE_M, lane >= 0, () =>
        vehicle(random),
      );
    }
  }
}

/** What stands beside the road, in rows outward: cell and distance from the edge in metres, share of cells. */
export function* scenery(outlook: Outlook): Generator<Thing> {
  const { lanes, town } = outlook.road;
  const rows = [
    town ? ([32, 1.6, 1, lamp] as const) : ([20, 1.2, 1, post] as const),
    [11, 6.5, 0.4, tree],
    [26, 18, town ? 0.85 : 0.25, house],
    [13, 36, 0.6, tree],
    [17, 60, 0.7, tree],
  ] as const;
  for (const [row, [cellM, outM, share, make]] of rows.entries())
    for (const side of [-1, 1]) {
      const found: Thing[] = [];
      each(outlook, cellM, 40 + 2 * row + side, (fromM, random) => {
        if (random() >= share) return;
        const scatterM = row > 0 ? 3 * random() : 0;
        const acrossM = side * (lanes * LANE_M + outM + scatterM);
        found.push(...thingAt(outlook, fromM + scatterM, acrossM, side > 0, () => make(random)));
      });
      yield* found;
    }
}

/** Farther off, a shadow is a thin line in the haze. */
const SHADOWS_WITHIN_M = 110;

/** Two dark patches on the ground: right under a thing, and where the sun casts its shadow. */
export function drawShadow(
  drawing: Drawing,
  { extent: [rearM, frontM, rightM, leftM, , highM], pose }: Thing,
): void {
  if (Math.hypot(pose.aheadM, pose.leftM) > SHADOWS_WITHIN_M) return;
  const { sun, ambient } = drawing.light;
  const [cos, sin] = [Math.cos(pose.headingRad), Math.sin(pose.headingRad)];
  const rounded = (share: number, wideM: number): number =>
    Math.sign(share) * Math.abs(share) ** 0.4 * (wideM / 2 + 0.1);
  for (const [castM, opacity] of [
    [0, 0.35],
    [Math.min(0.5, (0.25 * (1 - ambient)) / sun[2]) * highM, 0.25],
  ] as const) {
    const outline = OVAL.map(([u, v]): Point => {
      const [x, y] = [rounded(u, frontM - rearM), rounded(v, leftM - rightM)];
      return [
        pose.aheadM + x * cos - y * sin - sun[0] * castM,
        pose.leftM + x * sin + y * cos - sun[1] * castM,
        0,
      ];
    });
    drawing.fill(outline, 0x10141a, { opacity });
  }
}
