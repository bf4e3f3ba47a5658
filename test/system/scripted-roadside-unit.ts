/**
 * A roadside unit that does what a test says: the real broker and a session, but plans and rounds made by
 * hand. It lets every node in, has it measure, and answers its clock.
 */
import { Broker } from '../../apps/roadside-unit/io/broker.ts';
import { systemClock } from '../../libs/clock/index.ts';
import { Session } from '../../libs/net/index.ts';
import type { Profile, Ready, Report, Result, VehiclePlan } from '../../libs/proto/index.ts';
import { HOST } from './nodes.ts';

const NODE = 'roadside-unit';

/** What a message answers to: a node's profile, or its word on a round. */
type Heard = Profile | Ready | Report;

/** One camera's plan at a cut of a network of so many segments, by hand; its times mean nothing. */
export function planAt(epoch: number, cut: number, segments: number, cloud: string): VehiclePlan {
  const times = { headStartMs: 0, headEndMs: 1, uplinkStartMs: 1, uplinkEndMs: 2 };
  return {
    ...{ epoch, policy: 'hand-made', cloud, makespanMs: 4, lowerBoundMs: 0 },
    streams: [
      { camera: 'camera-1', cut, codec: 'float32', ...times, tailStartMs: 2, tailEndMs: 3, endMs: 4 },
    ],
    segmentMs: new Array<number>(segments).fill(1),
    ...{ uplinkBps: 100e6, jobTimeoutMs: 60_000, round: 0, granted: false },
  };
}

export class ScriptedRoadsideUnit {
  /** Results as the broker passed them on, of all vehicles. */
  readonly results: Result[] = [];
  /** What was heard, and what is waited for. */
  readonly #heard = new Map<string, PromiseWithResolvers<Heard>>();
  readonly #broker = new Broker(NODE, systemClock, () => {});
  #session: Session | undefined;

  /** Returns the port that nodes connect to. */
  async start(): Promise<number> {
    const port = await this.#broker.start(HOST, 0);
    const connected = Promise.withResolvers<void>();
    const session = new Session({
      host: HOST,
      port,
      node: NODE,
      clock: systemClock,
      secret: this.#broker.secret,
      onConnect: connected.resolve,
      onDisconnect: () => {},
      onRejected: () => {},
    });
    this.#session = session;
    session.subscribe('hello', '+', ({ role, uplinkBps }, node) => {
      this.#broker.admit(node, role, uplinkBps);
      session.publish('verdict', node, { accepted: true, reason: '' });
      session.publish('measure', node, {});
    });
    session.subscribe('clockPing', '+', ({ sentMs }, node) =>
      session.publish('clockPong', node, { sentMs, answeredMs: systemClock.now(), unknown: false }),
    );
    session.subscribe('profile', '+', (profile, node) => this.#of(`${node}/profile`).resolve(profile));
    session.subscribe('ready', '+', (ready, node) => this.#of(`${node}/ready/${ready.round}`).resolve(ready));
    session.subscribe('report', '+', (report, node) =>
      this.#of(`${node}/report/${report.round}`).resolve(report),
    );
    session.subscribe('result', '+', (result) => this.results.push(result));
    session.start();
    await connected.promise;
    return port;
  }

  /** Resolves when all of these nodes have told their profiles. */
  async profiled(...nodes: string[]): Promise<void> {
    await Promise.all(nodes.map((node) => this.#of(`${node}/profile`).promise));
  }

  plan(vehicle: string, plan: VehiclePlan): void {
    this.#session!.publish('plan', vehicle, plan);
  }

  /** Leads a vehicle through one round and returns what it reports. */
  async round(vehicle: string, round: number): Promise<Report> {
    const asked = { round, frameIndex: round, measured: true };
    this.#session!.publish('round', vehicle, { ...asked, phase: 'capture' });
    await this.#of(`${vehicle}/ready/${round}`).promise;
    this.#session!.publish('round', vehicle, { ...asked, phase: 'go' });
    return (await this.#of(`${vehicle}/report/${round}`).promise) as Report;
  }

  async stop(): Promise<void> {
    await this.#session?.stop();
    await this.#broker.stop();
  }

  #of(key: string): PromiseWithResolvers<Heard> {
    const known = this.#heard.get(key) ?? Promise.withResolvers<Heard>();
    this.#heard.set(key, known);
    return known;
  }
}
