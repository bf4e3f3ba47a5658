import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ModelError, type PreparedModel, prepareModel, profileModel } from '../../../libs/dnn/index.ts';
import { spreadOf } from '../../../libs/dnn/profile.ts';
import { temporaryFolder } from '../../system/splitlane.ts';
import { writeTinyModel } from '../../tiny-model.ts';

describe('a profile', { timeout: 120_000 }, () => {
  const home = temporaryFolder();
  const temporary = path.join(home.path, 'tmp');
  const systemsOwn = process.env.TMPDIR;
  let model: PreparedModel;
  const cacheFiles = (): string[] =>
    readdirSync(path.dirname(model.segments[0]!))
      .filter((name) => name.startsWith('profile-'))
      .map((name) => path.join(path.dirname(model.segments[0]!), name));
  // ONNX Runtime has files of its own there.
  const left = (): string[] => readdirSync(temporary).filter((name) => name.startsWith('splitlane'));
  const forget = (): void => {
    for (const file of cacheFiles()) rmSync(file, { recursive: true });
  };

  before(async () => {
    mkdirSync(temporary);
    process.env.TMPDIR = temporary;
    model = await prepareModel(writeTinyModel(home.path), { cacheDir: path.join(home.path, 'cache') });
  });
  after(() => {
    if (systemsOwn === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = systemsOwn;
    home[Symbol.dispose]();
  });

  it('has a time for every segment, cut and operator, and leaves nothing in the temporary folder', async () => {
    forget();
    const told: string[] = [];
    const profile = await profileModel(model, { onProgress: (what) => told.push(what) });
    assert.equal(profile.fromCache, false);
    assert.equal(profile.notKept, undefined);
    assert.match(profile.measuredAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(
      new Set(told),
      new Set(['loading the segments', 'measuring the segments', 'measuring the operators']),
    );
    assert.equal(profile.segments.length, 4);
    for (const { lowMs, medianMs, highMs } of [...profile.segments, ...profile.heads, ...profile.tails])
      assert.ok(lowMs <= medianMs && medianMs <= highMs);
    assert.ok(profile.segments.every(({ medianMs }) => medianMs > 0));
    assert.deepEqual(profile.heads[0], { medianMs: 0, lowMs: 0, highMs: 0 });
    assert.deepEqual(profile.tails.at(-1), { medianMs: 0, lowMs: 0, highMs: 0 });
    assert.deepEqual(profile.tails[0], profile.heads.at(-1));
    for (let cut = 1; cut < profile.heads.length; cut++) {
      assert.ok(profile.heads[cut]!.medianMs > profile.heads[cut - 1]!.medianMs);
      assert.ok(profile.tails[cut]!.medianMs < profile.tails[cut - 1]!.medianMs);
    }
    assert.deepEqual(
      profile.layers.map(({ operator, segment }) => `${segment} ${operator}`),
      [
        ...['0 Conv', '0 Relu', '0 MaxPool', '1 Conv', '1 Relu', '1 MaxPool'],
        ...['2 Flatten', '2 Gemm', '2 Relu', '3 Gemm'],
      ],
    );
    const sum = profile.layers.reduce((total, { share }) => total + share, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
    assert.deepEqual(left(), []);
  });

  it('is measured once for each number of threads', async () => {
    forget();
    const first = await profileModel(model);
    const again = await profileModel(model);
    assert.deepEqual(again, { ...first, fromCache: true });
    const two = await profileModel(model, { threads: 2 });
    assert.equal(two.fromCache, false);
    assert.equal(two.threads, 2);
    assert.equal(cacheFiles().length, 2);
    assert.deepEqual(await profileModel(model), again);
  });

  it('in the cache that is not as it was written is measured again', async () => {
    forget();
    await profileModel(model);
    const [file] = cacheFiles() as [string];
    const good = readFileSync(file, 'utf8');
    const spoilt = {
      'one digit is another': good.replace(/(\d)(?=,)/, (digit) => String((Number(digit) + 1) % 10)),
      'its end is missing': good.slice(0, good.length >> 1),
      'it is empty': '',
      'it is something else': 'profile\n{}\n',
    };
    for (const [how, text] of Object.entries(spoilt)) {
      assert.notEqual(text, good);
      writeFileSync(file, text);
      assert.equal((await profileModel(model)).fromCache, false, how);
      assert.equal((await profileModel(model)).fromCache, true, how);
    }
  });

  it('is given even where it cannot be kept', async () => {
    forget();
    await profileModel(model);
    const [file] = cacheFiles() as [string];
    rmSync(file);
    mkdirSync(file);
    const { fromCache, notKept } = await profileModel(model);
    assert.equal(fromCache, false);
    assert.equal(notKept, 'EISDIR');
    assert.deepEqual(cacheFiles(), [file]);
  });

  it('is not made to its end where it is interrupted', async () => {
    forget();
    const interrupt = new AbortController();
    const reason = new Error('enough');
    const onProgress = (what: string): void => {
      if (what === 'measuring the segments') interrupt.abort(reason);
    };
    await assert.rejects(profileModel(model, { signal: interrupt.signal, onProgress }), reason);
    await assert.rejects(profileModel(model, { signal: interrupt.signal }), reason);
    assert.deepEqual(cacheFiles(), []);
    assert.deepEqual(left(), []);
  });

  it('of a segment that is none is refused in one line', async () => {
    forget();
    const broken = path.join(home.path, 'broken.onnx');
    writeFileSync(broken, 'this is no network');
    const segments = [broken, ...model.segments.slice(1)];
    await assert.rejects(profileModel({ ...model, segments }), (error: Error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, /^model \S+: cannot be measured: [^\n]+$/);
      return true;
    });
    assert.deepEqual(left(), []);
  });
});

describe('a spread', () => {
  it('is the median and the quartiles, between neighbours where no value is in the middle', () => {
    assert.deepEqual(spreadOf([5, 1, 4, 2, 3]), { medianMs: 3, lowMs: 2, highMs: 4 });
    assert.deepEqual(spreadOf([4, 1]), { medianMs: 2.5, lowMs: 1.75, highMs: 3.25 });
    assert.deepEqual(spreadOf([7]), { medianMs: 7, lowMs: 7, highMs: 7 });
  });
});
