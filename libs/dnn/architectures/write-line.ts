/** Writes a line architecture as an ONNX model with seeded weights. */
import { seededRandom } from '@splitlane/clock';
import { FLOAT, floatValue, type ModelProto, onnx, type TensorProto } from '../onnx.ts';
import { type LayerShape, type LineSpec, layerShapes } from './line-spec.ts';

const OPSET = 13;
const IR_VERSION = 8;
const BIAS_SPREAD = 0.05;

function initializer(name: string, dims: readonly number[], seed: number, spread: number): TensorProto {
  const values = new Float32Array(dims.reduce((x, y) => x * y, 1));
  const random = seededRandom(seed);
  for (let index = 0; index < values.length; index++) values[index] = (2 * random() - 1) * spread;
  const rawData = new Uint8Array(values.buffer);
  return new onnx.TensorProto({ name, dims: [...dims], dataType: FLOAT, rawData });
}

const ints = (name: string, values: readonly number[]) => ({
  name,
  type: onnx.AttributeProto.AttributeType.INTS,
  ints: [...values],
});
const int = (name: string, value: number) => ({
  name,
  type: onnx.AttributeProto.AttributeType.INT,
  i: value,
});

/**
 * The model: opset 13, float32, batch 1. Weights are uniform with variance 2 / fan-in, so that the spread
 * of the activations survives ReLU through any depth; a tensor is named after the layer it leaves.
 */
export function writeLine(spec: LineSpec, onLayer: (fraction: number) => void = () => {}): ModelProto {
  const node: object[] = [];
  const weights: TensorProto[] = [];
  const shapes = layerShapes(spec);
  const parameters = (shape: LayerShape): number[] => {
    const { layer, inputDims } = shape;
    if (layer.kind === 'conv') return [layer.channels, inputDims[1]!, layer.kernel, layer.kernel];
    if (layer.kind === 'fully-connected')
      return [layer.channels, inputDims.slice(1).reduce((x, y) => x * y, 1)];
    return [];
  };
  const total = shapes.reduce((sum, shape) => sum + parameters(shape).reduce((x, y) => x * y, 1), 0);
  const add = (opType: string, name: string, input: string[], output: string, attribute: object[] = []) =>
    node.push({ opType, name, input, output: [output], attribute });

  let tensor = 'input';
  let made = 0;
  shapes.forEach((shape, index) => {
    const { layer, inputDims } = shape;
    const dims = parameters(shape);
    if (dims.length > 0) {
      const fanIn = dims.slice(1).reduce((x, y) => x * y, 1);
      const seed = spec.seed * 1000 + 2 * index;
      weights.push(initializer(`${layer.name}.weight`, dims, seed, Math.sqrt(6 / fanIn)));
      weights.push(initializer(`${layer.name}.bias`, [dims[0]!], seed + 1, BIAS_SPREAD));
      made += dims.reduce((x, y) => x * y, 1);
    }
    const named = [`${layer.name}.weight`, `${layer.name}.bias`];
    const linear = `${layer.name}/linear`;
    switch (layer.kind) {
      case 'conv':
        add('Conv', `${layer.name}/conv`, [tensor, ...named], linear, [
          ints('kernel_shape', [layer.kernel, layer.kernel]),
          ints('strides', [layer.stride, layer.stride]),
          ints('pads', [layer.pad, layer.pad, layer.pad, layer.pad]),
        ]);
        add('Relu', `${layer.name}/relu`, [linear], layer.name);
        break;
      case 'max-pool':
        add('MaxPool', layer.name, [tensor], layer.name, [
          ints('kernel_shape', [layer.kernel, layer.kernel]),
          ints('strides', [layer.stride, layer.stride]),
        ]);
        break;
      case 'fully-connected': {
        let flat = tensor;
        if (inputDims.length > 2) {
          flat = `${layer.name}/flat`;
          add('Flatten', `${layer.name}/flatten`, [tensor], flat, [int('axis', 1)]);
        }
        add('Gemm', `${layer.name}/gemm`, [flat, ...named], layer.relu ? linear : layer.name, [
          int('transB', 1),
        ]);
        if (layer.relu) add('Relu', `${layer.name}/relu`, [linear], layer.name);
        break;
      }
    }
    tensor = layer.name;
    onLayer(made / total);
  });
  return new onnx.ModelProto({
    irVersion: IR_VERSION,
    producerName: 'splitlane',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: spec.name,
      node,
      initializer: weights,
      input: [floatValue('input', [1, ...spec.input])],
      output: [floatValue(tensor, shapes.at(-1)!.outputDims)],
    },
  });
}
