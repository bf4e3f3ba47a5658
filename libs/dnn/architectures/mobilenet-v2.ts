import type { Architecture, NetworkBuilder, Tensor } from './builder.ts';

/** Table 2 of the paper: expansion, channels, how many blocks, stride of the first. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

const RELU6 = { norm: 1, activation: 'relu6' } as const;

/** Expand, filter each channel by itself, project back; a shortcut where the shape stays. */
function invertedResidual(
  network: NetworkBuilder,
  x: Tensor,
  name: string,
  [expansion, channels, stride]: readonly [number, number, number],
): Tensor {
  const depth = x.dims[1]!;
  const wide = depth * expansion;
  let y = x;
  if (expansion > 1) y = network.conv(y, `${name}.expand`, { channels: wide, kernel: 1, ...RELU6 });
  const depthwise = { channels: wide, groups: wide, kernel: 3, stride, pad: 1 };
  y = network.conv(y, `${name}.depthwise`, { ...depthwise, ...RELU6 });
  y = network.conv(y, `${name}.project`, { channels, kernel: 1, norm: 0.5 });
  return stride === 1 && depth === channels ? network.add(x, y, name) : y;
}

/**
 * MobileNet-V2 of M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018), width
 * 1.0, without dropout, with batch normalisation as operators of its own: 3,504,872 learned parameters,
 * 300,774,272 multiply-adds.
 */
export const mobilenetV2: Architecture = {
  name: 'mobilenet-v2',
  input: [3, 224, 224],
  seed: 2018,
  build(network, input) {
    let x = network.conv(input, 'features.0', { channels: 32, kernel: 3, stride: 2, pad: 1, ...RELU6 });
    let index = 1;
    for (const [expansion, channels, blocks, stride] of STAGES)
      for (let block = 0; block < blocks; block++)
        x = invertedResidual(network, x, `features.${index++}`, [
          expansion,
          channels,
          block === 0 ? stride : 1,
        ]);
    x = network.conv(x, `features.${index}`, { channels: 1280, kernel: 1, ...RELU6 });
    x = network.globalAveragePool(x, 'pool');
    return network.fullyConnected(x, 'classifier', 1000);
  },
};
