import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { type Card, type DetectCard, resolveCard } from '../../../libs/dnn/card.ts';
import { checkOutput, detectBoxes } from '../../../libs/dnn/detect.ts';
import { type FrameSize, pictureToTensor } from '../../../libs/dnn/picture.ts';
import type { Box } from '../../../libs/proto/index.ts';
import { isModelError } from './models.ts';

/** An input of 64 × 64 pixels; with 4 × 4 cells a cell has 16. */
const CARD: DetectCard = {
  ...{ height: 64, width: 64, channels: 'rgb', layout: 'nchw', range: [0, 1], fit: 'stretch' },
  ...{ mean: [0, 0, 0], std: [1, 1, 1], labels: ['car', 'bus', 'van'] },
  ...{ read: 'detect', anchors: [[1, 1]], threshold: 0.3, overlap: 0.45 },
};
const FRAME: FrameSize = { width: 64, height: 64 };
const GRID = [1, 8, 4, 4];

interface Put {
  readonly row: number;
  readonly column: number;
  readonly anchor?: number;
  /** x, y, width, height, objectness, and one for each class, as the network says them. */
  readonly values: readonly number[];
}

/** An output with nothing in it but what is put there. */
function outputOf(dims: readonly number[], anchors: number, puts: readonly Put[]): Float32Array {
  const [, channels, rows, columns] = dims as [number, number, number, number];
  const output = new Float32Array(channels * rows * columns).fill(-20);
  for (const { row, column, anchor = 0, values } of puts)
    values.forEach((value, index) => {
      const channel = (anchor * channels) / anchors + index;
      output[(channel * rows + row) * columns + column] = value;
    });
  return output;
}

const SURE = 20;
const car = (row: number, column: number, width = 0, height = 0, objectness = SURE): Put => ({
  ...{ row, column, values: [0, 0, width, height, objectness, SURE, 0, 0] },
});
const boxesOf = (puts: readonly Put[], card: DetectCard = CARD, frame = FRAME): Box[] =>
  detectBoxes(outputOf(GRID, card.anchors.length, puts), GRID, card, frame);

function near(box: Box | undefined, left: number, top: number, width: number, height: number): void {
  assert.ok(box);
  const given = [box.left, box.top, box.width, box.height];
  for (const [index, value] of [left, top, width, height].entries())
    assert.ok(Math.abs(given[index]! - value) < 1e-3, `${given} is not ${[left, top, width, height]}`);
}

/** The same, said plainly and slowly: all boxes, then the best of the rest again and again. */
function plainly(output: Float32Array, dims: readonly number[], card: DetectCard, frame: FrameSize): Box[] {
  const [, channels, rows, columns] = dims as [number, number, number, number];
  const each = channels / card.anchors.length;
  const s = (x: number): number => 1 / (1 + Math.exp(-x));
  let rest: (Box & { order: number })[] = [];
  for (let anchor = 0; anchor < card.anchors.length; anchor++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const values: number[] = [];
        for (let channel = anchor * each; channel < (anchor + 1) * each; channel++)
          values.push(output[channel * rows * columns + row * columns + column]!);
        const [x, y, w, h, objectness] = values as [number, number, number, number, number];
        const classes = values.slice(5);
        const shares = classes.map((value) => Math.exp(value - Math.max(...classes)));
        const sum = shares.reduce((a, b) => a + b, 0);
        const middle = [((column + s(x)) / columns) * card.width, ((row + s(y)) / rows) * card.height];
        const sides = [
          ((card.anchors[anchor]![0] * Math.exp(w)) / columns) * card.width,
          ((card.anchors[anchor]![1] * Math.exp(h)) / rows) * card.height,
        ];
        const corners = [-0.5, 0.5].map((half) => {
          let point = [middle[0]! + half * sides[0]!, middle[1]! + half * sides[1]!];
          if (card.fit === 'letterbox') {
            const scale = Math.min(card.width / frame.width, card.height / frame.height);
            const [wide, high] = [Math.round(frame.width * scale), Math.round(frame.height * scale)];
            const bars = [Math.floor((card.width - wide) / 2), Math.floor((card.height - high) / 2)];
            point = [
              ((point[0]! - bars[0]!) / wide) * frame.width,
              ((point[1]! - bars[1]!) / high) * frame.height,
            ];
          } else {
            point = [(point[0]! / card.width) * frame.width, (point[1]! / card.height) * frame.height];
          }
          return [
            Math.max(0, Math.min(frame.width, point[0]!)),
            Math.max(0, Math.min(frame.height, point[1]!)),
          ];
        });
        shares.forEach((part, index) => {
          const score = (s(objectness) * part) / sum;
          const [[left, top], [right, bottom]] = corners as [[number, number], [number, number]];
          const box = { left, top, width: right - left, height: bottom - top };
          if (score > card.threshold && box.width > 0 && box.height > 0)
            rest.push({ index, label: card.labels[index]!, score, ...box, order: rest.length });
        });
      }
  const kept: Box[] = [];
  while (rest.length > 0 && kept.length < 100) {
    const best = rest.reduce((a, b) => (b.score > a.score ? b : a));
    const { order, ...box } = best;
    kept.push(box);
    rest = rest.filter((other) => {
      if (other.order === order) return false;
      return other.index !== best.index || Math.min(1, iou(other, best)) <= card.overlap;
    });
  }
  return kept;
}

