/** A run's summary for people. */
import type { CameraCounts, PolicySummary, RunSummary, StreamSummary } from '@splitlane/field-tests';
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

type Streaming = PolicySummary & { readonly streams: StreamSummary };

const STREAM_COLUMNS: readonly Column<Streaming>[] = [
  ...(COLUMNS.slice(0, 2) as Column<Streaming>[]),
  { header: 'asked\nframes/s', cell: ({ streams }) => rate(streams.fps) },
  { header: 'planned\nframes/s', cell: ({ streams }) => rate(streams.heldFps) },
  { header: 'answered\nframes/s', cell: ({ streams }) => rate(streams.answeredFps) },
  { header: 'median\nms', cell: ({ streams }) => ms(streams.latencyMs.median) },
  { header: '95 %\nms', cell: ({ streams }) => ms(streams.latencyMs.p95) },
  { header: 'worst\nms', cell: ({ streams }) => ms(streams.latencyMs.max) },
  { header: 'predicted\nworst ms', cell: ({ streams }) => ms(streams.predictedMs) },
  { header: 'shed of a\ncamera', cell: ({ streams }) => leastToMost(streams, ({ shed }) => shed) },
  { header: 'past the\ndeadline', cell: ({ streams }) => leastToMost(streams, ({ deadline }) => deadline) },
  { header: 'late', cell: ({ streams }) => String(streams.late) },
  ...(COLUMNS.slice(-2) as Column<Streaming>[]),
];

const rate = (fps: number): string => fps.toPrecision(3);

/** Of all cameras: whether the burden is shared fairly can be seen. */
function leastToMost({ cameras }: StreamSummary, countOf: (counts: CameraCounts) => number): string {
  const counts = cameras.map(countOf);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? String(most) : `${least}–${most}`;
}

/** The table, and under it what became of the frames. */
export function summaryTable(summary: RunSummary): string {
  const streaming = summary.policies.filter((policy): policy is Streaming => policy.streams !== undefined);
  const drawn =
    streaming.length > 0 ? drawTable(streaming, STREAM_COLUMNS) : drawTable(summary.policies, COLUMNS);
  const { cpuW, radioW, idleW } = summary.power;
  const answered =
    summary.jobs - summary.shed - summary.deadline - summary.dropped - summary.lostInCrash - summary.lost;
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
  if (summary.lostInCrash > 0) lines.push(`frames lost in a crash: ${summary.lostInCrash}`);
  if (summary.shed > 0) lines.push(`frames shed for a newer one of their camera: ${summary.shed}`);
  if (summary.deadline > 0)
    lines.push(`frames that could not make their deadline any more: ${summary.deadline}`);
  if (summary.dropped > 0) lines.push(`frames dropped, with the reason in the log: ${summary.dropped}`);
  if (summary.byWorker.length > 1)
    lines.push(
      `tails by worker: ${summary.byWorker.map(({ node, tails }) => `${node} ${tails}`).join(', ')}`,
    );
  if (summary.rejected > 0) lines.push(`messages turned away: ${summary.rejected}`);
  if (summary.brokenPictures.length > 0)
    lines.push(
      `pictures skipped because they are broken: ${summary.brokenPictures.length} (${summary.brokenPictures.join(', ')})`,
    );
  return `${drawn}${lines.join('\n')}\n`;
}
