export {
  HANDED_TABLES,
  type HandedTable,
  type LogAck,
  type LogBatch,
  type Window as SendWindow,
} from './hand-over.ts';
export { AskError, BATCH_MS, type Recorder } from './journal.ts';
export { JournalError } from './journal-error.ts';
export { LogSender } from './log-sender.ts';
export { NodeLog } from './node-log.ts';
export { type LogReader, openLog, openRun } from './reader.ts';
export { type ReceivedRecord, receivedRecords } from './received-logs.ts';
export { type Difference, replaySteps, type StepFunction, StepRunner } from './step-runner.ts';
export { type Row, SCHEMA_VERSION, type Table, tables } from './tables.ts';
