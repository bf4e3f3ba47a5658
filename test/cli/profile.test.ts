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
/** Its output is no list of classes. */
const RAW: LineSpec = { ...TINY, name: 'raw' };
const MEASURING = /measuring the segments/;
const CODING = /measuring the codecs/;
const ANYWHERE = ['float32', 'float16', 'uint8', 'uint8-channel'].flatMap((codec) => [
  codec,
  `${codec}-zstd`,
]);
const LOSSLESS = ['float32', 'float32-zstd', 'raw-uint8', 'jpeg'];
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
  'frames',
  'codecs',
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
  readonly frames: { readonly source: string; readonly count: number; readonly unreadable: string[] };
  readonly codecs: {
    readonly cut: string;
    readonly codec: string;
    readonly bytes: number;
    readonly encodeMs: number;
    readonly decodeMs: number;
    readonly lossless: boolean;
    readonly top1Agreement: number | null;
    readonly cosine: number;
    readonly maxDifference: number;
    readonly loss: number;
  }[];
  readonly layers: { readonly node: string; readonly operator: string; readonly share: number }[];
  readonly crossing: {
    readonly after: string;
    readonly before: string;
    readonly fraction: number;
    readonly ms: number;
  };
}

interface PlanResult {
  readonly cuts: {
    readonly cut: string;
    readonly codec?: string;
    readonly headMs: number;
    readonly bytes: number;
    readonly tailMs: number;
    readonly loss?: number;
    readonly local: boolean;
  }[];
  readonly policies: { readonly name: string; readonly counts: number[] }[];
  readonly chosen: string;
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

