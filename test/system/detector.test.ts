/** A detector that finds what is painted: its boxes are known before it has run, from the camera to the saved picture. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { colourOf } from '../../cli/demo/answer-svg.ts';
import { type LogReader, openRun } from '../../libs/journal/index.ts';
import type { Box } from '../../libs/proto/index.ts';
import { refusedInOneLine } from '../cli/refused.ts';
import { Graph, ints, save, value } from '../libs/dnn/graphs.ts';
import { splitlane, temporaryFolder } from './splitlane.ts';

const SIDE = 64;
const POLICIES = ['lo', 'ro', 'ro-jpeg', 'jps'];
const CARD = `
range: [0, 1]
mean: [0, 0, 0]
std: [1, 1, 1]
fit: letterbox
labels: [lamp, 'brake <light>']
read: detect
anchors: [[1, 1]]
`;

/** Of an output, its weights for red, green and blue, and what is added. */
const OUTPUTS = [
  [0, 0, 0, 0], // x: in the middle of the cell
  [0, 0, 0, 0], // y
  [0, 0, 0, 0], // width: that of the anchor, one cell
  [0, 0, 0, 0], // height
  [40, 0, 0, -30], // something is there if it is red, as white is too
  [0, 20, 0, -10], // white: the first class
  [0, -20, 0, 10], // red: the second
] as const;

/** Means over cells of 16 × 16 pixels in two steps, so that there is something to cut, and a verdict on each cell. */
function writeDetector(folder: string): string {
  const graph = new Graph();
  const floats = (name: string, dims: number[], values: number[]): string => {
    const rawData = new Uint8Array(Float32Array.from(values).buffer);
    graph.initializer.push({ name, dims, dataType: 1, rawData });
    return name;
  };
  const pool = (from: string): string =>
    graph.add('AveragePool', [from], [ints('kernel_shape', [4, 4]), ints('strides', [4, 4])]);
  const weights = floats(
    'weights',
    [OUTPUTS.length, 3, 1, 1],
    OUTPUTS.flatMap((row) => row.slice(0, 3)),
  );
  const bias = floats(
    'bias',
    [OUTPUTS.length],
    OUTPUTS.map(([, , , added]) => added),
  );
  const output = graph.add('Conv', [pool(pool('input')), weights, bias], [ints('kernel_shape', [1, 1])]);
  const file = save(folder, 'detector', graph.model([value('input', [1, 3, SIDE, SIDE])], [output]));
  writeFileSync(file.replace('.onnx', '.yaml'), CARD);
  return file;
}

type Area = readonly [left: number, top: number, width: number, height: number];

/** A black picture with some painted areas. */
function painted(width: number, height: number, areas: readonly (readonly [string, Area])[]): Sharp {
  const black = sharp({ create: { width, height, channels: 3, background: 'black' } });
  return black.composite(
    areas.map(([background, [left, top, w, h]]) => ({
      ...{ left, top, input: { create: { width: w, height: h, channels: 3, background } } },
    })),
  );
}

/** What is to be found on each picture, upright, from left to right. */
const FOUND: Readonly<Record<string, readonly (readonly [label: string, area: Area])[]>> = {
  'a-wide.jpg': [
    ['brake <light>', [0, 64, 64, 64]],
    ['lamp', [128, 0, 64, 64]],
  ],
  'b-on-its-side.jpg': [['lamp', [64, 192, 64, 64]]],
  'c-dark.jpg': [],
};
const PICTURES = Object.keys(FOUND);
const COLOURS: Readonly<Record<string, string>> = { lamp: 'white', 'brake <light>': 'red' };

async function writePictures(folder: string): Promise<void> {
  mkdirSync(folder);
  const [wide, onSide, dark] = PICTURES.map((name) => path.join(folder, name));
  const areas = (name: string): (readonly [string, Area])[] =>
    FOUND[name]!.map(([label, area]) => [COLOURS[label]!, area] as const);
  await painted(256, 128, areas('a-wide.jpg')).jpeg({ quality: 95 }).toFile(wide!);
  // Stored a quarter turn to the left, with the word that it is to be turned back.
  const upright = await painted(128, 256, areas('b-on-its-side.jpg')).png().toBuffer();
  await sharp(upright).rotate(270).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toFile(onSide!);
  await painted(200, 80, []).jpeg().toFile(dark!);
}

