import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { openRun } from '../../libs/journal/index.ts';
import { writeTinyModel } from '../tiny-model.ts';
import {
  pidsOf,
  processesMentioning,
  signalGroup,
  splitlane,
  startSplitlane,
  temporaryFolder,
} from './splitlane.ts';

interface DemoJson {
  readonly policies: readonly {
    readonly name: string;
    readonly makespanMs: number;
    readonly predictedMs: number;
    readonly lowerBoundMs: number;
    readonly uplinkShare: number;
    readonly energyPerFrameJ: number;
    readonly cuts: readonly string[];
  }[];
  readonly power: { readonly cpuW: number; readonly radioW: number; readonly idleW: number };
  readonly jobs: number;
  readonly identical: number;
  readonly lossy: number;
  readonly withinLoss: number;
  readonly local: number;
  readonly dropped: number;
  readonly lost: number;
  readonly overruns: number;
  readonly brokenPictures: readonly string[];
  readonly eventLoopP99Ms: number;
  readonly log: string;
}

describe('the demo', { timeout: 300_000 }, () => {
  const home = temporaryFolder();
  let model: string;
  let fast: string[];

  before(() => {
    model = writeTinyModel(home.path);
    fast = ['demo', '--model', model, '--vehicle-ms', '80', '--link', '4', '--rounds', '2'];
  });
  after(() => {
    home[Symbol.dispose]();
  });

  const folder = (name: string): string => path.join(home.path, name);
  const readableLogs = (log: string): number => {
    const logs = openRun(log);
    for (const node of logs) {
      node.rows('event');
      node.close();
    }
    return logs.length;
  };

  it('runs all policies in four processes and prints one table that its log bears out', async () => {
    const { code, stdout, stderr } = await splitlane([...fast, '--log', folder('all'), '--json'], home.path);
    assert.equal(code, 0, stderr);
    const told = JSON.parse(stdout) as DemoJson;
    assert.deepEqual(
      told.policies.map(({ name }) => name),
      ['lo', 'ro', 'ro-jpeg', 'jps', 'exact'],
    );
    // 2 vehicles, 4 cameras, 5 policies, 3 warm-up and 2 measured rounds.
    assert.equal(told.jobs, 2 * 4 * 5 * 5);
    assert.equal(told.identical, told.jobs);
    assert.equal(told.lost, 0);
    assert.equal(told.local, 0);
    for (const { makespanMs, predictedMs, lowerBoundMs, uplinkShare } of told.policies) {
      assert.ok(lowerBoundMs <= predictedMs);
      assert.ok(makespanMs > 0);
      assert.ok(uplinkShare >= 0 && uplinkShare <= 1);
    }
    const { cpuW, radioW, idleW } = told.power;
    assert.deepEqual({ cpuW, radioW, idleW }, { cpuW: 3.7, radioW: 1.3, idleW: 2.7 });
    for (const { name, makespanMs, energyPerFrameJ } of told.policies) {
      const secondsPerFrame = makespanMs / 4 / 1000;
      // Nothing takes less than waiting, nor more than the whole round with both stages at work.
      assert.ok(energyPerFrameJ >= 0.999 * idleW * secondsPerFrame && energyPerFrameJ > 0, name);
      assert.ok(energyPerFrameJ <= 1.001 * (cpuW + radioW + idleW) * secondsPerFrame, name);
      if (name !== 'lo') continue;
      // Heads fill lo's makespan, and none is shorter than the whole model's emulated 80 ms.
      assert.ok(energyPerFrameJ >= 0.999 * (cpuW + idleW) * 0.08, `${energyPerFrameJ} J`);
      assert.ok(energyPerFrameJ <= 1.001 * (cpuW + idleW) * secondsPerFrame, `${energyPerFrameJ} J`);
    }
    assert.ok(Number.isFinite(told.eventLoopP99Ms));
    assert.equal(told.log, folder('all'));
    assert.equal(readableLogs(told.log), 4);
    assert.deepEqual(processesMentioning(home.path), []);
  });

  it('prepares the model once: a second start makes nothing', async () => {
    const cache = path.join(home.path, 'splitlane');
    const times = (): string[] =>
      readdirSync(cache, { recursive: true, encoding: 'utf8' }).map(
        (name) => `${name} ${statSync(path.join(cache, name)).mtimeMs}`,
      );
    const first = times();
    const { code, stderr } = await splitlane(
      [...fast, '--policy', 'lo', '--vehicles', '1', '--cameras', '1', '--log', folder('again')],
      home.path,
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(times(), first);
    assert.doesNotMatch(stderr, /preparing the model/);
  });

  it('prints the energy per frame, and the power model that it stands on', async () => {
    const small = ['--policy', 'lo', '--vehicles', '1', '--cameras', '1', '--rounds', '1'];
    const words = [...fast, ...small, '--power', '0,0.5,0', '--log', folder('energy')];
    const { code, stdout, stderr } = await splitlane(words, home.path);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /energy per/);
    // Without power for the processor and for being on, and with nothing sent, there is no energy.
    assert.match(stdout, /^│ lo .* 0\.000 │$/m);
    assert.match(
      stdout,
      /^energy by a model, not measured: 0 W all along, 0 W more to compute, 0\.5 W more/m,
    );
  });

  it('deals the pictures of a folder to the cameras, and skips, counts and names the broken ones', async () => {
    const frames = folder('frames');
    mkdirSync(frames);
    for (const [index, colour] of ['red', 'green', 'blue'].entries())
      await sharp({ create: { width: 64, height: 48, channels: 3, background: colour } })
        .jpeg()
        .toFile(path.join(frames, `${index}.jpg`));
    writeFileSync(path.join(frames, 'broken.jpg'), 'no picture');
    const words = [...fast, '--frames', frames, '--policy', 'ro-jpeg', '--log', folder('pictures'), '--json'];
    const { code, stdout, stderr } = await splitlane(words, home.path);
    assert.equal(code, 0, stderr);
    const told = JSON.parse(stdout) as DemoJson;
    assert.deepEqual(told.brokenPictures, [path.join(frames, 'broken.jpg')]);
    assert.equal(told.identical, told.jobs);
    assert.equal(told.lost, 0);
  });

  it('sends coded tensors where something may be lost, and tells apart what was lost and what was not', async () => {
    const words = [
      ...fast,
      '--policy',
      'jps,exact',
      '--link',
      '1',
      '--max-loss',
      '0.05',
      '--keep-frames-on-board',
    ];
    const run = [...words, '--log', folder('lossy'), '--json'];
    const { code, stdout, stderr } = await splitlane(run, home.path);
    assert.equal(code, 0, stderr);
    const told = JSON.parse(stdout) as DemoJson;
    assert.equal(told.lost, 0);
    assert.ok(told.lossy > 0, 'no tensor was sent in a lossy codec');
    assert.equal(told.identical, told.jobs - told.lossy);
    assert.ok(told.withinLoss > 0 && told.withinLoss <= told.lossy);
    assert.ok(told.policies.some(({ cuts }) => cuts.some((cut) => / \((uint8|float16)/.test(cut))));
  });

  it('keeps frames on board when it is told to', async () => {
    const words = [...fast, '--keep-frames-on-board', '--link', '50', '--log', folder('board'), '--json'];
    const { code, stdout, stderr } = await splitlane(words, home.path);
    assert.equal(code, 0, stderr);
    const told = JSON.parse(stdout) as DemoJson;
    assert.deepEqual(
      told.policies.map(({ name }) => name),
      ['lo', 'jps', 'exact'],
    );
    assert.ok(told.policies.every(({ cuts }) => !cuts.includes('input')));
    assert.equal(told.identical, told.jobs);
  });

  it('finishes jobs locally when the cloud is killed, loses no frame, and uses the cloud again', async () => {
    const log = folder('killed-cloud');
    const words = ['demo', '--model', model, '--vehicle-ms', '200', '--link', '2', '--rounds', '12'];
    const demo = startSplitlane([...words, '--policy', 'ro', '--log', log, '--json'], home.path);
    await demo.said('policy ro');
    const [cloud] = pidsOf('cloud', log);
    process.kill(cloud!, 'SIGKILL');
    await demo.said('cloud-1 ended (killed by SIGKILL); it is started again');
    const { code, stdout, stderr } = await demo.ended;
    assert.equal(code, 0, stderr);
    const told = JSON.parse(stdout) as DemoJson;
    assert.equal(told.lost, 0);
    assert.equal(told.identical, told.jobs);
    assert.ok(told.local > 0, 'some jobs were finished by the vehicles');
    assert.ok(told.local < told.jobs, 'and some by the cloud');
    assert.ok(
      existsSync(path.join(log, 'cloud-1.2.sqlite')),
      'the cloud that came back has a log of its own',
    );
    const logs = openRun(log);
    const back = logs.find(({ file }) => file.endsWith('cloud-1.2.sqlite'))!;
    assert.ok(back.rows('span').length > 0, 'the cloud that came back was used');
    for (const node of logs) node.close();
    assert.deepEqual(processesMentioning(log), []);
  });

  it('ends at Ctrl-C at any moment: one line, no process left, the log readable', async (t) => {
    for (const [index, delayMs] of [300, 700, 1200, 2000, 3000, 4500].entries())
      await t.test(`after ${delayMs} ms`, async () => {
        const log = folder(`stopped-${index}`);
        const demo = startSplitlane([...fast, '--rounds', '100', '--log', log], home.path);
        setTimeout(() => signalGroup(demo, 'SIGINT'), delayMs);
        const { code, signal, stdout, stderr } = await demo.ended;
        // Before the program itself runs, Node ends by the signal.
        if (signal === null) {
          assert.equal(code, 2);
          assert.equal(stdout, '');
          assert.match(
            stderr,
            /splitlane: stopped before the end(: nothing was begun|; the log is in .*)\n$/,
          );
        } else assert.equal(signal, 'SIGINT');
        assert.deepEqual(processesMentioning(log), []);
        if (existsSync(log) && readdirSync(log).some((name) => name.endsWith('.sqlite'))) readableLogs(log);
      });
  });

  it('runs until Ctrl-C with --keep-running, and that is a good end with a table', async () => {
    const log = folder('kept-running');
    const words = [...fast, '--policy', 'jps,ro', '--keep-running', '--log', log, '--json'];
    const demo = startSplitlane(words, home.path);
    await demo.said('policy ro');
    await demo.said('policy jps');
    setTimeout(() => signalGroup(demo, 'SIGINT'), 3000);
    const { code, stdout, stderr } = await demo.ended;
    assert.equal(code, 0, stderr);
    const told = JSON.parse(stdout) as DemoJson;
    assert.ok(told.policies.length > 0);
    assert.equal(told.lost, 0);
    assert.equal(told.identical + told.dropped, told.jobs);
    assert.deepEqual(processesMentioning(log), []);
  });

  it('leaves no process behind when it is itself killed', async () => {
    const log = folder('orphans');
    const demo = startSplitlane([...fast, '--rounds', '100', '--log', log], home.path);
    await demo.said('policy lo');
    assert.equal(pidsOf('vehicle', log).length, 2);
    demo.child.kill('SIGKILL');
    await demo.ended;
    for (let tried = 0; tried < 100 && processesMentioning(log).length > 0; tried++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(processesMentioning(log), []);
    assert.equal(readableLogs(log), 4);
  });

  it('says before anything is installed what to run', () => {
    const bare = folder('not-installed');
    mkdirSync(path.join(bare, 'cli'), { recursive: true });
    cpSync(
      path.join(import.meta.dirname, '..', '..', 'cli', 'splitlane.js'),
      path.join(bare, 'cli', 'splitlane.js'),
    );
    writeFileSync(path.join(bare, 'package.json'), '{"type":"module"}');
    const { status, stderr } = spawnSync(process.execPath, [path.join(bare, 'cli', 'splitlane.js'), 'demo'], {
      encoding: 'utf8',
    });
    assert.equal(status, 2);
    assert.match(stderr, /^splitlane: nothing is installed yet: run 'npm install' in .*\n$/);
  });
});