  before(async () => {
    writeTinyModel(home.path);
    writeTinyModel(home.path, ODD_NAMES);
    writeTinyModel(home.path, RAW);
    writeFileSync(at('raw.yaml'), 'read: raw\n');
    mkdirSync(at('a-folder'));
    mkdirSync(at('pictures'));
    mkdirSync(at('broken'));
    const picture = (seed: number): Promise<Buffer> =>
      sharp({
        create: {
          ...{ width: 64, height: 48, channels: 3, background: '#456' },
          noise: { type: 'gaussian', mean: 40 + 15 * seed, sigma: 30 },
        },
      })
        .jpeg()
        .toBuffer();
    for (let index = 0; index < 12; index++)
      writeFileSync(at(`pictures/${String(index).padStart(2, '0')}.jpg`), await picture(index));
    for (const name of ['a.jpg', 'd.jpg'])
      writeFileSync(at(`broken/${name}`), readFileSync(at('pictures/01.jpg')));
    for (const name of ['b.jpg', 'c.png']) writeFileSync(at(`broken/${name}`), 'this is no picture');
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

  it('tells for each cut and codec what it takes, what it loses, and on how many frames', async () => {
    const { cuts, codecs, frames } = await profileJson('tiny.onnx');
    assert.deepEqual(frames, { source: 'the drawn road scene', count: 4, unreadable: [] });
    const seen = Map.groupBy(codecs, ({ cut }) => cut);
    assert.deepEqual(
      [...seen.keys()],
      cuts.slice(0, -1).map(({ cut }) => cut),
    );
    for (const [cut, points] of seen)
      assert.deepEqual(
        points.map(({ codec }) => codec).sort(),
        [...ANYWHERE, ...(cut === 'input' ? ['raw-uint8', 'jpeg'] : [])].sort(),
      );
    for (const { cut, codec, bytes, encodeMs, decodeMs, lossless, ...answer } of codecs) {
      const where = `${codec} at ${cut}`;
      const { top1Agreement, cosine, maxDifference, loss } = answer;
      const plain = cuts.find((one) => one.cut === cut)!.bytes;
      assert.equal(lossless, LOSSLESS.includes(codec), where);
      if (lossless)
        assert.deepEqual(answer, { top1Agreement: 1, cosine: 1, maxDifference: 0, loss: 0 }, where);
      else {
        assert.ok(maxDifference > 0 && cosine <= 1 && cosine > 0.99, where);
        assert.ok(Math.abs(loss - (1 - top1Agreement!)) < 1e-12, where);
        assert.ok(Number.isInteger(4 * top1Agreement!), where);
      }
      if (codec === 'float32') assert.deepEqual([bytes, encodeMs, decodeMs], [plain, 0, 0], where);
      else if (codec === 'jpeg') assert.ok(bytes > plain && encodeMs === 0 && decodeMs > 0);
      else assert.ok(bytes < 1.1 * plain && encodeMs > 0 && decodeMs > 0, where);
      const packed = codecs.find((one) => one.cut === cut && one.codec === `${codec}-zstd`);
      // The same bits come out of both.
      if (packed) assert.deepEqual([packed.cosine, packed.maxDifference], [cosine, maxDifference], where);
    }
  });

  it('judges by the cosine where classes mean nothing, and says why', async () => {
    const { codecs } = await profileJson('raw.onnx', '--codecs', 'uint8');
    for (const { top1Agreement, cosine, loss } of codecs) {
      assert.equal(top1Agreement, null);
      assert.equal(loss, 1 - cosine);
    }
    assert.ok(codecs.some(({ loss }) => loss > 0));
    const raw = await profile('raw.onnx', '--codecs', 'uint8');
    assert.match(raw.stdout, /^loss: 1 − mean cosine similarity .* names no classes$/m);
    const { stdout } = await profile('tiny.onnx', '--codecs', 'uint8');
    assert.match(stdout, /^loss: 1 − top-1 agreement, /m);
  });

  it('measures the codecs that are named, float32 with them, on some pictures of a folder', async () => {
    const words = ['--codecs', 'jpeg,uint8', '--calibrate', 'pictures'];
    const { codecs, frames } = await profileJson('tiny.onnx', ...words);
    assert.deepEqual(frames, { source: 'pictures', count: 8, unreadable: [] });
    assert.deepEqual(new Set(codecs.map(({ codec }) => codec)), new Set(['float32', 'jpeg', 'uint8']));
    const { stdout } = await profile('tiny.onnx', ...words);
    assert.match(stdout, /^codecs on 8 frames of pictures, /m);
    assert.match(stdout, /│ bytes at +│ +jpeg │ +uint8 │\n│ the cut/);
    for (const row of ['input', ' times fewer', ' loss', ' 1 − cosine', ' max difference', ' encode, ms'])
      assert.match(stdout, new RegExp(`^│ ${row} +│ +[\\d.e-]+ │ +[\\d.e-]+ │$`, 'm'), row);
    assert.match(stdout, /^│ pool1 +│ +│ +2053 │$/m);
  });

  it('the table of all codecs fits a terminal of 110 columns', async () => {
    const { stdout } = await profile('odd.onnx');
    const from = stdout.indexOf('codecs on');
    const table = stdout.slice(from, stdout.indexOf('p1: head', from)).split('\n');
    assert.ok(table.length > 20);
    for (const line of table) assert.ok(line.length <= 110, line);
  });

  it('with float32 alone has no table of codecs', async () => {
    const { stdout, code } = await profile('tiny.onnx', '--codecs', 'float32');
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /^codecs on|^loss:/m);
  });

  it('goes on without pictures that cannot be read, and names them', async () => {
    const { frames } = await profileJson('tiny.onnx', '--codecs', 'uint8', '--calibrate', 'broken');
    assert.equal(frames.count, 2);
    assert.deepEqual(
      frames.unreadable.map((file) => path.basename(file)),
      ['b.jpg', 'c.png'],
    );
    const { stdout } = await profile('tiny.onnx', '--codecs', 'uint8', '--calibrate', 'broken');
    assert.match(stdout, /^codecs on 2 frames of broken, /m);
    assert.match(stdout, /^without pictures that cannot be read: \S+b\.jpg, \S+c\.png$/m);
  });

  it('measures codecs once for each set of them and each set of frames, and again with --fresh', async () => {
    const words = ['tiny.onnx', '--codecs', 'float16-zstd', '--calibrate', 'pictures'];
    const first = await profile(...words);
    assert.match(first.stderr, CODING);
    assert.doesNotMatch((await profile(...words)).stderr, CODING);
    assert.match((await profile(...words)).stdout, /^codecs on .* measured at \d{4}-\d\d-\d\dT/m);
    assert.match(
      (await profile('tiny.onnx', '--codecs', 'float16,float16-zstd', '--calibrate', 'pictures')).stderr,
      CODING,
    );
    assert.match((await profile(...words, '--fresh')).stderr, CODING);
    writeFileSync(at('pictures/11.jpg'), readFileSync(at('pictures/03.jpg')));
    writeFileSync(at('pictures/00.jpg'), readFileSync(at('pictures/03.jpg')));
    assert.match((await profile(...words)).stderr, CODING);
    for (const file of globSync(path.join(home.path, 'splitlane', 'cut-*', 'codecs-*.json')))
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"bytes":\d/, '"bytes":9'));
    assert.match((await profile(...words)).stderr, CODING);
    assert.doesNotMatch((await profile(...words)).stderr, CODING);
  });

  it('writes a table of cuts and codecs that splitlane plan reads, whatever the cuts are called', async () => {
    const words = ['odd.onnx', '--vehicle-ms', '40', '--link', '8', '--out', 'cuts.csv'];
    const { cuts, codecs, wholeMs } = await profileJson(...words);
    assert.equal(cuts[1]!.cut, '<pool1>, "a" & b');
    const planned = async (...more: string[]) => {
      const words = ['plan', '--cuts', 'cuts.csv', '--cameras', '4', '--link', '8', '--json', ...more];
      const { code, stdout, stderr } = await splitlane(words, home.path);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as PlanResult;
    };
    const plan = await planned();
    // JSON has four decimals of what is scaled by the vehicle.
    const near = (a: number, b: number, what: string): void => assert.ok(Math.abs(a - b) < 0.02, what);
    assert.equal(plan.cuts.length, codecs.length + 1);
    for (const { cut, codec, bytes, encodeMs, decodeMs, loss } of codecs) {
      const row = plan.cuts.find((one) => one.cut === cut && one.codec === codec)!;
      const { headMs, tailMs } = cuts.find((one) => one.cut === cut)!;
      const where = `${codec} at ${cut}`;
      near(row.headMs, headMs + (encodeMs * 40) / wholeMs, where);
      near(row.tailMs, tailMs + decodeMs, where);
      assert.ok(Math.abs(row.loss! - loss) <= 1e-3 * loss, where);
      assert.equal(row.bytes, Math.ceil(bytes));
      assert.equal(row.local, false);
    }
    const local = plan.cuts.at(-1)!;
    assert.deepEqual([local.cut, local.codec, local.local], [cuts.at(-1)!.cut, undefined, true]);
    // The first row, which ro sends, is the input as it is.
    assert.match(
      readFileSync(at('cuts.csv'), 'utf8'),
      /^cut,codec,headMs,bytes,tailMs,loss\ninput,float32,0,12288,/,
    );
    assert.deepEqual(
      readdirSync(home.path).filter((name) => name.includes('partial')),
      [],
    );
  });

  it('what plan takes from the table loses nothing unless --max-loss says so', async () => {
    const rows = [
      ['input', 'float32', 0, 3000, 0],
      ['input', 'uint8', 0.1, 750, 0.01],
      ['fc', '', 40, 0, 0],
    ].map(([cut, codec, headMs, bytes, loss]) => [cut, codec, headMs, bytes, 1, loss].join(','));
    writeFileSync(at('lossy.csv'), `cut,codec,headMs,bytes,tailMs,loss\n${rows.join('\n')}\n`);
    const counts = async (...more: string[]): Promise<number[]> => {
      const words = ['plan', '--cuts', 'lossy.csv', '--cameras', '4', '--link', '8', '--json', ...more];
      const { chosen, policies } = JSON.parse((await splitlane(words, home.path)).stdout) as PlanResult;
      return policies.find(({ name }) => name === chosen)!.counts;
    };
    assert.deepEqual(await counts(), [4, 0, 0]);
    assert.deepEqual(await counts('--max-loss', '0.01'), [0, 4, 0]);
  });

  it('writes through a link, and not in its place', async () => {
    writeFileSync(at('real.csv'), 'old');
    symlinkSync('real.csv', at('link.csv'));
    assert.equal((await profile('tiny.onnx', '--out', 'link.csv')).code, 0);
    assert.match(
      readFileSync(at('real.csv'), 'utf8'),
      /^cut,codec,headMs,bytes,tailMs,loss\ninput,float32,0,12288,/,
    );
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
    [
      'an unknown codec',
      ['tiny.onnx', '--codecs', 'uint8,gif'],
      /--codecs gif: there is no such codec; there are/,
    ],
    ['no codec', ['tiny.onnx', '--codecs', ''], /--codecs : there is no such codec/],
    [
      'a folder that is not there',
      ['tiny.onnx', '--calibrate', 'none'],
      /--calibrate none: there is no such folder/,
    ],
    [
      'a file as --calibrate',
      ['tiny.onnx', '--calibrate', 'tiny.onnx'],
      /--calibrate tiny.onnx: this is a file/,
    ],
    [
      'a folder without pictures',
      ['tiny.onnx', '--calibrate', 'a-folder'],
      /frames a-folder: there is no picture/,
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
