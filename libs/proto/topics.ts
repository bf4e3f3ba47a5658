/**
 * The one table of what goes over the wire: sessions, door, docs and tests read it. A topic is
 * `splitlane/v1/` and the pattern: `{node}` is the name of the node that it belongs to, `{cloud}` that of the cloud worker
 * that a tensor is for.
 */
import * as messages from './messages.ts';

const KIB = 1024;

/** The largest piece of a tensor that travels in one message. */
export const MAX_CHUNK_BYTES = 64 * KIB;

export const topics = {
  hello: {
    pattern: 'node/{node}/hello',
    message: 'Hello',
    schema: messages.Hello,
    from: ['vehicle', 'cloud'],
    to: ['roadside-unit'],
    qos: 1,
    retain: false,
    maxBytes: 16 * KIB,
  },
  verdict: {
    pattern: 'node/{node}/verdict',
    message: 'Verdict',
    schema: messages.Verdict,
    from: ['roadside-unit'],
    to: ['vehicle', 'cloud'],
    qos: 1,
    retain: false,
    maxBytes: 2 * KIB,
  },
  presence: {
    pattern: 'node/{node}/presence',
    message: 'Presence',
    schema: messages.Presence,
    from: ['vehicle', 'cloud', 'roadside-unit'],
    to: ['vehicle', 'cloud', 'roadside-unit'],
    qos: 1,
    retain: true,
    maxBytes: KIB,
  },
  measure: {
    pattern: 'node/{node}/measure',
    message: 'Measure',
    schema: messages.Measure,
    from: ['roadside-unit'],
    to: ['vehicle', 'cloud'],
    qos: 1,
    retain: false,
    maxBytes: KIB,
  },
  profile: {
    pattern: 'node/{node}/profile',
    message: 'Profile',
    schema: messages.Profile,
    from: ['vehicle', 'cloud'],
    to: ['roadside-unit'],
    qos: 1,
    retain: false,
    maxBytes: 256 * KIB,
  },
  clockPing: {
    pattern: 'node/{node}/clock/ping',
    message: 'ClockPing',
    schema: messages.ClockPing,
    from: ['vehicle', 'cloud'],
    to: ['roadside-unit'],
    qos: 0,
    retain: false,
    maxBytes: KIB,
  },
  clockPong: {
    pattern: 'node/{node}/clock/pong',
    message: 'ClockPong',
    schema: messages.ClockPong,
    from: ['roadside-unit'],
    to: ['vehicle', 'cloud'],
    qos: 0,
    retain: false,
    maxBytes: KIB,
  },
  plan: {
    pattern: 'vehicle/{node}/plan',
    message: 'Plan',
    schema: messages.VehiclePlan,
    from: ['roadside-unit'],
    to: ['vehicle', 'cloud'],
    qos: 1,
    retain: true,
    maxBytes: 64 * KIB,
  },
  round: {
    pattern: 'vehicle/{node}/round',
    message: 'Round',
    schema: messages.Round,
    from: ['roadside-unit'],
    to: ['vehicle'],
    qos: 1,
    retain: false,
    maxBytes: KIB,
  },
  ready: {
    pattern: 'vehicle/{node}/ready',
    message: 'Ready',
    schema: messages.Ready,
    from: ['vehicle'],
    to: ['roadside-unit'],
    qos: 1,
    retain: false,
    maxBytes: 16 * KIB,
  },
  report: {
    pattern: 'vehicle/{node}/report',
    message: 'Report',
    schema: messages.Report,
    from: ['vehicle'],
    to: ['roadside-unit'],
    qos: 1,
    retain: false,
    maxBytes: 64 * KIB,
  },
  transfer: {
    pattern: 'vehicle/{node}/transfer',
    message: 'TransferReport',
    schema: messages.TransferReport,
    from: ['vehicle'],
    to: ['roadside-unit'],
    qos: 0,
    retain: false,
    maxBytes: 16 * KIB,
  },
  channelAsk: {
    pattern: 'vehicle/{node}/channel/ask',
    message: 'ChannelAsk',
    schema: messages.ChannelAsk,
    from: ['vehicle'],
    to: ['roadside-unit'],
    qos: 1,
    retain: false,
    maxBytes: KIB,
  },
  channelGrant: {
    pattern: 'vehicle/{node}/channel/grant',
    message: 'ChannelGrant',
    schema: messages.ChannelGrant,
    from: ['roadside-unit'],
    to: ['vehicle'],
    qos: 1,
    retain: false,
    maxBytes: KIB,
  },
  channelEnd: {
    pattern: 'vehicle/{node}/channel/end',
    message: 'ChannelEnd',
    schema: messages.ChannelEnd,
    from: ['vehicle'],
    to: ['roadside-unit'],
    qos: 1,
    retain: false,
    maxBytes: KIB,
  },
  tensor: {
    pattern: 'tensor/{node}/{cloud}',
    message: 'TensorChunk',
    schema: messages.TensorChunk,
    from: ['vehicle'],
    to: ['cloud'],
    qos: 0,
    retain: false,
    maxBytes: MAX_CHUNK_BYTES + KIB,
  },
  result: {
    pattern: 'vehicle/{node}/result',
    message: 'Result',
    schema: messages.Result,
    from: ['cloud'],
    to: ['vehicle'],
    qos: 1,
    retain: false,
    maxBytes: 128 * KIB,
  },
  logBatch: {
    pattern: 'vehicle/{node}/log/batch',
    message: 'LogBatch',
    schema: messages.LogBatch,
    from: ['vehicle'],
    to: ['roadside-unit'],
    qos: 0,
    retain: false,
    maxBytes: 32 * KIB,
  },
  logAck: {
    pattern: 'vehicle/{node}/log/ack',
    message: 'LogAck',
    schema: messages.LogAck,
    from: ['roadside-unit'],
    to: ['vehicle'],
    qos: 0,
    retain: false,
    maxBytes: KIB,
  },
} as const;

