/** Where names stand beside their points, so that none covers another. */

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Segment {
  readonly from: { readonly x: number; readonly y: number };
  readonly to: { readonly x: number; readonly y: number };
}

/** A point, and how wide its name is. */
export interface Named {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

const HEIGHT = 14;
const MARK = 5;
const SPACE = 3;

/**
 * For each point in turn the first of some places around it that is inside `bounds` and covers no point and
 * no name placed before, and no line if that can be; undefined where there is none. All in px.
 */
export function freePlaces(
  points: readonly Named[],
  lines: readonly Segment[],
  bounds: Rect,
): (Rect | undefined)[] {
  const marks = points.map(
    ({ x, y }): Rect => ({ x: x - MARK, y: y - MARK, width: 2 * MARK, height: 2 * MARK }),
  );
  const taken: Rect[] = [];
  return points.map((point, index) => {
    const others = marks.filter((_, other) => other !== index);
    const free = around(point).filter(
      (place) => inside(place, bounds) && ![...others, ...taken].some((other) => overlap(place, other)),
    );
    const found = free.find((place) => !lines.some((line) => crosses(line, place))) ?? free[0];
    if (found) taken.push(found);
    return found;
  });
}

/** Right and above are read best; further away come after all that is near. */
function around({ x, y, width }: Named): Rect[] {
  return [MARK + SPACE, MARK + 3 * SPACE].flatMap((away) => {
    const rows = [y - away - HEIGHT, y - HEIGHT / 2, y + away];
    const columns = [x + away - SPACE, x - away + SPACE - width, x - width / 2];
    const [above, level, under] = rows as [number, number, number];
    const [right, left, centre] = columns as [number, number, number];
    const places: [number, number][] = [
      [right, above],
      [x + away, level],
      [centre, above],
      [right, under],
      [left, above],
      [x - away - width, level],
      [centre, under],
      [left, under],
    ];
    return places.map(([px, py]) => ({ x: px, y: py, width, height: HEIGHT }));
  });
}

const inside = (one: Rect, other: Rect): boolean =>
  one.x >= other.x &&
  one.y >= other.y &&
  one.x + one.width <= other.x + other.width &&
  one.y + one.height <= other.y + other.height;

const overlap = (one: Rect, other: Rect): boolean =>
  one.x < other.x + other.width &&
  other.x < one.x + one.width &&
  one.y < other.y + other.height &&
  other.y < one.y + one.height;

/** Clips the line to the rectangle (Liang and Barsky): something is left where they meet. */
function crosses({ from, to }: Segment, { x, y, width, height }: Rect): boolean {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  let [enter, leave] = [0, 1];
  const edges: [number, number][] = [
    [-dx, from.x - x],
    [dx, x + width - from.x],
    [-dy, from.y - y],
    [dy, y + height - from.y],
  ];
  for (const [direction, distance] of edges) {
    if (direction === 0) {
      if (distance < 0) return false;
      continue;
    }
    const at = distance / direction;
    if (direction < 0) enter = Math.max(enter, at);
    else leave = Math.min(leave, at);
  }
  return enter <= leave;
}
