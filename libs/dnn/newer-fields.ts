/**
 * onnx-proto's schema is that of ONNX 1.10, and drops what it does not know. Here fields that came later
 * (overloads of functions, metadata of nodes and tensors, device configurations) go through as they are.
 */
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

/** Where a decoded message keeps its later fields: each with its tag, as bytes. Spreading carries them on. */
export interface NewerFields {
  readonly $newer?: readonly Uint8Array[];
}

/** What is used of protobufjs' reader and writer. */
interface Reader {
  readonly buf: Uint8Array;
  pos: number;
  uint32(): number;
  skipType(...args: unknown[]): unknown;
}
interface Writer {
  raw(bytes: Uint8Array): Writer;
}
interface Message {
  decode(reader: Reader, length?: number): NewerFields;
  encode(message: NewerFields, writer?: Writer): Writer;
}

/** The later fields of the messages that are being decoded, the innermost last. */
const decoding: Uint8Array[][] = [];

function keepNewerFields(message: Message): void {
  const { decode, encode } = message;
  message.decode = (reader, length) => {
    const fields: Uint8Array[] = [];
    decoding.push(fields);
    try {
      const decoded = decode.call(message, reader, length);
      return fields.length === 0 ? decoded : Object.assign(decoded, { $newer: fields });
    } finally {
      decoding.pop();
    }
  };
  message.encode = (decoded, writer) =>
    (decoded.$newer ?? []).reduce((to, bytes) => to.raw(bytes), encode.call(message, decoded, writer));
}

function messagesOf(space: object): Message[] {
  return Object.values(space).flatMap((each) =>
    typeof each !== 'function' ? [] : [...('decode' in each ? [each as Message] : []), ...messagesOf(each)],
  );
}

for (const message of messagesOf(onnx)) keepNewerFields(message);

/** A reader that hands the fields it is told to skip to the message that is being decoded. */
function attentiveReader(bytes: Uint8Array): Reader {
  const take = { decode: (made: Reader) => Object.assign(made, { pos: 0 }) };
  // The generated code makes the reader, of the protobufjs that it runs on.
  const reader = onnx.ModelProto.decodeDelimited.call(take as never, bytes) as unknown as Reader;
  const { uint32, skipType } = reader;
  let tagAt = 0;
  return Object.assign(reader, {
    uint32(this: Reader): number {
      tagAt = this.pos;
      return uint32.call(this);
    },
    skipType(this: Reader, ...args: unknown[]): unknown {
      const start = tagAt;
      const done = skipType.apply(this, args);
      decoding.at(-1)!.push(Uint8Array.from(this.buf.subarray(start, this.pos)));
      return done;
    },
  });
}

/**
 * Decodes a model; its weights are views on `bytes`.
 * @throws Error where this is no such message.
 */
export function decodeModel(bytes: Uint8Array): onnxProto.onnx.ModelProto {
  if (bytes.length === 0) return new onnx.ModelProto();
  return onnx.ModelProto.decode(attentiveReader(bytes) as never);
}
