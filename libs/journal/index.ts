export { BATCH_MS, JournalError, type Recorder } from './journal.ts';
export { NodeLog } from './node-log.ts';
export { type LogReader, openLog, openRun } from './reader.ts';
export { type Difference, replaySteps, type StepFunction, StepRunner } from './step-runner.ts';
export { type Row, SCHEMA_VERSION, type Table, tables } from './tables.ts';
