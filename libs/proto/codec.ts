/** Messages to bytes and back. What is malformed ends here in a `WireError`, never further in. */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { type MessageOf, type TopicKey, topics } from './topics.ts';

/** Received bytes are no message of the topic they came on. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const { root } = protobuf.parse(readFileSync(new URL('./splitlane.proto', import.meta.url), 'utf8'));

const types = Object.fromEntries(
  Object.entries(topics).map(([key, { message }]) => [key, root.lookupType(`splitlane.v1.${message}`)]),
) as Record<TopicKey, protobuf.Type>;

/** The bytes of a message; a tensor's data is copied once. */
export function encode<K extends TopicKey>(key: K, message: MessageOf<K>): Buffer {
  return types[key].encode(message).finish() as Buffer;
}

/**
 * The message in `bytes`, checked for lengths, shapes and ranges. Its `bytes` fields are views on the input.
 * @throws WireError that names the topic and the first field that is wrong.
 */
export function decode<K extends TopicKey>(key: K, bytes: Uint8Array): MessageOf<K> {
  const topic = topics[key];
  if (bytes.length > topic.maxBytes)
    throw new WireError(`${key}: ${bytes.length} bytes, at most ${topic.maxBytes} are allowed`);
  let plain: Record<string, unknown>;
  try {
    plain = types[key].toObject(types[key].decode(bytes), { defaults: true, arrays: true });
  } catch (error) {
    throw new WireError(
      `${key}: no ${topic.message} in these ${bytes.length} bytes (${(error as Error).message})`,
    );
  }
  const parsed = topic.schema.safeParse(plain);
  if (parsed.success) return parsed.data as MessageOf<K>;
  const issue = parsed.error.issues[0]!;
  throw new WireError(`${key}: ${issue.path.join('.') || topic.message}: ${issue.message}`);
}
