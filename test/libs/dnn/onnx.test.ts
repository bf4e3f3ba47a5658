import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../libs/clock/index.ts';
import { readOnnx } from '../../../libs/dnn/weights.ts';
import { folder, isModelError, write } from './models.ts';

const refused = (file: string, message: RegExp): void =>
  assert.throws(
    () => readOnnx(file),
    (error) => isModelError(error, file, message),
  );

test('A model is read with its graph, its operator set and its weights.', (context) => {
  const model = readOnnx(write(folder(context), 'tiny'));
  assert.equal(model.graph.node.length, 10);
  assert.equal(model.graph.initializer.length, 8);
  assert.equal(model.graph.node[0]!.opType, 'Conv');
});

test('A file that is no ONNX is refused, whatever it holds.', (context) => {
  const file = path.join(folder(context), 'model.onnx');
  const random = seededRandom(1);
  const contents: (string | Uint8Array)[] = [
    '',
    'no model\n',
    '{"json": true}',
    '<!doctype html><title>404</title>',
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 0x4a, 0x46, 0x49, 0x46, 0),
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    Uint8Array.from({ length: 5000 }, () => 256 * random()),
    new Uint8Array(5000),
  ];
  for (const content of contents) {
    writeFileSync(file, content);
    refused(file, /this is not an ONNX file/);
  }
});

test('Random bytes are refused, and never crash the reader.', (context) => {
  const file = path.join(folder(context), 'model.onnx');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(file, bytes);
      refused(file, /this is not an ONNX file|names no operator set/);
    }),
    { numRuns: 150 },
  );
});

test('A model that is cut short anywhere is refused.', (context) => {
  const place = folder(context);
  const bytes = readFileSync(write(place, 'whole'));
  const file = path.join(place, 'model.onnx');
  for (const part of [1e-5, 0.001, 0.1, 0.5, 0.99, 1 - 1e-5]) {
    writeFileSync(file, bytes.subarray(0, Math.floor(part * bytes.length)));
    refused(file, /this is not an ONNX file|names no operator set/);
  }
});

test('A model without an operator set is refused, and the user is told what to do.', (context) => {
  const file = write(folder(context), 'tiny', (model) => {
    model.opsetImport = [];
  });
  refused(file, /names no operator set \(opset_import is empty\): export it again/);
});

test('A model without operators is refused.', (context) => {
  const place = folder(context);
  refused(
    write(place, 'empty', (model) => {
      model.graph.node = [];
    }),
    /it holds no graph/,
  );
  refused(
    write(place, 'none', (model) => {
      model.graph = null;
    }),
    /it holds no graph/,
  );
});

test('A file that is not there, or is a folder, is refused with the system’s reason.', (context) => {
  const place = folder(context);
  refused(path.join(place, 'missing.onnx'), /cannot be read \(ENOENT\)/);
  mkdirSync(path.join(place, 'folder.onnx'));
  refused(path.join(place, 'folder.onnx'), /cannot be read \(EISDIR\)/);
});
