/**
 * Architectures as functions over a builder: what operators and weights a network has, what shapes and how
 * many multiply-adds follow. Nothing is drawn here: a description of VGG-16 costs a few kilobytes.
 */
import type { CardFile } from '../card.ts';

/** A tensor between operators; with batch 1: [1, C, H, W], or [1, N] after a fully connected layer. */
export interface Tensor {
  readonly name: string;
  readonly dims: readonly number[];
}

/** A network with seeded weights over one NCHW picture. */
export interface Architecture {
  readonly name: string;
  /** Channels, height, width of the input. */
  readonly input: readonly [number, number, number];
  /** Seed of its weights. */
  readonly seed: number;
  /** What a card beside the written model need not say. */
  readonly card?: CardFile;
  /** Puts the layers on the input, and returns the output. */
  build(network: NetworkBuilder, input: Tensor): Tensor;
}

/** Values that are uniform in [centre − spread, centre + spread). */
export interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly seed: number;
  readonly centre: number;
  readonly spread: number;
  /** False for what training does not fit: running means and variances, the bounds of ReLU6. */
  readonly learned: boolean;
}

export interface Operator {
  readonly opType: string;
  readonly name: string;
  readonly input: readonly string[];
  readonly output: string;
  /** In ONNX's terms: an array is INTS, a whole number INT, all else FLOAT. */
  readonly attributes: readonly (readonly [name: string, value: number | readonly number[]])[];
}

export interface DescribedLayer {
  /** What leaves the layer; it has the layer's name. */
  readonly output: Tensor;
  readonly weights: readonly Weight[];
  /** Multiply-adds of convolutions and fully connected layers, padding included; the rest counts nothing. */
  readonly macs: number;
}

/** An architecture with everything said but the weights' values. */
export interface Description {
  readonly name: string;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly layers: readonly DescribedLayer[];
  readonly operators: readonly Operator[];
}

export type Activation = 'relu' | 'relu6' | 'leaky-relu';

export interface Conv {
  readonly channels: number;
  readonly kernel: number;
  /** 1 unless given. */
  readonly stride?: number;
  /** On all four sides; 0 unless given. */
  readonly pad?: number;
  /** 1 unless given; as many as channels for a depthwise convolution. */
  readonly groups?: number;
  /**
   * Batch normalisation instead of a bias, and the centre of its scales: 1, or less at the end of a
   * residual branch, so that the sums do not grow from block to block.
   */
  readonly norm?: number;
  readonly activation?: Activation;
}

export interface MaxPool {
  readonly kernel: number;
  readonly stride: number;
  /** On all four sides; 0 unless given. */
  readonly pad?: number;
  /** At the lower and the right end only, on top of `pad`; 0 unless given. */
  readonly padEnd?: number;
}

const BIAS_SPREAD = 0.05;
const NORM_SPREAD = 0.1;
const LEAKY_SLOPE = 0.1;

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/**
 * Adds layers one by one. A tensor is named after the layer that it leaves; inside a layer of several
 * operators stand `/linear`, `/normal`, `/sum` and `/flat`.
 */
export class NetworkBuilder {
  readonly layers: DescribedLayer[] = [];
  readonly operators: Operator[] = [];
  #seed: number;
  #weights: Weight[] = [];

  constructor(seed: number) {
    this.#seed = seed * 1000;
  }

