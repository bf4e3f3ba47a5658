/**
 * What a model takes, predicted from the profile of another, against its own profile: each of the built-in models
 * from each. The tables go to docs/results/prediction.md.
 *
 *   npm run bench:prediction               with the profiles of the cache, as `splitlane profile` has them
 *   npm run bench:prediction -- --fresh    measures all models again; on a machine that does nothing else
 */
import { writeFileSync } from 'node:fs';
import {
  BUILT_IN,
  type ModelProfile,
  type PreparedModel,
  prepareModel,
  profileModel,
  referenceOf,
  workOf,
} from '@splitlane/dnn';
import { readOnnx } from '../../libs/dnn/weights.ts';
import { document } from './document.ts';
import type { Measured } from './rivals.ts';

/** Quartiles of the whole further apart, in parts of its median, are measured again. */
const WIDE = 0.1;
const MOST_TRIES = 3;

const fresh = process.argv.includes('--fresh');
const models: Measured[] = [];
for (const name of Object.keys(BUILT_IN)) {
  const model = await prepareModel(name);
  const profile = await steadyProfile(model);
  const works = await workOf(model);
  const reference = referenceOf(model, profile, works);
  models.push({ name, reference, works, cuts: model.cuts, kernels: kernelsOf(model) });
}
writeFileSync(`${import.meta.dirname}/../../docs/results/prediction.md`, document(models));
console.log('docs/results/prediction.md written');

/** The profile whose whole varies least, of as many as it takes until one is steady. */
async function steadyProfile(model: PreparedModel): Promise<ModelProfile> {
  const apartOf = ({ heads }: ModelProfile): number => {
    const { lowMs, medianMs, highMs } = heads.at(-1)!;
    return (highMs - lowMs) / medianMs;
  };
  let best = await profileModel(model, { fresh });
  for (let tries = 1; apartOf(best) > WIDE && tries < MOST_TRIES; tries++) {
    const again = await profileModel(model, { fresh: true });
    if (apartOf(again) < apartOf(best)) best = again;
  }
  const wholeMs = best.heads.at(-1)!.medianMs;
  console.log(
    `${model.name}: ${wholeMs.toFixed(1)} ms, quartiles ${Math.round(100 * apartOf(best))} % apart${best.fromCache ? ', from the cache' : ''}`,
  );
  return best;
}

function kernelsOf({ segments }: PreparedModel): Map<string, number> {
  const kernels = new Map<string, number>();
  for (const [segment, file] of segments.entries()) {
    const { graph } = readOnnx(file);
    const dims = new Map(graph.initializer.map((tensor) => [tensor.name, tensor.dims]));
    for (const { opType, name, input } of graph.node)
      if (opType === 'Conv') kernels.set(`${segment} ${name}`, Number(dims.get(input[1]!)!.at(-1)));
  }
  return kernels;
}
