/** What must hold of a run's logs after a soak, whatever was done to its nodes; each breach in a line. */
import path from 'node:path';
import { type LogReader, type Row, receivedRecords } from '../../libs/journal/index.ts';
import { isAnswered, type Outcome } from '../../libs/proto/index.ts';

/** How the frames of all vehicles ended. */
export type Ends = Record<Outcome | 'lost in a crash', number>;

export interface Verdict {
  readonly frames: number;
  readonly ends: Ends;
  readonly vehicleStarts: number;
  readonly epochs: number;
  /** Records that were handed over to the roadside unit. */
  readonly records: number;
  readonly breaches: readonly string[];
}

/** Tables of which the roadside unit is to have every row. */
const HANDED = ['frame', 'result', 'crash_left'] as const;

interface VehicleLog {
  readonly log: LogReader;
  readonly run: Row<'run'>;
}

/** @param logs of all processes of the run. */
export function verdictOf(logs: readonly LogReader[]): Verdict {
  const runs = logs.flatMap((log): VehicleLog[] => {
    const [run] = log.rows('run');
    // A process that was killed before its first batch has left nothing.
    return run ? [{ log, run }] : [];
  });
  const ofRole = (role: string): VehicleLog[] =>
    runs.filter(({ run }) => run.role === role).sort((a, b) => a.run.start - b.run.start);
  const vehicles = ofRole('vehicle');
  const breaches: string[] = [];
  const breach = (log: LogReader, what: string): void => {
    breaches.push(`${path.basename(log.file)}: ${what}`);
  };
  const ends: Ends = { cloud: 0, local: 0, shed: 0, deadline: 0, dropped: 0, 'lost in a crash': 0 };
  let frames = 0;
  const left = Map.groupBy(
    vehicles.flatMap(({ log }) => log.rows('crash_left')),
    ({ run }) => run,
  );
  for (const { log, run } of vehicles) {
    const captured = new Set(log.rows('frame').map(({ frame }) => frame));
    const crashed = (left.get(run.id) ?? []).map(({ frame }) => frame);
    frames += captured.size;
    const seen = new Set<number>();
    for (const { frame, outcome, reason, digest } of log.rows('result')) {
      if (!captured.has(frame)) breach(log, `frame ${frame} has a result and was never captured`);
      if (seen.has(frame)) breach(log, `frame ${frame} has two results`);
      if (crashed.includes(frame))
        breach(log, `frame ${frame} has a result and was named as left by a crash`);
      if (isAnswered(outcome as Outcome) !== (digest !== null))
        breach(log, `frame ${frame} ended as ${outcome} with the answer ${digest}`);
      if (!isAnswered(outcome as Outcome) && !reason)
        breach(log, `frame ${frame} ended as ${outcome} without a reason`);
      seen.add(frame);
      ends[outcome as Outcome]++;
    }
    for (const frame of crashed) {
      if (seen.has(frame)) breach(log, `frame ${frame} was named twice`);
      seen.add(frame);
      ends['lost in a crash']++;
    }
    for (const frame of captured)
      if (!seen.has(frame)) breach(log, `frame ${frame} has no end, and no crash is to blame`);
    checkEpochs(log, breach);
  }
  const units = ofRole('roadside-unit');
  const epochs = checkPlans(units, breach);
  return {
    frames,
    ends,
    vehicleStarts: vehicles.length,
    epochs,
    records: checkRecords(units, vehicles, breach),
    breaches,
  };
}

/** A vehicle takes no plan that is older than one that it has taken. */
function checkEpochs(log: LogReader, breach: (log: LogReader, what: string) => void): void {
  let newest = 0;
  const refused = new Set(
    log
      .rows('effect')
      .flatMap(({ sequence, effect }) => (effect.includes('"plan-refused"') ? [sequence] : [])),
  );
  for (const { sequence, event } of log.rows('event')) {
    if (!event.includes('"kind":"plan"')) continue;
    const { epoch } = (JSON.parse(event) as { plan: { epoch: number } }).plan;
    const isOld = epoch <= newest;
    if (isOld !== refused.has(sequence)) breach(log, `plan ${epoch} after plan ${newest}`);
    newest = Math.max(newest, epoch);
  }
}

/** Epochs rise from one start of the roadside unit to the next. @returns how many plans' epochs there were. */
function checkPlans(units: readonly VehicleLog[], breach: (log: LogReader, what: string) => void): number {
  let newest = 0;
  const epochs = new Set<number>();
  for (const { log } of units) {
    let own = 0;
    for (const { epoch } of log.rows('plan')) {
      if (epoch <= newest || epoch < own) breach(log, `plan ${epoch} after plan ${Math.max(newest, own)}`);
      own = epoch;
      epochs.add(epoch);
    }
    newest = Math.max(newest, own);
  }
  return epochs.size;
}

/** The roadside unit's logs have every row of what became of the frames, once. @returns how many. */
function checkRecords(
  units: readonly VehicleLog[],
  vehicles: readonly VehicleLog[],
  breach: (log: LogReader, what: string) => void,
): number {
  let records = 0;
  for (const table of HANDED) {
    const received = Map.groupBy(
      receivedRecords(
        units.map(({ log }) => log),
        table,
      ),
      ({ run }) => run,
    );
    for (const { log, run } of vehicles) {
      const own = log.rows(table);
      const there = received.get(run.id) ?? [];
      records += there.length;
      const isSame =
        there.length === own.length &&
        there.every(({ record }, index) => JSON.stringify(record) === JSON.stringify(own[index]));
      if (!isSame)
        breach(log, `${table}: the roadside unit has ${there.length} of ${own.length} rows, or others`);
    }
  }
  return records;
}
