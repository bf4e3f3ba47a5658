import assert from 'node:assert/strict';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import type { LineSpec } from '../../libs/dnn/architectures/line-spec.ts';
import { splitlane, temporaryFolder } from '../system/splitlane.ts';
import { TINY, writeTinyModel } from '../tiny-model.ts';

/** Names that CSV, XML and the terminal could stumble over. */
const ODD_NAMES: LineSpec = {
  ...TINY,
  name: 'odd',
  layers: TINY.layers.map((layer) => ({ ...layer, name: `<${layer.name}>, "a" & b` })),
};
const MEASURING = /measuring the segments/;
const KEYS = [
  'model',
  'hash',
  'machine',
  'threads',
  'measuredAt',
  'wholeMs',
  'uplinkBps',
  'segments',
  'cuts',
];

interface Result {
  readonly model: string;
  readonly hash: string;
  readonly threads: number;
  readonly measuredAt: string;
  readonly wholeMs: number;
  readonly vehicleMs?: number;
  readonly segments: { readonly from: string; readonly to: string; readonly medianMs: number }[];
  readonly cuts: {
    readonly cut: string;
    readonly headMs: number;
    readonly headLowMs: number;
    readonly headHighMs: number;
    readonly bytes: number;
    readonly tailMs: number;
    readonly p2Ms: number;
    readonly onHull: boolean;
  }[];
  readonly layers: { readonly node: string; readonly operator: string; readonly share: number }[];
  readonly crossing: {
    readonly after: string;
    readonly before: string;
    readonly fraction: number;
    readonly ms: number;
  };
}

