/** How the time of `planFleet` grows with the fleet, and what its plans are worth there; 100 vehicles are to take 10 ms. */
import { fairShare, planFleet, uncoordinated } from '@splitlane/sched';
import { alexnetCameras, alexnetWithTails, allDifferent, CAMERAS, fleetOf, MIXED_SPEEDS } from './fleets.ts';
import { figure, mediansMs, printRows } from './timing.ts';

/** The channel grows with the fleet, so that each vehicle's part of it is that of 16 on 18.88 Mbit/s. */
const BPS_EACH = 18.88e6 / 16;
/** What lies behind the channel where there are tails. */
const RTT_MS = 4;
const VEHICLES_A_WORKER = 50;

export function fleetGrowth(): void {
  const fleets = [
    ...[16, 100, 1000].map((count) => ({
      name: `${count.toLocaleString('en-US')} × ${CAMERAS}`,
      vehicles: fleetOf(count, alexnetCameras, MIXED_SPEEDS),
      behind: {},
    })),
    ...[100, 1000].flatMap((count) => {
      const name = `${count.toLocaleString('en-US')} × ${CAMERAS}, all different`;
      return [
        { name, vehicles: allDifferent(count, alexnetCameras), behind: {} },
        {
          name: `${name}, with tails`,
          vehicles: allDifferent(count, alexnetWithTails),
          behind: { rttMs: RTT_MS, cloudWorkers: count / VEHICLES_A_WORKER },
        },
      ];
    }),
  ].map(({ name, vehicles, behind }) => ({
    name,
    vehicles,
    channel: { uplinkBps: BPS_EACH * vehicles.length, ...behind },
  }));
  const times = mediansMs(
    fleets.flatMap(({ vehicles, channel }) => [
      () => planFleet(vehicles, channel).makespanMs,
      () => fairShare(vehicles, channel).makespanMs,
    ]),
    5000,
  );
  console.log('\nplanFleet of AlexNet cameras, four kinds of vehicles unless all are different');
  printRows([
    [
      'fleet',
      'planFleet, ms',
      'time ÷ fair share',
      'plan ÷ bound',
      'uncoordinated ÷ plan',
      'fair share ÷ plan',
    ],
    ...fleets.map(({ name, vehicles, channel }, index) => {
      const plan = planFleet(vehicles, channel);
      const [planMs, rivalMs] = times.slice(2 * index);
      return [
        name,
        figure(planMs!),
        figure(planMs! / rivalMs!),
        (plan.makespanMs / plan.lowerBoundMs).toFixed(3),
        (uncoordinated(vehicles, channel).makespanMs / plan.makespanMs).toFixed(3),
        (fairShare(vehicles, channel).makespanMs / plan.makespanMs).toFixed(3),
      ];
    }),
  ]);
}
