import type { Card } from './card.ts';

/** Where a colour's numbers lie in the network's input, and how they are made from 8-bit pixels. */
export interface InputChannel {
  /** The first number's index, and the distance from one to the next. */
  readonly start: number;
  readonly stride: number;
  /** input = level · scale + offset, for a level from 0 to 255. */
  readonly scale: number;
  readonly offset: number;
}

/** The channels of the input in its own order, one or three. */
export function inputChannels({ channels, layout, height, width, range, mean, std }: Card): InputChannel[] {
  const depth = channels === 'grey' ? 1 : 3;
  const step = (range[1] - range[0]) / 255;
  return Array.from({ length: depth }, (_, c) => ({
    start: layout === 'nchw' ? c * height * width : c,
    stride: layout === 'nchw' ? 1 : depth,
    scale: step / std[c]!,
    offset: (range[0] - mean[c]!) / std[c]!,
  }));
}
