import type { Cut } from './types.ts';

/**
 * Indices of the cuts worth keeping when the tail costs nothing: the strict prefix minima of bytes,
 * with the first cut (the input) and local-only always among them. Any other cut sends no less than an
 * earlier one whose head is shorter, so it is in no shortest plan. What lies between two kept cuts is
 * one *virtual block*. With a slow cloud a dominated cut has the smaller tail: then keep them all.
 *
 * @param cuts one per place along the line, from the input to the output.
 */
export function virtualBlocks(cuts: readonly Pick<Cut, 'bytes' | 'local'>[]): number[] {
  const kept: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  cuts.forEach((cut, index) => {
    if (!cut.local && cut.bytes >= least) return;
    kept.push(index);
    least = cut.local ? 0 : cut.bytes;
  });
  return kept;
}
