/** Whole systems on virtual time, with faults: what must hold of them does, and the simulation sees what does not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Invariant } from '../../field-tests/simulation/books.ts';
import { MemoryLog } from '../../field-tests/simulation/memory-log.ts';
import { scenarioOf } from '../../field-tests/simulation/scenario.ts';
import { digestOf, simulate } from '../../field-tests/simulation/simulate.ts';
import { REAL_STEPS, type Steps } from '../../field-tests/simulation/steps.ts';
import { trace } from '../../field-tests/simulation/trace.ts';
import { VirtualClock } from '../../field-tests/simulation/virtual-clock.ts';

const SEEDS = 250;
/** Until the first that shows it: some faults need a rare meeting of events. */
const MOST_SEEDS = 2 * SEEDS;
const MAIN = path.resolve(import.meta.dirname, '../../field-tests/simulation/main.ts');

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('Simulated systems', () => {
  test('Whatever is cut, lost, doubled, late or killed: every promise holds, and rounds go on afterwards.', () => {
    const ended = { cloud: 0, local: 0, shed: 0, deadline: 0, dropped: 0, lostInCrash: 0, crashes: 0 };
    for (const seed of numbers(SEEDS)) {
      const { violation, tally } = simulate(seed);
      assert.equal(violation, undefined, `seed ${seed}: ${violation?.message}`);
      for (const key of Object.keys(ended) as (keyof typeof ended)[]) ended[key] += tally[key];
    }
    // A simulation in which nothing goes wrong, or nothing goes right, shows nothing.
    for (const [what, count] of Object.entries(ended)) assert.ok(count > SEEDS / 4, `${what}: ${count}`);
  });

  test('Among the seeds are fleets on one channel and on two, and such with links of their own beside them.', () => {
    const fleets = numbers(SEEDS).map((seed) => {
      const channels = scenarioOf(seed).vehicles.map(({ channel }) => channel);
      return { channels: new Set(channels.filter(Boolean)).size, isMixed: channels.includes(undefined) };
    });
    const count = (channels: number, isMixed: boolean): number =>
      fleets.filter((fleet) => fleet.channels === channels && fleet.isMixed === isMixed).length;
    for (const [channels, isMixed] of [
      [0, true],
      [1, false],
      [1, true],
      [2, false],
      [2, true],
    ] as const)
      assert.ok(count(channels, isMixed) > SEEDS / 100, `${channels} ${isMixed}`);
  });

  test('A seed gives the same rows in every log, to the last one; another seed gives others.', () => {
    const seed = numbers(SEEDS).find((each) => scenarioOf(each).faults.length > 4)!;
    assert.equal(digestOf(seed), digestOf(seed));
    assert.notEqual(digestOf(seed), digestOf(seed + 1));
  });

  test('The trace tells of every fault, of what the nodes were told, and of what they did.', () => {
    const seed = numbers(SEEDS).find((each) => scenarioOf(each).faults.some(({ kind }) => kind === 'crash'))!;
    const lines: string[] = [];
    const { violation } = trace(seed, (line) => lines.push(line));
    assert.equal(violation, undefined);
    for (const sign of [
      /!! crash for/,
      /roadside-unit +← hello/,
      /vehicle-1\S* +→ finish/,
      /cloud-1\S* +→ answer/,
    ])
      assert.ok(
        lines.some((line) => sign.test(line)),
        `${sign}`,
      );
  });

  test('A crash takes what waits for its batch from the log, and nothing before it.', () => {
    const clock = new VirtualClock();
    const log = new MemoryLog(clock, () => {});
    const sample = (frame: number) => ({ at_ms: 0, frame, wire_bytes: 1, wire_ms: 1 });
    const frames = (): number[] => log.rows('link_sample').map(({ frame }) => frame);
    log.write('link_sample', sample(1));
    clock.after(99, () => log.write('link_sample', sample(2)));
    clock.runNext();
    assert.deepEqual(frames(), []);
    clock.runNext();
    log.write('link_sample', sample(3));
    assert.deepEqual(frames(), [1, 2]);
  });

  test('A number of seeds that is none is refused in one line.', () => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, '--seeds', 'many'], { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /^--seeds must be a whole number, not 'many'\n$/);
  });
});

