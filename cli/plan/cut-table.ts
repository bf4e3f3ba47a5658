/** The table of cuts that a user has measured, from CSV or JSON. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Cut } from '@splitlane/sched';
import { CsvError, parse } from 'csv-parse/sync';
import { z } from 'zod';
import { UsageError } from '../exit-codes.ts';
import { MAX_AMOUNT } from '../options.ts';

const NUMBERS: readonly string[] = ['headMs', 'bytes', 'tailMs', 'loss', 'headJ'];
const REQUIRED = ['cut', 'headMs', 'bytes'] as const;

const notAsFor =
  (must: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    input === undefined ? 'is missing' : `must be ${must}, not ${shown(input)}`;
const amount = z
  .number({ error: notAsFor('a number ≥ 0') })
  .min(0, { error: notAsFor('a number ≥ 0') })
  .max(MAX_AMOUNT, { error: notAsFor(`a number ≤ ${MAX_AMOUNT}`) });
const word = z.string({ error: notAsFor('a word') }).min(1, { error: notAsFor('a word') });
const Row = z.strictObject({
  cut: word,
  headMs: amount,
  bytes: amount,
  tailMs: amount.optional(),
  codec: word.optional(),
  loss: amount.optional(),
  headJ: amount.optional(),
  local: z.boolean({ error: notAsFor('true or false') }).optional(),
});
type Row = z.infer<typeof Row>;
const COLUMNS: readonly string[] = Object.keys(Row.shape);

/** What one row says, before it is believed. */
interface RawRow {
  /** Where it stands, for people. */
  readonly place: string;
  readonly values: unknown;
}

/**
 * The cuts in the order of the file, from the network's input to local-only. The last row is local-only,
 * unless another is (`local` = true) or it says that it is not (`local` = false).
 * @throws UsageError that names every fault of the file, in one line.
 */
export function readCutTable(file: string): Cut[] {
  const text = readText(file);
  const faults: string[] = [];
  const isJson =
    /\.json$/i.test(file) || (path.extname(file).toLowerCase() !== '.csv' && /^\s*[[{]/.test(text));
  const raw = isJson ? jsonRows(text, faults) : csvRows(text, faults);
  const rows = checkRows(raw, faults);
  if (raw.length === 0 && faults.length === 0) faults.push('there is no cut in it');
  if (faults.length > 0) throw new UsageError(`${file}: ${faults.join('; ')}`);
  const named = rows.some(({ local }) => local);
  return rows.map(({ cut, headMs, bytes, tailMs, codec, loss, headJ, local }, index): Cut => {
    const isLocal = local ?? (!named && index === rows.length - 1);
    return {
      id: cut,
      p1: headMs,
      bytes,
      p3: tailMs ?? 0,
      ...(codec === undefined ? {} : { codec }),
      ...(loss === undefined ? {} : { loss }),
      ...(headJ === undefined ? {} : { headJ }),
      ...(isLocal ? { local: true } : {}),
    };
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'ENOENT' ? `${file}: there is no such file` : `${file}: cannot be read (${code})`,
    );
  }
}

function csvRows(text: string, faults: string[]): RawRow[] {
  let records: { readonly record: string[]; readonly info: { readonly lines: number } }[];
  try {
    records = parse(text, {
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as typeof records;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    faults.push(`this is not CSV: ${error.message.replaceAll(/\s+/g, ' ')}`);
    return [];
  }
  const [header, ...body] = records;
  if (header === undefined) {
    faults.push('the file is empty');
    return [];
  }
  const columns = header.record;
  checkColumns(columns, faults);
  // Without these every row would be at fault.
  if (REQUIRED.some((column) => !columns.includes(column))) return [];
  return body.flatMap(({ record, info }) => {
    const place = `line ${info.lines}`;
    if (record.length !== columns.length) {
      faults.push(`${place}: has ${record.length} fields, but the header has ${columns.length}`);
      return [];
    }
    const values = columns.flatMap((column, index) => {
      const cell = record[index]!;
      return cell === '' || !COLUMNS.includes(column) ? [] : [[column, cellValue(column, cell)]];
    });
    return [{ place, values: Object.fromEntries(values) }];
  });
}

function checkColumns(columns: readonly string[], faults: string[]): void {
  const missing = REQUIRED.filter((column) => !columns.includes(column));
  if (missing.length > 0) faults.push(`the header lacks ${missing.join(', ')}`);
  const named = [...new Set(columns)];
  const unknown = named.filter((column) => !COLUMNS.includes(column)).map(shown);
  if (unknown.length > 0)
    faults.push(
      `${unknown.length > 1 ? 'columns' : 'column'} ${unknown.join(', ')} ${unknown.length > 1 ? 'are' : 'is'} unknown; there are ${COLUMNS.join(', ')}, times in ms, energies in joules`,
    );
  for (const column of named)
    if (columns.indexOf(column) !== columns.lastIndexOf(column))
      faults.push(`column ${shown(column)} is there twice`);
}

/** A cell as what its column holds; as it is where it does not look like that. */
function cellValue(column: string, cell: string): unknown {
  if (NUMBERS.includes(column)) return Number.isFinite(Number(cell)) ? Number(cell) : cell;
  if (column === 'local' && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  return cell;
}

function jsonRows(text: string, faults: string[]): RawRow[] {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (error) {
    faults.push(`this is not JSON: ${(error as Error).message.replaceAll(/\s+/g, ' ')}`);
    return [];
  }
  const list = z.union([z.array(z.unknown()), z.object({ cuts: z.array(z.unknown()) })]).safeParse(whole);
  if (!list.success) {
    faults.push('must be an array of cuts, or an object with such an array as cuts');
    return [];
  }
  const rows = Array.isArray(list.data) ? list.data : list.data.cuts;
  return rows.map((values, index) => ({ place: `cut ${index + 1}`, values }));
}

function checkRows(raw: readonly RawRow[], faults: string[]): Row[] {
  const places = new Map<string, string>();
  let localPlace: string | undefined;
  return raw.flatMap(({ place, values }) => {
    const row = Row.safeParse(values);
    if (!row.success) {
      for (const issue of row.error.issues) faults.push(`${place}: ${explain(issue)}`);
      return [];
    }
    const { cut, codec, local } = row.data;
    const key = JSON.stringify([cut, codec]);
    const before = places.get(key);
    if (before === undefined) places.set(key, place);
    else
      faults.push(
        `${place}: cut ${shown(cut)}${codec === undefined ? '' : ` with codec ${shown(codec)}`} is there already (${before})`,
      );
    if (local && localPlace !== undefined)
      faults.push(`${place}: only one cut may be local, and ${localPlace} is`);
    if (local) localPlace ??= place;
    return [row.data];
  });
}

function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${shown(key)} is unknown`).join(', ');
  if (issue.path.length === 0) return 'must be an object';
  return `${issue.path.join('.')} ${issue.message}`;
}

/** A value for a message: in one line, and short. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
