/** The drawn road scene's shapes: vehicles, posts, trees and houses as solids. */
import { blend, type Extent, type Mark, OVAL, type Part } from './geometry.ts';
import { chosen } from './road.ts';

const GLASS = 0x2c3a46;
const LACQUERS = [0xf2f2f0, 0x1c1e22, 0x8d939a, 0xb3261e, 0x24549c, 0x5a6068, 0xd8c9a6, 0x2f6b4a, 0xe0a020];

const mark = (face: string, box: Mark['box'], colour: number): Mark => ({ face, box, colour });

const lights = (face: string, colour: number, fromV: number, toV: number): Mark[] => [
  mark(face, [0.04, fromV, 0.24, toV], colour),
  mark(face, [0.76, fromV, 0.96, toV], colour),
];

/** Wheels that stand on the ground, on the sides of a part; the axles count from its rear. */
function wheels([rearM, frontM, , , lowM, highM]: Extent, radiusM: number, axlesM: number[]): Mark[] {
  const rim = (axleM: number, wideM: number, colour: number): Mark => {
    const [u, v] = [axleM / (frontM - rearM), (radiusM - lowM) / (highM - lowM)];
    const [du, dv] = [wideM / (frontM - rearM), wideM / (highM - lowM)];
    return { face: 'side', box: [u - du, v - dv, u + du, v + dv], colour, round: true };
  };
  return axlesM.flatMap((axleM) => [rim(axleM, radiusM, 0x141416), rim(axleM, radiusM * 0.6, 0x8c9096)]);
}

export function vehicle(random: () => number): Part[] {
  const [lacquer, kind] = [chosen(random, LACQUERS), random()];
  if (kind < 0.13) return truck(lacquer, chosen(random, [0xe8e8e4, 0xb3261e, 0x35608c]));
  return car(lacquer, kind < 0.3 ? 0.45 : 0, kind < 0.65 ? 0.25 : 0.9);
}

/** A car, or with extra height a van; the boot is what the cabin leaves free behind it. */
function car(colour: number, extraM: number, bootM: number): Part[] {
  const body: Extent = [-2.15, 2.15, -0.9, 0.9, 0.26, 0.92 + extraM / 2];
  const cabin: Extent = [bootM - 2.15, 1.05, -0.85, 0.85, body[5], 1.46 + extraM];
  const bodyMarks = [
    ...wheels(body, 0.33, [0.85, 3.45]),
    ...lights('front', 0xfff6d8, 0.5, 0.78),
    ...lights('rear', 0xd42a20, 0.52, 0.85),
    mark('front', [0.28, 0.35, 0.72, 0.65], 0x1a1c20),
    mark('rear', [0.36, 0.4, 0.64, 0.58], 0xe8e8e2),
    mark('rear', [0, 0, 1, 0.22], 0x222428),
  ];
  const windows = [
    mark('front', [0.06, 0.08, 0.94, 0.9], GLASS),
    mark('rear', [0.08, 0.15, 0.92, 0.85], GLASS),
    mark('side', [0.07, 0.1, 0.48, 0.86], GLASS),
    mark('side', [0.52, 0.1, 0.93, 0.86], GLASS),
  ];
  return [
    { extent: body, colour, taperM: [0.12, 0.06, 0.05], marks: bodyMarks },
    { extent: cabin, colour, taperM: [0.75, 0.1 + bootM / 2, 0.16], marks: windows },
  ];
}

