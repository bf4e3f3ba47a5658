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
  readonly maxLoss?: number;
  readonly cuts: {
    readonly cut: string;
    readonly codec?: string;
    readonly loss?: number;
    readonly headJ?: number;
    readonly p1: number;
    readonly p2: number;
    readonly local: boolean;
    readonly onHull: boolean;
    readonly kept: boolean;
    readonly tooLossy: boolean;
  }[];
  readonly policies: {
    readonly name: string;
    readonly makespanMs: number;
    readonly lowerBoundMs: number;
    readonly optimal: boolean;
    readonly counts: number[];
    readonly order: number[];
    readonly energyJ?: number;
    readonly loss?: number;
  }[];
  readonly lowerBoundMs: number;
  readonly boundBy: string;
  readonly leftOut: { readonly name: string; readonly why: string }[];
  readonly chosen: string;
  readonly front?: { readonly makespanMs: number; readonly energyJ: number; readonly counts: number[] }[];
  readonly frontComplete?: boolean;
}

interface StreamResult {
  readonly fps: number;
  readonly deadlineMs?: number;
  readonly sustainableFps?: number;
  readonly sustainableProved?: boolean;
  readonly plannedFps?: number;
  readonly lowerBoundMs?: number;
  readonly policies: {
    readonly name: string;
    readonly counts: number[];
    readonly holds: boolean;
    readonly loads: { readonly vehicle: number; readonly uplink: number; readonly cloud: number };
    readonly sustainableFps: number;
    readonly plannedFps: number;
    readonly worstLatencyMs: number;
    readonly optimal: boolean;
    readonly keepsDeadline?: boolean;
    readonly energyJ?: number;
    readonly loss?: number;
  }[];
  readonly leftOut: { readonly name: string; readonly why: string }[];
  readonly chosen: string;
}

