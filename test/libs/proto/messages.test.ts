import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { z } from 'zod';
import { topics } from '../../../libs/proto/index.ts';
import * as messages from '../../../libs/proto/messages.ts';

const file = new URL('../../../libs/proto/splitlane.proto', import.meta.url);
const { root } = protobuf.parse(readFileSync(file, 'utf8'));
const declared = root.lookup('splitlane.v1') as protobuf.Namespace;

/** The object behind `.readonly()`. */
function fieldsOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  const inner = schema instanceof z.ZodReadonly ? schema.unwrap() : schema;
  assert.ok(inner instanceof z.ZodObject);
  return inner.shape as Readonly<Record<string, z.ZodType>>;
}

/** Compares a field's two declarations; a message in a message is compared in turn. */
function compareField(field: protobuf.Field, declaredAs: z.ZodType, seen: Set<string>): void {
  const schema = declaredAs instanceof z.ZodOptional ? (declaredAs.unwrap() as z.ZodType) : declaredAs;
  const where = field.fullName;
  assert.equal(schema instanceof z.ZodArray, field.repeated, where);
  const item = schema instanceof z.ZodArray ? (schema.element as z.ZodType) : schema;
  const accepts = (value: unknown): boolean => item.safeParse(value).success;
  switch (field.type) {
    case 'uint32':
      assert.deepEqual(
        [accepts(1), accepts(-1), accepts(1.5), accepts('1')],
        [true, false, false, false],
        where,
      );
      return;
    case 'double':
      assert.deepEqual([accepts(0.5), accepts(Number.NaN), accepts('1')], [true, false, false], where);
      return;
    case 'bool':
      assert.deepEqual([accepts(true), accepts(1)], [true, false], where);
      return;
    case 'bytes':
      assert.deepEqual([accepts(new Uint8Array(1)), accepts('a')], [true, false], where);
      return;
    case 'string':
      assert.ok(
        [z.ZodString, z.ZodEnum, z.ZodUnion].some((kind) => item instanceof kind) && !accepts(1),
        where,
      );
      return;
    default:
      compareMessage(field.type, item, seen);
  }
}

function compareMessage(name: string, schema: z.ZodType, seen: Set<string>): void {
  seen.add(name);
  const { fields } = declared.lookupType(name);
  const shape = fieldsOf(schema);
  assert.deepEqual(Object.keys(fields).sort(), Object.keys(shape).sort(), name);
  for (const [field, type] of Object.entries(shape)) compareField(fields[field]!, type, seen);
}

test('Each message of the .proto file and its schema have the same fields of the same types.', () => {
  const seen = new Set<string>();
  for (const { message, schema } of Object.values(topics)) compareMessage(message, schema, seen);
  assert.deepEqual([...seen].sort(), declared.nestedArray.map(({ name }) => name).sort());
});

test('No two topics carry the same message.', () => {
  const names = Object.values(topics).map(({ message }) => message);
  assert.equal(new Set(names).size, names.length);
});

/** Version 1 as it was first published: fields may be added to it, nothing else. */
const VERSION_1 = {
  Hello:
    'uint32 protocol 1, string role 2, string modelHash 3, string* cameras 4, double vehicleMs 5, double uplinkBps 6, double rttMs 7, uint32 workers 8, uint32 firstCut 9',
  Verdict: 'bool accepted 1, string reason 2',
  Presence: 'bool online 1',
  Measure: '',
  CutShape: 'string id 1, uint32* dims 2, uint32 bytes 3',
  Profile: 'double* segmentMs 1, CutShape* cuts 2, uint32 jpegBytes 3',
  StreamPlan:
    'string camera 1, uint32 cut 2, string codec 3, double headStartMs 4, double headEndMs 5, double uplinkStartMs 6, double uplinkEndMs 7, double tailStartMs 8, double tailEndMs 9, double endMs 10',
  Plan: 'uint32 epoch 1, string policy 2, string cloud 3, StreamPlan* streams 4, double makespanMs 5, double lowerBoundMs 6, double* segmentMs 7, double uplinkBps 8, double jobTimeoutMs 9',
  Round: 'uint32 round 1, string phase 2, uint32 frameIndex 3, bool measured 4',
  Ready: 'uint32 round 1, string* cameras 2',
  JobReport:
    'string camera 1, uint32 cut 2, string codec 3, string outcome 4, double tailMs 5, double fixedMs 6',
  Report: 'uint32 round 1, double makespanMs 2, JobReport* jobs 3, double uplinkBps 4',
  TensorChunk:
    'uint32 frame 1, uint32 epoch 2, string camera 3, uint32 cut 4, string codec 5, uint32* dims 6, uint32 totalBytes 7, uint32 offset 8, bytes data 9',
  Class: 'uint32 index 1, string label 2, double score 3',
  Result:
    'uint32 frame 1, uint32 epoch 2, string camera 3, Class* top 4, string digest 5, double queueMs 6, double tailMs 7',
  ClockPing: 'double sentMs 1',
  ClockPong: 'double sentMs 1, double answeredMs 2',
};

test('No field of version 1 of the protocol has changed its number, its name or its type.', () => {
  assert.equal(messages.PROTOCOL_VERSION, 1);
  for (const [name, published] of Object.entries(VERSION_1)) {
    const now = declared
      .lookupType(name)
      .fieldsArray.map((field) => `${field.type}${field.repeated ? '*' : ''} ${field.name} ${field.id}`);
    for (const field of published.split(', ').filter(Boolean))
      assert.ok(now.includes(field), `${name}: ${field}`);
  }
});

test('No field is a 64-bit integer, which would come back as an object.', () => {
  for (const { name } of declared.nestedArray)
    for (const field of declared.lookupType(name).fieldsArray) assert.doesNotMatch(field.type, /64/);
});
