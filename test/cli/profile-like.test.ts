import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LineSpec } from '../../libs/dnn/architectures/line-spec.ts';
import { splitlane, temporaryFolder } from '../system/splitlane.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { refusedInOneLine } from './refused.ts';

/** No layer of it is fully connected. Kept cuts: input, pool1, conv2 (local-only). */
const CONVOLUTIONS: LineSpec = {
  ...{ name: 'convolutions', input: [3, 32, 32], seed: 2 },
  layers: [
    { kind: 'conv', name: 'conv1', channels: 12, kernel: 5, stride: 1, pad: 2 },
    { kind: 'max-pool', name: 'pool1', kernel: 4, stride: 4 },
    { kind: 'conv', name: 'conv2', channels: 4, kernel: 3, stride: 1, pad: 1 },
  ],
};
const CPU = 'a small computer';
/** Of that computer, in a ms: multiply-adds of convolutions, bytes of all else. */
const MACS = 20_000;
const BYTES = 10_000;

interface Layer {
  readonly node: string;
  readonly medianMs: number;
  readonly kind: string;
  readonly macs: number;
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly segment: number;
}

interface Cut {
  readonly cut: string;
  readonly headMs: number;
  readonly headLowMs: number;
  readonly headHighMs: number;
  readonly tailMs: number;
}