  /** A convolution, with batch normalisation and an activation where asked for. */
  conv(x: Tensor, name: string, options: Conv): Tensor {
    const { channels, kernel, stride = 1, pad = 0, groups = 1, norm, activation } = options;
    const [, depth, height, width] = x.dims as [number, number, number, number];
    const side = (length: number): number => Math.floor((length + 2 * pad - kernel) / stride) + 1;
    const dims = [1, channels, side(height), side(width)];
    const filter = [channels, depth / groups, kernel, kernel];
    const given = this.#filter(name, filter, norm === undefined);
    const linear = norm !== undefined || activation ? `${name}/linear` : name;
    this.#operator('Conv', `${name}/conv`, [x.name, ...given], linear, [
      ['kernel_shape', [kernel, kernel]],
      ['strides', [stride, stride]],
      ['pads', [pad, pad, pad, pad]],
      ...(groups === 1 ? [] : [['group', groups] as const]),
    ]);
    let last = linear;
    if (norm !== undefined) {
      last = activation ? `${name}/normal` : name;
      this.#operator('BatchNormalization', `${name}/bn`, [linear, ...this.#norm(name, channels, norm)], last);
    }
    if (activation) this.#activate(activation, name, last);
    return this.#layer(name, dims, product(dims) * product(filter.slice(1)));
  }

  /** A fully connected layer; what is no vector is flattened first. */
  fullyConnected(x: Tensor, name: string, channels: number, activation?: Activation): Tensor {
    const inputs = product(x.dims);
    const given = this.#filter(name, [channels, inputs], true);
    let flat = x.name;
    if (x.dims.length > 2) {
      flat = `${name}/flat`;
      this.#operator('Flatten', `${name}/flatten`, [x.name], flat, [['axis', 1]]);
    }
    const linear = activation ? `${name}/linear` : name;
    this.#operator('Gemm', `${name}/gemm`, [flat, ...given], linear, [['transB', 1]]);
    if (activation) this.#activate(activation, name, linear);
    return this.#layer(name, [1, channels], inputs * channels);
  }

  maxPool(x: Tensor, name: string, { kernel, stride, pad = 0, padEnd = 0 }: MaxPool): Tensor {
    const [, channels, height, width] = x.dims as [number, number, number, number];
    const side = (length: number): number => Math.floor((length + 2 * pad + padEnd - kernel) / stride) + 1;
    this.#operator('MaxPool', name, [x.name], name, [
      ['kernel_shape', [kernel, kernel]],
      ['strides', [stride, stride]],
      ...(pad + padEnd === 0 ? [] : [['pads', [pad, pad, pad + padEnd, pad + padEnd]] as const]),
    ]);
    return this.#layer(name, [1, channels!, side(height), side(width)]);
  }

  globalAveragePool(x: Tensor, name: string): Tensor {
    this.#operator('GlobalAveragePool', name, [x.name], name);
    return this.#layer(name, [1, x.dims[1]!, 1, 1]);
  }

  /** Tensors of one height and width, one after another along the channels. */
  concat(parts: readonly Tensor[], name: string): Tensor {
    const [, , height, width] = parts[0]!.dims as [number, number, number, number];
    const channels = parts.reduce((sum, { dims }) => sum + dims[1]!, 0);
    this.#operator(
      'Concat',
      name,
      parts.map((part) => part.name),
      name,
      [['axis', 1]],
    );
    return this.#layer(name, [1, channels, height, width]);
  }

  /** The sum of two tensors of one shape. */
  add(a: Tensor, b: Tensor, name: string, activation?: Activation): Tensor {
    const sum = activation ? `${name}/sum` : name;
    this.#operator('Add', `${name}/add`, [a.name, b.name], sum);
    if (activation) this.#activate(activation, name, sum);
    return this.#layer(name, a.dims);
  }

  #operator(
    opType: string,
    name: string,
    input: readonly string[],
    output: string,
    attributes: Operator['attributes'] = [],
  ): void {
    this.operators.push({ opType, name, input, output, attributes });
  }

  /** Ends a layer: the next has seeds of its own, two more whether it takes them or not. */
  #layer(name: string, dims: readonly number[], macs = 0): Tensor {
    const output = { name, dims };
    this.layers.push({ output, weights: this.#weights, macs });
    this.#weights = [];
    this.#seed += 2;
    return output;
  }

  /** Variance 2 / fan-in, with which the spread of activations survives ReLU through any depth. */
  #filter(name: string, dims: readonly number[], bias: boolean): string[] {
    const spread = Math.sqrt(6 / product(dims.slice(1)));
    const filter = `${name}.weight`;
    this.#weights.push({ name: filter, dims, seed: this.#seed, centre: 0, spread, learned: true });
    if (!bias) return [filter];
    const of = { dims: [dims[0]!], seed: this.#seed + 1, centre: 0, spread: BIAS_SPREAD, learned: true };
    this.#weights.push({ name: `${name}.bias`, ...of });
    return [filter, `${name}.bias`];
  }

  /** Close to what changes nothing: as after training the output has the spread that the scale says. */
  #norm(name: string, channels: number, scale: number): string[] {
    const made = (
      [
        ['scale', scale, scale * NORM_SPREAD, true],
        ['bias', 0, BIAS_SPREAD, true],
        ['mean', 0, BIAS_SPREAD, false],
        ['var', 1, NORM_SPREAD, false],
      ] as const
    ).map(([part, centre, spread, learned], index) => {
      const seed = this.#seed + 2 + index;
      return { name: `${name}/bn.${part}`, dims: [channels], seed, centre, spread, learned };
    });
    this.#seed += 4;
    this.#weights.push(...made);
    return made.map((weight) => weight.name);
  }

  #activate(activation: Activation, name: string, from: string): void {
    if (activation === 'relu') return this.#operator('Relu', `${name}/relu`, [from], name);
    if (activation === 'leaky-relu')
      return this.#operator('LeakyRelu', `${name}/relu`, [from], name, [['alpha', LEAKY_SLOPE]]);
    // A value of its own for each Clip: the parts of a cut network then need nothing of each other.
    const bounds = [0, 6].map((centre) => {
      const bound = { name: `${name}/relu6.${centre}`, dims: [], seed: 0, centre, spread: 0, learned: false };
      this.#weights.push(bound);
      return bound.name;
    });
    this.#operator('Clip', `${name}/relu6`, [from, ...bounds], name);
  }
}

/** Describes a network. */
export function describe(architecture: Architecture): Description {
  const { name, seed } = architecture;
  const input = { name: 'input', dims: [1, ...architecture.input] };
  const builder = new NetworkBuilder(seed);
  const output = architecture.build(builder, input);
  return { name, input, output, layers: builder.layers, operators: builder.operators };
}

/** Learned parameters: running means and variances of batch normalisation are not counted. */
export function parametersOf({ layers }: Description): number {
  const learned = layers.flatMap(({ weights }) => weights.filter((weight) => weight.learned));
  return learned.reduce((sum, { dims }) => sum + product(dims), 0);
}

/** Multiply-adds of one picture. */
export function macsOf({ layers }: Description): number {
  return layers.reduce((sum, { macs }) => sum + macs, 0);
}