describe('a detector in the live system', { timeout: 120_000 }, () => {
  const home = temporaryFolder();
  const at = (name: string): string => path.join(home.path, name);
  let model: string;
  let logs: LogReader[] = [];

  before(async () => {
    model = writeDetector(home.path);
    await writePictures(at('frames'));
    const small = ['--vehicles', '1', '--cameras', '1', '--rounds', String(PICTURES.length)];
    const words = ['demo', '--model', model, ...small, '--vehicle-ms', '200', '--link', '2'];
    const { code, stderr } = await splitlane(
      [
        ...[...words, '--frames', at('frames'), '--policy', POLICIES.join(',')],
        ...['--log', at('log'), '--save-frames', at('saved'), '--json'],
      ],
      home.path,
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`${POLICIES.length * PICTURES.length} frames are in .*saved`));
    logs = openRun(at('log'));
  });
  after(() => {
    for (const log of logs) log.close();
    home[Symbol.dispose]();
  });

  const vehicle = (): LogReader => logs.find(({ file }) => file.endsWith('vehicle-1.sqlite'))!;

  /** What the log says of each frame: its policy, its picture, how it ended, and its boxes. */
  const ended = () => {
    const rounds = new Map(
      vehicle()
        .rows('round')
        .map((row) => [row.round, row]),
    );
    const results = new Map(
      vehicle()
        .rows('result')
        .map((row) => [row.frame, row]),
    );
    return vehicle()
      .rows('frame')
      .map((row) => {
        const { outcome, top, boxes } = results.get(row.frame)!;
        const { policy, epoch } = rounds.get(row.round)!;
        const picture = PICTURES[row.frame_index % PICTURES.length]!;
        return { policy, epoch, picture, outcome, top, boxes: JSON.parse(boxes!) as Box[], text: boxes! };
      });
  };

  it('tells the boxes where things are painted, in the pixels of the upright frame', () => {
    for (const { picture, boxes, top } of ended()) {
      assert.equal(top, '[]');
      const found = boxes.toSorted((a, b) => a.left - b.left);
      assert.deepEqual(
        found.map(({ label, left, top, width, height }) => [label, [left, top, width, height]]),
        FOUND[picture],
      );
      for (const { score } of boxes) assert.ok(score > 0.99 && score <= 1, `${score}`);
    }
  });

  it('tells the same bits whether the vehicle finished, a tensor was sent, or the JPEG', () => {
    const byPicture = Map.groupBy(ended(), ({ picture }) => picture);
    assert.equal(byPicture.size, PICTURES.length);
    for (const frames of byPicture.values()) {
      assert.deepEqual(new Set(frames.map(({ policy }) => policy)), new Set(POLICIES));
      assert.equal(new Set(frames.map(({ text }) => text)).size, 1);
    }
    for (const { policy, outcome } of ended()) assert.equal(outcome, policy === 'lo' ? 'local' : 'cloud');
    const plans = logs
      .flatMap((log) => log.rows('plan'))
      .map(({ plan }) => JSON.parse(plan) as { policy: string; streams: { cut: number; codec: string }[] });
    const cuts = plans.filter(({ policy }) => policy === 'jps').flatMap(({ streams }) => streams);
    assert.ok(cuts.length > 0 && cuts.every(({ cut }) => cut > 0 && cut < 3), JSON.stringify(cuts));
  });

  it('logs what the inference took of a head and a tail, and of no other stage', () => {
    const spans = logs.flatMap((log) => log.rows('span'));
    const stages = new Set(spans.map(({ stage }) => stage));
    assert.deepEqual(stages, new Set(['prepare', 'head', 'uplink', 'queue', 'tail']));
    for (const { stage, start_ms, end_ms, real_ms } of spans) {
      const inferred = stage === 'head' || stage === 'tail';
      assert.equal(real_ms !== null, inferred, stage);
      if (real_ms !== null) assert.ok(real_ms > 0 && real_ms <= end_ms - start_ms + 0.1, stage);
    }
  });

  it('saves each measured frame with its boxes drawn in the colours of their classes', async () => {
    // After three rounds of warm-up the camera begins with the first picture again.
    const expected = PICTURES.map(
      (_, index) => `vehicle-1-camera-1-${String(3 + index).padStart(6, '0')}.jpg`,
    );
    assert.deepEqual(readdirSync(at('saved')).sort(), POLICIES.toSorted());
    for (const policy of POLICIES) {
      const folder = path.join(at('saved'), policy);
      assert.deepEqual(readdirSync(folder).sort(), expected);
      for (const [index, name] of expected.entries())
        await isDrawn(path.join(folder, name), PICTURES[index]!, at('frames'));
    }
  });

  it('refuses a folder that is in use, or can not be made, before anything runs', async () => {
    const words = ['demo', '--model', model, '--log', at('must-not-be'), '--save-frames'];
    for (const [folder, message] of [
      [at('frames'), /--save-frames .*frames: the folder is not empty; name one that is absent or empty/],
      [model, /--save-frames .*detector.onnx: this is a file, not a folder/],
      ['/proc/splitlane', /--save-frames \/proc\/splitlane: cannot be written/],
    ] as const)
      refusedInOneLine(await splitlane([...words, folder], home.path), message);
    assert.ok(!existsSync(at('must-not-be')));
  });
});

/** The saved picture has the frame's upright size, and its boxes' outermost pixels have their colours. */
async function isDrawn(saved: string, picture: string, frames: string): Promise<void> {
  const found = FOUND[picture]!;
  if (found.length === 0) {
    assert.deepEqual(readFileSync(saved), readFileSync(path.join(frames, picture)));
    return;
  }
  const { data, info } = await sharp(saved).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height], picture === 'a-wide.jpg' ? [256, 128] : [128, 256]);
  for (const [label, [left, top, width, height]] of found) {
    const colour = colourOf({ index: label === 'lamp' ? 0 : 1 });
    const [right, bottom] = [left + width - 1, top + height - 1];
    // Labels lie on or above upper edges: the other three are free.
    const free = [
      [left, bottom - 5],
      [left + 5, bottom],
      [right, bottom - 5],
    ] as const;
    for (const [x, y] of free) {
      const at = (y * info.width + x) * info.channels;
      [1, 3, 5].forEach((digit, channel) => {
        const wanted = Number.parseInt(colour.slice(digit, digit + 2), 16);
        assert.ok(Math.abs(data[at + channel]! - wanted) < 40, `${saved} ${x},${y} ${channel}`);
      });
    }
  }
}
