/** Boxes, read off the output of a detector that sees the picture as a grid of cells. */
import { type Box, MAX_BOXES } from '@splitlane/proto';
import { type Card, cardPath, type DetectCard } from './card.ts';
import { ModelError } from './onnx.ts';
import type { FrameSize } from './picture.ts';

/** Before the classes, an anchor has x, y, width, height, objectness. */
const BEFORE_CLASSES = 5;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * @throws ModelError where a card asks for boxes and the output is not [1, A·(5 + C), H, W] with as many
 * anchors A and, where they have names, classes C as the card says.
 */
export function checkOutput(card: Card, outputDims: readonly number[], file: string): void {
  if (card.read !== 'detect') return;
  const { anchors, labels } = card;
  const [batch, channels = 0] = outputDims;
  const count = `${anchors.length} anchor${anchors.length > 1 ? 's' : ''}`;
  const classes = channels / anchors.length - BEFORE_CLASSES;
  if (outputDims.length !== 4 || batch !== 1 || !Number.isInteger(classes) || classes < 1)
    throw new ModelError(
      `model ${file}: its output is [${outputDims.join(', ')}]; ` +
        `'read: detect' with ${count} needs [1, ${anchors.length} × (5 + classes), H, W]`,
    );
  if (labels.length > 0 && labels.length !== classes)
    throw new ModelError(
      `${cardPath(file)}: labels has ${labels.length} names, the output has ${classes} classes ` +
        `for each of ${count}`,
    );
}

/**
 * The boxes of an output that `checkOutput` takes, best first, at most 100: J. Redmon and A. Farhadi,
 * "YOLO9000: better, faster, stronger" (2016), section 2. `output` is [1, A·(5 + C), H, W]; for each anchor
 * and cell it holds x and y (their sigmoids place the box's centre in the cell), width and height (their
 * exponentials are factors of the anchor), objectness (through a sigmoid) and C classes (through a
 * softmax). A score is objectness × the class's share. A cell may tell several classes. Boxes are what of them lies in the frame, without the bars of
 * `fit: letterbox`; of two of a class whose intersection over union exceeds `overlap` the worse is left
 * out. What has no finite score or no area is no box.
 */
export function detectBoxes(
  output: Float32Array,
  dims: readonly number[],
  card: DetectCard,
  frame: FrameSize,
): Box[] {
  const kept: Box[] = [];
  for (const box of candidates(output, dims, card, frame).sort((a, b) => b.score - a.score)) {
    if (kept.some((better) => better.index === box.index && overlapOf(better, box) > card.overlap)) continue;
    if (kept.push(box) === MAX_BOXES) break;
  }
  return kept;
}

function candidates(
  output: Float32Array,
  dims: readonly number[],
  card: DetectCard,
  frame: FrameSize,
): Box[] {
  const [, channels, rows, columns] = dims as [number, number, number, number];
  const { anchors, labels, threshold } = card;
  const cells = rows * columns;
  const perAnchor = channels / anchors.length;
  const onFrame = frameOf(card, frame);
  const boxes: Box[] = [];
  anchors.forEach(([anchorWidth, anchorHeight], anchor) => {
    for (let cell = 0; cell < cells; cell++) {
      const at = (channel: number): number => output[(anchor * perAnchor + channel) * cells + cell]!;
      const objectness = sigmoid(at(4));
      // No class can make more of it; also where it is not a number.
      if (!(objectness > threshold)) continue;
      const scores = classScores(at, perAnchor, objectness);
      if (!scores.some((score) => score > threshold)) continue;
      const area = onFrame(
        ((cell % columns) + sigmoid(at(0))) / columns,
        (Math.floor(cell / columns) + sigmoid(at(1))) / rows,
        (anchorWidth * Math.exp(at(2))) / columns,
        (anchorHeight * Math.exp(at(3))) / rows,
      );
      if (!(area.width > 0 && area.height > 0)) continue;
      scores.forEach((score, index) => {
        if (score > threshold)
          boxes.push({ index, label: labels[index] ?? `class ${index}`, score, ...area });
      });
    }
  });
  return boxes;
}

/** Objectness × softmax; the greatest is taken off first, so that no exponential overflows. */
function classScores(at: (channel: number) => number, channels: number, objectness: number): number[] {
  const logits = Array.from({ length: channels - BEFORE_CLASSES }, (_, index) => at(BEFORE_CLASSES + index));
  const greatest = Math.max(...logits);
  const shares = logits.map((logit) => Math.exp(logit - greatest));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => (objectness * share) / sum);
}

type Area = Pick<Box, 'left' | 'top' | 'width' | 'height'>;

/** From centre and sides in shares of the network's input to pixels of the frame, cut at its borders. */
function frameOf(
  card: DetectCard,
  frame: FrameSize,
): (x: number, y: number, width: number, height: number) => Area {
  // Where the frame lies in the input, in pixels: whole ones, as the picture was scaled and framed.
  const fitted = { left: 0, top: 0, width: card.width, height: card.height };
  if (card.fit === 'letterbox') {
    const scale = Math.min(card.width / frame.width, card.height / frame.height);
    fitted.width = Math.max(1, Math.round(frame.width * scale));
    fitted.height = Math.max(1, Math.round(frame.height * scale));
    fitted.left = Math.floor((card.width - fitted.width) / 2);
    fitted.top = Math.floor((card.height - fitted.height) / 2);
  }
  const clamp = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
  return (x, y, width, height) => {
    const column = (share: number): number =>
      clamp(((share * card.width - fitted.left) * frame.width) / fitted.width, frame.width);
    const row = (share: number): number =>
      clamp(((share * card.height - fitted.top) * frame.height) / fitted.height, frame.height);
    const [left, top] = [column(x - width / 2), row(y - height / 2)];
    return { left, top, width: column(x + width / 2) - left, height: row(y + height / 2) - top };
  };
}

/** Intersection over union, at most 1 whatever the rounding. */
function overlapOf(a: Area, b: Area): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return Math.min(1, both / (a.width * a.height + b.width * b.height - both));
}
