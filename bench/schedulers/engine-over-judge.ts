/** What the discrete-event engine costs beside the judge, whose times it must find again, bit for bit. */
import { isDeepStrictEqual } from 'node:util';
import { seededRandom } from '@splitlane/clock';
import { simulate, type VehicleJobs } from '@splitlane/sched';
import { fleetTimes } from '../../libs/sched/flowshop.ts';
import { figure, mediansMs, printRows } from './timing.ts';

const SEED = 2026;
const MEAN_HEAD_MS = 50;

/** No two jobs are alike. Links and cloud are nearly as busy as the vehicles, so that there are queues everywhere. */
function fleetOf(vehicles: number, jobs: number, link?: number): VehicleJobs[] {
  const random = seededRandom(SEED);
  const upTo2 = (): number => 2 * random();
  const onLink = link === undefined ? 1 : vehicles;
  return Array.from({ length: vehicles }, () => ({
    jobs: Array.from({ length: jobs }, () => ({
      p1: MEAN_HEAD_MS * upTo2(),
      p2: (0.95 * MEAN_HEAD_MS * upTo2()) / onLink,
      p3: (0.95 * MEAN_HEAD_MS * upTo2()) / vehicles,
    })),
    order: Array.from({ length: jobs }, (_, job) => job),
    ...(link === undefined ? {} : { link }),
  }));
}

/** @throws Error where the two disagree. */
export function engineOverJudge(): void {
  const fleets = [
    { name: '1,000 × 100, own links', fleet: fleetOf(1000, 100) },
    { name: '1,000 × 100, one shared channel', fleet: fleetOf(1000, 100, 0) },
    { name: '1 × 100,000', fleet: fleetOf(1, 100_000) },
  ];
  console.log('\nsimulate ÷ fleetTimes, time; only simulate checks what it is given');
  printRows([
    ['vehicles × jobs', 'ratio', 'simulate, ms', 'fleetTimes, ms'],
    ...fleets.map(({ name, fleet }) => {
      const { sent: engineSent, ...engine } = simulate(fleet);
      const { sent: judgeSent, ...judge } = fleetTimes(fleet);
      if (!isDeepStrictEqual(engine, judge) || engineSent.length !== judgeSent.length)
        throw new Error(`simulate and fleetTimes disagree on ${name}`);
      const [engineMs, judgeMs] = mediansMs([() => simulate(fleet), () => fleetTimes(fleet)]);
      return [name, figure(engineMs! / judgeMs!), figure(engineMs!), figure(judgeMs!)];
    }),
  ]);
}
