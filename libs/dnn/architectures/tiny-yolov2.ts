import type { Architecture } from './builder.ts';

const VOC = [
  ...['aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow'],
  ...['diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train'],
  'tvmonitor',
];

/**
 * The small sibling of YOLOv2 of J. Redmon and A. Farhadi, "YOLO9000: better, faster, stronger" (2016), as
 * Darknet's yolov2-tiny-voc.cfg has it, with the 20 classes of Pascal VOC: 15,867,885 parameters, of which
 * 15,861,773 are learned and the rest are running means and variances; 3,485,520,896 multiply-adds.
 *
 * Its card is Darknet's too: values from 0 to 1 and letterbox. (The Tiny YOLOv2 of the ONNX model zoo
 * scales inside: it wants `range: [0, 255]`.)
 */
export const tinyYolov2: Architecture = {
  name: 'tiny-yolov2',
  input: [3, 416, 416],
  seed: 2016,
  card: {
    ...{ range: [0, 1], mean: [0, 0, 0], std: [1, 1, 1], fit: 'letterbox', labels: VOC, read: 'detect' },
    anchors: [
      [1.08, 1.19],
      [3.42, 4.41],
      [6.63, 11.38],
      [9.42, 5.11],
      [16.62, 10.52],
    ],
  },
  build(network, input) {
    const rest = { kernel: 3, pad: 1, norm: 1, activation: 'leaky-relu' } as const;
    let x = input;
    [16, 32, 64, 128, 256, 512].forEach((channels, index) => {
      x = network.conv(x, `conv${index + 1}`, { channels, ...rest });
      // The last pool keeps 13 × 13: one more row and column at the end, as Darknet and SAME_UPPER have it.
      const sides = index < 5 ? { stride: 2 } : { stride: 1, padEnd: 1 };
      x = network.maxPool(x, `pool${index + 1}`, { kernel: 2, ...sides });
    });
    x = network.conv(x, 'conv7', { channels: 1024, ...rest });
    x = network.conv(x, 'conv8', { channels: 1024, ...rest });
    return network.conv(x, 'conv9', { channels: 5 * (5 + VOC.length), kernel: 1 });
  },
};
