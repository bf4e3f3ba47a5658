/** A planning of steady streams for people, and for programs. */
import { drawTable, shownMs as ms } from '../table.ts';
import { ganttText } from './gantt-chart.ts';
import {
  cutJson,
  cutName,
  cutTable,
  decimals,
  energyName,
  inOrder,
  lossyText,
  short,
  spread,
  yes,
} from './report.ts';
import type { StreamLimits, StreamPlan, StreamPlanning } from './streams.ts';

const rate = (fps: number): string => (Number.isFinite(fps) ? fps.toPrecision(3) : 'any');
const share = (part: number): string => (100 * part).toFixed(1);

function policyTable(planning: StreamPlanning): string {
  const { plans, n, deadlineMs } = planning;
  const ofFrame = ({ energyJ }: StreamPlan): number | undefined => energyJ && energyJ / n;
  const joules = decimals(plans.map(ofFrame));
  return drawTable<StreamPlan>(plans, [
    { header: 'policy', cell: ({ policy }) => policy, left: true },
    { header: 'holds', cell: ({ holds }) => yes(holds), left: true },
    { header: 'would hold\nframes/s', cell: ({ sustainableFps }) => rate(sustainableFps) },
    { header: 'vehicle\n%', cell: ({ loads }) => share(loads.vehicle) },
    { header: 'uplink\n%', cell: ({ loads }) => share(loads.uplink) },
    { header: 'cloud\n%', cell: ({ loads }) => share(loads.cloud) },
    { header: 'worst\nlatency ms', cell: ({ worstLatencyMs }) => ms(worstLatencyMs) },
    deadlineMs === undefined
      ? undefined
      : { header: 'deadline\nkept', cell: ({ keepsDeadline }) => yes(keepsDeadline === true), left: true },
    plans.some(({ energyJ }) => energyJ !== undefined)
      ? { header: `${energyName(planning)}\nJ per frame`, cell: (plan) => joules(ofFrame(plan)) }
      : undefined,
    plans.some(({ loss }) => loss !== undefined)
      ? { header: 'mean\nloss', cell: ({ loss = 0 }) => short(loss) }
      : undefined,
    { header: 'proved\noptimal', cell: ({ optimal }) => yes(optimal), left: true },
    { header: 'jobs × cut', cell: ({ counts }) => spread(planning, counts), left: true },
  ]);
}

/** What the table cannot say: what any plan holds, and which figures are those of another rate. */
function remarks({ plans, fps, limits, leftOut }: StreamPlanning): string {
  const figures = plans.some(({ energyJ }) => energyJ !== undefined) ? 'latency and energy' : 'latency';
  return [
    ...(limits ? limitLines(limits, fps) : []),
    ...(plans.some(({ holds }) => !holds) ? [`without "holds": ${figures} at the rate that would hold`] : []),
    ...leftOut.map(({ policy, why }) => `without ${policy}: ${why}`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function limitLines(
  { sustainableFps, sustainableProved, plannedFps, lowerBoundMs }: StreamLimits,
  fps: number,
): string[] {
  const none = sustainableProved ? 'no choice of cuts holds' : 'no choice of cuts was found that holds';
  const shed = sustainableFps < fps * (1 - 1e-9) ? `: of ${rate(fps)} the others are shed` : '';
  return [
    ...(Number.isFinite(sustainableFps)
      ? [`${none} more than ${rate(sustainableFps)} frames a second${shed}`]
      : []),
    `lower bound of the worst latency at ${rate(plannedFps)} frames a second: ${ms(lowerBoundMs)} ms`,
  ];
}

/** The table of cuts, the table of policies at the rate that was asked for, and a period of the chosen plan as a chart. */
export function streamText(planning: StreamPlanning): string {
  const { cuts, chosen, schedule } = planning;
  return [
    cutTable(planning),
    lossyText(planning),
    policyTable(planning),
    remarks(planning),
    `${streamTitle(planning)}; jobs in the order in which they start: ${inOrder(planning)}\n`,
    ganttText(schedule, (place) => cutName(cuts[chosen.jobCuts[schedule[place]!.job]!]!)),
  ].join('');
}

/** What the chart shows. */
export function streamTitle({ chosen: { policy, worstLatencyMs, plannedFps } }: StreamPlanning): string {
  return `${policy}: at most ${ms(worstLatencyMs)} ms at ${rate(plannedFps)} frames a second; one period alone`;
}

/** The result as one object; `counts` and `jobCuts` refer to `cuts`. A rate without a limit is null. */
export function streamJson(planning: StreamPlanning): object {
  const { cuts, plans, fps, deadlineMs, limits, leftOut, chosen, maxLoss } = planning;
  return {
    maxLoss,
    fps,
    deadlineMs,
    cuts: cuts.map(cutJson),
    ...limits,
    policies: plans.map(({ policy, ...plan }) => ({ name: policy, ...plan })),
    leftOut: leftOut.map(({ policy, why }) => ({ name: policy, why })),
    chosen: chosen.policy,
  };
}
