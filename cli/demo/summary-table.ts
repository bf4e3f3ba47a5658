/** A run's summary for people. */
import type { PolicySummary, RunSummary } from '@splitlane/field-tests';
import { type Column, drawTable } from '../table.ts';

const times = (factor: number | undefined): string => (factor === undefined ? '–' : `${factor.toFixed(2)} ×`);
const ms = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));

const COLUMNS: readonly Column<PolicySummary>[] = [
  { header: 'policy', cell: ({ name }) => name, left: true },
  { header: 'cut', cell: ({ cuts }) => cuts.join(', '), left: true },
  { header: 'makespan\nms', cell: ({ makespanMs }) => ms(makespanMs) },
  { header: 'predicted\nms', cell: ({ predictedMs }) => ms(predictedMs) },
  { header: 'lower bound\nms', cell: ({ lowerBoundMs }) => ms(lowerBoundMs) },
  { header: 'measured ÷\npredicted', cell: ({ ratio }) => ratio.toFixed(3) },
  { header: 'faster\nthan lo', cell: ({ speedUp }) => times(speedUp.lo) },
  { header: 'faster\nthan ro', cell: ({ speedUp }) => times(speedUp.ro) },
  { header: 'faster than\nro-jpeg', cell: ({ speedUp }) => times(speedUp['ro-jpeg']) },
  { header: 'uplink\nin use', cell: ({ uplinkShare }) => `${(uplinkShare * 100).toFixed(0)} %` },
  { header: 'energy per\nframe J', cell: ({ energyPerFrameJ }) => energyPerFrameJ.toFixed(3) },
];

/** The table, and under it what became of the frames. */
export function summaryTable(summary: RunSummary): string {
  const drawn = drawTable(summary.policies, COLUMNS);
  const { cpuW, radioW, idleW } = summary.power;
  const answered = summary.jobs - summary.dropped - summary.lost;
  const lines = [
    `energy by a model, not measured: ${idleW} W all along, ${cpuW} W more to compute, ${radioW} W more to send`,
    `results identical to the whole model: ${summary.identical} of ${answered - summary.lossy}`,
    ...(summary.lossy > 0
      ? [
          `results of lossy codecs, within the loss that is allowed: ${summary.withinLoss} of ${summary.lossy}`,
        ]
      : []),
    `frames lost: ${summary.lost}`,
    `finished locally because the cloud was not there: ${summary.local}`,
    `heads that outlasted their emulated time: ${summary.overruns}`,
  ];
  if (summary.dropped > 0) lines.push(`frames dropped, with the reason in the log: ${summary.dropped}`);
  if (summary.rejected > 0) lines.push(`messages turned away: ${summary.rejected}`);
  if (summary.brokenPictures.length > 0)
    lines.push(
      `pictures skipped because they are broken: ${summary.brokenPictures.length} (${summary.brokenPictures.join(', ')})`,
    );
  return `${drawn}${lines.join('\n')}\n`;
}
