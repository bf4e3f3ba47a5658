/** The rate of a link as somebody has recorded it, read from text and played over and over. */
import { readFileSync } from 'node:fs';

/** A trace cannot be read; the message names the line. For users. */
export class LinkTraceError extends Error {
  override readonly name = 'LinkTraceError';
}

/** Bytes of one delivery opportunity in mahimahi's format. */
const OPPORTUNITY_BYTES = 1500;
const BITS_PER_BYTE_AND_MS_PER_S = 8000;

/** A rate that holds from a time on until the next, and the same again after the last. */
export class LinkTrace {
  /** Rising from 0, in ms since the trace began. */
  readonly startsMs: readonly number[];
  /** The rate from each start on, in bit/s. */
  readonly bps: readonly number[];
  /** After so many ms it starts again. */
  readonly lengthMs: number;
  /** Bytes that have gone through by each start, and by the end. */
  readonly #bytesBy: readonly number[];

  constructor(startsMs: readonly number[], bps: readonly number[], lengthMs: number) {
    this.startsMs = startsMs;
    this.bps = bps;
    this.lengthMs = lengthMs;
    const bytesBy = [0];
    bps.forEach((rate, index) => {
      const untilMs = startsMs[index + 1] ?? lengthMs;
      bytesBy.push(bytesBy[index]! + (rate * (untilMs - startsMs[index]!)) / BITS_PER_BYTE_AND_MS_PER_S);
    });
    this.#bytesBy = bytesBy;
  }