function iou(a: Box, b: Box): number {
  const along = (p: number, pLength: number, q: number, qLength: number): number =>
    Math.max(0, Math.min(p + pLength, q + qLength) - Math.max(p, q));
  const both = along(a.left, a.width, b.left, b.width) * along(a.top, a.height, b.top, b.height);
  return both / (a.width * a.height + b.width * b.height - both);
}

test('A box lies where its cell, its sigmoids and its anchor say, and is called by its class.', () => {
  const [box, ...others] = boxesOf([{ row: 1, column: 2, values: [0, 0, 0, Math.log(2), SURE, 0, SURE, 0] }]);
  assert.deepEqual(others, []);
  near(box, 32, 8, 16, 32);
  assert.deepEqual([box!.index, box!.label], [1, 'bus']);
  assert.ok(box!.score > 0.999 && box!.score <= 1);
});

test('A score is objectness times the class’s share; a class without a name is called by its number.', () => {
  const card = { ...CARD, labels: [], threshold: 0.2 };
  const values = [0, 0, 0, 0, 0, Math.log(3), Math.log(6), Math.log(1)];
  const boxes = boxesOf([{ row: 0, column: 0, values }], card);
  assert.deepEqual(
    boxes.map(({ label, score }) => `${label} ${score.toFixed(4)}`),
    ['class 1 0.3000'],
  );
  const all = boxesOf([{ row: 0, column: 0, values }], { ...card, threshold: 0.04 });
  assert.deepEqual(
    all.map(({ index, score }) => `${index} ${score.toFixed(4)}`),
    ['1 0.3000', '0 0.1500', '2 0.0500'],
  );
});

test('Boxes agree with a plain and slow reading of any output, card and frame.', () => {
  const card = fc.record({
    fit: fc.constantFrom('stretch' as const, 'letterbox' as const),
    threshold: fc.constantFrom(0, 0.1, 0.3, 0.6),
    overlap: fc.constantFrom(0.0437, 0.2113, 0.4519, 1),
    height: fc.integer({ min: 8, max: 96 }),
    width: fc.integer({ min: 8, max: 96 }),
    anchors: fc.array(fc.tuple(fc.double({ min: 0.2, max: 4 }), fc.double({ min: 0.2, max: 4 })), {
      ...{ minLength: 1, maxLength: 3 },
    }),
  });
  const sides = fc.record({
    width: fc.integer({ min: 20, max: 200 }),
    height: fc.integer({ min: 20, max: 200 }),
  });
  const grid = fc.tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 3 }),
  );
  const some = fc.record({ card, frame: sides, grid }).chain((given) => {
    const [rows, columns, classes] = given.grid;
    const dims = [1, given.card.anchors.length * (5 + classes), rows, columns];
    const length = dims.reduce((a, b) => a * b, 1);
    const value = fc.double({ min: -6, max: 6, noNaN: true });
    return fc.record({
      ...{ card: fc.constant(given.card), frame: fc.constant(given.frame), dims: fc.constant(dims) },
      output: fc.array(value, { minLength: length, maxLength: length }),
    });
  });
  fc.assert(
    fc.property(some, ({ card, frame, dims, output }) => {
      const whole: DetectCard = { ...CARD, ...card };
      const values = Float32Array.from(output);
      // Where a border only just touches a box, rounding decides whether anything of it is left.
      const visible = (box: Box): boolean => box.width > 1e-9 && box.height > 1e-9;
      const boxes = detectBoxes(values, dims, whole, frame).filter(visible);
      const expected = plainly(values, dims, whole, frame).filter(visible);
      assert.equal(boxes.length, expected.length);
      boxes.forEach((box, index) => {
        const { left, top, width, height, score } = expected[index]!;
        assert.deepEqual([box.index, box.label], [expected[index]!.index, expected[index]!.label]);
        assert.ok(Math.abs(box.score - score) < 1e-9);
        near(box, left, top, width, height);
      });
    }),
    { numRuns: 300 },
  );
});

