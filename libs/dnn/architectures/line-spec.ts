/** Line architectures as data: what their layers are, what shapes and how many multiply-adds follow. */

export type Layer =
  | {
      readonly kind: 'conv';
      readonly name: string;
      readonly channels: number;
      readonly kernel: number;
      readonly stride: number;
      readonly pad: number;
    }
  | { readonly kind: 'max-pool'; readonly name: string; readonly kernel: number; readonly stride: number }
  | {
      readonly kind: 'fully-connected';
      readonly name: string;
      readonly channels: number;
      readonly relu: boolean;
    };

/** A line DNN over one NCHW picture; every convolution is followed by a ReLU. */
export interface LineSpec {
  readonly name: string;
  /** Channels, height, width of the input. */
  readonly input: readonly [number, number, number];
  readonly layers: readonly Layer[];
  /** Seed of its weights. */
  readonly seed: number;
}

export interface LayerShape {
  readonly layer: Layer;
  readonly inputDims: readonly number[];
  /** With batch 1: [1, C, H, W], or [1, N] after a fully connected layer. */
  readonly outputDims: readonly number[];
  readonly macs: number;
}

const elements = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** The shape and the multiply-adds of every layer, in order. */
export function layerShapes(spec: LineSpec): LayerShape[] {
  let dims: readonly number[] = [1, ...spec.input];
  return spec.layers.map((layer) => {
    const inputDims = dims;
    const [, channels = 0, height = 1, width = 1] = dims;
    let macs = 0;
    if (layer.kind === 'fully-connected') {
      macs = elements(dims) * layer.channels;
      dims = [1, layer.channels];
    } else {
      const pad = layer.kind === 'conv' ? layer.pad : 0;
      const side = (length: number): number =>
        Math.floor((length + 2 * pad - layer.kernel) / layer.stride) + 1;
      const outputChannels = layer.kind === 'conv' ? layer.channels : channels;
      dims = [1, outputChannels, side(height), side(width)];
      if (layer.kind === 'conv') macs = elements(dims) * channels * layer.kernel ** 2;
    }
    return { layer, inputDims, outputDims: dims, macs };
  });
}
