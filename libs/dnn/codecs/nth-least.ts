/**
 * The value that would stand at `n` if the values were sorted. They are put into another order; linear time, since the
 * middle of three values parts them. [Hoare, Algorithm 65: FIND, CACM 4 (1961)]
 * @param values not empty, without NaN. @param n from 0 to length − 1.
 */
export function nthLeast(values: Float32Array, n: number): number {
  let left = 0;
  let right = values.length - 1;
  while (left < right) {
    const pivot = middleOf(values[left]!, values[(left + right) >> 1]!, values[right]!);
    let i = left;
    let j = right;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      // Equal values are exchanged too: many zeros then fall on both sides alike.
      const value = values[i]!;
      values[i++] = values[j]!;
      values[j--] = value;
    }
    if (n <= j) right = j;
    else if (n >= i) left = i;
    else break;
  }
  return values[n]!;
}

function middleOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
