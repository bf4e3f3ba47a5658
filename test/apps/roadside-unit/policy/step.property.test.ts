/** What holds of the roadside unit whatever its nodes do, in whatever order, twice, late or never. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PolicyName } from '../../../../apps/roadside-unit/config.ts';
import type { CoordinatorEffect, CoordinatorEvent } from '../../../../apps/roadside-unit/policy/events.ts';
import { type CoordinatorState, initialState, step } from '../../../../apps/roadside-unit/policy/step.ts';
import type { Untimed } from '../../../../libs/journal/step-runner.ts';
import { cloudOf, type Hello, type Profile, STRIKES, VehiclePlan } from '../../../../libs/proto/messages.ts';
import { deepFreeze } from '../../deep-freeze.ts';
import { cloudProfile, hello, measured, profile, ready, report, setup, timeout } from './drive.ts';

const VEHICLES = ['vehicle-1', 'vehicle-2', 'constructor'];
const CLOUDS = ['cloud-1', 'cloud-2'];
const CAMERAS = ['camera-1', 'camera-2'];

const node = fc.constantFrom(...VEHICLES, ...VEHICLES, ...CLOUDS);
/** A profile that passes the wire's checks, of this network or of another. */
const profiles = fc.oneof(
  { weight: 4, arbitrary: fc.constant(profile) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 5 }).chain((segments) =>
      fc.record({
        segmentMs: fc.array(fc.constantFrom(0, 1, 50), { minLength: segments, maxLength: segments }),
        cuts: fc.constant(
          Array.from({ length: segments + 1 }, (_, cut) => ({
            id: `cut-${cut}`,
            dims: [1],
            bytes: 4000 - cut,
          })),
        ),
        jpegBytes: fc.constantFrom(0, 5000),
      }),
    ),
  },
);
const job = fc.record({
  cut: fc.nat(4),
  cloud: fc.constantFrom('', ...CLOUDS),
  codec: fc.constantFrom('float32' as const, 'jpeg' as const),
  outcome: fc.constantFrom('cloud' as const, 'local' as const, 'dropped' as const),
  tailMs: fc.nat(100),
  fixedMs: fc.nat(100),
});

interface Deed {
  readonly do: 'hello' | 'gone' | 'silent' | 'profile' | 'ready' | 'report' | 'timeout' | 'as-asked';
  readonly node: string;
  /** What a node says that it has seen, beyond what this roadside unit has made. */
  readonly ahead: number;
  readonly vehicleMs: number;
  readonly uplinkBps: number;
  readonly workers: number;
  readonly protocol: number;
  readonly profile: Profile;
  /** Rounds back from the newest. */
  readonly back: number;
  readonly cameras: readonly string[];
  readonly jobs: readonly (typeof job extends fc.Arbitrary<infer T> ? T : never)[];
  readonly phase: 'capture' | 'go';
  readonly pick: number;
}
const deed: fc.Arbitrary<Deed> = fc.record({
  do: fc.oneof(
    { weight: 2, arbitrary: fc.constant('hello' as const) },
    { weight: 1, arbitrary: fc.constantFrom('gone' as const, 'silent' as const, 'profile' as const) },
    { weight: 2, arbitrary: fc.constantFrom('ready' as const, 'report' as const, 'timeout' as const) },
    { weight: 24, arbitrary: fc.constant('as-asked' as const) },
  ),
  node,
  ahead: fc.constantFrom(-1, 0, 0, 5),
  vehicleMs: fc.constantFrom(0, 100, 400),
  uplinkBps: fc.constantFrom(0, 1e6, 1e6, 1e9),
  workers: fc.constantFrom(0, 1, 2, 2),
  protocol: fc.constantFrom(1, 1, 1, 1, 1, 2),
  profile: profiles,
  back: fc.constantFrom(0, 0, 0, 1, 2),
  cameras: fc.constantFrom(CAMERAS, CAMERAS, CAMERAS, ['camera-2'], []),
  jobs: fc.array(job, { maxLength: 3 }),
  phase: fc.constantFrom('capture', 'go'),
  pick: fc.nat(9),
});
const campaign = fc.record({
  policies: fc.array(fc.constantFrom(...PolicyName.options), {
    minLength: 1,
    maxLength: 3,
  }),
  warmUpRounds: fc.integer({ min: 1, max: 2 }),
  rounds: fc.integer({ min: 1, max: 3 }),
});

/** A request of the coordinator that its node has not answered yet. */
interface Request {
  readonly kind: 'measure' | 'capture' | 'go';
  readonly node: string;
  readonly answer: (deed: Deed) => Untimed<CoordinatorEvent>;
}

