/** Pictures to tensors: decoding and scaling by sharp, then the normalisation that the card asks for. */
import sharp from 'sharp';
import type { Card } from './card.ts';
import { inputChannels } from './normalisation.ts';

// One thread a picture: several are prepared side by side, and the cores belong to the inference.
sharp.concurrency(1);
sharp.cache(false);

const LETTERBOX_GREY = { r: 114, g: 114, b: 114 };

/**
 * The network's input for a picture: float32, [1,C,H,W] or [1,H,W,C] as the card says.
 * @throws Error where the picture is broken or no picture.
 */
export async function pictureToTensor(picture: Uint8Array, card: Card): Promise<Float32Array<ArrayBuffer>> {
  const { height, width } = card;
  const channels = inputChannels(card);
  const depth = channels.length;
  const resized = sharp(picture, { failOn: 'error' })
    .resize(width, height, {
      fit: card.fit === 'stretch' ? 'fill' : 'contain',
      background: LETTERBOX_GREY,
      fastShrinkOnLoad: false,
    })
    .removeAlpha()
    .toColourspace(depth === 1 ? 'b-w' : 'srgb');
  const { data, info } = await resized.raw().toBuffer({ resolveWithObject: true });
  if (info.channels !== depth) throw new Error(`${info.channels} channels where ${depth} were expected`);

  const pixels = height * width;
  const tensor = new Float32Array(depth * pixels);
  channels.forEach(({ start, stride, scale, offset }, c) => {
    const source = card.channels === 'bgr' ? depth - 1 - c : c;
    for (let i = 0; i < pixels; i++) tensor[start + i * stride] = data[i * depth + source]! * scale + offset;
  });
  return tensor;
}
