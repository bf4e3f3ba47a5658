/** The cut tables that the schedulers are measured on. */
import { seededRandom } from '@splitlane/clock';
import { type Cut, virtualBlocks } from '@splitlane/sched';
import { alexnetPlaces, vgg16Places } from '../../test/libs/sched/networks.ts';

export const kept = (places: readonly Cut[]): Cut[] => virtualBlocks(places).map((index) => places[index]!);

/** Head time of the whole network on the vehicle. */
export const ALEXNET_MS = 400;
export const VGG16_MS = 4000;

/** All places that a network can be cut at. */
export const alexnetWhole = alexnetPlaces(ALEXNET_MS);
export const vgg16Whole = vgg16Places(VGG16_MS);

export const alexnet = kept(alexnetWhole);
export const vgg16 = kept(vgg16Whole);

const line = (count: number, at: (index: number) => { p1: number; bytes: number }): Cut[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `cut${index}`,
    ...at(index),
    local: index === count - 1,
  }));

export const convexCuts = (count: number): Cut[] =>
  line(count, (index) => ({ p1: index * 2, bytes: Math.round(600_000 * Math.exp(-index / 12)) }));

/** Heads rise and bytes fall, so that all cuts are kept; nothing is convex. */
export function randomCuts(count: number, seed: number): Cut[] {
  const random = seededRandom(seed);
  const heads = Array.from({ length: count }, () => random() * ALEXNET_MS).sort((a, b) => a - b);
  const bytes = Array.from({ length: count }, () => random() * 600_000).sort((a, b) => b - a);
  return line(count, (index) => ({ p1: heads[index]!, bytes: Math.round(bytes[index]!) }));
}

/**
 * Almost on a straight line, the adversary of `exact`: hardly any cut costs more than the hull's edge, so that the
 * search can leave out hardly anything.
 */
export function nearlyLinearCuts(count: number, seed: number): Cut[] {
  const random = seededRandom(seed);
  return line(count, (index) => ({
    p1: 8 * index + 0.01 * random(),
    bytes: Math.round(12_000 * (count - 1 - index) + 20 * random()),
  }));
}
