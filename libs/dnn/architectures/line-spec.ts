/** Lines of plain layers as data, the short way to say what needs no builder. */
import { type Architecture, describe } from './builder.ts';

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

/** The architecture that a line is. */
export function line(spec: LineSpec): Architecture {
  const { name, input, seed, layers } = spec;
  return {
    ...{ name, input, seed },
    build: (network, picture) =>
      layers.reduce((x, layer) => {
        if (layer.kind === 'conv') return network.conv(x, layer.name, { ...layer, activation: 'relu' });
        if (layer.kind === 'max-pool') return network.maxPool(x, layer.name, layer);
        return network.fullyConnected(x, layer.name, layer.channels, layer.relu ? 'relu' : undefined);
      }, picture),
  };
}

/** The shape and the multiply-adds of every layer, in order. */
export function layerShapes(spec: LineSpec): LayerShape[] {
  const { input, layers } = describe(line(spec));
  return layers.map(({ output, macs }, index) => ({
    layer: spec.layers[index]!,
    inputDims: (layers[index - 1]?.output ?? input).dims,
    outputDims: output.dims,
    macs,
  }));
}
