/** A run's summary for people. */
import type { PolicySummary, RunSummary } from '@splitlane/field-tests';
import { getBorderCharacters, table } from 'table';

const times = (factor: number | undefined): string => (factor === undefined ? '–' : `${factor.toFixed(2)} ×`);
const ms = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));

const COLUMNS: readonly (readonly [string, (policy: PolicySummary) => string])[] = [
  ['policy', ({ name }) => name],
  ['cut', ({ cuts }) => cuts.join(', ')],
  ['makespan\nms', ({ makespanMs }) => ms(makespanMs)],
  ['predicted\nms', ({ predictedMs }) => ms(predictedMs)],
  ['lower bound\nms', ({ lowerBoundMs }) => ms(lowerBoundMs)],
  ['measured ÷\npredicted', ({ ratio }) => ratio.toFixed(3)],
  ['faster\nthan lo', ({ speedUp }) => times(speedUp.lo)],
  ['faster\nthan ro', ({ speedUp }) => times(speedUp.ro)],
  ['faster than\nro-jpeg', ({ speedUp }) => times(speedUp['ro-jpeg'])],
  ['uplink\nin use', ({ uplinkShare }) => `${(uplinkShare * 100).toFixed(0)} %`],
  ['energy per\nframe J', ({ energyPerFrameJ }) => energyPerFrameJ.toFixed(3)],
];

/** The table, and under it what became of the frames. */
export function summaryTable(summary: RunSummary): string {
  const rows = [
    COLUMNS.map(([title]) => title),
    ...summary.policies.map((policy) => COLUMNS.map(([, cell]) => cell(policy))),
  ];
  const drawn = table(rows, {
    border: getBorderCharacters('norc'),
    columns: COLUMNS.map((_, index) => ({ alignment: index < 2 ? 'left' : 'right' })),
    drawHorizontalLine: (index, count) => index <= 1 || index === count,
  });
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