describe('What breaks a promise is seen', () => {
  const { vehicle, cloud, coordinator } = REAL_STEPS;
  let calls = 0;
  const mutants: readonly { what: string; steps: Partial<Steps>; invariant: Invariant }[] = [
    {
      what: 'A vehicle that ends a frame twice',
      steps: {
        vehicle: (state, event) => {
          const next = vehicle(state, event);
          const again = next.effects.filter(({ kind }) => kind === 'finish');
          return { ...next, effects: [...next.effects, ...again] };
        },
      },
      invariant: 'ends-once',
    },
    {
      what: 'A vehicle that forgets that a frame was dropped',
      steps: {
        vehicle: (state, event) => {
          const next = vehicle(state, event);
          const isDrop = (each: (typeof next.effects)[number]): boolean =>
            each.kind === 'finish' && each.outcome === 'dropped';
          return { ...next, effects: next.effects.filter((each) => !isDrop(each)) };
        },
      },
      invariant: 'ends-at-all',
    },
    {
      what: 'A vehicle that is stopped and does not end its frames',
      steps: {
        vehicle: (state, event) =>
          event.kind === 'stopping' ? { state, effects: [] } : vehicle(state, event),
      },
      invariant: 'ends-at-all',
    },
    {
      what: 'A vehicle that waits for ever for a result',
      steps: {
        vehicle: (state, event) =>
          event.kind === 'timeout' ? { state, effects: [] } : vehicle(state, event),
      },
      invariant: 'goes-on',
    },
    {
      what: 'A vehicle that keeps its first plan',
      steps: {
        vehicle: (state, event) =>
          event.kind === 'plan' && state.plan ? { state, effects: [] } : vehicle(state, event),
      },
      invariant: 'newest-plan',
    },
    {
      what: 'A vehicle that takes the channel without a grant',
      steps: {
        vehicle: (state, event) =>
          vehicle(
            state,
            event.kind === 'plan' ? { ...event, plan: { ...event.plan, granted: false } } : event,
          ),
      },
      invariant: 'one-on-uplink',
    },
    {
      what: 'A cloud worker that answers with the picture before',
      steps: {
        cloud: (state, event) => {
          if (event.kind !== 'tail-done') return cloud(state, event);
          const [name, frame] = event.digest.split('/') as [string, string];
          return cloud(state, { ...event, digest: `${name}/${Number(frame) - 1}` });
        },
      },
      invariant: 'own-answer',
    },
    {
      what: 'A cloud worker that works on what it was not asked for',
      steps: {
        cloud: (state, event) =>
          cloud(
            state,
            event.kind === 'tensor' ? { ...event, job: { ...event.job, cut: event.job.cut + 1 } } : event,
          ),
      },
      invariant: 'plan-asked',
    },
    {
      what: 'A cloud worker that takes whatever comes',
      steps: {
        cloud: (state, event) => {
          const next = cloud(state, event);
          const [first] = next.state.waiting;
          if (!first) return next;
          return { ...next, state: { ...next.state, waiting: new Array<typeof first>(1000).fill(first) } };
        },
      },
      invariant: 'bounded-queues',
    },
    {
      what: 'A roadside unit that does not count its grants',
      steps: {
        coordinator: (state, event) => {
          const { state: after, effects } = coordinator(state, event);
          const four = Object.entries(after.grants).map(([name, grants]) => {
            const { granted } = grants;
            return [name, { ...grants, granted: [...granted, ...granted, ...granted, ...granted] }];
          });
          return { state: { ...after, grants: Object.fromEntries(four) }, effects };
        },
      },
      invariant: 'three-grants',
    },
    {
      what: 'A roadside unit that takes two channels for one',
      steps: {
        coordinator: (state, event) => {
          const { state: after, effects } = coordinator(state, event);
          const [one, other] = Object.entries(after.grants);
          if (!one || !other) return { state: after, effects };
          const granted = [...one[1].granted, ...other[1].granted].slice(0, 3);
          const grants = { ...after.grants, [one[0]]: { ...one[1], granted } };
          return { state: { ...after, grants }, effects };
        },
      },
      invariant: 'three-grants',
    },
    {
      what: 'A roadside unit that never hears that a vehicle is ready',
      steps: {
        coordinator: (state, event) =>
          event.kind === 'ready' ? { state, effects: [] } : coordinator(state, event),
      },
      invariant: 'goes-on',
    },
    {
      what: 'A roadside unit that refuses who comes again',
      steps: {
        coordinator: (state, event) => {
          const next = coordinator(state, event);
          if (event.kind !== 'hello' || !state.nodes[event.node]) return next;
          const verdict = { kind: 'verdict', node: event.node, accepted: false, reason: 'again' } as const;
          return { ...next, effects: [verdict] };
        },
      },
      invariant: 'none-refused',
    },
    {
      what: 'A roadside unit that does not go on from what its nodes have seen',
      steps: {
        coordinator: (state, event) => {
          const next = coordinator(state, event);
          if (event.kind !== 'hello') return next;
          const { epoch, lastRound } = state;
          return { ...next, state: { ...next.state, epoch, lastRound } };
        },
      },
      invariant: 'numbers-rise',
    },
    {
      what: 'A vehicle that forgets its epoch with its connection',
      steps: {
        vehicle: (state, event) =>
          vehicle(event.kind === 'connected' ? { ...state, epoch: 0 } : state, event),
      },
      invariant: 'numbers-rise',
    },
    {
      what: 'A vehicle that takes every plan for a new one',
      steps: {
        vehicle: (state, event) =>
          vehicle(event.kind === 'plan' ? { ...state, epoch: event.plan.epoch - 1 } : state, event),
      },
      invariant: 'newest-plan',
    },
    {
      what: 'A vehicle that does not say hello again where nobody knows it',
      steps: {
        vehicle: (state, event) =>
          event.kind === 'unknown' ? { state, effects: [] } : vehicle(state, event),
      },
      invariant: 'goes-on',
    },
    {
      what: 'A roadside unit that counts no strikes',
      steps: {
        coordinator: (state, event) =>
          event.kind === 'heartbeat' ? { state, effects: [] } : coordinator(state, event),
      },
      invariant: 'silence-noticed',
    },
    {
      what: 'A decision that depends on more than its state and event',
      steps: {
        coordinator: (state, event) => {
          const next = coordinator(state, event);
          const detail = `call ${calls++}`;
          return { ...next, effects: [...next.effects, { kind: 'fault', fault: 'impure', detail }] };
        },
      },
      invariant: 'log-agrees',
    },
    {
      what: 'A decision that ends in an exception',
      steps: {
        cloud: (state, event) => {
          if (event.kind === 'tail-failed') throw new Error('nobody thought of that');
          return cloud(state, event);
        },
      },
      invariant: 'step-goes-on',
    },
  ];
  for (const { what, steps, invariant } of mutants)
    test(`${what} breaks ${invariant}.`, () => {
      for (const seed of numbers(MOST_SEEDS)) {
        const { violation } = simulate(seed, { steps: { ...REAL_STEPS, ...steps } });
        if (!violation) continue;
        assert.equal(violation.invariant, invariant, violation.message);
        return;
      }
      assert.fail(`nobody has noticed in ${MOST_SEEDS} seeds`);
    });
});
