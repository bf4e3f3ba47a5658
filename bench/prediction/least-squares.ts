/** Non-negative least squares for a handful of unknowns. */

/**
 * Factors ≥ 0 with the least sum of (row · factors − value)². Every set of columns is solved alone, and the best
 * without a negative factor kept: exact, and fast enough for few columns.
 */
export function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const columns = rows[0]!.length;
  let best = { error: Number.POSITIVE_INFINITY, factors: new Array<number>(columns).fill(0) };
  for (let set = 0; set < 1 << columns; set++) {
    const chosen = [...rows[0]!.keys()].filter((column) => set & (1 << column));
    const solved = solve(rows, values, chosen);
    if (solved?.some((factor) => factor < 0) !== false) continue;
    const factors = new Array<number>(columns).fill(0);
    for (const [index, column] of chosen.entries()) factors[column] = solved[index]!;
    const error = rows.reduce((total, row, index) => {
      const told = row.reduce((sum, each, column) => sum + each * factors[column]!, 0);
      return total + (told - values[index]!) ** 2;
    }, 0);
    if (error < best.error) best = { error, factors };
  }
  return best.factors;
}

/** The normal equations of some columns, by Gauss and Jordan; undefined where they have no single solution. */
function solve(
  rows: readonly (readonly number[])[],
  values: readonly number[],
  columns: readonly number[],
): number[] | undefined {
  const matrix = columns.map((a) => [
    ...columns.map((b) => rows.reduce((sum, row) => sum + row[a]! * row[b]!, 0)),
    rows.reduce((sum, row, index) => sum + row[a]! * values[index]!, 0),
  ]);
  for (let pivot = 0; pivot < matrix.length; pivot++) {
    const largest = matrix
      .slice(pivot)
      .reduce(
        (most, row, index) =>
          Math.abs(row[pivot]!) > Math.abs(matrix[most]![pivot]!) ? pivot + index : most,
        pivot,
      );
    [matrix[pivot], matrix[largest]] = [matrix[largest]!, matrix[pivot]!];
    const head = matrix[pivot]!;
    if (Math.abs(head[pivot]!) < 1e-12) return undefined;
    for (const [index, row] of matrix.entries()) {
      if (index === pivot) continue;
      const factor = row[pivot]! / head[pivot]!;
      for (let column = pivot; column < row.length; column++) row[column]! -= factor * head[column]!;
    }
  }
  return matrix.map((row, index) => row.at(-1)! / row[index]!);
}
