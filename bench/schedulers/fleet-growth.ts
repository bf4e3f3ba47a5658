/** How the time of `planFleet` grows with the fleet, and what its plans are worth there. */
import { fairShare, planFleet, uncoordinated } from '@splitlane/sched';
import { alexnetCameras, allDifferent, CAMERAS, fleetOf, MIXED_SPEEDS } from './fleets.ts';
import { figure, mediansMs, printRows } from './timing.ts';

/** The channel grows with the fleet, so that each vehicle's part of it is that of 16 on 18.88 Mbit/s. */
const BPS_EACH = 18.88e6 / 16;

export function fleetGrowth(): void {
  const fleets = [
    ...[16, 100, 1000].map((count) => ({
      name: `${count.toLocaleString('en-US')} × ${CAMERAS}`,
      vehicles: fleetOf(count, alexnetCameras, MIXED_SPEEDS),
    })),
    { name: `1,000 × ${CAMERAS}, all different`, vehicles: allDifferent(1000, alexnetCameras) },
  ].map(({ name, vehicles }) => ({ name, vehicles, channel: { uplinkBps: BPS_EACH * vehicles.length } }));
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
