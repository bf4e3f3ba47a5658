/** The networks that the product writes itself. */
import { alexnet } from './alexnet.ts';
import type { Architecture } from './builder.ts';
import { googlenet } from './googlenet.ts';
import { line } from './line-spec.ts';
import { mobilenetV2 } from './mobilenet-v2.ts';
import { resnet18 } from './resnet18.ts';
import { tinyYolov2 } from './tiny-yolov2.ts';
import { vgg16 } from './vgg16.ts';

export { type Architecture, type Description, describe, macsOf, parametersOf } from './builder.ts';
export { writeNetwork } from './write-network.ts';

const all = [line(alexnet), line(vgg16), tinyYolov2, googlenet, resnet18, mobilenetV2];

/** Built-in architectures by name. */
export const ARCHITECTURES: Readonly<Record<string, Architecture>> = Object.fromEntries(
  all.map((architecture) => [architecture.name, architecture]),
);
