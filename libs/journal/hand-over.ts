/**
 * How a vehicle's log comes to the roadside unit: which records, who has how much of them, and what is sent when. Pure:
 * both ends decide here, without I/O or clock, and a tool that joins logs can do the same.
 */
import type { Table } from './tables.ts';

/** What is handed over, in the order of a `Position`: what became of every frame, and what joins the times of nodes. */
export const HANDED_TABLES = [
  'run',
  'frame',
  'result',
  'round',
  'fault',
  'crash_left',
  'clock_offset',
] as const satisfies readonly Table[];
export type HandedTable = (typeof HANDED_TABLES)[number];

/** How far a log has come: of each of the `HANDED_TABLES` the number of the last row, 0 for none. */
export type Position = readonly number[];

export const BEGINNING: Position = HANDED_TABLES.map(() => 0);

/** Rows of one log: of each table those after `after`, `through` among them. */
export interface LogBatch {
  /** The `id` of the log's `run`. */
  readonly run: string;
  /** Of the process that sends it: its acknowledgement has the same. */
  readonly number: number;
  readonly after: Position;
  readonly through: Position;
  /** Packed: `packRows`. */
  readonly rows: Uint8Array;
}

/** So much of a log the roadside unit has, and will not lose. */
export interface LogAck {
  readonly run: string;
  readonly number: number;
  readonly position: Position;
}

/** Whether nothing of `position` is missing in `known`. */
export function covers(known: Position, position: Position): boolean {
  return position.every((row, table) => row <= (known[table] ?? 0));
}

/**
 * What the roadside unit has of a log once a batch has arrived: the same as before where the batch is known already, or
 * where rows before it are missing, which the sender learns by that.
 */
export function positionAfter(
  known: Position,
  { after, through }: Pick<LogBatch, 'after' | 'through'>,
): Position {
  return covers(known, after) ? known.map((row, table) => Math.max(row, through[table]!)) : known;
}

/** When a batch may go: at once; as a small part of what the link carries; not now, there are tensors to send. */
export type Window = 'open' | 'share' | 'closed';

/** A log that is not handed over yet. */
export interface OpenRun {
  readonly run: string;
  readonly start: number;
  /** What the roadside unit is known to have of it. */
  readonly position: Position;
}

interface Outgoing extends LogBatch {
  /** When it was last sent on this connection, and how many times. */
  readonly sentMs?: number | undefined;
  readonly tries: number;
}

export interface SenderState {
  readonly uplinkBps: number;
  /** The oldest first; the last is this process's own, which goes on growing. */
  readonly runs: readonly OpenRun[];
  /** The roadside unit is there, and has let this node in. */
  readonly isIn: boolean;
  /** Of the last batch. */
  readonly number: number;
  readonly reading: boolean;
  /** One at a time. */
  readonly batch?: Outgoing | undefined;
  /** Then the link's small part has room again. */
  readonly roomMs: number;
  /** Nothing is read before. */
  readonly restUntilMs: number;
}

export type SenderEvent = { readonly atMs: number; readonly window: Window } & (
  | { readonly kind: 'let-in' | 'lost' | 'tick' }
  /** What was asked for by `read`; undefined where a log has no more rows. */
  | { readonly kind: 'read'; readonly rows: Pick<LogBatch, 'through' | 'rows'> | undefined }
  /** It cannot be read. */
  | { readonly kind: 'read-failed' }
  | { readonly kind: 'acked'; readonly ack: LogAck }
);

export type SenderEffect =
  /** Read rows of a log after a position, so many that they take at most `maxBytes` packed. */
  | { readonly kind: 'read'; readonly run: OpenRun; readonly maxBytes: number }
  | { readonly kind: 'send'; readonly batch: LogBatch }
  /** Write down what the roadside unit has of a log; `whole`: there is no more of it. */
  | { readonly kind: 'handed-over'; readonly run: OpenRun; readonly whole: boolean }
  /** Everything that was there to read is handed over. */
  | { readonly kind: 'all-handed-over' };

/** A batch is no longer than this on the wire: it must not hold up what comes behind it. */
const BATCH_WIRE_MS = 20;
/** Enough for a row or two, however slow the link is. */
const MIN_BATCH_BYTES = 2 * 1024;
/** What a batch takes at most, packed. */
export const MAX_BATCH_BYTES = 30 * 1024;
/** Part of the link that may be taken while tensors have to be sent all the time. */
const SHARE = 0.02;
/** Without an acknowledgement a batch is sent again after this, then after twice the time, and so on up to the most. */
const RESEND_MS = 1000;
const MAX_RESEND_MS = 60_000;

