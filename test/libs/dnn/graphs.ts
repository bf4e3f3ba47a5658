/** Small ONNX networks of any form, operator by operator. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { onnx } from '../../../libs/dnn/onnx.ts';
import { int64, type Loose, weight } from './models.ts';

const { INT, INTS } = onnx.AttributeProto.AttributeType;

export const int = (name: string, i: number): object => ({ name, type: INT, i });
export const ints = (name: string, values: readonly number[]): object => ({
  name,
  type: INTS,
  ints: [...values],
});

/** A described tensor; a dimension that is a word is open. */
export function value(name: string, dims: readonly (number | string)[], elemType = 1): object {
  const dim = dims.map((each) => (typeof each === 'number' ? { dimValue: each } : { dimParam: each }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** A graph in the making: each operator returns the name of its tensor. */
export class Graph {
  readonly node: object[] = [];
  readonly initializer: object[] = [];
  #seed: number;
  #made = 0;

  constructor(seed = 1) {
    this.#seed = 1000 * seed;
  }

  add(opType: string, input: readonly string[], attribute: readonly object[] = [], output?: string): string {
    const name = output ?? `${opType.toLowerCase()}${++this.#made}`;
    this.node.push({ opType, name: `${name}/node`, input: [...input], output: [name], attribute });
    return name;
  }

  weight(dims: readonly number[]): string {
    const name = `weight${++this.#seed}`;
    this.initializer.push(weight(name, dims, this.#seed));
    return name;
  }

  constant(values: readonly number[]): string {
    const name = `constant${++this.#seed}`;
    this.initializer.push(int64(name, values));
    return name;
  }

  conv(input: string, from: number, to: number, kernel = 3): string {
    const pad = kernel >> 1;
    return this.add(
      'Conv',
      [input, this.weight([to, from, kernel, kernel]), this.weight([to])],
      [ints('kernel_shape', [kernel, kernel]), ints('pads', [pad, pad, pad, pad])],
    );
  }

  relu(input: string): string {
    return this.add('Relu', [input]);
  }

  pool(input: string, opType = 'MaxPool'): string {
    return this.add(opType, [input], [ints('kernel_shape', [2, 2]), ints('strides', [2, 2])]);
  }

  /** The mean of each channel, and a number of classes of them. */
  classes(input: string, channels: number, classes: number): string {
    const flat = this.add('Flatten', [this.add('GlobalAveragePool', [input])], [int('axis', 1)]);
    return this.add('Gemm', [flat, this.weight([channels, classes]), this.weight([classes])]);
  }

  model(inputs: readonly object[], outputs: readonly (string | object)[], opset = 13): Loose {
    return {
      irVersion: opset < 9 ? 3 : 8,
      producerName: 'test',
      opsetImport: [{ domain: '', version: opset }],
      graph: {
        name: 'test',
        node: this.node,
        initializer: this.initializer,
        input: [...inputs],
        output: outputs.map((each) => (typeof each === 'string' ? { name: each } : each)),
      },
    };
  }
}

/** Writes a model to a folder. Returns its path. */
export function save(folder: string, name: string, model: Loose): string {
  const file = path.join(folder, `${name}.onnx`);
  writeFileSync(file, onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish());
  return file;
}

/** A part of a random network. */
export type Block =
  | { readonly kind: 'conv' | 'residual' | 'inception'; readonly channels: number; readonly relu: boolean }
  | { readonly kind: 'max-pool' | 'average-pool' | 'gate' | 'normal' };

const LEAST_SIDE = 4;

/** A network for pictures of `side` × `side` pixels: blocks one behind the other, then 10 classes. */
export function blocks(chain: readonly Block[], side: number, seed: number): Loose {
  const graph = new Graph(seed);
  let [tensor, channels, left] = ['input', 3, side];
  for (const block of chain) {
    switch (block.kind) {
      case 'conv':
        tensor = graph.conv(tensor, channels, block.channels);
        if (block.relu) tensor = graph.relu(tensor);
        channels = block.channels;
        break;
      case 'residual': {
        const inner = graph.conv(
          graph.relu(graph.conv(tensor, channels, block.channels)),
          block.channels,
          channels,
        );
        tensor = graph.add('Add', [inner, tensor]);
        if (block.relu) tensor = graph.relu(tensor);
        break;
      }
      case 'inception': {
        const one = graph.relu(graph.conv(tensor, channels, block.channels, 1));
        const two = graph.relu(graph.conv(graph.conv(tensor, channels, 4, 1), 4, block.channels + 1));
        tensor = graph.add('Concat', block.relu ? [one, two, tensor] : [one, two], [int('axis', 1)]);
        channels = 2 * block.channels + 1 + (block.relu ? channels : 0);
        break;
      }
      case 'gate':
        tensor = graph.add('Mul', [tensor, graph.add('Sigmoid', [tensor])]);
        break;
      case 'normal': {
        const names = [0, 1, 2].map(() => graph.weight([channels]));
        const variance = graph.add('Exp', [graph.weight([channels])]);
        tensor = graph.add('BatchNormalization', [tensor, ...names, variance]);
        break;
      }
      default:
        if (left < 2 * LEAST_SIDE) break;
        tensor = graph.pool(tensor, block.kind === 'max-pool' ? 'MaxPool' : 'AveragePool');
        left >>= 1;
    }
  }
  return graph.model([value('input', [1, 3, side, side])], [graph.classes(tensor, channels, 10)]);
}
