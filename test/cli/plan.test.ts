import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { splitlane, temporaryFolder } from '../system/splitlane.ts';

/** At 8 Mbit/s 1000 bytes take 1 ms: jobs (1, 3) and (3, 1), and 9 ms on the vehicle alone. */
const TWO = 'cut,headMs,bytes\na,1,3000\nb,3,1000\nall,9,0\n';
const AT_8 = ['--cameras', '2', '--link', '8'];

interface Result {
  readonly cuts: {
    readonly cut: string;
    readonly p1: number;
    readonly p2: number;
    readonly local: boolean;
    readonly onHull: boolean;
    readonly kept: boolean;
  }[];
  readonly policies: {
    readonly name: string;
    readonly makespanMs: number;
    readonly lowerBoundMs: number;
    readonly optimal: boolean;
    readonly counts: number[];
    readonly order: number[];
  }[];
  readonly chosen: string;
}

describe('splitlane plan', { timeout: 120_000 }, () => {
  const home = temporaryFolder();
  const at = (name: string): string => path.join(home.path, name);
  const save = (name: string, text: string): string => {
    writeFileSync(at(name), text);
    return name;
  };
  const plan = (...words: string[]) => splitlane(['plan', ...words], home.path);
  const planJson = async (...words: string[]): Promise<Result> => {
    const { code, stdout, stderr } = await plan(...words, '--json');
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    return JSON.parse(stdout) as Result;
  };

  before(() => {
    save('two.csv', TWO);
    mkdirSync(at('a-folder'));
  });
  after(() => {
    home[Symbol.dispose]();
  });

  it('two frames, one cut early and one late, take 5 ms where either cut alone takes 7', async () => {
    const { cuts, policies, chosen } = await planJson('--cuts', 'two.csv', ...AT_8);
    assert.deepEqual(
      cuts.map(({ cut, p1, p2, local, onHull, kept }) => [cut, p1, p2, local, onHull, kept]),
      [
        ['a', 1, 3, false, true, true],
        ['b', 3, 1, false, true, true],
        ['all', 9, 0, true, true, true],
      ],
    );
    const makespans = Object.fromEntries(policies.map(({ name, makespanMs }) => [name, makespanMs]));
    assert.deepEqual(makespans, { lo: 18, ro: 7, po: 7, jps: 7, 'jps-mix': 5, exact: 5 });
    assert.equal(chosen, 'exact');
    const exact = policies.find(({ name }) => name === chosen)!;
    assert.equal(exact.optimal, true);
    assert.equal(exact.lowerBoundMs, 5);
    assert.deepEqual(exact.counts, [1, 1, 0]);
    assert.deepEqual(exact.order, [0, 1]);
  });

  it('people see the cuts, the policies and the chart of the chosen plan', async () => {
    const { code, stdout, stderr } = await plan('--cuts', 'two.csv', ...AT_8);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /│ a +│ +1\.00 │ +3\.00 │ +0\.00 │ yes +│ yes +│/);
    assert.match(stdout, /│ jps +│ +7\.00 │ +5\.00 │ +1\.400 │ +│ 2 × a +│/);
    assert.match(stdout, /│ exact +│ +5\.00 │ +5\.00 │ +1\.000 │ yes +│ 1 × a, 1 × b +│/);
    const chart = stdout.trimEnd().split('\n').slice(-4);
    assert.equal(chart[0], 'exact: 5.00 ms; jobs in the order in which they start: 1 a, 2 b');
    assert.equal(chart[1], `vehicle ${'1'.repeat(14)}${'2'.repeat(44)}${'·'.repeat(14)}`);
    assert.equal(chart[2], `uplink  ${'·'.repeat(14)}${'1'.repeat(44)}${'2'.repeat(14)}`);
    assert.match(chart[3]!, /^ms {6}\|0 +\|1 +\|2 +\|3 +\|4$/);
  });

  it('JSON and CSV of the same table give the same plans, whatever the order of columns', async () => {
    const rows = [
      { cut: 'a', headMs: 1, bytes: 3000, tailMs: 2 },
      { cut: 'b', headMs: 3, bytes: 1000, codec: 'gzip' },
      { cut: 'all', headMs: 9, bytes: 5 },
    ];
    save('array.json', JSON.stringify(rows));
    save('object', JSON.stringify({ cuts: rows }));
    save(
      'turned.csv',
      '\uFEFFbytes,codec,tailMs,cut,headMs\r\n\r\n3000,,2,a,1\r\n1000,gzip,,"b",3\r\n  \r\n5,,,all,9\r\n',
    );
    const [array, object, csv] = await Promise.all(
      ['array.json', 'object', 'turned.csv'].map((file) => planJson('--cuts', file, ...AT_8)),
    );
    assert.deepEqual(array, csv);
    assert.deepEqual(object, csv);
  });

  it('a round trip delays every result that comes from the cloud, and none of the vehicle', async () => {
    const { policies } = await planJson('--cuts', 'two.csv', ...AT_8, '--rtt', '10', '--policy', 'lo,ro');
    assert.deepEqual(
      policies.map(({ name, makespanMs }) => [name, makespanMs]),
      [
        ['lo', 18],
        ['ro', 17],
      ],
    );
  });

  it('frames that stay on board leave out the first cut, in every codec', async () => {
    save('codecs.csv', 'cut,headMs,bytes,codec\nframe,0,9000,\nframe,1,800,jpeg\nconv,3,1000,\nall,9,0,\n');
    const { cuts, policies } = await planJson('--cuts', 'codecs.csv', ...AT_8, '--keep-frames-on-board');
    assert.deepEqual(
      cuts.map(({ cut }) => cut),
      ['conv', 'all'],
    );
    assert.ok(!policies.some(({ name }) => name === 'ro'));
  });

  it('a cut that sends more than an earlier one is not kept while tails cost nothing', async () => {
    save('wide.csv', 'cut,headMs,bytes\nframe,0,9000\nwide,2,9500\nconv,3,1000\nall,9,0\n');
    save('rows.csv', 'cut,headMs,bytes,tailMs\nframe,0,9000,4\nwide,2,9500,1\nconv,3,1000,1\nall,9,0,\n');
    const kept = async (file: string): Promise<boolean[]> =>
      (await planJson('--cuts', file, ...AT_8)).cuts.map((cut) => cut.kept);
    assert.deepEqual(await kept('wide.csv'), [true, false, true, true]);
    assert.deepEqual(await kept('rows.csv'), [true, true, true, true]);
  });

  it('rows out of order are put in the order of their heads before any is left out', async () => {
    save('mixed.csv', 'cut,headMs,bytes\nframe,0,9000\nlate,5,1000\nearly,3,1500\nall,9,0\n');
    const { cuts } = await planJson('--cuts', 'mixed.csv', ...AT_8);
    assert.deepEqual(
      cuts.map(({ cut, kept }) => [cut, kept]),
      [
        ['frame', true],
        ['early', true],
        ['late', true],
        ['all', true],
      ],
    );
  });

  it('without a local-only cut the policies that need none are compared', async () => {
    save('no-local.csv', 'cut,headMs,bytes,local\na,1,3000,\nb,3,1000,false\n');
    const { policies, cuts } = await planJson('--cuts', 'no-local.csv', ...AT_8);
    assert.ok(!policies.some(({ name }) => name === 'lo'));
    assert.ok(cuts.every(({ local }) => !local));
  });

  it('--svg writes a well-formed picture for light and dark, with names escaped', async () => {
    save('odd-names.csv', 'cut,headMs,bytes,tailMs\n"<a> & ""b""",1,3000,2\nb,3,1000,1\nall,9,0,\n');
    const { code, stderr } = await plan('--cuts', 'odd-names.csv', ...AT_8, '--svg', 'plan.svg');
    assert.equal(code, 0, stderr);
    const svg = readFileSync(at('plan.svg'), 'utf8');
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.match(svg, /prefers-color-scheme: ?dark/);
    assert.match(svg, /currentColor/);
    assert.match(svg, /&lt;a&gt; &amp;/);
    for (const row of ['vehicle', 'uplink', 'cloud']) assert.ok(svg.includes(`>${row}</text>`), row);
    assert.doesNotMatch(svg.replace('http://www.w3.org/2000/svg', ''), /https?:|NaN|Infinity/);
    const { format, width } = await sharp(at('plan.svg')).metadata();
    assert.deepEqual([format, width], ['svg', 800]);
    await sharp(at('plan.svg')).png().toBuffer();
  });

  const HEAD = 'cut,headMs,bytes,tailMs';
  const tables: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'a table with several faults',
      'faults.csv',
      `${HEAD}\na,x,1,0\n\nb,1,-2,0\n,1,2,\nc,1,2\n`,
      /faults.csv: line 6: has 3 fields, but the header has 4; line 2: headMs must be .*; line 4: bytes must be .*; line 5: cut is missing$/,
    ],
    [
      'a table with wrong figures',
      'figures.csv',
      `${HEAD}\na,x,1,0\n\nb,1,-2,0\n,1,Infinity,\n`,
      /figures.csv: line 2: headMs must be a number ≥ 0, not "x"; line 4: bytes must be a number ≥ 0, not -2; line 5: cut is missing; line 5: bytes must be a number ≥ 0, not "Infinity"$/,
    ],
    [
      'a table without a column',
      'lacks.csv',
      'cut,tailMs\na,1\n',
      /lacks.csv: the header lacks headMs, bytes$/,
    ],
    [
      'a column of nobody',
      'speed.csv',
      'cut,headMs,bytes,speed\na,1,2,3\n',
      /speed.csv: column "speed" is unknown/,
    ],
    [
      'columns that are for later',
      'later.csv',
      'cut,headMs,bytes,loss,headJ\na,1,-2,,\n',
      /later.csv: column loss is not used yet; column headJ is not used yet; line 2: bytes must be a number ≥ 0, not -2$/,
    ],
    [
      'a column that is there twice',
      'twice.csv',
      'cut,headMs,bytes,bytes\na,1,2,2\n',
      /"bytes" is there twice/,
    ],
    [
      'a cut that is there twice with one codec',
      'again.csv',
      'cut,headMs,bytes,codec\na,1,2,raw\na,1,2,gzip\na,1,2,raw\n',
      /again.csv: line 4: cut "a" with codec "raw" is there already \(line 2\)$/,
    ],
    [
      'two cuts that are local',
      'locals.csv',
      'cut,headMs,bytes,local\na,1,2,true\nb,1,2,TRUE\n',
      /line 3: only one cut may be local, and line 2 is$/,
    ],
    ['a header alone', 'header.csv', `${HEAD}\n`, /header.csv: there is no cut in it$/],
    ['an empty file', 'empty.csv', '', /empty.csv: the file is empty$/],
    ['a quote without end', 'quote.csv', `${HEAD}\n"a,1,2,3\n`, /quote.csv: this is not CSV: /],
    ['broken JSON', 'broken.json', '[{"cut":\n', /broken.json: this is not JSON: /],
    ['JSON without cuts', 'odd.json', '{"rows":[]}', /odd.json: must be an array of cuts/],
    [
      'JSON with text as a figure',
      'text.json',
      '[{"cut":"a","headMs":"1","bytes":2,"loss":0},7]',
      /text.json: cut 1: headMs must be a number ≥ 0, not "1"; cut 1: loss is not used yet; cut 2: must be an object$/,
    ],
  ];
  const refusedInOneLine = async (words: string[], message: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await plan(...words);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.match(stderr, /^splitlane: /);
    assert.match(stderr.trimEnd(), message);
  };
  for (const [what, name, text, message] of tables)
    it(`${what} is refused in one clear line with exit code 2`, () =>
      refusedInOneLine(['--cuts', save(name, text), ...AT_8], message));

  const on = (...words: string[]): string[] => ['--cuts', 'two.csv', ...AT_8, ...words];
  const refused: readonly (readonly [string, string[], RegExp])[] = [
    ['no table', AT_8, /required option '--cuts <file>'/],
    ['a table that is not there', ['--cuts', 'none.csv', ...AT_8], /none.csv: there is no such file$/],
    ['a folder as table', ['--cuts', 'a-folder', ...AT_8], /a-folder: cannot be read \(EISDIR\)$/],
    ['no camera', on('--cameras', '0'), /--cameras 0: must be a whole number from 1/],
    ['an unknown link', on('--link', '5g'), /--link 5g: must be cat1, 3g, 4g, wifi, or a rate/],
    ['a negative round trip', on('--rtt', '-1'), /--rtt -1: must be a time in ms, 0 or more/],
    [
      'an unknown policy',
      on('--policy', 'jps,best'),
      /--policy best: there is no such policy; there are lo, ro/,
    ],
    [
      'a policy that sends frames which stay on board',
      on('--keep-frames-on-board', '--policy', 'ro'),
      /--policy ro: it sends frames, which --keep-frames-on-board forbids$/,
    ],
    ['an SVG where none can be', on('--svg', 'a-folder'), /--svg a-folder: cannot be written \(EISDIR\)$/],
  ];
  for (const [what, words, message] of refused)
    it(`${what} is refused in one clear line with exit code 2`, () => refusedInOneLine(words, message));

  it('local-only that is asked for but not in the table is refused, and no picture is begun', async () => {
    save('never-local.csv', 'cut,headMs,bytes,local\na,1,3000,false\n');
    await refusedInOneLine(
      ['--cuts', 'never-local.csv', ...AT_8, '--policy', 'lo', '--svg', 'must-not-be.svg'],
      /policy 'lo' needs a cut that is local-only$/,
    );
    await refusedInOneLine(
      ['--cuts', 'never-local.csv', ...AT_8, '--keep-frames-on-board'],
      /never-local.csv: no cut is left with --keep-frames-on-board$/,
    );
    assert.ok(!existsSync(at('must-not-be.svg')));
  });
});
