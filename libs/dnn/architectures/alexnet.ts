import type { LineSpec } from './line-spec.ts';

/**
 * AlexNet with one tower, as in A. Krizhevsky, "One weird trick for parallelizing convolutional neural
 * networks" (2014), without dropout: 61,100,840 parameters, 714,188,480 multiply-adds.
 */
export const alexnet: LineSpec = {
  name: 'alexnet',
  input: [3, 224, 224],
  layers: [
    { kind: 'conv', name: 'conv1', channels: 64, kernel: 11, stride: 4, pad: 2 },
    { kind: 'max-pool', name: 'pool1', kernel: 3, stride: 2 },
    { kind: 'conv', name: 'conv2', channels: 192, kernel: 5, stride: 1, pad: 2 },
    { kind: 'max-pool', name: 'pool2', kernel: 3, stride: 2 },
    { kind: 'conv', name: 'conv3', channels: 384, kernel: 3, stride: 1, pad: 1 },
    { kind: 'conv', name: 'conv4', channels: 256, kernel: 3, stride: 1, pad: 1 },
    { kind: 'conv', name: 'conv5', channels: 256, kernel: 3, stride: 1, pad: 1 },
    { kind: 'max-pool', name: 'pool5', kernel: 3, stride: 2 },
    { kind: 'fully-connected', name: 'fc6', channels: 4096, relu: true },
    { kind: 'fully-connected', name: 'fc7', channels: 4096, relu: true },
    { kind: 'fully-connected', name: 'fc8', channels: 1000, relu: false },
  ],
  seed: 2012,
};
