/**
 * A new plan for 100 vehicles of four cameras, each with a link of its own: how long the decision takes, and until every
 * vehicle has its plan, through the roadside unit's broker. The decision is compared with one vehicle's.
 *
 *   npm run bench:replan
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { systemClock as clock, seededRandom } from '@splitlane/clock';
import { Session } from '@splitlane/net';
import type { Cut } from '@splitlane/sched';
import { Broker } from '../apps/roadside-unit/io/broker.ts';
import type { PlannedCloud } from '../apps/roadside-unit/policy/cloud-pool.ts';
import { type PlannedVehicle, planVehicles } from '../apps/roadside-unit/policy/planning.ts';
import { median } from '../field-tests/quantile.ts';
import { ALEXNET_MS, alexnet, VGG16_MS, vgg16 } from './schedulers/cut-tables.ts';
import { printRows } from './schedulers/timing.ts';

const VEHICLES = 100;
const CAMERAS = ['camera-1', 'camera-2', 'camera-3', 'camera-4'];
const REPETITIONS = 25;
const WARM_UPS = 10;
const CLOUD_FASTER = 9;
const RULES = { keepFramesOnBoard: false, codedPoints: [], maxLoss: 0, codecs: ['float32'] } as const;
const OWNER = 'roadside-unit';
const HOST = '127.0.0.1';
const FAST_BPS = 1e9;

interface Network {
  readonly name: string;
  readonly table: readonly Cut[];
  readonly wholeMs: number;
}
const NETWORKS: readonly Network[] = [
  { name: 'AlexNet', table: alexnet, wholeMs: ALEXNET_MS },
  { name: 'VGG-16', table: vgg16, wholeMs: VGG16_MS },
];

const segmentsOf = ({ table }: Network): number[] =>
  table.slice(1).map(({ p1 }, index) => p1 - table[index]!.p1);

function cloudOf(network: Network): PlannedCloud {
  const segmentMs = segmentsOf(network);
  const tailMs = (cut: number): number =>
    segmentMs.slice(cut).reduce((sum, ms) => sum + ms, 0) / CLOUD_FASTER;
  return { node: 'cloud-1', workers: 16, firstCut: 0, fixedMs: 3, tailMs };
}

/** Vehicles that no fleet of another seed has, all alike or each with a speed and a link of its own. */
function fleetOf(network: Network, alike: boolean, seed: number, count: number): PlannedVehicle[] {
  const random = seededRandom(seed);
  const cuts = network.table.map(({ id, bytes }) => ({ id, dims: [Math.ceil(bytes / 4)], bytes }));
  const own = (): { readonly slowdown: number; readonly uplinkBps: number } => ({
    slowdown: 0.5 + 4 * random(),
    uplinkBps: (1 + 20 * random()) * 1e6,
  });
  const shared = own();
  return Array.from({ length: count }, (_, index) => {
    const { slowdown, uplinkBps } = alike ? shared : own();
    const segmentMs = segmentsOf(network).map((ms) => slowdown * ms);
    return {
      ...{ node: `vehicle-${index + 1}`, cameras: CAMERAS, uplinkBps, rttMs: 0, slowdown: 1 },
      ...{ segmentMs, cuts, jpegBytes: 60_000 },
    };
  });
}

let epoch = 0;
function decide(vehicles: readonly PlannedVehicle[], cloud: PlannedCloud) {
  const startMs = clock.now();
  const { plans } = planVehicles('exact', vehicles, [cloud], RULES, ++epoch);
  return { plans, ms: clock.now() - startMs };
}

const broker = new Broker(OWNER, clock, (kind, detail) => console.error(kind, detail));
const port = await broker.start(HOST, 0);
const connected = Promise.withResolvers<void>();
const session = new Session({
  ...{ host: HOST, port, node: OWNER, clock, secret: broker.secret },
  onConnect: connected.resolve,
  onDisconnect: () => {},
  onRejected: console.error,
});
session.start();
await connected.promise;
const child = fork(new URL('./replan-vehicles.ts', import.meta.url), [String(port), String(VEHICLES)]);
await once(child, 'message');
// As nodes that were let in: whoever is not may send little, acknowledgements among it.
for (let vehicle = 1; vehicle <= VEHICLES; vehicle++) broker.admit(`vehicle-${vehicle}`, 'vehicle', FAST_BPS);

async function publish({ plans }: ReturnType<typeof decide>): Promise<number> {
  const arrived = once(child, 'message');
  const startMs = clock.now();
  for (const { vehicle, plan } of plans) session.publish('plan', vehicle, plan);
  await arrived;
  return clock.now() - startMs;
}

const rows: string[][] = [];
let seed = 0;
for (const network of NETWORKS) {
  const cloud = cloudOf(network);
  const kinds = ['alike', 'all different', 'all different, one link changes'] as const;
  for (const kind of kinds) {
    const times: { readonly decisionMs: number; readonly publishMs: number; readonly oneMs: number }[] = [];
    for (let repetition = 0; repetition < WARM_UPS + REPETITIONS; repetition++) {
      const fleet = fleetOf(network, kind === 'alike', ++seed, VEHICLES);
      if (kind === 'all different, one link changes') {
        decide(fleet, cloud);
        fleet[7] = { ...fleet[7]!, uplinkBps: fleet[7]!.uplinkBps / 3 };
      }
      const decided = decide(fleet, cloud);
      const publishMs = await publish(decided);
      const one = decide(fleetOf(network, true, ++seed, 1), cloud);
      if (repetition >= WARM_UPS) times.push({ decisionMs: decided.ms, publishMs, oneMs: one.ms });
    }
    const middle = (of: 'decisionMs' | 'publishMs' | 'oneMs'): number =>
      median(times.map((time) => time[of]));
    const [decisionMs, publishMs, oneMs] = [middle('decisionMs'), middle('publishMs'), middle('oneMs')];
    rows.push([
      ...[network.name, kind, decisionMs.toFixed(2), publishMs.toFixed(2)],
      (decisionMs / oneMs).toFixed(1),
    ]);
  }
}
printRows([
  ['network', `${VEHICLES} vehicles`, 'decision, ms', 'until all have it, ms', 'decision ÷ one vehicle’s'],
  ...rows,
]);
child.disconnect();
await session.stop();
await broker.stop();