describe('splitlane plan', { timeout: 300_000 }, () => {
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
    const { cuts, policies, chosen, lowerBoundMs, boundBy, front } = await planJson(
      '--cuts',
      'two.csv',
      ...AT_8,
    );
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
    assert.deepEqual([lowerBoundMs, boundBy, front], [5, 'vehicle and uplink', undefined]);
    for (const policy of policies) {
      assert.equal(policy.lowerBoundMs, 5, policy.name);
      assert.equal(policy.optimal, policy.makespanMs === 5, policy.name);
      assert.deepEqual([policy.energyJ, policy.loss], [undefined, undefined], policy.name);
    }
    assert.deepEqual(exact.counts, [1, 1, 0]);
    assert.deepEqual(exact.order, [0, 1]);
  });

  it('people see the cuts, the policies and the chart of the chosen plan', async () => {
    const { code, stdout, stderr } = await plan('--cuts', 'two.csv', ...AT_8);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /│ a +│ +1\.00 │ +3\.00 │ +0\.00 │ yes +│ yes +│/);
    assert.match(stdout, /│ jps +│ +7\.00 │ +1\.400 │ +│ 2 × a +│/);
    assert.match(stdout, /│ exact +│ +5\.00 │ +1\.000 │ yes +│ 1 × a, 1 × b +│/);
    assert.match(stdout, /^lower bound 5\.00 ms: vehicle and uplink$/m);
    assert.doesNotMatch(stdout, /loss|energy|without/);
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
    const { cuts, policies, leftOut } = await planJson(
      '--cuts',
      'codecs.csv',
      ...AT_8,
      '--keep-frames-on-board',
    );
    assert.deepEqual(
      cuts.map(({ cut }) => cut),
      ['conv', 'all'],
    );
    assert.ok(!policies.some(({ name }) => name === 'ro'));
    assert.deepEqual(leftOut, [{ name: 'ro', why: 'it sends frames, which --keep-frames-on-board forbids' }]);
  });

  it('a cut that another beats in every stage, in loss and in energy is not kept, and of two equal ones the earlier is', async () => {
    save('wide.csv', 'cut,headMs,bytes\nframe,0,9000\nwide,2,9500\nconv,3,1000\nall,9,0\n');
    save('rows.csv', 'cut,headMs,bytes,tailMs\nframe,0,9000,4\nwide,2,9500,1\nconv,3,1000,1\nall,9,0,\n');
    save('tail.csv', 'cut,headMs,bytes,tailMs\nframe,0,9000,4\nwide,2,9500,4\nconv,3,1000,1\nall,9,0,\n');
    save('twins.csv', 'cut,headMs,bytes,codec\nframe,0,9000,\nconv,3,1000,x\nconv,3,1000,y\nall,9,0,\n');
    save('loss.csv', 'cut,headMs,bytes,codec,loss\nframe,0,9000,,0.5\nframe,0,9500,raw,0\nall,9,0,,\n');
    save(
      'joules.csv',
      'cut,headMs,bytes,headJ\nframe,0,9000,2\nwide,2,9500,1\nwider,3,9600,1.5\nall,9,0,3\n',
    );
    save('late.csv', 'cut,headMs,bytes\nframe,0,9000\nnothing,8,0\nall,9,0\n');
    const keptOf = async (file: string, ...words: string[]): Promise<boolean[]> =>
      (await planJson('--cuts', file, ...AT_8, ...words)).cuts.map(({ kept }) => kept);
    const [wide, rows, tail, twins, joules, late, loss, returned] = await Promise.all([
      ...['wide', 'rows', 'tail', 'twins', 'joules', 'late'].map((name) => keptOf(`${name}.csv`)),
      keptOf('loss.csv', '--max-loss', '1'),
      keptOf('late.csv', '--rtt', '5'),
    ]);
    assert.deepEqual(wide, [true, false, true, true]);
    assert.deepEqual(rows, [true, true, true, true]);
    assert.deepEqual(tail, [true, false, true, true]);
    assert.deepEqual(twins, [true, true, false, true]);
    assert.deepEqual(loss, [true, true, true]);
    assert.deepEqual(joules, [true, true, false, true]);
    assert.deepEqual(late, [true, true, false]);
    assert.deepEqual(returned, [true, true, true]);
  });

  /** At 8 Mbit/s: jobs (0, 9) and, coded, (1, 2) with a loss; (4, 3); and 9 ms on the vehicle alone. */
  const LOSSY =
    'cut,headMs,bytes,codec,loss\nframe,0,9000,,\nframe,1,2000,jpeg,0.5\nconv,4,3000,,\nall,9,0,,\n';
  const named = ({ policies }: Result, name: string): Result['policies'][number] =>
    policies.find((policy) => policy.name === name)!;

  it('a codec is a candidate of its own, and the mean loss that is allowed limits how many frames take it', async () => {
    save('lossy.csv', LOSSY);
    const [any, half, none] = await Promise.all(
      ['0.5', '0.25', '0']
        .map((maxLoss) => ['--max-loss', maxLoss])
        .map((words) => planJson('--cuts', 'lossy.csv', ...AT_8, ...words)),
    );
    assert.deepEqual(
      any!.cuts.map(({ cut, codec, loss }) => [cut, codec, loss]),
      [
        ['frame', undefined, undefined],
        ['frame', 'jpeg', 0.5],
        ['conv', undefined, undefined],
        ['all', undefined, undefined],
      ],
    );
    const figures = (result: Result, name: string): unknown[] => {
      const { makespanMs, loss, counts, optimal } = named(result, name);
      return [makespanMs, loss, counts, optimal];
    };
    assert.deepEqual(figures(any!, 'exact'), [5, 0.5, [0, 2, 0, 0], true]);
    assert.deepEqual(figures(any!, 'po'), [5, 0.5, [0, 2, 0, 0], true]);
    // 1 + 4 on the vehicle, then 3 on the uplink.
    assert.deepEqual(figures(half!, 'exact'), [8, 0.25, [0, 1, 1, 0], true]);
    assert.deepEqual(figures(half!, 'po'), [11, 0, [0, 0, 2, 0], false]);
    assert.deepEqual(figures(none!, 'exact'), [9, 0, [1, 0, 0, 1], true]);
    assert.deepEqual([any!.maxLoss, half!.maxLoss, none!.maxLoss], [0.5, 0.25, 0]);
    const { stdout } = await plan('--cuts', 'lossy.csv', ...AT_8, '--max-loss', '0.25');
    assert.match(stdout, /│ frame \(jpeg\) +│ +1\.00 │ +2\.00 │ +0\.00 │ +0\.5 │ yes +│ yes +│/);
    assert.match(stdout, /│ exact +│ +8\.00 │ +1\.000 │ +0\.25 │ yes +│ 1 × frame \(jpeg\), 1 × conv +│/);
    assert.match(stdout, /^lower bound 8\.00 ms: proved by search$/m);
    assert.doesNotMatch(stdout, /left out/);
  });

  it('without --max-loss nothing is lost, and a line names what was left out for it', async () => {
    save('lossy.csv', LOSSY);
    const [unsaid, none] = await Promise.all(
      [[], ['--max-loss', '0']].map((words) => planJson('--cuts', 'lossy.csv', ...AT_8, ...words)),
    );
    assert.deepEqual(unsaid, none);
    assert.equal(unsaid!.maxLoss, 0);
    assert.ok(unsaid!.policies.every(({ counts, loss }) => counts[1] === 0 && loss === 0));
    assert.deepEqual(
      unsaid!.cuts.map(({ tooLossy, kept, onHull }) => [tooLossy, kept, onHull]),
      [
        [false, true, true],
        [true, false, false],
        [false, true, true],
        [false, true, true],
      ],
    );
    const { stdout } = await plan('--cuts', 'lossy.csv', ...AT_8);
    assert.match(stdout, /^left out with --max-loss 0, the default; they lose 0\.500: jpeg of frame$/m);
    assert.doesNotMatch(stdout, /frame \(jpeg\)/);
  });

  it('what is left out is named by codec where cuts have the same ones, in lines that fit a terminal', async () => {
    const codecs = ['float16', 'uint8', 'uint8-channel', 'float16-zstd', 'uint8-zstd', 'uint8-channel-zstd'];
    const rows = ['frame', 'conv1', 'conv2'].flatMap((cut, index) => [
      `${cut},${index},${9000 - index},,0`,
      ...codecs.map((codec, nth) => `${cut},${index},${4000 - nth},${codec},${1e-6 * (nth + 1)}`),
    ]);
    save('many.csv', ['cut,headMs,bytes,codec,loss', ...rows, 'b,5,900,,1e-3', 'all,9,0,,\n'].join('\n'));
    const { stdout } = await plan('--cuts', 'many.csv', ...AT_8);
    const from = stdout.indexOf('left out');
    const text = stdout.slice(from, stdout.indexOf('\n┌', from));
    assert.ok(text.split('\n').every(({ length }) => length <= 110));
    assert.equal(
      text.replaceAll('\n  ', ' '),
      'left out with --max-loss 0, the default; they lose 1.0e-6 to 0.00100: ' +
        `${codecs.toSorted().join(', ')} of frame, conv1, conv2; b`,
    );
  });

  it('a table without any loss has no limit on it', async () => {
    const { maxLoss, cuts } = await planJson('--cuts', 'two.csv', ...AT_8);
    assert.equal(maxLoss, undefined);
    assert.ok(cuts.every(({ tooLossy }) => !tooLossy));
  });

  it("a power model gives each plan's energy and the trade of time for it, and a cap on energy chooses from that", async () => {
    save('power.csv', 'cut,headMs,bytes\nframe,0,9000\nconv,1000,3000000\nall,2000,0\n');
    const words = ['--cuts', 'power.csv', '--cameras', '3', '--link', '24', '--power', '10,2,1'];
    const result = await planJson(...words);
    for (const policy of result.policies) {
      const [sent, mixed, all] = policy.counts as [number, number, number];
      const heads = 10 * mixed + 20 * all;
      const transfers = 2 * (0.003 * sent + mixed);
      const expected = heads + transfers + policy.makespanMs / 1000;
      assert.ok(Math.abs(policy.energyJ! - expected) < 1e-9, policy.name);
    }
    // Sending is both short and cheap here.
    assert.deepEqual(
      result.front!.map(({ counts }) => counts),
      [[3, 0, 0]],
    );
    assert.match((await plan(...words)).stdout, /\nthe shortest plan is also that of least energy\n$/);

    save('trade.csv', 'cut,headMs,bytes\nframe,0,9000\nall,4,0\n');
    const trade = ['--cuts', 'trade.csv', '--cameras', '4', '--link', '8', '--power', '10,1,0'];
    const { front, frontComplete } = await planJson(...trade);
    assert.equal(frontComplete, true);
    assert.deepEqual(
      front!.map(({ makespanMs, counts, energyJ }) => [makespanMs, counts, Number(energyJ.toFixed(9))]),
      [
        [12, [1, 3], 0.129],
        [18, [2, 2], 0.098],
        [27, [3, 1], 0.067],
        [36, [4, 0], 0.036],
      ],
    );
    const capped = await planJson(...trade, '--max-energy', '0.1');
    assert.deepEqual(named(capped, 'exact').counts, [2, 2]);
    const { stdout } = await plan(...trade, '--max-energy', '0.1');
    assert.match(stdout, /│ exact +│ +18\.00 │ +1\.000 │ +0\.02450 │ yes/);
    assert.match(stdout, /^without lo: policy 'lo' takes cut 'all', which --max-energy 0.1 forbids$/m);
    assert.match(
      stdout,
      /^makespan against energy: 3 of 3 plans\n(.*\n){4}│ +18\.00 │ +0\.09800 │ +0\.02450 │ 2 × frame, 2 × all +│\n/m,
    );
  });

  it('measured heads give an energy without a power model, where they are known', async () => {
    save('heads.csv', 'cut,headMs,bytes,headJ\nframe,0,9000,0\nall,4,0,3\n');
    save('some.csv', 'cut,headMs,bytes,headJ\nframe,0,9000,\nall,4,0,3\n');
    const { cuts, front, policies } = await planJson('--cuts', 'heads.csv', ...AT_8);
    assert.deepEqual(
      cuts.map(({ headJ }) => headJ),
      [0, 3],
    );
    assert.deepEqual(
      front!.map(({ makespanMs, energyJ }) => [makespanMs, energyJ]),
      [
        [8, 6],
        [9, 3],
        [18, 0],
      ],
    );
    assert.ok(policies.every(({ energyJ }) => energyJ !== undefined));
    const { stdout } = await plan('--cuts', 'heads.csv', ...AT_8);
    assert.match(stdout, /^makespan against head energy: 3 of 3 plans$/m);
    const some = await planJson('--cuts', 'some.csv', ...AT_8);
    assert.equal(named(some, 'lo').energyJ, 6);
    assert.equal(named(some, 'ro').energyJ, undefined);
    assert.equal(some.front, undefined);
  });

  it('of a long front people see ten plans with both ends, and programs see all', async () => {
    const words = ['--cuts', 'trade.csv', '--cameras', '30', '--link', '8', '--power', '10,1,0'];
    save('trade.csv', 'cut,headMs,bytes\nframe,0,9000\nall,4,0\n');
    const { front } = await planJson(...words);
    const { stdout } = await plan(...words);
    const [, rows, all] = stdout.match(/^makespan against energy: (\d+) of (\d+) plans$/m)!;
    assert.equal(rows, '10');
    assert.equal(Number(all), front!.length);
    assert.ok(front!.length > 10);
    const shown = stdout
      .slice(stdout.indexOf('makespan against'))
      .split('\n')
      .filter((line) => /^│ +[\d.]+ │/.test(line));
    assert.equal(shown.length, 10);
    const makespanOf = (line: string): number => Number(line.split('│')[1]);
    assert.equal(makespanOf(shown[0]!), Number(front![0]!.makespanMs.toFixed(1)));
    assert.equal(makespanOf(shown[9]!), Number(front!.at(-1)!.makespanMs.toFixed(1)));
  });

  it('a front whose search was cut short says so, and still has the plans of the policies', async () => {
    save(
      'long.csv',
      'cut,codec,headMs,bytes,loss\ni,,0,602112,\ni,jpeg,4,50000,0.02\np,,48,186624,\np,uint8,49,46656,0.01\nf,,400,0,\n',
    );
    const words = ['--cuts', 'long.csv', '--cameras', '400', '--link', 'wifi', '--power', '10,2,3'];
    const { front, frontComplete, policies } = await planJson(...words, '--max-loss', '0.008');
    assert.equal(frontComplete, false);
    for (const { name, makespanMs, energyJ } of policies)
      assert.ok(
        front!.some((point) => point.makespanMs <= makespanMs && point.energyJ <= energyJ!),
        name,
      );
    const { stdout } = await plan(...words, '--max-loss', '0.008');
    assert.match(
      stdout,
      /^makespan against energy: \d+ of \d+ plans; the search was cut short, there may be better ones$/m,
    );
  });

  it('with more jobs than letters the chart is one of cuts, and says so', async () => {
    const chart = async (cameras: string): Promise<string[]> => {
      const { stdout } = await plan('--cuts', 'two.csv', '--cameras', cameras, '--link', '8');
      return stdout.slice(stdout.indexOf('exact: ')).trimEnd().split('\n').slice(1);
    };
    assert.match((await chart('61'))[0]!, /^vehicle [1-9a-zA-Z·]{72}$/);
    const [says, vehicle, uplink, axis] = await chart('62');
    assert.match(says!, /^more jobs than letters: .*; a = a, b = b$/);
    assert.match(vehicle!, /^vehicle [ab·]{72} 99 %$/);
    assert.match(uplink!, /^uplink {2}[ab·]{72} 99 %$/);
    assert.match(axis!, /^ms {6}\|0 /);
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
    const { policies, cuts, leftOut } = await planJson('--cuts', 'no-local.csv', ...AT_8);
    assert.ok(!policies.some(({ name }) => name === 'lo'));
    assert.deepEqual(leftOut, [{ name: 'lo', why: "policy 'lo' needs a cut that is local-only" }]);
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

  const streamJson = async (...words: string[]): Promise<StreamResult> =>
    (await planJson(...words)) as unknown as StreamResult;

  it('steady streams at 200 frames a second: each policy says whether it holds, which rate would, and its worst latency', async () => {
    const words = ['--cuts', 'two.csv', ...AT_8, '--fps', '200', '--deadline', '6'];
    const [result, { stdout }] = await Promise.all([streamJson(...words), plan(...words)]);
    const { fps, deadlineMs, policies, chosen, ...limits } = result;
    assert.deepEqual([fps, deadlineMs, chosen], [200, 6, 'exact']);
    const rows = Object.fromEntries(policies.map(({ name, ...plan }) => [name, plan]));
    const figures = (name: string): unknown[] => {
      const { counts, holds, loads, sustainableFps, plannedFps, worstLatencyMs } = rows[name]!;
      const { keepsDeadline, optimal } = rows[name]!;
      const perMs = Number((1000 / sustainableFps).toFixed(9));
      const planned = Number((1000 / plannedFps).toFixed(9));
      const { vehicle, uplink, cloud } = loads;
      return [counts, holds, vehicle, uplink, cloud, perMs, planned, worstLatencyMs, keepsDeadline, optimal];
    };
    assert.deepEqual(figures('exact'), [[1, 1, 0], true, 0.8, 0.8, 0, 4, 5, 5, true, true]);
    assert.deepEqual(figures('jps-mix'), figures('exact'));
    assert.deepEqual(figures('jps'), [[2, 0, 0], false, 0.4, 1.2, 0, 6, 6, 7, false, false]);
    assert.deepEqual(figures('lo'), [[0, 0, 2], false, 3.6, 0, 0, 18, 18, 18, false, false]);
    const { sustainableFps, sustainableProved, plannedFps, lowerBoundMs } = limits;
    assert.deepEqual([sustainableFps, sustainableProved, plannedFps, lowerBoundMs], [250, true, 200, 5]);
    assert.match(stdout, /│ jps +│ +│ +167 │ +40\.0 │ +120\.0 │ +0\.0 │ +7\.00 │ +│ +│ 2 × a +│/);
    assert.match(
      stdout,
      /│ exact +│ yes +│ +250 │ +80\.0 │ +80\.0 │ +0\.0 │ +5\.00 │ yes +│ yes +│ 1 × a, 1 × b +│/,
    );
    assert.match(stdout, /^no choice of cuts holds more than 250 frames a second$/m);
    assert.match(stdout, /^lower bound of the worst latency at 200 frames a second: 5\.00 ms$/m);
    assert.match(stdout, /^without "holds": latency at the rate that would hold$/m);
    assert.match(
      stdout,
      /^exact: at most 5\.00 ms at 200 frames a second; one period alone; jobs .*: 1 a, 2 b$/m,
    );
    assert.match(stdout, /^vehicle 1+2+·+\nuplink {2}·+1+2+\nms {6}\|0 /m);
    assert.doesNotMatch(stdout, /makespan|energy|loss/);
  });

  it('where no plan holds the rate, the plan is one for the greatest rate that any holds', async () => {
    const words = ['--cuts', 'two.csv', ...AT_8, '--fps', '400'];
    const [result, { stdout }] = await Promise.all([streamJson(...words), plan(...words)]);
    const { policies, sustainableFps, plannedFps, deadlineMs } = result;
    assert.ok(policies.every(({ holds, keepsDeadline }) => !holds && keepsDeadline === undefined));
    const { counts, worstLatencyMs, ...exact } = policies.find(({ name }) => name === 'exact')!;
    assert.deepEqual([counts, worstLatencyMs, exact.plannedFps], [[1, 1, 0], 5, 250]);
    assert.deepEqual([sustainableFps, plannedFps, deadlineMs], [250, 250, undefined]);
    assert.match(
      stdout,
      /^no choice of cuts holds more than 250 frames a second: of 400 the others are shed$/m,
    );
    assert.match(stdout, /^exact: at most 5\.00 ms at 250 frames a second; /m);
    assert.doesNotMatch(stdout, /deadline/);
  });

  it('without exact the plan of the greatest rate is shown, of equal ones that of the least latency', async () => {
    const words = ['--cuts', 'two.csv', ...AT_8, '--fps', '150', '--policy', 'lo,jps'];
    const [uniform, mixed] = await Promise.all([
      streamJson(...words),
      streamJson(...words.with(-1, 'jps,jps-mix,lo')),
    ]);
    const { chosen, sustainableFps, lowerBoundMs } = uniform;
    assert.deepEqual([chosen, sustainableFps, lowerBoundMs], ['jps', undefined, undefined]);
    assert.equal(mixed.chosen, 'jps-mix');
  });

  it('energy and its cap are those of a period: idle power until the next frames come', async () => {
    save('trade.csv', 'cut,headMs,bytes\nframe,0,9000\nall,4,0\n');
    const words = [
      '--cuts',
      'trade.csv',
      '--cameras',
      '4',
      '--link',
      '8',
      '--power',
      '10,1,1',
      '--fps',
      '10',
    ];
    const [{ policies }, { policies: capped, leftOut }, { stdout }] = await Promise.all([
      streamJson(...words),
      streamJson(...words, '--max-energy', '0.2'),
      plan(...words),
    ]);
    for (const { name, counts, energyJ } of policies) {
      const [sent, local] = counts as [number, number];
      const expected = 0.1 + 0.009 * sent + 0.04 * local;
      assert.ok(Math.abs(energyJ! - expected) < 1e-9, name);
    }
    assert.deepEqual(policies.find(({ name }) => name === 'exact')!.counts, [1, 3]);
    assert.deepEqual(capped.find(({ name }) => name === 'exact')!.counts, [2, 2]);
    assert.deepEqual(leftOut[0], {
      name: 'lo',
      why: "policy 'lo' takes 0.2600 J in a period, which --max-energy 0.2 forbids",
    });
    assert.match(stdout, /│ exact +│ yes .*│ +0\.05725 │ yes +│ 1 × frame, 3 × all +│/);
  });

  it('frames that stay on board and a loss that is allowed hold for streams as well', async () => {
    save('lossy.csv', LOSSY);
    const words = ['--cuts', 'lossy.csv', ...AT_8, '--fps', '90'];
    const [{ policies }, { leftOut }] = await Promise.all([
      streamJson(...words, '--max-loss', '0.25'),
      streamJson(...words, '--keep-frames-on-board'),
    ]);
    const { counts, loss } = policies.find(({ name }) => name === 'exact')!;
    assert.deepEqual([counts, loss], [[0, 1, 1, 0], 0.25]);
    assert.deepEqual(leftOut, [{ name: 'ro', why: 'it sends frames, which --keep-frames-on-board forbids' }]);
  });

  it('the picture of a stream says its rate', async () => {
    const { code, stderr } = await plan('--cuts', 'two.csv', ...AT_8, '--fps', '200', '--svg', 'stream.svg');
    assert.equal(code, 0, stderr);
    assert.match(readFileSync(at('stream.svg'), 'utf8'), /exact: at most 5\.00 ms at 200 frames a second/);
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
      'a table of somebody else',
      'theirs.csv',
      'layer,seconds\nconv1,0.6\n',
      /theirs.csv: the header lacks cut, headMs, bytes; columns "layer", "seconds" are unknown; there are cut, headMs, .*, times in ms, energies in joules$/m,
    ],
    [
      'a loss or an energy that is no number ≥ 0',
      'dear.csv',
      'cut,headMs,bytes,loss,headJ\na,1,2,-1,\nb,1,2,,x\n',
      /dear.csv: line 2: loss must be a number ≥ 0, not -1; line 3: headJ must be a number ≥ 0, not "x"$/,
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
      '[{"cut":"a","headMs":"1","bytes":2,"loss":null,"gain":0},7]',
      /text.json: cut 1: headMs must be a number ≥ 0, not "1"; cut 1: loss must be a number ≥ 0, not null; cut 1: "gain" is unknown; cut 2: must be an object$/,
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
    ['no frame a second', on('--fps', '0'), /--fps 0: must be frames a second, above 0 and at most 1000$/],
    ['a negative rate', on('--fps', '-2'), /--fps -2: must be frames a second/],
    ['a rate in words', on('--fps', 'ten'), /--fps ten: must be frames a second/],
    [
      'a deadline of nothing',
      on('--fps', '5', '--deadline', '0'),
      /--deadline 0: must be a time in ms, above 0, at most 3600000$/,
    ],
    ['a deadline in the past', on('--fps', '5', '--deadline', '-3'), /--deadline -3: must be a time in ms/],
    ['a deadline in words', on('--fps', '5', '--deadline', 'soon'), /--deadline soon: must be a time in ms/],
    ['a deadline without a rate', on('--deadline', '5'), /^splitlane: --deadline 5: needs --fps$/],
    [
      'a cap on the energy of a period that no plan meets',
      on('--fps', '5', '--max-energy', '0.001', '--power', '10,2,1'),
      /^splitlane: no plan meets --max-energy 0\.001$/,
    ],
    [
      'a policy by name that the cap on the energy of a period forbids',
      on('--fps', '5', '--max-energy', '0.15', '--power', '10,0,0', '--policy', 'exact,lo'),
      /^splitlane: policy 'lo' takes 0\.1800 J in a period, which --max-energy 0\.15 forbids$/,
    ],
    [
      'a policy that sends frames which stay on board',
      on('--keep-frames-on-board', '--policy', 'ro'),
      /--policy ro: it sends frames, which --keep-frames-on-board forbids$/,
    ],
    [
      'a negative loss',
      on('--max-loss', '-1'),
      /--max-loss -1: must be a mean loss, 0 or more, at most 1e12$/,
    ],
    ['an energy without a number', on('--max-energy='), /--max-energy : must be an energy in J, 0 or more/],
    [
      'a power model of two figures',
      on('--power', '10,2'),
      /--power 10,2: must be cpu,radio,idle in watts, three numbers of 0 or more, at most 1000000$/,
    ],
    ['a power model with a gap', on('--power', '10,,2'), /--power 10,,2: must be cpu,radio,idle in watts/],
    [
      'a cap on an energy that is unknown',
      on('--max-energy', '5'),
      /^splitlane: --max-energy needs --power, or the headJ of every cut$/,
    ],
    [
      'a cap on energy that no plan meets',
      on('--max-energy', '0.001', '--power', '10,2,1'),
      /^splitlane: no plan meets --max-energy 0\.001$/,
    ],
    [
      'a policy by name that the cap on energy forbids',
      on('--max-energy', '0.1', '--power', '10,0,0', '--policy', 'exact,lo'),
      /^splitlane: policy 'lo' takes cut 'all', which --max-energy 0.1 forbids$/,
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
