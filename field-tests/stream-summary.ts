/** What became of steady streams: how long frames took, and which were not answered, camera by camera. */
import type { Row } from '@splitlane/journal';
import { isAnswered, type Outcome } from '@splitlane/proto';
import { median, quantile } from './quantile.ts';

/** How many frames of a camera came to what end. Those of rounds that are not measured do not count. */
export interface CameraCounts {
  readonly vehicle: string;
  readonly camera: string;
  readonly captured: number;
  readonly answered: number;
  /** Left out for a newer frame of the same camera. */
  readonly shed: number;
  /** Left out because they could not make their deadline any more. */
  readonly deadline: number;
  readonly dropped: number;
}

/** Times in ms, rates in frames of a camera a second. */
export interface StreamSummary {
  readonly fps: number;
  /** What the plans hold: of all vehicles the least. */
  readonly heldFps: number;
  /** Answered frames of a camera a second, on average. */
  readonly answeredFps: number;
  /** From a frame's start to its answer. */
  readonly latencyMs: { readonly median: number; readonly p95: number; readonly max: number };
  /** The worst latency that was planned. */
  readonly predictedMs: number;
  readonly deadlineMs: number;
  /** Answers that came after their deadline. */
  readonly late: number;
  readonly cameras: readonly CameraCounts[];
}

/** A vehicle's log as far as streams need it. */
export interface StreamLog {
  readonly node: string;
  readonly frames: readonly Row<'frame'>[];
  readonly results: readonly Row<'result'>[];
  readonly rounds: readonly Row<'round'>[];
}

/** What the measured rounds of steady streams under a policy say; undefined where there is none. */
export function streamSummary(logs: readonly StreamLog[], policy: string): StreamSummary | undefined {
  const cameras: CameraCounts[] = [];
  const latencies: number[] = [];
  let cameraMs = 0;
  const rounds = logs.flatMap(({ node, frames, results, rounds: own }) => {
    const measured = new Map(
      own
        .filter((round) => round.measured === 1 && round.policy === policy && round.period_ms > 0)
        .map((round) => [round.round, round]),
    );
    const ends = new Map(results.map((result) => [result.frame, result]));
    const taken = frames.filter(({ round, measured: counts }) => counts === 1 && measured.has(round));
    // What was under way at the last capture is answered after it.
    const lastedMs = [...measured.values()].reduce((sum, { makespan_ms }) => sum + makespan_ms, 0);
    const byCamera = [...Map.groupBy(taken, (frame) => frame.camera)].sort(byName);
    for (const [camera, of] of byCamera) {
      cameraMs += lastedMs;
      const outcomes = of.map(({ frame }) => ends.get(frame)?.outcome);
      const count = (outcome: Outcome): number => outcomes.filter((one) => one === outcome).length;
      const answered = count('cloud') + count('local');
      const left = { shed: count('shed'), deadline: count('deadline'), dropped: count('dropped') };
      cameras.push({ vehicle: node, camera, captured: of.length, answered, ...left });
    }
    for (const { frame } of taken) {
      const end = ends.get(frame);
      if (end && isAnswered(end.outcome as Outcome))
        latencies.push(end.end_ms - (end.start_ms ?? end.end_ms));
    }
    return [...measured.values()];
  });
  const [first] = rounds;
  if (!first) return undefined;
  const { period_ms, deadline_ms } = first;
  return {
    fps: 1000 / period_ms,
    heldFps: Math.min(...rounds.map((round) => 1000 / round.planned_period_ms)),
    answeredFps: cameraMs > 0 ? (1000 * latencies.length) / cameraMs : 0,
    latencyMs: {
      median: median(latencies),
      p95: quantile(latencies, 0.95),
      max: Math.max(0, ...latencies),
    },
    predictedMs: Math.max(...rounds.map((round) => round.predicted_ms)),
    deadlineMs: deadline_ms,
    late: deadline_ms > 0 ? latencies.filter((ms) => ms > deadline_ms).length : 0,
    cameras,
  };
}

/** `camera-10` comes after `camera-9`. */
function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one.localeCompare(other, 'en', { numeric: true });
}
