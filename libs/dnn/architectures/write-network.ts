/** Writes an architecture as an ONNX model with seeded weights. */
import { seededRandom } from '@splitlane/clock';
import { FLOAT, floatValue, type ModelProto, onnx, type TensorProto } from '../onnx.ts';
import { type Architecture, describe, type Operator, type Weight } from './builder.ts';

const OPSET = 13;
const IR_VERSION = 8;

const size = ({ dims }: Weight): number => dims.reduce((a, b) => a * b, 1);

function initializer(weight: Weight): TensorProto {
  const { name, dims, seed, centre, spread } = weight;
  const values = new Float32Array(size(weight));
  const random = seededRandom(seed);
  for (let index = 0; index < values.length; index++) values[index] = centre + (2 * random() - 1) * spread;
  const rawData = new Uint8Array(values.buffer);
  return new onnx.TensorProto({ name, dims: [...dims], dataType: FLOAT, rawData });
}

function attribute(name: string, value: number | readonly number[]): object {
  const { INTS, INT, FLOAT } = onnx.AttributeProto.AttributeType;
  if (typeof value !== 'number') return { name, type: INTS, ints: [...value] };
  return Number.isInteger(value) ? { name, type: INT, i: value } : { name, type: FLOAT, f: value };
}

const node = ({ opType, name, input, output, attributes }: Operator): object => ({
  ...{ opType, name, input: [...input], output: [output] },
  attribute: attributes.map(([key, value]) => attribute(key, value)),
});

/**
 * The model: opset 13, float32, batch 1. `onLayer` is told how much of the weights is made, from 0 to 1,
 * after each layer.
 */
export function writeNetwork(
  architecture: Architecture,
  onLayer: (fraction: number) => void = () => {},
): ModelProto {
  const { name, input, output, layers, operators } = describe(architecture);
  const total = layers.flatMap(({ weights }) => weights).reduce((sum, weight) => sum + size(weight), 0);
  let made = 0;
  const weights = layers.flatMap((layer) => {
    const drawn = layer.weights.map(initializer);
    made += layer.weights.reduce((sum, weight) => sum + size(weight), 0);
    onLayer(made / total);
    return drawn;
  });
  return new onnx.ModelProto({
    irVersion: IR_VERSION,
    producerName: 'splitlane',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name,
      node: operators.map(node),
      initializer: weights,
      input: [floatValue(input.name, input.dims)],
      output: [floatValue(output.name, output.dims)],
    },
  });
}
