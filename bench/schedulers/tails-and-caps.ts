/** `exact` where two stages are not all: with tails and a round trip, and under a cap on energy. */
import { type Conditions, type Cut, exact, type Plan, ScheduleError } from '@splitlane/sched';
import { boundOf } from '../../libs/sched/lower-bound.ts';
import { problemOf } from '../../libs/sched/problem.ts';
import { ALEXNET_MS, alexnetWhole, VGG16_MS, vgg16Whole } from './cut-tables.ts';
import { figure, mediansMs, printRows } from './timing.ts';

const JOBS = [4, 8, 29, 100, 1000];
const RATES_MBIT = [5.85, 18.88, 54];
const RTT_MS = 10;
/** The cloud's time for a tail, of the vehicle's for the same layers. */
const TAIL_SHARE = 0.05;
const POWER = { cpuW: 10, radioW: 2, idleW: 5 };
const CAP_SHARE = 0.97;
/** For each of the problems; some take a third of a second. */
const BUDGET_MS = 200;
const NETWORKS = [
  { name: 'AlexNet', cuts: alexnetWhole, wholeMs: ALEXNET_MS },
  { name: 'VGG-16', cuts: vgg16Whole, wholeMs: VGG16_MS },
];

function planned(cuts: readonly Cut[], n: number, conditions: Conditions): Plan | string {
  try {
    return exact(cuts, n, conditions);
  } catch (error) {
    if (error instanceof ScheduleError) return error.message.replace(/ that meets .*| meets .*/, '');
    throw error;
  }
}

/** The bound is the problem's, before any search: `boundBy` of a proved plan says no more than that there was one. */
function measured(cuts: readonly Cut[], n: number, conditions: Conditions): string[] {
  const plan = planned(cuts, n, conditions);
  const [ms] = mediansMs([() => planned(cuts, n, conditions)], BUDGET_MS);
  if (typeof plan === 'string') return [figure(ms!), plan, '–', '–'];
  const bound = boundOf(problemOf(cuts, n, conditions));
  return [figure(ms!), plan.optimal ? 'yes' : 'no', (plan.makespanMs / bound.ms).toFixed(4), bound.by];
}

const HEADER = ['n', 'ms', 'proved', 'plan ÷ bound', 'bound by'];

export function tailsAndCaps(): void {
  for (const { name, cuts, wholeMs } of NETWORKS)
    for (const mbit of RATES_MBIT) {
      const uplink = { uplinkBps: mbit * 1e6 };
      const withTails = cuts.map((cut) => ({
        ...cut,
        p3: cut.local ? 0 : TAIL_SHARE * (wholeMs - cut.p1),
      }));
      console.log(
        `\nexact, ${name}, all ${cuts.length} cuts, ${mbit} Mbit/s, tails in the cloud, ${RTT_MS} ms round trip`,
      );
      printRows([
        HEADER,
        ...JOBS.map((n) => [
          n.toLocaleString('en-US'),
          ...measured(withTails, n, { ...uplink, rttMs: RTT_MS }),
        ]),
      ]);
      console.log(`the same cuts on two stages, with at most ${CAP_SHARE} of the optimum's energy`);
      printRows([
        [...HEADER, 'plan ÷ uncapped'],
        ...JOBS.map((n) => {
          const free = exact(cuts, n, { ...uplink, power: POWER });
          const capped = { ...uplink, power: POWER, maxEnergyJ: CAP_SHARE * free.energyJ! };
          const plan = planned(cuts, n, capped);
          const longer = typeof plan === 'string' ? '–' : (plan.makespanMs / free.makespanMs).toFixed(3);
          return [n.toLocaleString('en-US'), ...measured(cuts, n, capped), longer];
        }),
      ]);
    }
}
