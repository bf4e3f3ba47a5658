/**
 * The drawn road scene's geometry: polygons before a pinhole camera, solids with shaded faces, and the
 * order in which to paint them. Lengths are metres.
 */

export type Point = readonly [aheadM: number, leftM: number, upM: number];
export type Extent = readonly [
  rearM: number,
  frontM: number,
  rightM: number,
  leftM: number,
  lowM: number,
  highM: number,
];

/** A camera that looks yaw clockwise from ahead and pitch below the horizon. */
export interface Pinhole {
  readonly at: Point;
  readonly yawRad: number;
  readonly pitchRad: number;
  readonly focalPx: number;
  readonly sizePx: readonly [width: number, height: number];
}

/** The unit vector to the sun, the share of light that every face gets, the haze and its reach. */
export interface Light {
  readonly sun: Point;
  readonly ambient: number;
  readonly haze: number;
  readonly hazeM: number;
}

/** Where a thing's own origin lies on the ground, and where its front looks: 0 is ahead, π/2 is left. */
export interface Pose {
  readonly aheadM: number;
  readonly leftM: number;
  readonly headingRad: number;
}

/** Something on a face: the box holds fractions of the face, from its lower rear (or right) corner. */
export interface Mark {
  readonly face: string;
  readonly box: readonly [fromU: number, fromV: number, toU: number, toV: number];
  readonly colour: number;
  readonly round?: boolean;
}

/** A box (its top drawn in by the taper) or, with an outline, a flat figure that always faces the camera. */
export interface Part {
  readonly extent: Extent;
  readonly colour: number;
  readonly taperM?: readonly [front: number, rear: number, side: number];
  readonly marks?: readonly Mark[];
  /** Corners as shares: −1 to 1 of half the width, −1 to 1 of half the height. */
  readonly outline?: readonly (readonly [across: number, up: number])[];
}

const NEAR_M = 0.25;
const SHADE = 0x0a1018;
/** Farther off, the marks on a face are hardly larger than a pixel. */
const MARKS_WITHIN_M = 80;

/** The unit circle's corners, for all that is round. */
export const OVAL = Array.from({ length: 22 }, (_, i): readonly [number, number] => [
  Math.cos((i * Math.PI) / 11),
  Math.sin((i * Math.PI) / 11),
]);

/** The colour (0xrrggbb) that is the given share of the way from one colour to another. */
export function blend(from: number, to: number, share: number): number {
  const channel = (shift: number): number => {
    const [start, end] = [(from >> shift) & 255, (to >> shift) & 255];
    return Math.round(start + (end - start) * share) << shift;
  };
  return channel(16) | channel(8) | channel(0);
}

export const css = (colour: number): string => `#${colour.toString(16).padStart(6, '0')}`;

/** The items from the farthest to the nearest: none is painted before one that it may hide. */
export function paintersOrder<T extends { readonly extent: Extent }>(
  items: readonly T[],
  camera: Point,
): T[] {
  // In a bend the planes between two far things do not always tell; then the distance along the road does.
  const alongM = ({ extent }: T): number => Math.abs((extent[0] + extent[1]) / 2 - camera[0]);
  const farFirst = items.toSorted((one, other) => alongM(other) - alongM(one));
  const met = new Set<T>();
  const painted: T[] = [];
  const paint = (item: T): void => {
    met.add(item);
    for (const other of farFirst)
      if (!met.has(other) && mayHide(item.extent, other.extent, camera)) paint(other);
    painted.push(item);
  };
  for (const item of farFirst) if (!met.has(item)) paint(item);
  return painted;
}

/** Whether planes across the axes part the two, and the camera is on the farther one's side of none. */
function mayHide(nearer: Extent, farther: Extent, camera: Point): boolean {
  let parted = false;
  for (let axis = 0; axis < 3; axis++) {
    const [fromM, toM, cameraM] = [nearer[2 * axis]!, nearer[2 * axis + 1]!, camera[axis]!];
    const below = toM <= farther[2 * axis]!;
    const above = fromM >= farther[2 * axis + 1]!;
    if ((below && cameraM >= toM) || (above && cameraM <= fromM)) return false;
    parted ||= below || above;
  }
  return parted;
}