test('Boxes come best first, inside the frame, above the threshold, and no two of a class overlap too much.', () => {
  const value = fc.float({ min: -8, max: 8 });
  const outputs = fc.array(value, { minLength: 8 * 16, maxLength: 8 * 16 });
  fc.assert(
    fc.property(outputs, fc.constantFrom('stretch' as const, 'letterbox' as const), (values, fit) => {
      const frame = { width: 200, height: 90 };
      const boxes = detectBoxes(Float32Array.from(values), GRID, { ...CARD, fit }, frame);
      boxes.forEach((box, i) => {
        assert.ok(box.score > CARD.threshold && box.score <= (boxes[i - 1]?.score ?? 1));
        assert.ok(box.left >= 0 && box.left + box.width <= frame.width + 1e-9 && box.width > 0);
        assert.ok(box.top >= 0 && box.top + box.height <= frame.height + 1e-9 && box.height > 0);
        for (const better of boxes.slice(0, i))
          assert.ok(better.index !== box.index || iou(better, box) <= CARD.overlap + 1e-9);
      });
    }),
  );
});

test('Of boxes that overlap the best of a class is kept, those of another class and those apart stay.', () => {
  const beside = Math.log(2);
  const boxes = boxesOf([
    car(1, 1, beside, beside, 1),
    car(1, 2, beside, beside, 2),
    { row: 2, column: 2, values: [0, 4, beside, beside, 1.5, 0, SURE, 0] },
    car(3, 0, 0, 0, 0),
  ]);
  // The first two share a third of their union: less than the overlap, so that both stay.
  assert.deepEqual(
    boxes.map(({ label, score }) => `${label} ${score.toFixed(2)}`),
    ['car 0.88', 'bus 0.82', 'car 0.73', 'car 0.50'],
  );
  const strict = boxesOf([car(1, 1, beside, beside, 1), car(1, 2, beside, beside, 2)], {
    ...CARD,
    overlap: 0.33,
  });
  assert.deepEqual(
    strict.map(({ score }) => score.toFixed(2)),
    ['0.88'],
  );
});

test('What a worse box overlaps is left out only if the better one is kept itself.', () => {
  // Three in a row: the middle one falls to the first, and so cannot take the third with it.
  const wide = Math.log(3);
  const chain = [car(1, 0, wide, 0, 3), car(1, 1, wide, 0, 2), car(1, 2, wide, 0, 1)];
  const boxes = boxesOf(chain, { ...CARD, overlap: 0.45 });
  assert.deepEqual(
    boxes.map(({ score }) => score.toFixed(2)),
    ['0.95', '0.73'],
  );
});

test('A box that reaches over a border ends there; one of any width fills the frame.', () => {
  near(boxesOf([car(0, 0, 1, 1)])[0], 0, 0, 8 + 8 * Math.E, 8 + 8 * Math.E);
  near(boxesOf([car(3, 3, 1, 1)])[0], 56 - 8 * Math.E, 56 - 8 * Math.E, 8 + 8 * Math.E, 8 + 8 * Math.E);
  near(boxesOf([car(2, 2, 1000, 1000)])[0], 0, 0, 64, 64);
});