interface Result {
  readonly model: string;
  readonly machine: { readonly cpu: string };
  readonly measuredAt: string;
  readonly wholeMs: number;
  readonly predictedFrom?: string;
  readonly substitutes?: { readonly kind: string; readonly by: string; readonly share: number }[];
  readonly unknownShare?: number;
  readonly codecMachine?: { readonly cpu: string };
  readonly segments: { readonly medianMs: number; readonly lowMs: number; readonly highMs: number }[];
  readonly cuts: Cut[];
  readonly codecs: { readonly cut: string; readonly codec: string; readonly encodeMs: number }[];
  readonly layers: Layer[];
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function near(found: number, expected: number, what: string, within = 2e-4): void {
  assert.ok(Math.abs(found - expected) <= within, `${what}: ${found} is not ${expected}`);
}

/** What a layer takes there; what is done within another has a time of its own only when it is measured alone. */
function timeThere({ kind, macs, weightBytes, activationBytes }: Layer): number {
  if (kind === 'free') return 0;
  return kind === 'convolution' ? macs / MACS : (weightBytes + activationBytes) / BYTES;
}

/** A profile as the small computer would have it. */
function there(result: Result): Result {
  const times = result.segments.map((_, index) =>
    sum(result.layers.filter(({ segment }) => segment === index).map(timeThere)),
  );
  const wide = (ms: number) => ({ lowMs: 0.9 * ms, highMs: 1.3 * ms });
  return {
    ...{ ...result, machine: { ...result.machine, cpu: CPU }, measuredAt: '2026-01-02T03:04:05Z' },
    wholeMs: sum(times),
    segments: result.segments.map((segment, index) => ({
      ...{ ...segment, medianMs: times[index]!, ...wide(times[index]!) },
    })),
    cuts: result.cuts.map((cut, index) => {
      const headMs = sum(times.slice(0, index));
      const { lowMs: headLowMs, highMs: headHighMs } = wide(headMs);
      return { ...cut, headMs, headLowMs, headHighMs, tailMs: sum(times.slice(index)) };
    }),
    layers: result.layers.map((layer) => ({
      ...layer,
      medianMs: layer.kind === 'free' ? 0.5 : timeThere(layer),
    })),
  };
}

describe('splitlane profile --like', { timeout: 240_000 }, () => {
  const home = temporaryFolder();
  const at = (name: string): string => path.join(home.path, name);
  const profile = (...words: string[]) => splitlane(['profile', ...words, '--codecs', 'uint8'], home.path);
  const profileJson = async (...words: string[]): Promise<Result> => {
    const { code, stdout, stderr } = await profile(...words, '--json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Result;
  };
  const save = (name: string, content: object): void => writeFileSync(at(name), JSON.stringify(content));
  let measured: Result;
  let reference: Result;

  before(async () => {
    writeTinyModel(home.path);
    writeTinyModel(home.path, CONVOLUTIONS);
    mkdirSync(at('a-folder'));
    measured = await profileJson('convolutions.onnx');
    reference = there(measured);
    save('pi.json', reference);
  });
  after(() => {
    home[Symbol.dispose]();
  });

  it('the profile of a model tells the work of its operators, as references need it', () => {
    const work = (name: string): unknown[] => {
      const layer = measured.layers.find(({ node }) => node.startsWith(name))!;
      return [layer.kind, layer.macs, layer.weightBytes, layer.activationBytes];
    };
    const [picture, filtered] = [4 * 3 * 32 * 32, 4 * 12 * 32 * 32];
    assert.deepEqual(work('conv1/conv'), [
      ...['convolution', 12 * 32 * 32 * 75],
      ...[4 * (12 * 75 + 12), picture + filtered],
    ]);
    assert.deepEqual(work('pool1'), ['other', 0, 0, filtered + 4 * 12 * 8 * 8]);
    assert.deepEqual(
      ['predictedFrom', 'codecMachine'].filter((key) => key in measured),
      [],
    );
  });

  it('another model takes its work at the rates of the one that was measured there', async () => {
    const result = await profileJson('tiny.onnx', '--like', 'pi.json');
    assert.equal(result.model, 'tiny.onnx');
    assert.equal(result.machine.cpu, CPU);
    assert.equal(result.measuredAt, reference.measuredAt);
    assert.equal(result.predictedFrom, 'convolutions.onnx');
    assert.equal(result.codecMachine!.cpu, measured.machine.cpu);
    assert.equal(result.unknownShare, 0);
    const fully = result.layers.filter(({ kind }) => kind === 'fully-connected');
    assert.equal(fully.length, 2);
    assert.deepEqual(
      result.substitutes!.map(({ kind, by }) => [kind, by]),
      [['fully-connected', 'other']],
    );
    near(result.substitutes![0]!.share, sum(fully.map(timeThere)) / result.wholeMs, 'share');
    for (const layer of result.layers) near(layer.medianMs, timeThere(layer), layer.node);
    const times = result.segments.map(({ medianMs }) => medianMs);
    near(result.wholeMs, sum(result.layers.map(timeThere)), 'the whole', 1e-3);
    for (const { medianMs, lowMs, highMs } of result.segments)
      assert.deepEqual([lowMs, highMs], [medianMs, medianMs]);
    result.cuts.forEach(({ headMs, tailMs }, index) => {
      near(headMs, sum(times.slice(0, index)), `head ${index}`, 1e-3);
      near(tailMs, sum(times.slice(index)), `tail ${index}`, 1e-3);
    });
    save('predicted.json', result);
  });

  it('people see that times are predicted, from what, and no quartiles', async () => {
    const { code, stdout, stderr } = await profile('tiny.onnx', '--like', 'pi.json', '--svg', 'curves.svg');
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^tiny\.onnx as on a small computer, \d+ cores, .*ONNX Runtime [\d.]+; threads: 1$/m,
    );
    assert.match(
      stdout,
      /^PREDICTED from the times of convolutions\.onnx there, measured at 2026-01-02T03:04:05Z \(pi\.json\)$/m,
    );
    assert.match(stdout, /docs\/results\/prediction\.md$/m);
    assert.match(
      stdout,
      /^convolutions\.onnx has no fully connected layer: it is taken at the rate of all else, \d+ % of the predicted time$/m,
    );
    assert.match(stdout, /^heads and tails are that machine's$/m);
    assert.match(stdout, /times are this machine's, not those of that one$/m);
    assert.doesNotMatch(stdout, /quartiles|optimisation|--fresh/);
    assert.doesNotMatch(stderr, /measuring the segments/);
    assert.match(
      readFileSync(at('curves.svg'), 'utf8'),
      /tiny\.onnx: head predicted from convolutions\.onnx on a small computer/,
    );
  });

  it('the model that was measured there has its own times', async () => {
    const result = await profileJson('convolutions.onnx', '--like', 'pi.json');
    assert.equal(result.machine.cpu, CPU);
    assert.equal(result.predictedFrom, undefined);
    for (const [index, segment] of reference.segments.entries())
      for (const key of ['medianMs', 'lowMs', 'highMs'] as const)
        near(result.segments[index]![key], segment[key], `${key} of segment ${index}`);
    for (const [index, cut] of reference.cuts.entries())
      for (const key of ['headMs', 'headLowMs', 'headHighMs', 'tailMs'] as const)
        near(result.cuts[index]![key], cut[key], `${key} of ${cut.cut}`);
    assert.deepEqual(
      result.layers.map(({ node, kind, macs }) => [node, kind, macs]),
      measured.layers.map(({ node, kind, macs }) => [node, kind, macs]),
    );
  });

  it('the table for plan has heads as there and tails as here', async () => {
    const words = ['tiny.onnx', '--like', 'pi.json', '--vehicle-ms', '400', '--out', 'cuts.csv'];
    const { code, stdout, stderr } = await profile(...words);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^heads and tails are that machine's; tails in the table of --out are this one's/m);
    assert.match(
      stdout,
      /^heads as on a vehicle that takes 400 ms for the whole; predicted there: [\d.]+ ms$/m,
    );
    const like = await profileJson('tiny.onnx', '--like', 'pi.json', '--vehicle-ms', '400');
    const here = await profileJson('tiny.onnx');
    assert.equal(like.cuts.at(-1)!.headMs, 400);
    const planned = await splitlane(
      ['plan', '--cuts', 'cuts.csv', '--cameras', '4', '--link', '8', '--max-loss', '1', '--json'],
      home.path,
    );
    assert.equal(planned.code, 0, planned.stderr);
    const { cuts } = JSON.parse(planned.stdout) as {
      cuts: { cut: string; codec?: string; headMs: number; tailMs: number }[];
    };
    const row = (cut: string, codec: string | undefined) =>
      cuts.find((one) => one.cut === cut && one.codec === codec)!;
    like.cuts.forEach(({ cut, headMs }, index) => {
      const { headMs: found, tailMs } = row(cut, index === like.cuts.length - 1 ? undefined : 'float32');
      near(found, headMs, `head of ${cut}`);
      near(tailMs, here.cuts[index]!.tailMs, `tail of ${cut}`);
    });
    // To encode takes the vehicle longer by as much as the whole does.
    for (const { cut, codec, encodeMs } of like.codecs) {
      const { headMs } = like.cuts.find((one) => one.cut === cut)!;
      const slowdown = 400 / here.wholeMs;
      near(row(cut, codec).headMs, headMs + slowdown * encodeMs, `${codec} at ${cut}`, 2e-4 * (1 + slowdown));
    }
  });

  it('a profile that is none, or no measured one, is refused in one line', async () => {
    writeFileSync(at('text.json'), 'hello\n');
    save('plan.json', { cuts: [], policies: [] });
    save('old.json', {
      ...reference,
      layers: reference.layers.map(({ node, segment, medianMs }) => ({
        ...{ node, operator: 'Conv', segment, medianMs },
      })),
    });
    const refused: readonly (readonly [string[], RegExp])[] = [
      [['none.json'], /--like none\.json: there is no such file$/],
      [['a-folder'], /--like a-folder: this is a folder, not a file$/],
      [['text.json'], /--like text\.json: this is not JSON, which splitlane profile --json prints: /],
      [['plan.json'], /--like plan\.json: this is not what splitlane profile --json prints: .* no 'model'/],
      [['old.json'], /--like old\.json: layers: none of them says its kind .* measure again/],
      [['predicted.json'], /--like predicted\.json: predictedFrom: these times are predicted/],
      [
        ['pi.json', '--threads', '1'],
        /--threads 1: not with --like, whose profile was measured with threads/,
      ],
    ];
    for (const [words, message] of refused)
      refusedInOneLine(await profile('tiny.onnx', '--like', ...words), message);
  });
});
