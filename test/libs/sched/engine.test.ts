import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EngineOptions, type RateProfile, simulate } from '../../../libs/sched/engine.ts';
import { type FleetTimes, fleetTimes } from '../../../libs/sched/flowshop.ts';
import {
  type FlowShopOptions,
  type Job,
  ScheduleError,
  type VehicleJobs,
} from '../../../libs/sched/index.ts';
import { eighths } from './problems.ts';

/** Zeros and equal times are frequent; sums of tenths differ in the last bit where they should be equal. */
const anyTime = fc.oneof(
  { weight: 3, arbitrary: fc.nat(3) },
  { weight: 2, arbitrary: fc.constantFrom(0.1, 0.2, 0.3, 0.6) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 10, noNaN: true }) },
);

/** Vehicles with 0 to 6 jobs, some of them local, left out of the plan or released late. */
const fleetOf = (time: fc.Arbitrary<number>, link: fc.Arbitrary<number | undefined>) =>
  fc.array(
    fc
      .record({
        jobs: fc.array(
          fc.record(
            {
              p1: time,
              p2: time,
              p3: time,
              local: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
              releaseMs: time,
            },
            { requiredKeys: ['p1', 'p2'] },
          ),
          { maxLength: 6 },
        ),
        keys: fc.array(fc.nat(99), { minLength: 6, maxLength: 6 }),
        left: fc.nat(5),
        link,
        busy: fc.option(fc.record({ vehicleMs: time, uplinkMs: time }, { requiredKeys: [] }), {
          nil: undefined,
          freq: 2,
        }),
      })
      .map(({ jobs, keys, left, link, busy }): VehicleJobs => {
        const keyed = jobs.map((_, index) => ({ index, key: keys[index]! }));
        const order = keyed.sort((a, b) => a.key - b.key).map(({ index }) => index);
        if (left === 0) order.pop();
        return { jobs, order, ...(link === undefined ? {} : { link }), ...(busy ? { busy } : {}) };
      }),
    { minLength: 1, maxLength: 5 },
  );

