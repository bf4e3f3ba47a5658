/**
 * What `splitlane profile` says that heads and tails take, against what they took in a vehicle and in a cloud worker
 * that ran them live: a vehicle node and a cloud node as processes, one camera, every cut in turn, nothing else on the
 * machine. Goal: a median error of at most 5 %.
 *
 *   node bench/profile-against-live.ts [alexnet|vgg16|FILE.onnx …]
 */
import { type PreparedModel, profileModel } from '@splitlane/dnn';
import { median } from '../field-tests/quantile.ts';
import { HOST, Nodes } from '../test/system/nodes.ts';
import { planAt, ScriptedRoadsideUnit } from '../test/system/scripted-roadside-unit.ts';

const VEHICLE = 'vehicle-1';
const CLOUD = 'cloud-1';
const UPLINK_BPS = 200e6;
const ROUNDS_PER_CUT = 9;

/** Medians of what heads and tails really took, by cut; NaN where a cut has none. */
async function liveTimes(
  nodes: Nodes,
  rsu: ScriptedRoadsideUnit,
  source: string,
  model: PreparedModel,
): Promise<{ readonly heads: number[]; readonly tails: number[] }> {
  const place = { broker: { host: HOST, port: await rsu.start() }, model: source, log: nodes.log };
  nodes.start('cloud', { node: CLOUD, workers: 1, firstCut: 0, ...place });
  const cameras = [{ name: 'camera-1', source: { kind: 'scene' as const, seed: 7, camera: 0, cameras: 1 } }];
  nodes.start('vehicle', {
    ...{ node: VEHICLE, ...place, cameras },
    link: { uplinkBps: UPLINK_BPS, rttMs: 0 },
  });
  await rsu.profiled(CLOUD, VEHICLE);
  const cutOfRound = new Map<number, number>();
  for (let turn = 0; turn < ROUNDS_PER_CUT; turn++)
    for (let cut = 0; cut <= model.segments.length; cut++) {
      const round = cutOfRound.size + 1;
      cutOfRound.set(round, cut);
      rsu.plan(VEHICLE, planAt(round, cut, model.segments.length, CLOUD));
      await rsu.round(VEHICLE, round);
    }
  await nodes.stop();
  const frames = nodes.rows(VEHICLE, 'frame');
  const cutOfFrame = new Map(frames.map(({ frame, round }) => [frame, cutOfRound.get(round)!]));
  const timesOf = (node: string, ...stages: string[]): number[] => {
    const spans = nodes.rows(node, 'span').filter(({ stage }) => stages.includes(stage));
    const byCut = Map.groupBy(spans, ({ frame }) => cutOfFrame.get(frame)!);
    return model.cuts.map((_, cut) => median((byCut.get(cut) ?? []).map(({ real_ms }) => real_ms!)));
  };
  return { heads: timesOf(VEHICLE, 'head', 'local'), tails: timesOf(CLOUD, 'tail') };
}

async function compare(source: string): Promise<void> {
  const nodes = new Nodes();
  const rsu = new ScriptedRoadsideUnit();
  try {
    const model = await nodes.prepare(source);
    const profile = await profileModel(model);
    const live = await liveTimes(nodes, rsu, source, model);
    const errors: number[] = [];
    console.log(`${model.name}: profiled and live ms, by cut`);
    for (const [cut, { id }] of model.cuts.entries()) {
      const stages = [
        { name: 'head', profiledMs: profile.heads[cut]!.medianMs, liveMs: live.heads[cut]! },
        { name: 'tail', profiledMs: profile.tails[cut]!.medianMs, liveMs: live.tails[cut]! },
      ].filter(({ profiledMs }) => profiledMs > 0);
      const shown = stages.map(({ name, profiledMs, liveMs }) => {
        const error = profiledMs / liveMs - 1;
        errors.push(Math.abs(error));
        return `${name} ${profiledMs.toFixed(2)} ${liveMs.toFixed(2)} (${(100 * error).toFixed(1)} %)`;
      });
      console.log(`  ${id}: ${shown.join(', ')}`);
    }
    console.log(
      `  error: median ${(100 * median(errors)).toFixed(1)} %, largest ${(100 * Math.max(...errors)).toFixed(1)} %`,
    );
  } finally {
    await nodes.close();
    await rsu.stop();
  }
}

const sources = process.argv.slice(2);
for (const source of sources.length > 0 ? sources : ['alexnet', 'vgg16', 'mobilenet-v2'])
  await compare(source);
