/** Pictures to tensors: decoding and scaling by sharp, then the normalisation that the card asks for. */
import sharp from 'sharp';
import type { Card } from './card.ts';

// One thread a picture: several are prepared side by side, and the cores belong to the inference.
sharp.concurrency(1);
sharp.cache(false);

const LETTERBOX_GREY = { r: 114, g: 114, b: 114 };

/**
 * The network's input for a picture: float32, [1,C,H,W] or [1,H,W,C] as the card says.
 * @throws Error where the picture is broken or no picture.
 */
export async function pictureToTensor(picture: Uint8Array, card: Card): Promise<Float32Array<ArrayBuffer>> {
  const { height, width, channels, range } = card;
  const depth = channels === 'grey' ? 1 : 3;
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
  const step = (range[1] - range[0]) / 255;
  for (let c = 0; c < depth; c++) {
    const source = channels === 'bgr' ? depth - 1 - c : c;
    const scale = step / card.std[c]!;
    const offset = (range[0] - card.mean[c]!) / card.std[c]!;
    const start = card.layout === 'nchw' ? c * pixels : c;
    const stride = card.layout === 'nchw' ? 1 : depth;
    for (let i = 0; i < pixels; i++) tensor[start + i * stride] = data[i * depth + source]! * scale + offset;
  }
  return tensor;
}