const optionsOf = (time: fc.Arbitrary<number>): fc.Arbitrary<FlowShopOptions> =>
  fc.record(
    {
      // Up to more workers than there can be jobs.
      cloudWorkers: fc.constantFrom(1, 2, 3, 31),
      // So long a delay that arrivals at different times become equal.
      uplinkDelayMs: fc.oneof(time, fc.constant(1024)),
      returnMs: time,
      busy: fc.record({ vehicleMs: time, uplinkMs: time, cloudMs: time }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );

const anyFleet = fleetOf(anyTime, fc.option(fc.nat(2), { nil: undefined, freq: 2 }));

function sameAsJudge(fleet: readonly VehicleJobs[], options: EngineOptions): void {
  const { sent, ...times } = simulate(fleet, options);
  const { sent: expectedSent, ...expected } = fleetTimes(fleet, options);
  assert.deepEqual(times, expected);
  // The judge goes through all links at once, so only the order on each link is comparable.
  for (const rows of rowsByLink(fleet, times.vehicle).values())
    assert.deepEqual(
      sent.filter((row) => rows.has(row)),
      expectedSent.filter((row) => rows.has(row)),
    );
}

function rowsByLink(fleet: readonly VehicleJobs[], vehicleOf: Int32Array): Map<number, Set<number>> {
  const rows = new Map<number, Set<number>>();
  vehicleOf.forEach((vehicle, row) => {
    const link = fleet[vehicle]!.link ?? -1 - vehicle;
    rows.set(link, (rows.get(link) ?? new Set()).add(row));
  });
  return rows;
}

test('The engine gives the judge’s times bit for bit on any fleet: equal times, stages of length 0, shared links.', () => {
  fc.assert(
    fc.property(anyFleet, optionsOf(anyTime), (fleet, options) => sameAsJudge(fleet, options)),
    { numRuns: 3000 },
  );
});

test('With one link for all, tensors start in the judge’s order; over several links, in the order of their starts.', () => {
  fc.assert(
    fc.property(fleetOf(anyTime, fc.constant(1)), optionsOf(anyTime), (fleet, options) => {
      const expected = fleetTimes(fleet, options);
      // A vehicle alone has nobody to share with, but its plan’s order is the same then.
      assert.deepEqual(simulate(fleet, options), expected);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(anyFleet, optionsOf(anyTime), (fleet, options) => {
      const { sent, uplinkStart, worker } = simulate(fleet, options);
      for (let at = 1; at < sent.length; at++)
        assert.ok(uplinkStart[sent[at - 1]!]! <= uplinkStart[sent[at]!]!);
      assert.deepEqual(
        sent.toSorted((a, b) => a - b),
        [...worker.keys()].filter((row) => worker[row]! >= 0),
      );
    }),
    { numRuns: 500 },
  );
});

test('A tensor that starts and ends where another one ends comes before it in the cloud if its place is earlier.', () => {
  const busyLink: Job[] = [
    { p1: 0, p2: 0, local: true },
    { p1: 3, p2: 4, p3: 1 },
  ];
  const fleet: VehicleJobs[] = [
    { jobs: busyLink, order: [0, 1], link: 0 },
    { jobs: [{ p1: 4, p2: 0, p3: 5 }], order: [0], link: 0 },
  ];
  const { uplinkEnd, tailStart } = simulate(fleet);
  assert.deepEqual([...uplinkEnd], [0, 7, 7]);
  assert.deepEqual([...tailStart], [0, 12, 7]);
  sameAsJudge(fleet, {});
});

test('Arrivals that only a long delay makes equal keep the order in which their tensors ended.', () => {
  const fleet: VehicleJobs[] = [
    { jobs: [{ p1: 0.1, p2: 0.2, p3: 1 }], order: [0] },
    { jobs: [{ p1: 0, p2: 0.3, p3: 1 }], order: [0] },
  ];
  const { uplinkEnd, tailStart } = simulate(fleet, { uplinkDelayMs: 1024 });
  assert.ok(uplinkEnd[1]! < uplinkEnd[0]! && uplinkEnd[0]! + 1024 === uplinkEnd[1]! + 1024);
  assert.ok(tailStart[1]! < tailStart[0]!);
  sameAsJudge(fleet, { uplinkDelayMs: 1024 });
});

test('A run that is repeated gives the same bytes and leaves its input alone.', () => {
  fc.assert(
    fc.property(anyFleet, optionsOf(anyTime), (fleet, options) => {
      const before = JSON.stringify({ fleet, options });
      const first = simulate(fleet, options);
      assert.deepEqual(simulate(fleet, options), first);
      assert.equal(JSON.stringify({ fleet, options }), before);
    }),
    { numRuns: 300 },
  );
});

test('A hundred thousand jobs end, however they are spread and however many of their times are equal.', () => {
  const jobsOf = (n: number, ms: (index: number) => number): VehicleJobs => ({
    jobs: Array.from({ length: n }, (_, at) => ({ p1: ms(at), p2: ms(at + 1), p3: ms(at + 2) / 8 })),
    order: Array.from({ length: n }, (_, at) => at),
  });
  const uneven = (at: number): number => (at * 7919) % 101;
  const fleets: VehicleJobs[][] = [
    [jobsOf(100_000, uneven)],
    Array.from({ length: 1000 }, (_, vehicle) => ({
      ...jobsOf(100, (at) => uneven(at + vehicle)),
      link: vehicle % 20,
    })),
    Array.from({ length: 100_000 }, (_, vehicle) => ({ ...jobsOf(1, () => 0), link: vehicle % 2 })),
    [jobsOf(50_000, () => 0), ...Array.from({ length: 50_000 }, () => jobsOf(1, () => 1))],
  ];
  for (const fleet of fleets) {
    const { sent, ...times } = simulate(fleet, { cloudWorkers: 8, uplinkDelayMs: 2 });
    const { sent: _, ...expected } = fleetTimes(fleet, { cloudWorkers: 8, uplinkDelayMs: 2 });
    assert.deepEqual(times, expected);
    assert.equal(sent.length, 100_000);
  }
  const steps = Array.from({ length: 100_000 }, (_, at) => at);
  const links = { 0: { atMs: steps, factor: steps.map((at) => (at % 2 === 0 ? 0.5 : 1.5)) } };
  const { uplinkEnd } = simulate([{ ...jobsOf(100_000, () => 1), link: 0 }], { links });
  // Over two ms such a link does what it was planned to.
  assert.ok(Math.abs(uplinkEnd[99_999]! - 100_001) <= 1);
});

test('A profile that keeps the planned speed, or leaves it only after the last tensor, changes nothing.', () => {
  const times = fc.uniqueArray(anyTime, { maxLength: 5 }).map((atMs) => atMs.sort((a, b) => a - b));
  fc.assert(
    fc.property(anyFleet, optionsOf(anyTime), times, (fleet, options, atMs) => {
      const { uplinkEnd } = simulate(fleet, options);
      const later = Math.max(0, ...uplinkEnd, ...atMs) + 1;
      const factor = atMs.map(() => 1);
      const links = {
        0: { atMs, factor },
        1: { atMs: [...atMs, later], factor: [...factor, 0] },
        2: { atMs: [], factor: [] },
      };
      sameAsJudge(fleet, { ...options, links });
    }),
    { numRuns: 1000 },
  );
});

test('Half the rate everywhere doubles every p2, and any other rate divides it.', () => {
  fc.assert(
    fc.property(
      fleetOf(anyTime, fc.constant(1)),
      optionsOf(anyTime),
      fc.constantFrom(0.5, 0.1, 0.3, 1.5, 3),
      (fleet, options, factor) => {
        const scaled = fleet.map((vehicle) => ({
          ...vehicle,
          jobs: vehicle.jobs.map((job) => ({ ...job, p2: factor === 0.5 ? 2 * job.p2 : job.p2 / factor })),
        }));
        const links = { 1: { atMs: [0], factor: [factor] } };
        assert.deepEqual(simulate(fleet, { ...options, links }), fleetTimes(scaled, options));
      },
    ),
    { numRuns: 1000 },
  );
});

/** Whole times from 0 on, and factors in which all sums and quotients are exact; the last one is above 0. */
const profile: fc.Arbitrary<RateProfile> = fc
  .record({
    atMs: fc.uniqueArray(fc.nat(30), { maxLength: 8 }),
    factor: fc.array(fc.constantFrom(0, 0.25, 0.5, 1, 2), { minLength: 8, maxLength: 8 }),
    last: fc.constantFrom(0.25, 1, 2),
  })
  .map(({ atMs, factor, last }) => ({
    atMs: atMs.sort((a, b) => a - b),
    factor: atMs.map((_, at) => (at === atMs.length - 1 ? last : factor[at]!)),
  }));

function factorAt({ atMs, factor }: RateProfile, ms: number): number {
  const next = atMs.findIndex((from) => from > ms);
  return factor[(next < 0 ? atMs.length : next) - 1] ?? 1;
}

test('A tensor under a changing rate ends where going forward in small steps ends it.', () => {
  fc.assert(
    fc.property(profile, eighths(20), eighths(40), (rates, p1, p2) => {
      const { uplinkEnd } = simulate([{ jobs: [{ p1, p2 }], order: [0], link: 3 }], { links: { 3: rates } });
      // Eight factors of a quarter or double leave nothing finer than this.
      const step = 2 ** -10;
      let now = p1;
      for (let left = p2; left > 0; now += step) left -= factorAt(rates, now) * step;
      assert.ok(Math.abs(uplinkEnd[0]! - now) <= step, `${uplinkEnd[0]} is not ${now}`);
    }),
  );
});

/** What a link gets done until `ms`, in ms of the planned speed. */
function workUntil(rates: RateProfile, ms: number): number {
  const changes = [0, ...rates.atMs, Number.POSITIVE_INFINITY];
  return changes.slice(1).reduce((sum, until, at) => {
    const from = changes[at]!;
    return from < ms ? sum + (Math.min(until, ms) - from) * factorAt(rates, from) : sum;
  }, 0);
}

test('Under changing rates every tensor starts as soon as it may, and its link works off its p2, no more and no less.', () => {
  fc.assert(
    fc.property(
      fleetOf(eighths(8), fc.nat(2)),
      optionsOf(eighths(8)),
      fc.array(profile, { minLength: 3, maxLength: 3 }),
      (fleet, options, profiles) => {
        const times = simulate(fleet, { ...options, links: profiles });
        const still = fleetTimes(fleet, options);
        assert.deepEqual([times.headStart, times.headEnd], [still.headStart, still.headEnd]);
        const first = fleet.map((_, vehicle) => times.vehicle.indexOf(vehicle));
        const place = (row: number): number => row - first[times.vehicle[row]!]!;
        const byPlace = (a: number, b: number): number =>
          place(a) - place(b) || times.vehicle[a]! - times.vehicle[b]!;
        for (const rows of rowsByLink(fleet, times.vehicle).values()) {
          const queue = times.sent
            .filter((row) => rows.has(row))
            .toSorted((a, b) => times.headEnd[a]! - times.headEnd[b]! || byPlace(a, b));
          assert.deepEqual(
            times.sent.filter((row) => rows.has(row)),
            queue,
          );
          if (queue.length === 0) continue;
          const link = fleet[times.vehicle[queue[0]!]!]!.link!;
          const rates = profiles[link]!;
          let free = Math.max(
            ...fleet
              .filter((vehicle) => vehicle.link === link)
              .map(({ busy = options.busy }) => busy?.uplinkMs ?? 0),
          );
          for (const row of queue) {
            const { p2 } = fleet[times.vehicle[row]!]!.jobs[times.job[row]!]!;
            assert.equal(times.uplinkStart[row], Math.max(times.headEnd[row]!, free));
            free = times.uplinkEnd[row]!;
            assert.equal(workUntil(rates, free) - workUntil(rates, times.uplinkStart[row]!), p2);
            if (p2 === 0) assert.equal(free, times.uplinkStart[row]);
            else assert.ok(factorAt(rates, free - 2 ** -30) > 0, 'it ends before an outage, not after it');
          }
        }
        tailsAsJudged(fleet, options, times, times.sent.toSorted(byPlace));
      },
    ),
    { numRuns: 1000 },
  );
});

/** Every tensor becomes a vehicle of its own, so that the judge says what the cloud does with such arrivals. */
function tailsAsJudged(
  fleet: readonly VehicleJobs[],
  { busy, ...options }: FlowShopOptions,
  times: FleetTimes,
  rows: readonly number[],
): void {
  const alone = rows.map((row): VehicleJobs => {
    const { p3 = 0 } = fleet[times.vehicle[row]!]!.jobs[times.job[row]!]!;
    return { jobs: [{ p1: 0, p2: 0, p3, releaseMs: times.uplinkEnd[row]! }], order: [0] };
  });
  const judged = fleetTimes(alone, { ...options, busy: { cloudMs: busy?.cloudMs ?? 0 } });
  for (const key of ['tailStart', 'tailEnd', 'worker', 'end'] as const)
    assert.deepEqual(
      rows.map((row) => times[key][row]),
      [...judged[key]],
    );
}

test('An outage holds up the tensor in flight and those behind it, on its link only.', () => {
  const jobs = [
    { p1: 1, p2: 10, p3: 1 },
    { p1: 1, p2: 2, p3: 1 },
  ];
  const fleet: VehicleJobs[] = [
    { jobs, order: [0, 1], link: 0 },
    { jobs, order: [0, 1], link: 1 },
    { jobs: [{ p1: 6, p2: 0, p3: 1 }], order: [0], link: 2 },
  ];
  const outage = { atMs: [5, 105, 108], factor: [0, 2, 1] };
  const { uplinkStart, uplinkEnd } = simulate(fleet, {
    cloudWorkers: 3,
    links: { 0: outage, 2: { atMs: [0], factor: [0] } },
  });
  // 4 ms of the tensor before the outage; the other 6 at double speed. One of length 0 needs no link that works.
  assert.deepEqual([...uplinkStart], [1, 108, 1, 11, 6]);
  assert.deepEqual([...uplinkEnd], [108, 110, 11, 13, 6]);
});

test('A tensor on a link that stands still for ever is refused, and the link is named.', () => {
  const fleet: VehicleJobs[] = [{ jobs: [{ p1: 1, p2: 10 }], order: [0], link: 7 }];
  const until = (ms: number): EngineOptions => ({ links: { 7: { atMs: [ms], factor: [0] } } });
  assert.throws(() => simulate(fleet, until(10)), {
    name: 'ScheduleError',
    message: 'link 7: a tensor that starts at 1 ms never ends, as the last factor is 0',
  });
  assert.throws(() => simulate(fleet, until(0)), ScheduleError);
  assert.equal(simulate(fleet, until(11)).uplinkEnd[0], 11);
});

test('What is no fleet, no option and no profile is refused by name.', () => {
  const job = { p1: 1, p2: 1 };
  const one: VehicleJobs = { jobs: [job], order: [0], link: 4 };
  const refused = (fleet: VehicleJobs[], options: EngineOptions, message: RegExp): void =>
    assert.throws(() => simulate(fleet, options), { name: 'ScheduleError', message });
  const rates = (atMs: number[], factor: number[]): EngineOptions => ({ links: { 4: { atMs, factor } } });

  refused([one], rates([0, 5, 4], [1, 0, 1]), /^link 4: atMs\[2\] must be more than .* 5, not 4$/);
  refused([one], rates([5, 5], [0, 1]), /^link 4: atMs\[1\]/);
  refused([one], rates([-1], [1]), /^link 4: atMs\[0\].*not -1$/);
  refused([one], rates([Number.NaN], [1]), /^link 4: atMs\[0\].*not NaN$/);
  refused([one], rates([0, 1], [1, -0.5]), /^link 4: factor\[1\].*not -0\.5$/);
  refused([one], rates([0], [Number.NaN]), /^link 4: factor\[0\].*not NaN$/);
  refused([one], rates([0], [Number.POSITIVE_INFINITY]), /^link 4: factor\[0\]/);
  refused([one], rates([0, 1], [1]), /^link 4: 2 atMs, but 1 factor$/);
  refused([{ jobs: [job], order: [0] }], rates([0], [-1]), /^link 4/);

  refused([one, { ...one, link: -1 }], {}, /^vehicle 1: link .*not -1$/);
  refused([{ ...one, link: 0.5 }], {}, /^vehicle 0: link .*not 0\.5$/);
  refused([{ ...one, busy: { uplinkMs: Number.NaN } }], {}, /^busy of vehicle 0: uplinkMs/);
  refused([{ ...one, order: [0, 0] }], {}, /^order: job 0 is in it twice$/);
  refused([{ ...one, order: [1] }], {}, /^order: there is no job 1/);
  refused([{ ...one, jobs: [{ p1: 1, p2: Number.NaN }] }], {}, /^job 0: p2/);
  refused([{ ...one, jobs: [{ p1: 1, p2: 1, releaseMs: -1 }] }], {}, /^job 0: releaseMs/);
  refused([one], { cloudWorkers: 0 }, /^cloudWorkers/);
  refused([one], { cloudWorkers: 1.5 }, /^cloudWorkers/);
  refused([one], { uplinkDelayMs: -1 }, /uplinkDelayMs/);
  refused([one], { returnMs: Number.NaN }, /returnMs/);
  refused([one], { busy: { cloudMs: -1 } }, /^busy: cloudMs/);
});

test('A fleet without vehicles or jobs is over at once.', () => {
  assert.deepEqual(simulate([]), fleetTimes([]));
  assert.deepEqual(simulate([{ jobs: [], order: [] }]), fleetTimes([]));
  assert.equal(simulate([{ jobs: [], order: [] }], { cloudWorkers: 3, busy: { cloudMs: 5 } }).end.length, 0);
});
