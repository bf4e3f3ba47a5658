import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alexnet } from '../../../../libs/dnn/architectures/alexnet.ts';
import { type LineSpec, layerShapes } from '../../../../libs/dnn/architectures/line-spec.ts';
import { vgg16 } from '../../../../libs/dnn/architectures/vgg16.ts';

interface Row {
  readonly bytes: number;
  readonly macs: number;
}

/** Bytes behind each layer and multiply-adds up to it. */
function table(spec: LineSpec): Map<string, Row> {
  let macs = 0;
  return new Map(
    layerShapes(spec).map((shape) => {
      macs += shape.macs;
      return [shape.layer.name, { bytes: shape.outputDims.reduce((a, b) => a * b, 4), macs }];
    }),
  );
}

function parameters(spec: LineSpec): number {
  return layerShapes(spec).reduce((sum, { layer, inputDims }) => {
    if (layer.kind === 'max-pool') return sum;
    const inputs =
      layer.kind === 'conv' ? inputDims[1]! * layer.kernel ** 2 : inputDims.reduce((a, b) => a * b, 1);
    return sum + layer.channels * (inputs + 1);
  }, 0);
}

test('AlexNet has the published parameters, multiply-adds and tensor sizes.', () => {
  assert.equal(parameters(alexnet), 61_100_840);
  const rows = table(alexnet);
  assert.deepEqual(rows.get('pool1'), { bytes: 186_624, macs: 70_276_800 });
  assert.deepEqual(rows.get('pool2'), { bytes: 129_792, macs: 294_225_600 });
  assert.deepEqual(rows.get('pool5'), { bytes: 36_864, macs: 655_566_528 });
  assert.deepEqual(rows.get('fc6'), { bytes: 16_384, macs: 693_315_264 });
  assert.deepEqual(rows.get('fc8'), { bytes: 4000, macs: 714_188_480 });
});

test('VGG-16 has the published parameters, multiply-adds and tensor sizes.', () => {
  assert.equal(parameters(vgg16), 138_357_544);
  const rows = table(vgg16);
  assert.equal(rows.get('pool1')!.bytes, 3_211_264);
  assert.equal(rows.get('pool2')!.bytes, 1_605_632);
  assert.equal(rows.get('pool3')!.bytes, 802_816);
  assert.deepEqual(rows.get('pool4'), { bytes: 401_408, macs: 13_959_364_608 });
  assert.deepEqual(rows.get('pool5'), { bytes: 100_352, macs: 15_346_630_656 });
  assert.equal(rows.get('fc6')!.bytes, 16_384);
  assert.deepEqual(rows.get('fc8'), { bytes: 4000, macs: 15_470_264_320 });
});

test('The two networks take a picture of 224 × 224 pixels, 602,112 bytes as float32.', () => {
  for (const { input } of [alexnet, vgg16])
    assert.equal(
      input.reduce((a, b) => a * b, 4),
      602_112,
    );
});

test('Padding, stride and kernel give the sides that a sliding window takes.', () => {
  const layers: LineSpec['layers'] = [
    { kind: 'conv', name: 'a', channels: 4, kernel: 5, stride: 2, pad: 1 },
    { kind: 'max-pool', name: 'b', kernel: 3, stride: 2 },
    { kind: 'fully-connected', name: 'c', channels: 7, relu: false },
  ];
  const shapes = layerShapes({ name: 'odd', input: [3, 17, 30], layers, seed: 1 });
  const count = (length: number, kernel: number, stride: number): number => {
    let windows = 0;
    for (let at = 0; at + kernel <= length; at += stride) windows++;
    return windows;
  };
  const [height, width] = [count(19, 5, 2), count(32, 5, 2)];
  assert.deepEqual(shapes[0]!.outputDims, [1, 4, height, width]);
  assert.equal(shapes[0]!.macs, 4 * height * width * 3 * 25);
  assert.deepEqual(shapes[1]!.outputDims, [1, 4, count(height, 3, 2), count(width, 3, 2)]);
  assert.equal(shapes[1]!.macs, 0);
  assert.deepEqual(shapes[2]!.outputDims, [1, 7]);
  assert.equal(shapes[2]!.macs, 7 * shapes[1]!.outputDims.reduce((a, b) => a * b, 1));
});