/** @param runs the oldest first; the last is this process's own. */
export function newSender(runs: readonly OpenRun[], uplinkBps: number): SenderState {
  return { uplinkBps, runs, isIn: false, number: 0, reading: false, roomMs: 0, restUntilMs: 0 };
}

export function stepSender(
  state: SenderState,
  event: SenderEvent,
): { readonly state: SenderState; readonly effects: readonly SenderEffect[] } {
  const effects: SenderEffect[] = [];
  const next = goOn(hear(state, event, effects), event, effects);
  return { state: next, effects };
}

function hear(state: SenderState, event: SenderEvent, effects: SenderEffect[]): SenderState {
  const { batch } = state;
  switch (event.kind) {
    case 'tick':
      return state;
    case 'let-in':
    case 'lost': {
      const anew = batch && { ...batch, sentMs: undefined, tries: 0 };
      return { ...state, isIn: event.kind === 'let-in', batch: anew };
    }
    case 'read':
      return takeRows({ ...state, reading: false }, event.rows, effects);
    case 'read-failed':
      return withoutUnreadable({ ...state, reading: false }, event.atMs);
    case 'acked':
      return takeAck(state, event.ack, event.atMs, effects);
  }
}

function takeRows(
  state: SenderState,
  rows: Pick<LogBatch, 'through' | 'rows'> | undefined,
  effects: SenderEffect[],
): SenderState {
  const [run, ...later] = state.runs as [OpenRun, ...OpenRun[]];
  if (rows) {
    const number = state.number + 1;
    return { ...state, number, batch: { run: run.run, number, after: run.position, ...rows, tries: 0 } };
  }
  if (later.length === 0) {
    effects.push({ kind: 'all-handed-over' });
    return state;
  }
  // A log of a process that is no more does not grow.
  effects.push({ kind: 'handed-over', run, whole: true });
  return { ...state, runs: later };
}

/** The next process tries it again. */
function withoutUnreadable(state: SenderState, atMs: number): SenderState {
  const [, ...later] = state.runs;
  return later.length > 0 ? { ...state, runs: later } : { ...state, restUntilMs: atMs + MAX_RESEND_MS };
}

function takeAck(
  state: SenderState,
  { run, number, position }: LogAck,
  atMs: number,
  effects: SenderEffect[],
): SenderState {
  const { batch, runs } = state;
  const [first, ...later] = runs as [OpenRun, ...OpenRun[]];
  if (!batch || batch.run !== run || batch.number !== number) return state;
  const acked = { ...first, position: BEGINNING.map((_, table) => position[table] ?? 0) };
  effects.push({ kind: 'handed-over', run: acked, whole: false });
  // Whoever has what he had, and not the batch that begins there, will not have it the next time either.
  const isStuck = covers(position, batch.after) && !covers(position, batch.through);
  const restUntilMs = isStuck ? atMs + MAX_RESEND_MS : state.restUntilMs;
  return { ...state, runs: [acked, ...later], batch: undefined, restUntilMs };
}

/** Reads, or sends what is read, if it may. */
function goOn(state: SenderState, event: SenderEvent, effects: SenderEffect[]): SenderState {
  const { batch, uplinkBps } = state;
  const { atMs, window } = event;
  const isAllowed = window === 'open' || (window === 'share' && atMs >= state.roomMs);
  if (!state.isIn || !isAllowed) return state;
  if (!batch) {
    // What is written later is read when the next event comes.
    const isDone = effects.some(({ kind }) => kind === 'all-handed-over');
    if (state.reading || isDone || atMs < state.restUntilMs) return state;
    const maxBytes = Math.round((uplinkBps * BATCH_WIRE_MS) / 8000);
    effects.push({
      kind: 'read',
      run: state.runs[0]!,
      maxBytes: Math.min(MAX_BATCH_BYTES, Math.max(MIN_BATCH_BYTES, maxBytes)),
    });
    return { ...state, reading: true };
  }
  const { tries, sentMs, ...sent } = batch;
  const againMs = Math.min(MAX_RESEND_MS, RESEND_MS * 2 ** (tries - 1));
  if (sentMs !== undefined && atMs < sentMs + againMs) return state;
  effects.push({ kind: 'send', batch: sent });
  const roomMs = atMs + (batch.rows.length * 8000) / (SHARE * uplinkBps);
  return { ...state, roomMs, batch: { ...batch, tries: tries + 1, sentMs: atMs } };
}
