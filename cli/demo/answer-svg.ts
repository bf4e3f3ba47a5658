/** What was answered of a frame, as an SVG that lies over it: boxes with their labels, or the best classes. */
import type { FrameSize } from '@splitlane/dnn';
import type { Box, Class } from '@splitlane/proto';
import { escaped } from '../svg.ts';

/** All so light that black text is legible on them; on a light picture their dark rim sets them off. */
const COLOURS = ['#ffd60a', '#4cc9f0', '#ff8fa3', '#80ed99', '#ff9e00', '#cf9fff', '#f5f5f5', '#c0d461'];
const FONTS = 'DejaVu Sans Mono, Liberation Mono, Noto Sans Mono, monospace';
const LEAST_FONT_PX = 8;
/** Of the font's size: height of a line, its baseline, and the space before and after a text. */
const LINE = 1.35;
const BASELINE = 1.02;
const PAD = 0.3;
/** Widths of letters of a monospaced font in its size, and of those that take two places. */
const LETTER = 0.61;
const WIDE_LETTER = 1.25;
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{20000}-\u{3fffd}]/u;

/** The colour of the boxes of a class. */
export function colourOf({ index }: Pick<Box, 'index'>): string {
  return COLOURS[index % COLOURS.length]!;
}

/** Width of a box's line in pixels; it lies within the box. */
export function lineWidth({ width, height }: FrameSize): number {
  return Math.max(1, Math.round(Math.min(width, height) / 180));
}

/** An SVG of the frame's size; undefined where nothing was answered that could be drawn. */
export function answerSvg(
  size: FrameSize,
  { top, boxes }: { readonly top: readonly Class[]; readonly boxes: readonly Box[] },
): string | undefined {
  const drawn = boxes.length > 0 ? boxesOn(size, boxes) : top.length > 0 ? caption(size, top) : undefined;
  return (
    drawn &&
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" ` +
      `font-family="${FONTS}">${drawn.join('')}</svg>`
  );
}

/** The best on top, and labels over all lines. */
function boxesOn(size: FrameSize, boxes: readonly Box[]): string[] {
  const worstFirst = boxes.toReversed();
  return [...worstFirst.map((box) => outline(size, box)), ...worstFirst.map((box) => label(size, box))];
}

/** A line along whole pixels, with a dark rim. */
function outline(size: FrameSize, box: Box): string {
  const line = lineWidth(size);
  const [left, top] = [Math.round(box.left), Math.round(box.top)];
  // A rectangle without width is not drawn at all.
  const side = (from: number, to: number): number => Math.max(0.01, Math.round(to) - from - line);
  const place =
    `x="${left + line / 2}" y="${top + line / 2}" ` +
    `width="${side(left, box.left + box.width)}" height="${side(top, box.top + box.height)}" fill="none"`;
  const rim = line + 2 * Math.max(1, Math.round(line / 3));
  return (
    `<rect ${place} stroke="#000" stroke-opacity="0.6" stroke-width="${rim}"/>` +
    `<rect ${place} stroke="${colourOf(box)}" stroke-width="${line}"/>`
  );
}

/** Above its box, or in its upper edge where there is no room; never outside of the picture. */
function label(size: FrameSize, box: Box): string {
  const font = fontPx(size);
  const [height, pad] = [LINE * font, PAD * font];
  const score = ` ${box.score.toFixed(2)}`;
  const room = size.width - 2 * pad - textWidth(score, font);
  const text = `${shortened(box.label, font, room)}${score}`;
  const width = textWidth(text, font) + 2 * pad;
  const within = (place: number, most: number): number => Math.max(0, Math.min(place, most));
  const x = within(Math.round(box.left), size.width - width);
  const above = Math.round(box.top) - height;
  const y = within(above < 0 ? Math.round(box.top) : above, size.height - height);
  return (
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${colourOf(box)}" ` +
    `stroke="#000" stroke-opacity="0.6"/><text x="${x + pad}" y="${y + BASELINE * font}" font-size="${font}" fill="#000">${escaped(text)}</text>`
  );
}

/** The classes line by line with their scores, in the lower left corner. */
function caption(size: FrameSize, top: readonly Class[]): string[] {
  const font = Math.min(fontPx(size), size.height / (LINE * top.length));
  const [line, pad] = [LINE * font, PAD * font];
  const scores = top.map(({ score }) => score.toPrecision(3));
  const scoresEnd = pad + Math.max(...scores.map((score) => textWidth(score, font)));
  const namesAt = scoresEnd + 2 * pad;
  const names = top.map((one) => shortened(one.label, font, size.width - namesAt - pad));
  const width = namesAt + Math.max(...names.map((name) => textWidth(name, font))) + pad;
  const height = line * top.length;
  const y = size.height - height;
  return [
    `<rect x="0" y="${y}" width="${width}" height="${height}" fill="#000" fill-opacity="0.65"/>`,
    ...names.map((name, row) => {
      const at = `y="${y + row * line + BASELINE * font}" font-size="${font}" fill="#fff"`;
      return (
        `<text x="${scoresEnd}" ${at} text-anchor="end">${scores[row]}</text>` +
        `<text x="${namesAt}" ${at}>${escaped(name)}</text>`
      );
    }),
  ];
}

function fontPx({ width, height }: FrameSize): number {
  return Math.max(LEAST_FONT_PX, Math.round(Math.min(width, height) / 32));
}

function textWidth(text: string, font: number): number {
  let width = 0;
  for (const letter of text) width += WIDE.test(letter) ? WIDE_LETTER : LETTER;
  return width * font;
}

/** The text, or as much of its beginning as there is room for. */
function shortened(text: string, font: number, room: number): string {
  if (textWidth(text, font) <= room) return text;
  const letters = Array.from(text);
  while (letters.length > 0 && textWidth(`${letters.join('')}…`, font) > room) letters.pop();
  return `${letters.join('')}…`;
}
