/**
 * Pictures to tensors: decoding and scaling by sharp, then the normalisation that the card asks for. A picture whose
 * EXIF data says that it lies on its side is taken upright, as its viewer sees it.
 */
import sharp from 'sharp';
import type { Card } from './card.ts';
import { inputChannels } from './normalisation.ts';

// One thread a picture: several are prepared side by side, and the cores belong to the inference.
sharp.concurrency(1);
sharp.cache(false);

const LETTERBOX_GREY = { r: 114, g: 114, b: 114 };
const OVERLAY_QUALITY = 90;
const UPRIGHT = { failOn: 'error', autoOrient: true } as const;

/** Of a picture, in pixels and upright. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/** Read from the picture's header. @throws Error where it is none. */
export async function frameSizeOf(picture: Uint8Array): Promise<FrameSize> {
  const { width, height } = (await sharp(picture).metadata()).autoOrient;
  return { width, height };
}

/**
 * The picture, upright, with an SVG of its size laid over it, as a JPEG with all of its colours' pixels.
 * @throws Error where the picture or the SVG is broken.
 */
export function withOverlay(picture: Uint8Array, svg: string): Promise<Buffer> {
  return sharp(picture, UPRIGHT)
    .composite([{ input: Buffer.from(svg) }])
    .jpeg({ quality: OVERLAY_QUALITY, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/**
 * The network's input for a picture: float32, [1,C,H,W] or [1,H,W,C] as the card says.
 * @throws Error where the picture is broken or no picture.
 */
export async function pictureToTensor(picture: Uint8Array, card: Card): Promise<Float32Array<ArrayBuffer>> {
  const { height, width } = card;
  const channels = inputChannels(card);
  const depth = channels.length;
  const resized = sharp(picture, UPRIGHT)
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