export type TopicKey = keyof typeof topics;
/** The type of what is published and received on a topic. */
export type MessageOf<K extends TopicKey> = import('zod').infer<(typeof topics)[K]['schema']>;

const ROOT = `splitlane/v${messages.PROTOCOL_VERSION}/`;

/**
 * The topic of one node, or the filter of all nodes where `node` is '+'.
 * @param cloud the worker that a tensor is for; of all workers unless given. Other topics have no such part.
 */
export function topicOf(key: TopicKey, node: string, cloud = '+'): string {
  return ROOT + topics[key].pattern.replace('{node}', node).replace('{cloud}', cloud);
}

/** A topic's entry of the table, the node it belongs to, and the cloud worker that a tensor is for. */
export interface ParsedTopic {
  readonly key: TopicKey;
  readonly node: string;
  readonly cloud?: string;
}

const matchers = (Object.keys(topics) as TopicKey[]).map((key) => ({
  key,
  pattern: new RegExp(`^${topicOf(key, '([^/]+)', '([^/]+)')}$`),
}));

/** What a topic says; undefined for a topic that is not ours. */
export function parseTopic(topic: string): ParsedTopic | undefined {
  for (const { key, pattern } of matchers) {
    const [, node, cloud] = pattern.exec(topic) ?? [];
    if (!isName(node)) continue;
    if (cloud === undefined) return { key, node };
    if (isName(cloud)) return { key, node, cloud };
  }
  return undefined;
}

/** What a node is. */
export type Role = (typeof topics)[TopicKey]['from'][number];

/** A client of the broker: its identifier, and what it was let in as, if it was. */
export interface Speaker {
  readonly id: string;
  readonly role?: Role | undefined;
}

/**
 * Whether a client may publish on a topic: a node in its own name, the roadside unit to whom it likes, and a cloud worker
 * that was let in to any vehicle.
 */
export function mayPublish(topic: string, { id, role }: Speaker): boolean {
  const parsed = parseTopic(topic);
  if (!parsed) return false;
  const { pattern } = topics[parsed.key];
  const from: readonly Role[] = topics[parsed.key].from;
  if (role !== undefined && !from.includes(role)) return false;
  if (role === 'roadside-unit') return true;
  const inOwnName = from.includes('vehicle') || (pattern.startsWith('node/') && from.includes('cloud'));
  return inOwnName ? parsed.node === id : role === 'cloud';
}

/** Of these a node may hear what is said to others, or by them. */
const HEARD_BY_ALL: ReadonlySet<TopicKey> = new Set(['presence', 'plan']);

/** Whether a client may subscribe to a topic or a filter of one of its levels: what is its own, and what all may hear. */
export function maySubscribe(filter: string, { id, role }: Speaker): boolean {
  // A name that the filter leaves open may be any: it is read as if it were this one.
  const parsed = parseTopic(filter.replaceAll('/+', '/any'));
  if (!parsed) return false;
  if (role === 'roadside-unit') return true;
  if (parsed.cloud !== undefined) return filter.endsWith(`/${id}`);
  return filter === topicOf(parsed.key, id) || HEARD_BY_ALL.has(parsed.key);
}

function isName(name: string | undefined): name is string {
  return messages.Name.safeParse(name).success;
}

/** The largest packet that a client of ours sends: what the broker's door lets through at most. */
export const MAX_PACKET_BYTES = Math.max(...Object.values(topics).map((topic) => topic.maxBytes)) + KIB;
