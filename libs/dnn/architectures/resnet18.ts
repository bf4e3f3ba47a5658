import type { Architecture, NetworkBuilder, Tensor } from './builder.ts';

/** Two 3×3 convolutions beside a shortcut, which is projected (option B) where the shape changes. */
function basicBlock(
  network: NetworkBuilder,
  x: Tensor,
  name: string,
  channels: number,
  stride: number,
): Tensor {
  const inner = { channels, kernel: 3, pad: 1 };
  let y = network.conv(x, `${name}.conv1`, { ...inner, stride, norm: 1, activation: 'relu' });
  y = network.conv(y, `${name}.conv2`, { ...inner, norm: 0.5 });
  const shortcut =
    stride === 1 ? x : network.conv(x, `${name}.downsample`, { channels, kernel: 1, stride, norm: 1 });
  return network.add(y, shortcut, name, 'relu');
}

/**
 * ResNet-18 of K. He et al., "Deep residual learning for image recognition" (2015), with batch
 * normalisation as operators of its own: 11,689,512 learned parameters, 1,814,073,344 multiply-adds.
 */
export const resnet18: Architecture = {
  name: 'resnet18',
  input: [3, 224, 224],
  seed: 2015,
  build(network, input) {
    const first = { channels: 64, kernel: 7, stride: 2, pad: 3, norm: 1, activation: 'relu' } as const;
    let x = network.conv(input, 'conv1', first);
    x = network.maxPool(x, 'maxpool', { kernel: 3, stride: 2, pad: 1 });
    [64, 128, 256, 512].forEach((channels, index) => {
      x = basicBlock(network, x, `layer${index + 1}.0`, channels, index === 0 ? 1 : 2);
      x = basicBlock(network, x, `layer${index + 1}.1`, channels, 1);
    });
    x = network.globalAveragePool(x, 'avgpool');
    return network.fullyConnected(x, 'fc', 1000);
  },
};
