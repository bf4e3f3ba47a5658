/** The tensors of a network at its kept cuts for pictures of a road, and the answer made from a tensor. */
import { readFileSync } from 'node:fs';
import { type PreparedModel, pictureToTensor, prepareModel } from '@splitlane/dnn';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { listPictures } from '../../apps/vehicle-node/io/camera.ts';
import { drawRoadScene } from '../../apps/vehicle-node/io/road-scene/road-scene.ts';
import { SESSION_OPTIONS } from '../../libs/dnn/session-options.ts';

const SEEDS = [1, 2, 3];
const CAMERAS = 4;

/** A picture, and the network's tensor at each cut, the output last. */
export interface Frame {
  readonly jpeg: Uint8Array;
  readonly tensors: readonly Float32Array<ArrayBuffer>[];
}

/** A network in its segments, here on the main thread: an inference thread does not tell its output. */
export class SegmentedNetwork {
  readonly model: PreparedModel;
  readonly #sessions: readonly InferenceSession[];

  private constructor(model: PreparedModel, sessions: readonly InferenceSession[]) {
    this.model = model;
    this.#sessions = sessions;
  }

  static async load(name: string): Promise<SegmentedNetwork> {
    const model = await prepareModel(name);
    const sessions: InferenceSession[] = [];
    for (const segment of model.segments)
      sessions.push(await InferenceSession.create(segment, SESSION_OPTIONS));
    return new SegmentedNetwork(model, sessions);
  }

  /** The tensors at all cuts behind `from`, the output last. */
  async run(from: number, tensor: Float32Array): Promise<Float32Array<ArrayBuffer>[]> {
    const { cuts } = this.model;
    const tensors: Float32Array<ArrayBuffer>[] = [];
    for (let cut = from; cut < cuts.length - 1; cut++) {
      const data = tensors.at(-1) ?? tensor;
      const output = await this.#sessions[cut]!.run({
        [cuts[cut]!.id]: new Tensor('float32', data, cuts[cut]!.dims),
      });
      tensors.push(new Float32Array(output[cuts[cut + 1]!.id]!.data as Float32Array));
    }
    return tensors;
  }

  async frameOf(jpeg: Uint8Array): Promise<Frame> {
    const input = await pictureToTensor(jpeg, this.model.card);
    return { jpeg, tensors: [input, ...(await this.run(0, input))] };
  }
}

/** Pictures of three drawn roads from four cameras each, or those of a folder. */
export async function pictures(folder?: string): Promise<Uint8Array[]> {
  if (folder !== undefined) return listPictures(folder).map((file) => readFileSync(file));
  const views = SEEDS.flatMap((seed) =>
    Array.from({ length: CAMERAS }, (_, camera) => ({ seed, camera, cameras: CAMERAS, frame: 10 * camera })),
  );
  return Promise.all(views.map(drawRoadScene));
}
