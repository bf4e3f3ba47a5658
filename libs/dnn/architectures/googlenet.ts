import type { Architecture, NetworkBuilder, Tensor } from './builder.ts';

/** Channels: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection. */
type Inception = readonly [number, number, number, number, number, number];

// Table 1 of the paper.
const BLOCKS: Readonly<Record<string, Inception>> = {
  '3a': [64, 96, 128, 16, 32, 32],
  '3b': [128, 128, 192, 32, 96, 64],
  '4a': [192, 96, 208, 16, 48, 64],
  '4b': [160, 112, 224, 24, 64, 64],
  '4c': [128, 128, 256, 24, 64, 64],
  '4d': [112, 144, 288, 32, 64, 64],
  '4e': [256, 160, 320, 32, 128, 128],
  '5a': [256, 160, 320, 32, 128, 128],
  '5b': [384, 192, 384, 48, 128, 128],
};

// Caffe rounds the sides of a pool up, which is one more row and column at the end: 112, 56, 28, 14, 7.
const HALVED = { kernel: 3, stride: 2, padEnd: 1 };

function inception(network: NetworkBuilder, x: Tensor, block: string, channels: Inception): Tensor {
  const conv = (from: Tensor, name: string, channels: number, kernel: number): Tensor =>
    network.conv(from, `inception_${block}/${name}`, {
      ...{ channels, kernel, pad: (kernel - 1) / 2, activation: 'relu' },
    });
  const [one, reduce3, three, reduce5, five, projected] = channels;
  const branches = [
    conv(x, '1x1', one, 1),
    conv(conv(x, '3x3_reduce', reduce3, 1), '3x3', three, 3),
    conv(conv(x, '5x5_reduce', reduce5, 1), '5x5', five, 5),
    conv(
      network.maxPool(x, `inception_${block}/pool`, { kernel: 3, stride: 1, pad: 1 }),
      ...(['pool_proj', projected, 1] as const),
    ),
  ];
  return network.concat(branches, `inception_${block}/output`);
}

/**
 * GoogLeNet (Inception-V1) of C. Szegedy et al., "Going deeper with convolutions" (2014), its layers and
 * their names as in Caffe's bvlc_googlenet: 6,998,552 parameters, 1,582,671,872 multiply-adds. Left out are
 * the auxiliary classifiers and dropout, which serve training only, and, as in most later versions, the two
 * local response normalisations: they have no weights, and ONNX Runtime spends two fifths of its time there.
 */
export const googlenet: Architecture = {
  name: 'googlenet',
  input: [3, 224, 224],
  seed: 1409,
  build(network, input) {
    const relu = { activation: 'relu' } as const;
    let x = network.conv(input, 'conv1/7x7_s2', { channels: 64, kernel: 7, stride: 2, pad: 3, ...relu });
    x = network.maxPool(x, 'pool1/3x3_s2', HALVED);
    x = network.conv(x, 'conv2/3x3_reduce', { channels: 64, kernel: 1, ...relu });
    x = network.conv(x, 'conv2/3x3', { channels: 192, kernel: 3, pad: 1, ...relu });
    x = network.maxPool(x, 'pool2/3x3_s2', HALVED);
    for (const [block, channels] of Object.entries(BLOCKS)) {
      if (block === '4a') x = network.maxPool(x, 'pool3/3x3_s2', HALVED);
      if (block === '5a') x = network.maxPool(x, 'pool4/3x3_s2', HALVED);
      x = inception(network, x, block, channels);
    }
    x = network.globalAveragePool(x, 'pool5/7x7_s1');
    return network.fullyConnected(x, 'loss3/classifier', 1000);
  },
};
