import { checkJobs } from './check-jobs.ts';
import { type Job, ScheduleError } from './types.ts';

/** A job of a forest: it may start only after its parent. Times are in ms. */
export interface TreeJob extends Job {
  /** Index of the job that comes before this one; left out for a root. */
  readonly parent?: number;
}

const NONE = -1;

/**
 * An order of least two-stage makespan among the orders in which every job comes after its parent, by
 * merging from the leaves up: a job followed by a run of its descendants is a composite job with two
 * times of its own, and composites are ordered by Johnson's rule. p3 is not looked at. O(n log n).
 * Source: J. Wu, "On Optimal Partitioning and Scheduling of DNNs in Mobile Edge/Cloud Offloading",
 * Theorem 6; for series-parallel precedence in general J. B. Sidney, "The two-machine maximum flow time
 * problem with series parallel precedence relations", Operations Research 27 (1979).
 * @throws ScheduleError for a time that is no finite number ≥ 0, a parent that is no job, or a cycle.
 */
export function scheduleTree(jobs: readonly TreeJob[]): number[] {
  checkJobs(jobs);
  const forest = new Composites(jobs);
  // Before its turn, `below` holds the merged lists of a job's children; roots are merged in `all`.
  const below = new Int32Array(jobs.length).fill(NONE);
  let all = NONE;
  for (const job of parentsFirst(jobs).reverse()) {
    let rest = below[job]!;
    while (rest !== NONE && forest.isDue(job, rest)) {
      const first = rest;
      rest = forest.withoutFirst(first);
      forest.append(job, first);
    }
    // What is left has greater keys than the job, so the job stays in front of it whatever is merged in.
    const list = forest.merge(job, rest);
    const parent = jobs[job]!.parent;
    if (parent === undefined) all = forest.merge(all, list);
    else below[parent] = forest.merge(below[parent]!, list);
  }
  const order: number[] = [];
  for (; all !== NONE; all = forest.withoutFirst(all)) forest.pushJobs(all, order);
  return order;
}

/** All jobs, each after its parent. @throws ScheduleError for a parent that is no job, or a cycle. */
function parentsFirst(jobs: readonly TreeJob[]): number[] {
  const firstChild = new Int32Array(jobs.length).fill(NONE);
  const nextSibling = new Int32Array(jobs.length).fill(NONE);
  const order: number[] = [];
  for (let job = 0; job < jobs.length; job++) {
    const parent = jobs[job]!.parent;
    if (parent === undefined) {
      order.push(job);
      continue;
    }
    if (!Number.isInteger(parent) || parent < 0 || parent >= jobs.length)
      throw new ScheduleError(`job ${job}: parent must be the index of a job, not ${parent}`);
    nextSibling[job] = firstChild[parent]!;
    firstChild[parent] = job;
  }
  for (let place = 0; place < order.length; place++) {
    for (let child = firstChild[order[place]!]!; child !== NONE; child = nextSibling[child]!)
      order.push(child);
  }
  if (order.length < jobs.length) throw new ScheduleError(`job ${onCycle(jobs, order)} is its own ancestor`);
  return order;
}

/** The job of least index on a cycle, given the jobs that have a root; those without lead up to a cycle. */
function onCycle(jobs: readonly TreeJob[], rooted: readonly number[]): number {
  const seen = new Set(rooted);
  let job = jobs.findIndex((_, index) => !seen.has(index));
  for (; !seen.has(job); job = jobs[job]!.parent!) seen.add(job);
  let least = job;
  for (let other = jobs[job]!.parent!; other !== job; other = jobs[other]!.parent!)
    least = Math.min(least, other);
  return least;
}

/**
 * Composite jobs, each named by the job it starts with, and lists of them sorted by Johnson's key: a list
 * is a pairing heap, named by its first composite. Arrays and loops only, as trees may be deep.
 */
class Composites {
  // Times of the composites as one job through two machines that may overlap inside, in ms.
  readonly #a: Float64Array;
  readonly #b: Float64Array;
  // The jobs inside a composite, as a linked list from the job it is named by.
  readonly #nextJob: Int32Array;
  readonly #lastJob: Int32Array;
  // The heaps.
  readonly #child: Int32Array;
  readonly #sibling: Int32Array;

  constructor(jobs: readonly Job[]) {
    this.#a = Float64Array.from(jobs, ({ p1 }) => p1);
    this.#b = Float64Array.from(jobs, ({ p2, local }) => (local ? 0 : p2));
    this.#nextJob = new Int32Array(jobs.length).fill(NONE);
    this.#lastJob = Int32Array.from(jobs, (_, index) => index);
    this.#child = new Int32Array(jobs.length).fill(NONE);
    this.#sibling = new Int32Array(jobs.length).fill(NONE);
  }

  /** Whether Johnson's rule wants `first`, which must come after `job`, not after it: they become one. */
  isDue(job: number, first: number): boolean {
    return this.#compare(job, first) >= 0;
  }

  /** Makes `x` the composite of x and then y. */
  append(x: number, y: number): void {
    // (a, b) = (aₓ + a_y − m, bₓ + b_y − m) with m = min(bₓ, a_y), so written that nothing cancels out.
    const gap = this.#b[x]! - this.#a[y]!;
    if (gap >= 0) {
      this.#b[x] = this.#b[y]! + gap;
    } else {
      this.#a[x]! -= gap;
      this.#b[x] = this.#b[y]!;
    }
    this.#nextJob[this.#lastJob[x]!] = y;
    this.#lastJob[x] = this.#lastJob[y]!;
  }

  /** The two lists as one. */
  merge(x: number, y: number): number {
    if (x === NONE) return y;
    if (y === NONE) return x;
    // Equal composites keep the order of their first jobs.
    const [first, other] = (this.#compare(x, y) || x - y) < 0 ? [x, y] : [y, x];
    this.#sibling[other] = this.#child[first]!;
    this.#child[first] = other;
    return first;
  }

  /** The list without its first composite, which is then in no list. */
  withoutFirst(list: number): number {
    // First pass: neighbours in pairs; `pairs` is their stack. Second pass: the last pair first.
    let pairs = NONE;
    let next = this.#child[list]!;
    this.#child[list] = NONE;
    while (next !== NONE) {
      const x = next;
      const y = this.#sibling[x]!;
      next = y === NONE ? NONE : this.#sibling[y]!;
      const pair = this.merge(x, y);
      this.#sibling[pair] = pairs;
      pairs = pair;
    }
    let rest = NONE;
    while (pairs !== NONE) {
      const pair = pairs;
      pairs = this.#sibling[pair]!;
      rest = this.merge(rest, pair);
    }
    return rest;
  }

  /** Adds the jobs of a composite to `order`. */
  pushJobs(composite: number, order: number[]): void {
    for (let job = composite; job !== NONE; job = this.#nextJob[job]!) order.push(job);
  }

  /** By (0, a) where a < b, (1, 0) where a = b, (2, −b) where a > b. */
  #compare(x: number, y: number): number {
    const sideX = Math.sign(this.#a[x]! - this.#b[x]!);
    const sideY = Math.sign(this.#a[y]! - this.#b[y]!);
    if (sideX !== sideY) return sideX - sideY;
    if (sideX === 0) return 0;
    return sideX < 0 ? this.#a[x]! - this.#a[y]! : this.#b[y]! - this.#b[x]!;
  }
}
