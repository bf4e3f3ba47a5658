import type { Layer, LineSpec } from './line-spec.ts';

const block = (index: number, convolutions: number, channels: number): Layer[] => [
  ...Array.from(
    { length: convolutions },
    (_, i): Layer => ({
      kind: 'conv',
      name: `conv${index}_${i + 1}`,
      channels,
      kernel: 3,
      stride: 1,
      pad: 1,
    }),
  ),
  { kind: 'max-pool', name: `pool${index}`, kernel: 2, stride: 2 },
];

/**
 * VGG-16, configuration D of K. Simonyan and A. Zisserman, "Very deep convolutional networks for
 * large-scale image recognition" (2014), without dropout: 138,357,544 parameters, 15,470,264,320
 * multiply-adds.
 */
export const vgg16: LineSpec = {
  name: 'vgg16',
  input: [3, 224, 224],
  layers: [
    ...block(1, 2, 64),
    ...block(2, 2, 128),
    ...block(3, 3, 256),
    ...block(4, 3, 512),
    ...block(5, 3, 512),
    { kind: 'fully-connected', name: 'fc6', channels: 4096, relu: true },
    { kind: 'fully-connected', name: 'fc7', channels: 4096, relu: true },
    { kind: 'fully-connected', name: 'fc8', channels: 1000, relu: false },
  ],
  seed: 2014,
};