describe('splitlane profile', { timeout: 240_000 }, () => {
  const home = temporaryFolder();
  const at = (name: string): string => path.join(home.path, name);
  const profile = (...words: string[]) => splitlane(['profile', ...words], home.path);
  const profileJson = async (...words: string[]): Promise<Result> => {
    const { code, stdout, stderr } = await profile(...words, '--json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Result;
  };

  before(() => {
    writeTinyModel(home.path);
    writeTinyModel(home.path, ODD_NAMES);
    mkdirSync(at('a-folder'));
  });
  after(() => {
    home[Symbol.dispose]();
  });

  it('gives the times of a model as one object', async () => {
    const result = await profileJson('tiny.onnx', '--link', '8');
    assert.deepEqual(Object.keys(result), [...KEYS, 'crossing', 'layers']);
    const { model, threads, cuts, segments, layers, wholeMs, crossing } = result;
    assert.equal(model, 'tiny.onnx');
    assert.equal(threads, 1);
    assert.deepEqual(
      cuts.map(({ cut, bytes, p2Ms }) => [cut, bytes, p2Ms]),
      [
        ['input', 12_288, 12.288],
        ['pool1', 8192, 8.192],
        ['pool2', 2048, 2.048],
        ['fc3', 256, 0.256],
        ['fc4', 40, 0],
      ],
    );
    assert.deepEqual(
      segments.map(({ from, to }) => [from, to]),
      [
        ['input', 'pool1'],
        ['pool1', 'pool2'],
        ['pool2', 'fc3'],
        ['fc3', 'fc4'],
      ],
    );
    assert.equal(cuts[0]!.headMs, 0);
    assert.equal(cuts[0]!.tailMs, wholeMs);
    assert.equal(cuts.at(-1)!.headMs, wholeMs);
    assert.equal(cuts.at(-1)!.tailMs, 0);
    assert.ok(cuts[0]!.onHull && cuts.at(-1)!.onHull);
    for (const { headLowMs, headMs, headHighMs } of cuts)
      assert.ok(headLowMs <= headMs && headMs <= headHighMs);
    assert.ok(layers.some(({ node, operator }) => node.startsWith('conv1') && operator === 'Conv'));
    assert.ok(Math.abs(layers.reduce((sum, { share }) => sum + share, 0) - 1) < 0.01);
    const after = cuts.findIndex(({ cut }) => cut === crossing.after);
    const [a, b] = [cuts[after]!, cuts[after + 1]!];
    assert.equal(b.cut, crossing.before);
    assert.ok(a.headMs < a.p2Ms && b.headMs >= b.p2Ms);
    for (const [from, to] of [
      [a.headMs, b.headMs],
      [a.p2Ms, b.p2Ms],
    ] as const)
      assert.ok(Math.abs(from + crossing.fraction * (to - from) - crossing.ms) < 0.01);
  });

  it('measures a model once, and again with --fresh', async () => {
    await profile('tiny.onnx');
    const before = await profile('tiny.onnx');
    assert.equal(before.code, 0, before.stderr);
    assert.equal(before.stderr, '');
    assert.match(before.stdout, /^measured at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; --fresh measures again$/m);
    const now = await profile('tiny.onnx', '--fresh');
    assert.equal(now.code, 0, now.stderr);
    assert.match(now.stderr, MEASURING);
    assert.match(now.stdout, /^measured now$/m);
  });

  it('does not trust a file of the cache that is broken', async () => {
    await profile('tiny.onnx');
    const files = globSync(path.join(home.path, 'splitlane', 'cut-*', 'profile-*.json'));
    assert.ok(files.length > 0);
    for (const file of files)
      writeFileSync(file, readFileSync(file, 'utf8').replace('"threads":1', '"threads":7'));
    const again = await profile('tiny.onnx');
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, MEASURING);
    assert.match(again.stdout, /threads: 1$/m);
    assert.doesNotMatch((await profile('tiny.onnx')).stderr, MEASURING);
  });

  it('scales heads to the vehicle, and leaves tails as they are here', async () => {
    const here = await profileJson('tiny.onnx');
    const there = await profileJson('tiny.onnx', '--vehicle-ms', '400');
    assert.equal(there.measuredAt, here.measuredAt);
    assert.equal(there.vehicleMs, 400);
    assert.equal(there.wholeMs, here.wholeMs);
    assert.equal(there.cuts.at(-1)!.headMs, 400);
    assert.deepEqual(there.segments, here.segments);
    there.cuts.forEach(({ headMs, tailMs, p2Ms }, index) => {
      const one = here.cuts[index]!;
      assert.ok(Math.abs(headMs / 400 - one.headMs / here.wholeMs) < 0.001);
      assert.equal(tailMs, one.tailMs);
      assert.equal(p2Ms, one.p2Ms);
    });
  });

  it('writes a table of cuts that splitlane plan reads, whatever the cuts are called', async () => {
    const { cuts } = await profileJson('odd.onnx', '--vehicle-ms', '40', '--link', '8', '--out', 'cuts.csv');
    assert.equal(cuts[1]!.cut, '<pool1>, "a" & b');
    const words = ['plan', '--cuts', 'cuts.csv', '--cameras', '4', '--link', '8', '--json'];
    const { code, stdout, stderr } = await splitlane(words, home.path);
    assert.equal(code, 0, stderr);
    const plan = JSON.parse(stdout) as {
      readonly cuts: (Result['cuts'][number] & { readonly local: boolean })[];
    };
    assert.deepEqual(
      plan.cuts.map(({ cut, headMs, bytes, tailMs, onHull, local }) => ({
        cut,
        headMs,
        bytes,
        tailMs,
        onHull,
        local,
      })),
      cuts.map(({ cut, headMs, bytes, tailMs, onHull }, index) => ({
        ...{ cut, headMs, bytes, tailMs, onHull },
        local: index === cuts.length - 1,
      })),
    );
    assert.deepEqual(
      readdirSync(home.path).filter((name) => name.includes('partial')),
      [],
    );
  });

  it('writes through a link, and not in its place', async () => {
    writeFileSync(at('real.csv'), 'old');
    symlinkSync('real.csv', at('link.csv'));
    assert.equal((await profile('tiny.onnx', '--out', 'link.csv')).code, 0);
    assert.match(readFileSync(at('real.csv'), 'utf8'), /^cut,headMs,bytes,tailMs\ninput,0,12288,/);
  });

  it('draws the curves as SVG that is XML, whatever the cuts are called', async () => {
    const { code, stderr } = await profile(
      'odd.onnx',
      '--vehicle-ms',
      '40',
      '--link',
      '8',
      '--svg',
      'curves.svg',
    );
    assert.equal(code, 0, stderr);
    const svg = readFileSync(at('curves.svg'), 'utf8');
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    assert.ok(width > 800 && height > 400);
    assert.ok(svg.includes('&lt;pool1&gt;, "a" &amp; b'));
    assert.match(svg, /p1 = p2 = [\d.]+ ms/);
    assert.match(svg, /prefers-color-scheme:dark/);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  });

  it('marks the crossing between the rows of two cuts', async () => {
    const { stdout } = await profile('tiny.onnx', '--vehicle-ms', '40', '--link', '8');
    const { crossing } = await profileJson('tiny.onnx', '--vehicle-ms', '40', '--link', '8');
    const lines = stdout.split('\n');
    const mark = lines.findIndex((line) => line.includes('── p1 = p2 at about'));
    assert.ok(lines[mark - 2]!.includes(`${crossing.after} `), stdout);
    assert.ok(lines[mark + 1]!.includes(`${crossing.before} `), stdout);
    assert.match(stdout, /optimisation level 'basic'/);
  });

  const refused: readonly (readonly [string, string[], RegExp])[] = [
    ['no model', [], /missing required argument 'model'/],
    ['two models', ['tiny.onnx', 'odd.onnx'], /too many arguments/],
    ['an unknown model', ['resnet'], /model resnet: neither a built-in network/],
    ['a half thread', ['tiny.onnx', '--threads', '0.5'], /--threads 0.5: must be a whole number from 1 to/],
    ['no thread', ['tiny.onnx', '--threads', '0'], /--threads 0: must be a whole number/],
    [
      'a vehicle without time',
      ['tiny.onnx', '--vehicle-ms', '0'],
      /--vehicle-ms 0: must be a time in ms, above 0/,
    ],
    ['a time that is no number', ['tiny.onnx', '--vehicle-ms', 'fast'], /--vehicle-ms fast: must be a time/],
    ['an unknown link', ['tiny.onnx', '--link', '5g'], /--link 5g: must be cat1, 3g, 4g, wifi, or a rate/],
    ['a folder as --out', ['tiny.onnx', '--out', 'a-folder'], /--out a-folder: this is a folder/],
    ['a folder as --svg', ['tiny.onnx', '--svg', 'a-folder'], /--svg a-folder: this is a folder/],
    [
      'a file in no folder',
      ['tiny.onnx', '--out', 'nowhere/cuts.csv'],
      /--out nowhere\/cuts.csv: there is no folder/,
    ],
    ['an unknown option', ['tiny.onnx', '--cuts', 'x'], /unknown option '--cuts'/],
  ];
  for (const [what, words, message] of refused)
    it(`${what} is refused in one line`, async () => {
      const { code, stdout, stderr } = await profile(...words);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, message);
      assert.match(stderr, /^splitlane: [^\n]+\n$/);
      assert.equal(existsSync(at('nowhere')), false);
    });
});