test('What is not a number, or has no area, is no box, and spoils no other.', () => {
  for (const spoiled of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const values = [...car(1, 1).values];
    values[spoiled] = Number.NaN;
    const boxes = boxesOf([{ row: 1, column: 1, values }, car(3, 3)]);
    assert.deepEqual(
      boxes.map(({ left, top }) => [left, top]),
      [[48, 48]],
      `value ${spoiled}`,
    );
  }
  assert.deepEqual(boxesOf([car(1, 1, -1000, 0)]), []);
  assert.deepEqual(detectBoxes(new Float32Array(128).fill(Number.NaN), GRID, CARD, FRAME), []);
  const endless = [0, 0, 0, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  assert.deepEqual(boxesOf([{ row: 1, column: 1, values: endless }]), []);
});

test('Class values of any size are taken without overflow.', () => {
  const [box] = boxesOf([{ row: 1, column: 1, values: [0, 0, 0, 0, SURE, 5000, -5000, 4990] }]);
  assert.ok(Math.abs(box!.score - 1) < 1e-4);
});

test('At most a hundred boxes are told: the best.', () => {
  const dims = [1, 8, 12, 12];
  const puts = Array.from({ length: 144 }, (_, i) => car(Math.floor(i / 12), i % 12, -1, -1, 1 + i / 100));
  const boxes = detectBoxes(outputOf(dims, 1, puts), dims, CARD, FRAME);
  assert.equal(boxes.length, 100);
  assert.ok(boxes.at(-1)!.score > 1 / (1 + Math.exp(-1.435)));
});

test('Each anchor has channels of its own, in the card’s order.', () => {
  const dims = [1, 16, 4, 4];
  const card: DetectCard = {
    ...CARD,
    anchors: [
      [1, 1],
      [0.5, 2],
    ],
  };
  const output = outputOf(dims, 2, [{ ...car(1, 1), anchor: 1 }]);
  const boxes = detectBoxes(output, dims, card, FRAME);
  assert.equal(boxes.length, 1);
  near(boxes[0], 20, 8, 8, 32);
});

test('A frame that was stretched has its boxes stretched back.', () => {
  near(boxesOf([car(1, 2)], CARD, { width: 640, height: 320 })[0], 320, 80, 160, 80);
});

test('The bars of a letterbox are undone, and what lies in them is no box.', () => {
  const card: DetectCard = { ...CARD, fit: 'letterbox' };
  const wide = { width: 128, height: 64 };
  near(boxesOf([car(1, 1)], card, wide)[0], 32, 0, 32, 32);
  near(boxesOf([car(0, 1, 0, 1)], card, wide)[0], 32, 0, 32, 2 * (8 + 8 * Math.E - 16));
  assert.deepEqual(boxesOf([car(0, 1), car(3, 2)], card, wide), []);
  near(boxesOf([car(1, 1)], card, { width: 64, height: 128 })[0], 0, 32, 32, 32);
});

test('The frame is found where the picture was really laid into the letterbox.', async () => {
  for (const [width, height] of [
    [227, 447],
    [860, 171],
    [300, 200],
    [199, 200],
    [56, 33],
  ] as const) {
    const card: DetectCard = { ...CARD, width: 416, height: 416, fit: 'letterbox', channels: 'grey' };
    const white = sharp({ create: { width, height, channels: 3, background: '#fff' } });
    const input: Card = { ...card, mean: [0], std: [1] };
    const tensor = await pictureToTensor(await white.png().toBuffer(), input);
    const bright = (x: number, y: number): boolean => tensor[y * 416 + x]! > 0.7;
    const columns = Array.from({ length: 416 }, (_, x) => x).filter((x) => bright(x, 208));
    const rows = Array.from({ length: 416 }, (_, y) => y).filter((y) => bright(208, y));
    // A box of the size of a pixel on the first and the last one: they are the frame's corners.
    const dims = [1, 8, 416, 416];
    const put = (row: number, column: number): Put => car(row, column);
    const output = outputOf(dims, 1, [put(rows[0]!, columns[0]!), put(rows.at(-1)!, columns.at(-1)!)]);
    const boxes = detectBoxes(output, dims, card, { width, height });
    assert.equal(boxes.length, 2);
    const [first, last] = boxes.toSorted((a, b) => a.left + a.top - b.left - b.top) as [Box, Box];
    assert.deepEqual([first.left, first.top], [0, 0]);
    assert.ok(Math.abs(last.left + last.width - width) < 1e-6);
    assert.ok(Math.abs(last.top + last.height - height) < 1e-6);
  }
});

test('An output that does not fit the anchors or the labels is refused in one line, with the figures.', () => {
  const refused = (dims: readonly number[], message: RegExp, change: Partial<DetectCard> = {}): void =>
    assert.throws(
      () => checkOutput({ ...CARD, ...change }, dims, 'some/model.onnx'),
      (error) => isModelError(error, 'some/model', message),
    );
  checkOutput(CARD, GRID, 'some/model.onnx');
  checkOutput({ ...CARD, labels: [] }, [1, 9, 4, 4], 'some/model.onnx');
  refused(
    [1, 1000],
    /its output is \[1, 1000\]; 'read: detect' with 1 anchor needs \[1, 1 × \(5 \+ classes\)/,
  );
  refused([2, 8, 4, 4], /its output is \[2, 8, 4, 4\]/);
  refused([1, 5, 4, 4], /its output is/);
  refused(
    [1, 9, 4, 4],
    /^some\/model\.yaml: labels has 3 names, the output has 4 classes for each of 1 anchor$/,
  );
  refused(GRID, /with 3 anchors needs \[1, 3 × /, {
    anchors: [1, 2, 3].map((side) => [side, side] as const),
  });
});

test('A card that does not ask for boxes takes any output.', () => {
  for (const read of ['classify', 'raw'] as const)
    checkOutput(resolveCard({ read }, [1, 3, 8, 8], 'some/model.onnx'), [1, 1000], 'some/model.onnx');
});
