import { bruteForce, exact } from '@splitlane/sched';
import { alexnet } from './cut-tables.ts';
import { figure, mediansMs, printRows } from './timing.ts';

const WIFI = { uplinkBps: 18.88e6 };
const MOST_JOBS = 12;

/** How much longer it takes to judge every plan than to find the best one. */
export function overBruteForce(): void {
  console.log('\nbrute force ÷ exact, time, AlexNet, 18.88 Mbit/s');
  const jobCounts = Array.from({ length: MOST_JOBS }, (_, index) => index + 1);
  const times = mediansMs(
    jobCounts.flatMap((n) => [
      () => bruteForce(alexnet, n, WIFI).makespanMs,
      () => exact(alexnet, n, WIFI).makespanMs,
    ]),
    3000,
  );
  printRows([
    ['n', 'ratio', 'brute force, ms', 'exact, µs'],
    ...jobCounts.map((n, index) => {
      const [slowMs, fastMs] = times.slice(2 * index);
      return [`${n}`, figure(slowMs! / fastMs!), figure(slowMs!), figure(fastMs! * 1000)];
    }),
  ]);
}