function truck(colour: number, cargo: number): Part[] {
  const chassis: Extent = [-5.2, 5, -1.15, 1.15, 0.45, 1];
  const chassisMarks = [
    ...wheels(chassis, 0.5, [1.4, 2.6, 8.9]),
    ...lights('rear', 0xd42a20, 0.3, 0.8),
    ...lights('front', 0xfff6d8, 0.3, 0.8),
  ];
  const windows = [
    mark('front', [0.06, 0.42, 0.94, 0.86], GLASS),
    mark('side', [0.35, 0.42, 0.88, 0.82], GLASS),
  ];
  const ribs = Array.from({ length: 7 }, (_, i) =>
    mark('side', [0.12 + 0.12 * i, 0.04, 0.13 + 0.12 * i, 0.96], blend(cargo, 0x101418, 0.25)),
  );
  const box = [...ribs, mark('rear', [0.49, 0, 0.51, 1], 0x50545a), mark('side', [0, 0.1, 1, 0.18], colour)];
  return [
    { extent: chassis, colour: 0x2a2c30, marks: chassisMarks },
    { extent: [-5.2, 2.7, -1.25, 1.25, 1, 3.6], colour: cargo, marks: box },
    { extent: [3, 5, -1.2, 1.2, 1, 3.1], colour, taperM: [0.25, 0, 0.08], marks: windows },
  ];
}

export const post = (): Part[] => [
  { extent: [-0.05, 0.05, -0.06, 0.06, 0, 0.95], colour: 0xeeeeea },
  { extent: [-0.05, 0.05, -0.06, 0.06, 0.95, 1.1], colour: 0x222222 },
];

export const lamp = (): Part[] => [
  { extent: [-0.07, 0.07, -0.07, 0.07, 0, 7.5], colour: 0x6a7076 },
  { extent: [-0.12, 0.12, -0.2, 2, 7.5, 7.65], colour: 0x7c8288 },
];

const FIR = [
  [-1, -1],
  [1, -1],
  [0.5, -0.2],
  [0.7, -0.24],
  [0, 1],
  [-0.7, -0.24],
  [-0.5, -0.2],
] as const;

export function tree(random: () => number): Part[] {
  const [highM, fir] = [4 + 6 * random(), random() < 0.35];
  const leaf = blend(0x35552c, chosen(random, [0x7d8a3a, 0x2c4a38, 0x9a7434]), 0.6 * random());
  const outline = fir
    ? FIR
    : OVAL.map(([x, y]) => [x * (0.85 + 0.15 * random()), y * (0.85 + 0.15 * random())] as const);
  const crown = (halfM: number, lowM: number, topM: number, colour: number): Part => ({
    extent: [-halfM, halfM, -halfM, halfM, lowM, topM],
    colour,
    outline,
  });
  const halfM = highM * (fir ? 0.2 : 0.32);
  return [
    { extent: [-0.14, 0.14, -0.14, 0.14, 0, highM * 0.5], colour: 0x5a4634 },
    crown(halfM, highM * 0.22, highM, leaf),
    crown(halfM * 0.7, highM * 0.45, highM * 0.97, blend(leaf, 0xd8e08a, 0.13)),
  ];
}

export function house(random: () => number): Part[] {
  const [halfM, deepM, floors] = [4.5 + 3.5 * random(), 3.5 + 1.5 * random(), 1 + Math.floor(3 * random())];
  const windows = Array.from({ length: 12 * floors }, (_, i): Mark => {
    const [floor, u] = [Math.floor(i / 12), 0.08 + 0.22 * (i % 4)];
    const colour = random() < 0.15 ? 0xe8d490 : 0x3c4854;
    const face = ['side', 'front', 'rear'][Math.floor(i / 4) % 3]!;
    return mark(face, [u, (floor + 0.35) / floors, u + 0.12, (floor + 0.8) / floors], colour);
  });
  const wall = chosen(random, [0xe6dcc8, 0xc9b090, 0xb5bcc2, 0xd8c0a8, 0xa86a50]);
  const roof = chosen(random, [0x8a4030, 0x5c5450, 0x6e3a2a]);
  const wallM = 2.9 * floors;
  const eaves: Extent = [-halfM - 0.3, halfM + 0.3, -deepM - 0.4, deepM + 0.4, wallM, wallM + 2.6];
  return [
    { extent: [-halfM, halfM, -deepM, deepM, 0, wallM], colour: wall, marks: windows },
    { extent: eaves, colour: roof, taperM: [0.6, 0.6, deepM + 0.35] },
  ];
}