class World {
  state: CoordinatorState;
  #requests: Request[] = [];
  readonly #present = new Set<string>();
  /** The round that a node has captured and not been told to go. */
  readonly #captured = new Map<string, number>();
  #lastRound = 0;
  /** Rounds that were asked for, and the highest that a node has said to have seen. */
  readonly #captures = new Set<number>();
  #seenRound = 0;
  #epoch = 0;
  /** The plan of whole rounds that a vehicle had last, and that of the round that it runs. */
  readonly #newest = new Map<string, VehiclePlan>();
  readonly #plans = new Map<string, VehiclePlan>();
  /** Decisions for what was left of a round. */
  revised = 0;
  #done = false;

  /** @param underWay all vehicles and clouds are there and measured, and the first round has begun. */
  constructor(state: CoordinatorState, underWay: boolean) {
    this.state = deepFreeze(state);
    if (!underWay) return;
    for (const name of [...VEHICLES, ...CLOUDS]) this.hello(name);
    while (this.#requests[0]?.kind === 'measure') this.take(measured(this.#requests.shift()!.node));
  }

  get asked(): number {
    return this.#captures.size;
  }

  get isDone(): boolean {
    return this.#done;
  }

  do(deed: Deed): void {
    const isCloud = CLOUDS.includes(deed.node);
    switch (deed.do) {
      case 'hello': {
        const own = isCloud
          ? { workers: deed.workers }
          : { vehicleMs: deed.vehicleMs, uplinkBps: deed.uplinkBps };
        const epoch = Math.max(0, this.#epoch + deed.ahead);
        const round = Math.max(0, Math.max(this.#lastRound, this.#seenRound) + deed.ahead);
        return this.hello(deed.node, { protocol: deed.protocol, epoch, round, ...own });
      }
      case 'gone':
        this.#forget(deed.node);
        return this.take({ kind: 'gone', node: deed.node });
      case 'silent': {
        const heard = [...VEHICLES, ...CLOUDS].filter((name) => name !== deed.node);
        for (let strike = 1; strike < STRIKES; strike++) this.take({ kind: 'heartbeat', heard });
        this.#forget(deed.node);
        return this.take({ kind: 'heartbeat', heard });
      }
      case 'profile':
        this.#drop(({ kind, node }) => kind === 'measure' && node === deed.node);
        return this.take(measured(deed.node, deed.profile));
      case 'ready':
        return this.take(ready(deed.node, this.#lastRound - deed.back, [...deed.cameras]));
      case 'report':
        return this.take(report(deed.node, Math.max(0, this.#lastRound - deed.back), deed.jobs));
      case 'timeout':
        return this.take(timeout(this.#lastRound - deed.back, deed.phase));
      case 'as-asked': {
        const [request] = this.#requests.splice(deed.pick % Math.max(1, this.#requests.length), 1);
        if (request) this.take(request.answer(deed));
      }
    }
  }

  hello(name: string, more: Partial<Hello> = {}): void {
    this.#forget(name);
    this.take(hello(name, more));
    if (!this.#present.has(name)) return;
    this.#epoch = Math.max(this.#epoch, more.epoch ?? 0);
    this.#seenRound = Math.max(this.#seenRound, more.round ?? 0);
  }

  /** Until the campaign is over: whoever is missing comes, and everyone answers. */
  settle(deed: Deed): void {
    for (const vehicle of VEHICLES) if (!this.#present.has(vehicle)) this.hello(vehicle);
    if (!CLOUDS.some((cloud) => this.#present.has(cloud))) this.hello('cloud-1');
    for (let turn = 0; turn < 1000 && !this.#done; turn++) {
      const request = this.#requests.shift();
      assert.ok(request, 'the campaign is not over, and the coordinator asks for nothing');
      this.take(request.answer({ ...deed, cameras: CAMERAS, profile }));
    }
    assert.ok(this.#done, 'the campaign never ends');
  }

  take(untimed: Untimed<CoordinatorEvent>): void {
    const event = deepFreeze({ atMs: 0, ...untimed } as CoordinatorEvent);
    const { state, effects } = step(this.state, event);
    const again = step(this.state, JSON.parse(JSON.stringify(event)) as CoordinatorEvent);
    assert.equal(JSON.stringify(again), JSON.stringify({ state, effects }), 'another time, other effects');
    this.state = deepFreeze(state);
    const atEnd = ['verdict', 'fault', 'disconnect'];
    assert.ok(!this.#done || effects.every(({ kind }) => atEnd.includes(kind)));

    const plans = effects.filter((effect) => effect.kind === 'plan');
    // The end of a round may bring a second decision, of the next epoch.
    for (const decision of Map.groupBy(plans, ({ plan }) => plan.epoch).values()) {
      assert.ok(decision[0]!.plan.epoch > this.#epoch, 'epochs rise');
      this.#epoch = decision[0]!.plan.epoch;
      if (decision[0]!.plan.round !== 0) {
        this.#checkForRound(decision);
        continue;
      }
      assert.equal(new Set(decision.map(({ vehicle }) => vehicle)).size, decision.length, 'a plan each');
      assert.equal(new Set(decision.map(({ plan }) => `${plan.policy} ${plan.cloud}`)).size, 1);
      const planned = decision.map(({ vehicle }) => vehicle);
      const others = Object.keys(state.nodes).filter((name) => {
        const { hello, profile, cameras } = state.nodes[name]!;
        return hello.role === 'vehicle' && profile && cameras.length > 0 && !planned.includes(name);
      });
      assert.deepEqual(others, [], 'every vehicle that takes part has a plan of this epoch');
    }
    for (const { plan, vehicle } of plans) {
      VehiclePlan.parse(plan);
      if (plan.round === 0) this.#newest.set(vehicle, plan);
      assert.ok(this.#present.has(vehicle), `a plan for ${vehicle}, which is not there`);
      for (const cloud of [plan.cloud, ...plan.streams.map((stream) => cloudOf(stream, plan))])
        assert.ok(cloud === '' || this.#present.has(cloud), 'the clouds of a plan are there');
      assert.ok(plan.lowerBoundMs <= plan.makespanMs * (1 + 1e-9));
    }

    for (const effect of effects) {
      switch (effect.kind) {
        case 'verdict':
          if (effect.accepted) this.#present.add(effect.node);
          else assert.notEqual(effect.reason, '');
          break;
        case 'measure': {
          const { node } = effect;
          assert.ok(this.#present.has(node));
          const others = this.#requests.filter(({ kind }) => kind === 'measure');
          assert.deepEqual(others, [], 'one measures at a time');
          const own = CLOUDS.includes(node) ? cloudProfile : undefined;
          const answer = (deed: Deed) => measured(node, own ?? deed.profile);
          this.#requests.push({ kind: 'measure', node, answer });
          break;
        }
        case 'round': {
          const { vehicle, round } = effect;
          assert.ok(this.#present.has(vehicle), `${vehicle} is asked, and is not there`);
          if (round.phase === 'capture') {
            const isNew = round.round > Math.max(this.#lastRound, this.#seenRound);
            assert.ok(isNew || this.#captures.has(round.round), 'rounds rise');
            this.#captures.add(round.round);
            this.#lastRound = round.round;
            this.#captured.set(vehicle, round.round);
          } else {
            assert.equal(this.#captured.get(vehicle), round.round, `${vehicle} has no frames to go with`);
            this.#captured.delete(vehicle);
            const plan = this.#newest.get(vehicle);
            if (plan) this.#plans.set(vehicle, plan);
          }
          const answer = (deed: Deed) =>
            round.phase === 'capture'
              ? ready(vehicle, round.round, [...deed.cameras])
              : report(vehicle, round.round, deed.jobs);
          this.#requests.push({ kind: round.phase, node: vehicle, answer });
          break;
        }
        case 'campaign-done':
          this.#done = true;
      }
    }
    const waiting = this.state.open?.waiting ?? [];
    for (const each of waiting)
      assert.ok(this.#present.has(each), `a round waits for ${each}, which is gone`);
    if (this.state.open && !this.#done) assert.ok(waiting.length > 0, 'a round waits for nobody');
  }

  /** Plans for what is left of a round go to those who run it, and move tails only. */
  #checkForRound(decision: readonly (CoordinatorEffect & { kind: 'plan' })[]): void {
    this.revised++;
    for (const { vehicle, plan } of decision) {
      const before = this.#plans.get(vehicle)!;
      assert.equal(plan.round, this.#lastRound);
      assert.ok(this.#requests.some(({ kind, node }) => kind === 'go' && node === vehicle));
      const cuts = ({ streams }: VehiclePlan) =>
        streams.map(({ camera, cut, codec }) => ({ camera, cut, codec }));
      assert.deepEqual(cuts(plan), cuts(before), 'every stream keeps its cut');
    }
  }

  /** A node that is gone, or that begins anew, answers nothing that it was asked before. */
  #forget(name: string): void {
    this.#present.delete(name);
    this.#captured.delete(name);
    this.#drop(({ node }) => node === name);
  }

  #drop(isMeant: (request: Request) => boolean): void {
    this.#requests = this.#requests.filter((request) => !isMeant(request));
  }
}

test('No event breaks the coordinator, no round waits for who is gone, and those who answer reach the end.', () => {
  let rounds = 0;
  let revised = 0;
  fc.assert(
    fc.property(
      campaign,
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.boolean(),
      fc.array(deed, { maxLength: 80, size: 'max' }),
      deed,
      (campaign, vehicles, keepFramesOnBoard, underWay, deeds, last) => {
        const world = new World(initialState({ ...setup(campaign, vehicles), keepFramesOnBoard }), underWay);
        for (const each of deeds) if (!world.isDone) world.do(each);
        rounds += world.asked;
        revised += world.revised;
        if (!world.isDone) world.settle(last);
      },
    ),
    { numRuns: 1200 },
  );
  assert.ok(rounds > 1500, `${rounds} rounds`);
  assert.ok(revised > 20, `${revised} plans for what was left of a round`);
});