  /** In bit/s. */
  get meanBps(): number {
    return (this.#bytesBy.at(-1)! * BITS_PER_BYTE_AND_MS_PER_S) / this.lengthMs;
  }

  /** The mean rate between two times, in bit/s; the rate at `fromMs` where both are the same. */
  meanBetween(fromMs: number, toMs: number): number {
    const lengthMs = toMs - fromMs;
    if (lengthMs <= 0) return this.bps[indexOf(this.startsMs, fromMs % this.lengthMs)]!;
    return ((this.#bytesUntil(toMs) - this.#bytesUntil(fromMs)) * BITS_PER_BYTE_AND_MS_PER_S) / lengthMs;
  }

  /** When the last of some bytes is through, the first of which is sent at `startMs`; both in ms since the beginning. */
  endOf(startMs: number, bytes: number): number {
    if (bytes <= 0) return startMs;
    const wanted = this.#bytesUntil(startMs) + bytes;
    const total = this.#bytesBy.at(-1)!;
    // Whole turns, so that of what is left at least a little has to go through in the turn in which it ends.
    const turns = Math.ceil(wanted / total) - 1;
    const left = wanted - turns * total;
    // Only where rounding has it so.
    if (left <= 0) return Math.max(startMs, turns * this.lengthMs);
    const index = firstAtLeast(this.#bytesBy, left) - 1;
    const inPiece = (left - this.#bytesBy[index]!) * BITS_PER_BYTE_AND_MS_PER_S;
    return Math.max(startMs, turns * this.lengthMs + this.startsMs[index]! + inPiece / this.bps[index]!);
  }

  /** Bytes that have gone through from the beginning on. */
  #bytesUntil(atMs: number): number {
    const turns = Math.floor(atMs / this.lengthMs);
    const inTurn = atMs - turns * this.lengthMs;
    const index = indexOf(this.startsMs, inTurn);
    const inPiece = (this.bps[index]! * (inTurn - this.startsMs[index]!)) / BITS_PER_BYTE_AND_MS_PER_S;
    return turns * this.#bytesBy.at(-1)! + this.#bytesBy[index]! + inPiece;
  }
}

/** A trace on the time of a clock. */
export class PlayedTrace {
  readonly #trace: LinkTrace;
  #fromMs: number;

  /** @param fromMs when it begins. */
  constructor(trace: LinkTrace, fromMs: number) {
    this.#trace = trace;
    this.#fromMs = fromMs;
  }

  /** Plays it from the beginning: what is compared on one trace must see the same of it. */
  restart(fromMs: number): void {
    this.#fromMs = fromMs;
  }

  /** When the last of some bytes is through, the first of which is sent at `startMs`. */
  endOf(startMs: number, bytes: number): number {
    return this.#fromMs + this.#trace.endOf(startMs - this.#fromMs, bytes);
  }
}

/** The last of some rising values that is not above one; the first where all are. */
function indexOf(rising: readonly number[], value: number): number {
  let low = 0;
  for (let high = rising.length - 1; low < high; ) {
    const middle = (low + high + 1) >> 1;
    if (rising[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first of some values that never fall which is at least one; the last where none is. */
function firstAtLeast(values: readonly number[], value: number): number {
  let low = 0;
  for (let high = values.length - 1; low < high; ) {
    const middle = (low + high) >> 1;
    if (values[middle]! >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @throws LinkTraceError that names the file, and the line of it that is wrong. */
export function readLinkTrace(file: string): LinkTrace {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new LinkTraceError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return parseLinkTrace(text, file);
}

interface Line {
  readonly number: number;
  readonly values: readonly number[];
}

/**
 * Reads a trace in one of two formats: mahimahi's, one line for each opportunity to send 1,500 bytes, with its time in
 * whole ms, which may repeat; or two columns, seconds and Mbit/s, each rate until the next line.
 * The last rate of two columns holds as long as the one before it; a trace that begins later than at 0 begins at 0.
 * @param name what messages call it.
 * @throws LinkTraceError that names the line.
 */
export function parseLinkTrace(text: string, name: string): LinkTrace {
  const lines = linesOf(text, name);
  if (lines.length === 0) throw new LinkTraceError(`${name}: there is no line in it`);
  const columns = lines[0]!.values.length;
  let before = Number.NEGATIVE_INFINITY;
  for (const { number, values } of lines) {
    if (values.length !== columns)
      throw new LinkTraceError(
        `${name}: line ${number} has ${shownColumns(values.length)}, line ${lines[0]!.number} has ${columns}`,
      );
    if (values[0]! < before)
      throw new LinkTraceError(
        `${name}: line ${number} falls from ${before} to ${values[0]}; times must rise`,
      );
    before = values[0]!;
  }
  const trace = columns === 1 ? opportunities(lines, name) : rates(lines, name);
  if (!(trace.meanBps > 0)) throw new LinkTraceError(`${name}: nothing ever goes through`);
  return trace;
}

const shownColumns = (count: number): string => `${count} column${count === 1 ? '' : 's'}`;

function linesOf(text: string, name: string): Line[] {
  return text.split(/\r?\n/).flatMap((line, index): Line[] => {
    const words = line.trim().split(/[\s,;]+/);
    if (words[0] === '') return [];
    const values = words.map(Number);
    const wrong = words.find((_, at) => !(Number.isFinite(values[at]!) && values[at]! >= 0));
    if (wrong !== undefined)
      throw new LinkTraceError(
        `${name}: line ${index + 1}: '${wrong.slice(0, 40)}' is no number of 0 or more`,
      );
    if (values.length > 2)
      throw new LinkTraceError(
        `${name}: line ${index + 1} has ${shownColumns(values.length)}; there must be one (ms) or two (seconds, Mbit/s)`,
      );
    return [{ number: index + 1, values }];
  });
}

/** What is said to go through at a time goes through evenly since the time before; what is at 0, with the first. */
function opportunities(lines: readonly Line[], name: string): LinkTrace {
  const lengthMs = lines.at(-1)!.values[0]!;
  const startsMs: number[] = [];
  const bps: number[] = [];
  let fromMs = 0;
  let bytes = 0;
  for (const [index, { number, values }] of lines.entries()) {
    const atMs = values[0]!;
    if (!Number.isInteger(atMs))
      throw new LinkTraceError(`${name}: line ${number}: ${atMs} must be whole ms where there is one column`);
    bytes += OPPORTUNITY_BYTES;
    if (atMs === fromMs || lines[index + 1]?.values[0] === atMs) continue;
    startsMs.push(fromMs);
    bps.push((bytes * BITS_PER_BYTE_AND_MS_PER_S) / (atMs - fromMs));
    fromMs = atMs;
    bytes = 0;
  }
  if (startsMs.length === 0) throw new LinkTraceError(`${name}: it lasts 0 ms`);
  return new LinkTrace(startsMs, bps, lengthMs);
}

function rates(lines: readonly Line[], name: string): LinkTrace {
  const beginS = lines[0]!.values[0]!;
  const startsMs: number[] = [];
  const bps: number[] = [];
  for (const { number, values } of lines) {
    const atMs = (values[0]! - beginS) * 1000;
    if (atMs === startsMs.at(-1))
      throw new LinkTraceError(`${name}: line ${number} has the time of the line before it`);
    startsMs.push(atMs);
    bps.push(values[1]! * 1e6);
  }
  const lastMs = startsMs.length > 1 ? startsMs.at(-1)! - startsMs.at(-2)! : 1000;
  return new LinkTrace(startsMs, bps, startsMs.at(-1)! + lastMs);
}
