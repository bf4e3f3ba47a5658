import type { Class } from '@splitlane/proto';

/**
 * The `k` classes with the highest scores, best first; a class without a label is called by its number. A
 * score that is no finite number is none.
 */
export function topClasses(scores: Float32Array, labels: readonly string[], k = 5): Class[] {
  const best: number[] = [];
  for (let index = 0; index < scores.length; index++) {
    if (!Number.isFinite(scores[index])) continue;
    if (best.length === k && !(scores[index]! > scores[best[k - 1]!]!)) continue;
    let place = best.length;
    while (place > 0 && scores[index]! > scores[best[place - 1]!]!) place--;
    best.splice(place, 0, index);
    if (best.length > k) best.pop();
  }
  return best.map((index) => ({ index, label: labels[index] ?? `class ${index}`, score: scores[index]! }));
}
