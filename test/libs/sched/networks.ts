/** The two networks as cut tables: one place behind every layer, head times by their share of the MACs. */
import { alexnet } from '../../../libs/dnn/architectures/alexnet.ts';
import { type LineSpec, layerShapes } from '../../../libs/dnn/architectures/line-spec.ts';
import { vgg16 } from '../../../libs/dnn/architectures/vgg16.ts';
import type { Cut } from '../../../libs/sched/index.ts';

const bytesOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 4);

function places(spec: LineSpec, wholeMs: number): Cut[] {
  const shapes = layerShapes(spec);
  const totalMacs = shapes.reduce((sum, { macs }) => sum + macs, 0);
  let macs = 0;
  const inner = shapes.map((shape, index): Cut => {
    macs += shape.macs;
    const p1 = (wholeMs * macs) / totalMacs;
    const local = index === shapes.length - 1;
    return { id: shape.layer.name, p1, bytes: bytesOf(shape.outputDims), local };
  });
  return [{ id: 'input', p1: 0, bytes: bytesOf([1, ...spec.input]) }, ...inner];
}

/** All places of AlexNet, from the input to the output, where the whole takes `wholeMs`. */
export const alexnetPlaces = (wholeMs: number): Cut[] => places(alexnet, wholeMs);
/** All places of VGG-16. */
export const vgg16Places = (wholeMs: number): Cut[] => places(vgg16, wholeMs);