/** An SVG in the making: what is filled first lies behind. */
export class Drawing {
  readonly elements: string[] = [];
  readonly camera: Pinhole;
  readonly light: Light;

  constructor(camera: Pinhole, light: Light) {
    this.camera = camera;
    this.light = light;
  }

  /** Fills what the camera sees of a polygon; the colour fades into the haze over distanceM. */
  fill(polygon: readonly Point[], colour: number, { distanceM = 0, opacity = 1 } = {}): void {
    const { focalPx, sizePx } = this.camera;
    const seen = clip(
      polygon.map((point) => fromCamera(point, this.camera)),
      this.camera,
    );
    const pixels = seen.map(([depthM, rightM, downM]) => [
      sizePx[0] / 2 + (focalPx * rightM) / depthM,
      sizePx[1] / 2 + (focalPx * downM) / depthM,
    ]);
    if (tooSmall(pixels)) return;
    const path = pixels.map(([x, y]) => `${x!.toFixed(1)} ${y!.toFixed(1)}`);
    const hazy = blend(colour, this.light.haze, 1 - Math.exp(-distanceM / this.light.hazeM));
    this.elements.push(`<path d="M${path.join('L')}Z" fill="${css(hazy)}" fill-opacity="${opacity}"/>`);
  }

  /** Paints a thing's parts, farthest first. */
  solid(parts: readonly Part[], pose: Pose): void {
    const [cos, sin] = [Math.cos(pose.headingRad), Math.sin(pose.headingRad)];
    const place = ([x, y, z]: Point): Point => [
      pose.aheadM + x * cos - y * sin,
      pose.leftM + x * sin + y * cos,
      z,
    ];
    const [x, y, z] = minus(this.camera.at, place([0, 0, 0]));
    const camera: Point = [x * cos + y * sin, y * cos - x * sin, z];
    const distanceM = Math.hypot(x, y);
    for (const part of paintersOrder(parts, camera)) {
      if (part.outline) this.fill(turned(part, camera).map(place), part.colour, { distanceM });
      else for (const [name, corners] of facesOf(part)) this.#face(part, name, corners.map(place), distanceM);
    }
  }

  #face(part: Part, name: string, corners: readonly Point[], distanceM: number): void {
    const normal = outwardNormal(corners, name === 'left');
    if (dot(normal, minus(this.camera.at, corners[0]!)) <= 0) return;
    const shade = (1 - this.light.ambient) * (1 - Math.max(0, dot(normal, this.light.sun)));
    this.fill(corners, blend(part.colour, SHADE, shade), { distanceM });
    if (distanceM > MARKS_WITHIN_M) return;
    for (const { face, box, colour, round } of part.marks ?? []) {
      if (face !== name && !(face === 'side' && (name === 'left' || name === 'right'))) continue;
      const outline = round ? OVAL : SQUARE;
      this.fill(onFace(outline, box, corners), blend(colour, SHADE, shade / 2), { distanceM });
    }
  }
}

const SQUARE = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
] as const;

function fromCamera(point: Point, { at, yawRad, pitchRad }: Pinhole): Point {
  const [x, y, z] = minus(point, at);
  const depthM = x * Math.cos(yawRad) - y * Math.sin(yawRad);
  return [
    depthM * Math.cos(pitchRad) - z * Math.sin(pitchRad),
    -x * Math.sin(yawRad) - y * Math.cos(yawRad),
    -z * Math.cos(pitchRad) - depthM * Math.sin(pitchRad),
  ];
}

