/** What is printed for people: tables, names, times. */
import { getBorderCharacters, table } from 'table';

/** A column of a table. */
export interface Column<Of> {
  readonly header: string;
  readonly cell: (of: Of) => string;
  readonly left?: boolean;
  /** In characters; as wide as its longest line unless given. */
  readonly width?: number;
}

/**
 * @param columns one that is left out is undefined.
 * @param beginsPart whether a line parts this row from those above it.
 */
export function drawTable<Of>(
  rows: readonly Of[],
  columns: readonly (Column<Of> | undefined)[],
  beginsPart: (of: Of) => boolean = () => false,
): string {
  const shown = columns.filter((column) => column !== undefined);
  return table(
    [shown.map(({ header }) => header), ...rows.map((row) => shown.map(({ cell }) => cell(row)))],
    {
      border: getBorderCharacters('norc'),
      columns: shown.map(({ left, width }) => ({
        alignment: left ? 'left' : 'right',
        ...(width === undefined ? {} : { width }),
      })),
      drawHorizontalLine: (index, count) => index <= 1 || index === count || beginsPart(rows[index - 1]!),
    },
  );
}

/** A name of somebody else's: a line break in it would tear the table. */
export const printable = (name: string): string => name.replaceAll(/\p{Cc}/gu, '�');

export const shownMs = (value: number): string => value.toFixed(value < 100 ? 2 : 1);

/** A figure that may be next to nothing. */
export function shownLoss(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) < 0.001 ? value.toExponential(1) : value.toPrecision(3);
}