/** The part of a polygon that lies before the camera and, but for a margin, in the picture. */
function clip(polygon: readonly Point[], { sizePx, focalPx }: Pinhole): readonly Point[] {
  const [across, up] = sizePx.map((px) => (px / 2 + 20) / focalPx) as [number, number];
  let kept = keepSide(polygon, [1, 0, 0], NEAR_M);
  for (const side of [-1, 1]) kept = keepSide(keepSide(kept, [across, side, 0], 0), [up, 0, side], 0);
  return kept;
}

/** Sutherland and Hodgman's step: the part of a polygon on one side of a plane. */
function keepSide(polygon: readonly Point[], plane: Point, offsetM: number): readonly Point[] {
  const sides = polygon.map((point) => dot(point, plane) - offsetM);
  if (sides.every((side) => side >= 0)) return polygon;
  return polygon.flatMap((point, i) => {
    const next = (i + 1) % polygon.length;
    const [side, nextSide] = [sides[i]!, sides[next]!];
    const kept = side >= 0 ? [point] : [];
    if (side >= 0 !== nextSide >= 0) kept.push(between(point, polygon[next]!, side / (side - nextSide)));
    return kept;
  });
}

function tooSmall(pixels: readonly (readonly number[])[]): boolean {
  const [wide, high] = [0, 1].map((axis) => {
    const values = pixels.map((pixel) => pixel[axis]!);
    return Math.max(...values) - Math.min(...values);
  }) as [number, number];
  return pixels.length < 3 || wide * high < 2;
}

/** A flat figure's corners, turned to the camera. */
function turned(
  { extent: [rearM, frontM, rightM, leftM, lowM, highM], outline }: Part,
  camera: Point,
): Point[] {
  const bearingRad = Math.atan2(camera[1], camera[0]);
  return outline!.map(([across, up]) => [
    (rearM + frontM) / 2 + (across * Math.sin(bearingRad) * (leftM - rightM)) / 2,
    (rightM + leftM) / 2 - (across * Math.cos(bearingRad) * (leftM - rightM)) / 2,
    (lowM + highM + up * (highM - lowM)) / 2,
  ]);
}

/** Corners run counter-clockwise seen from outside; on the left clockwise, from the rear as on the right. */
function facesOf({ extent: [x0, x1, y0, y1, z0, z1], taperM = [0, 0, 0] }: Part): [string, Point[]][] {
  const ring = (u0: number, u1: number, v0: number, v1: number, z: number): Point[] =>
    SQUARE.map(([u, v]) => [u < 0 ? u0 : u1, v < 0 ? v0 : v1, z]);
  const low = ring(x0, x1, y0, y1, z0);
  const high = ring(x0 + taperM[1], x1 - taperM[0], y0 + taperM[2], y1 - taperM[2], z1);
  const wall = (from: number, to: number): Point[] => [low[from]!, low[to]!, high[to]!, high[from]!];
  return [
    ['right', wall(0, 1)],
    ['front', wall(1, 2)],
    ['left', wall(3, 2)],
    ['rear', wall(3, 0)],
    ['top', high],
    ['bottom', low.reverse()],
  ];
}

function outwardNormal([first, second, third, fourth]: readonly Point[], clockwise: boolean): Point {
  const [ax, ay, az] = minus(third!, first!);
  const [bx, by, bz] = minus(fourth!, second!);
  const cross: Point = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
  const length = (Math.hypot(...cross) || 1) * (clockwise ? -1 : 1);
  return [cross[0] / length, cross[1] / length, cross[2] / length];
}

function onFace(
  outline: readonly (readonly [number, number])[],
  box: Mark['box'],
  corners: readonly Point[],
): Point[] {
  return outline.map(([x, y]) => {
    const [u, v] = [
      (box[0] + box[2] + x * (box[2] - box[0])) / 2,
      (box[1] + box[3] + y * (box[3] - box[1])) / 2,
    ];
    return between(between(corners[0]!, corners[1]!, u), between(corners[3]!, corners[2]!, u), v);
  });
}

const dot = (a: Point, b: Point): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

const between = (a: Point, b: Point, share: number): Point => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];
