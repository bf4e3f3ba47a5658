import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ModelError, prepareModel, profileModel } from '../../../libs/dnn/index.ts';
import {
  amountOf,
  layersWithWork,
  type PredictionTarget,
  parseReference,
  predictProfile,
  type ReferenceProfile,
  referenceOf,
} from '../../../libs/dnn/predict.ts';
import type { Layer } from '../../../libs/dnn/profile.ts';
import { type OperatorWork, WORK_KINDS, type WorkKind, workOf } from '../../../libs/dnn/work.ts';
import { Graph, int, save, value } from './graphs.ts';
import { folder, type Loose } from './models.ts';

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function near(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) <= 1e-9 * Math.max(1, expected), `${found} is not ${expected}`);
}

const operator: fc.Arbitrary<Omit<OperatorWork, 'node' | 'segment'>> = fc.record({
  kind: fc.constantFrom(...WORK_KINDS),
  operator: fc.constant('Conv'),
  macs: fc.integer({ min: 1, max: 1e9 }),
  weightBytes: fc.integer({ min: 1, max: 1e8 }),
  activationBytes: fc.integer({ min: 1, max: 1e8 }),
});
const network = fc
  .array(fc.array(operator, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
  .map((segments) =>
    segments.flatMap((operators, segment) =>
      operators.map((work, index): OperatorWork => ({ ...work, segment, node: `${segment}/${index}` })),
    ),
  );
/** Multiply-adds, or bytes, in a ms, for each kind. */
const device = fc.record(
  Object.fromEntries(
    WORK_KINDS.map((kind) => [kind, fc.double({ min: 1, max: 1e7, noNaN: true })]),
  ) as Record<WorkKind, fc.Arbitrary<number>>,
);

/** What a device takes that obeys its rates exactly. */
const timeOn = (rates: Readonly<Record<WorkKind, number>>, work: OperatorWork): number =>
  work.kind === 'free' ? 0 : amountOf(work) / rates[work.kind];
const segmentsOf = (works: readonly OperatorWork[]): number => works.at(-1)!.segment + 1;

function targetOf(works: readonly OperatorWork[]): PredictionTarget {
  const cuts = Array.from({ length: segmentsOf(works) + 1 }, (_, cut) => ({
    ...{ id: `target${cut}`, dims: [1], bytes: 4 },
  }));
  return { name: 'target', hash: 'of the target', cuts, works };
}

/** A profile with given times; at level `basic` each segment is slower by a factor of its own. */
function measured(
  works: readonly OperatorWork[],
  timeOf: (work: OperatorWork) => number,
  slower: (segment: number) => number = () => 1,
): ReferenceProfile {
  const spread = (ms: number) => ({ medianMs: ms, lowMs: 0.9 * ms, highMs: 1.2 * ms });
  const times = Array.from({ length: segmentsOf(works) }, (_, segment) =>
    sum(works.filter((work) => work.segment === segment).map(timeOf)),
  );
  const wholeMs = sum(times);
  return {
    ...{
      model: 'reference',
      hash: 'of the reference',
      threads: 1,
      measuredAt: '2026-01-02T03:04:05Z',
      wholeMs,
    },
    machine: { cpu: 'a small one', cores: 2, node: '26.0.0', onnxruntime: '1.30.0' },
    segments: times.map((ms, index) => ({ from: `cut${index}`, to: `cut${index + 1}`, ...spread(ms) })),
    cuts: [0, ...times].map((_, index) => {
      const { medianMs: headMs, lowMs: headLowMs, highMs: headHighMs } = spread(sum(times.slice(0, index)));
      return { cut: `cut${index}`, headMs, headLowMs, headHighMs, tailMs: sum(times.slice(index)) };
    }),
    layers: works.map(({ node, operator, segment, kind, macs, weightBytes, activationBytes }, index) => ({
      ...{ node, operator, segment, kind, macs, weightBytes, activationBytes },
      medianMs: kind === 'free' ? 5 : timeOf(works[index]!) * slower(segment),
    })),
  };
}

test('On a device that takes each kind of work at one rate, every prediction is exact.', () => {
  fc.assert(
    fc.property(
      network,
      network,
      device,
      fc.array(fc.double({ min: 0.5, max: 3, noNaN: true }), { minLength: 5, maxLength: 5 }),
      (reference, works, rates, slower) => {
        const timeOf = (work: OperatorWork): number => timeOn(rates, work);
        const known = new Set<WorkKind>(['free', ...reference.map(({ kind }) => kind)]);
        const target = works.map((work) =>
          known.has(work.kind) ? work : { ...work, kind: 'free' as const },
        );
        const profile = measured(reference, timeOf, (segment) => slower[segment]!);
        const prediction = predictProfile(profile, targetOf(target));
        const segmentMs = Array.from({ length: segmentsOf(target) }, (_, segment) =>
          sum(target.filter((work) => work.segment === segment).map(timeOf)),
        );
        for (const [index, ms] of segmentMs.entries()) near(prediction.segments[index]!.medianMs, ms);
        [0, ...segmentMs].forEach((_, cut) => {
          near(prediction.heads[cut]!.medianMs, sum(segmentMs.slice(0, cut)));
          near(prediction.tails[cut]!.medianMs, sum(segmentMs.slice(cut)));
        });
        assert.deepEqual(prediction.substitutes, []);
        near(sum(prediction.layers.map(({ medianMs }) => medianMs)), sum(segmentMs));
      },
    ),
  );
});

const line = (...kinds: readonly WorkKind[]): OperatorWork[] =>
  kinds.map((kind, index) => ({
    ...{ node: `node${index}`, operator: 'Conv', segment: index, kind },
    ...{ macs: 1000, weightBytes: 100, activationBytes: 40 },
  }));

test('The model that was measured has its own times, those of heads without the scale of a vehicle.', () => {
  const works = line('convolution', 'other');
  const profile = measured(works, ({ segment }) => [3, 2][segment]!);
  const vehicleMs = 4 * profile.wholeMs;
  const scaled = {
    ...{ ...profile, vehicleMs },
    cuts: profile.cuts.map((cut) => ({
      ...cut,
      ...{ headMs: 4 * cut.headMs, headLowMs: 4 * cut.headLowMs, headHighMs: 4 * cut.headHighMs },
    })),
  };
  const cuts = profile.cuts.map(({ cut }) => ({ id: cut, dims: [1], bytes: 4 }));
  const target = { ...targetOf(works), hash: profile.hash, cuts };
  for (const reference of [profile, scaled]) {
    const prediction = predictProfile(reference, target);
    assert.equal(prediction.isMeasured, true);
    assert.deepEqual(
      prediction.segments,
      profile.segments.map(({ medianMs, lowMs, highMs }) => ({ medianMs, lowMs, highMs })),
    );
    prediction.heads.forEach((head, index) => {
      near(head.medianMs, profile.cuts[index]!.headMs);
      near(head.lowMs, profile.cuts[index]!.headLowMs);
      near(head.highMs, profile.cuts[index]!.headHighMs);
    });
    assert.deepEqual(
      prediction.tails.map(({ medianMs }) => medianMs),
      [5, 2, 0],
    );
  }
  const cutElsewhere = predictProfile(profile, { ...target, cuts: targetOf(works).cuts });
  assert.equal(cutElsewhere.isMeasured, false);
});

test('A kind without a measure takes the time of another, and the prediction says so.', () => {
  // 1,000 multiply-adds at 500 in a ms, 140 bytes at 70 in a ms.
  const profile = measured(line('convolution', 'other'), () => 2);
  const prediction = predictProfile(
    profile,
    targetOf(
      line('convolution', 'grouped-convolution', 'fully-connected', 'matrix-product', 'quantised', 'free'),
    ),
  );
  const expected = [2, 4000 / 70, 140 / 70, 2, 2, 0];
  for (const [index, { medianMs }] of prediction.segments.entries()) near(medianMs, expected[index]!);
  assert.deepEqual(
    prediction.substitutes.map(({ kind, by }) => `${kind} by ${by}`),
    [
      ...['grouped-convolution by other', 'fully-connected by other'],
      ...['matrix-product by convolution', 'quantised by convolution'],
    ],
  );
  near(prediction.substitutes[0]!.share, expected[1]! / sum(expected));
  assert.deepEqual(
    [...prediction.rates],
    [
      ['convolution', 500],
      ['other', 70],
    ],
  );
});

test('A kind that nothing in the reference stands for is refused.', () => {
  const profile = measured(line('fully-connected'), () => 2);
  assert.throws(
    () => predictProfile(profile, targetOf(line('other', 'convolution'))),
    (error: Error) => {
      assert.ok(error instanceof ModelError);
      assert.equal(
        error.message,
        'model target: convolution cannot be predicted: the profile of reference has the times of fully-connected only',
      );
      return true;
    },
  );
});

test('Layers without a known work, without a time, or done within others say nothing of a rate.', () => {
  const profile = measured(line('convolution', 'other'), () => 2);
  const { kind: _, macs: __, weightBytes: ___, activationBytes: ____, ...unknown } = profile.layers[0]!;
  const layers = [
    ...profile.layers,
    { ...unknown, segment: 1, medianMs: 2 },
    { ...profile.layers[0]!, medianMs: 0 },
    { ...profile.layers[0]!, kind: 'free' as const, medianMs: 50 },
  ];
  const { rates, unknownShare } = predictProfile({ ...profile, layers }, targetOf(line('convolution')));
  assert.deepEqual(
    rates,
    new Map([
      ['convolution', 500],
      ['other', 140],
    ]),
  );
  near(unknownShare, 2 / 56);
});

const layer = (node: string, type: string, segment = 0): Layer => ({
  ...{ node, operator: type, segment, medianMs: 1, share: 0.1 },
});
const work = (node: string, type: string, macs: number, segment = 0): OperatorWork => ({
  ...{ node, operator: type, segment, kind: 'other', macs, weightBytes: 0, activationBytes: 0 },
});

test('Layers are joined by name, by the start of a name, and without names by type and order.', () => {
  const works = [
    work('one', 'Conv', 1),
    work('one', 'Conv', 2, 1),
    work('bn', 'BatchNormalization', 3),
    work('mat', 'MatMul', 4),
    work('mat/longer', 'MatMul', 5),
    work('', 'Conv', 6, 2),
    work('', 'Conv', 7, 2),
    work('', 'MatMul', 8, 2),
    work('', 'Mul', 9, 2),
    work('', 'Mul', 10, 2),
  ];
  const joined = layersWithWork(
    [
      layer('one', 'Conv', 1),
      layer('one', 'Conv'),
      layer('mat/longer/MatMulAddFusion', 'Gemm'),
      layer('mat/MatMulAddFusion', 'Gemm'),
      layer('Conv_3', 'Conv', 2),
      layer('Conv_7', 'Conv', 2),
      layer('/MatMulAddFusion', 'Gemm', 2),
      layer('Mul_1', 'Mul', 2),
      layer('gemm_output_reshape', 'Reshape', 2),
    ],
    works,
  );
  assert.deepEqual(
    joined.layers.map(({ macs }) => macs),
    [2, 1, 5, 4, 6, 7, 8, undefined, undefined],
  );
  assert.equal(joined.unmatched, 2, 'one Mul of two, and what the runtime has added');
  assert.equal(joined.unmeasured, 3, 'the folded normalisation, and both Mul');
});

test("The runtime's own profile of a network with what it folds and renames joins the graph.", async (context) => {
  const place = folder(context);
  const graph = new Graph();
  const names = [0, 1, 2].map(() => graph.weight([4]));
  const variance = graph.add('Exp', [graph.weight([4])]);
  const normal = graph.add('BatchNormalization', [graph.conv('input', 3, 4), ...names, variance]);
  const flat = graph.add('Flatten', [graph.add('GlobalAveragePool', [graph.relu(normal)])], [int('axis', 1)]);
  const product = graph.add('Add', [graph.add('MatMul', [flat, graph.weight([4, 8])]), graph.weight([8])]);
  const output = graph.add('Softmax', [product], [int('axis', 1)]);
  const change = graph.model([value('input', [1, 3, 16, 16])], [output]) as Loose;
  const model = await prepareModel(save(place, 'model', change), { cacheDir: place });
  const works = await workOf(model);
  const profile = await profileModel(model);
  const joined = layersWithWork(profile.layers, works);
  assert.equal(joined.unmatched, 0);
  assert.equal(joined.unmeasured, 2, 'the normalisation, and the sum in the product');
  const reference = referenceOf(model, profile, works);
  assert.deepEqual(parseReference(JSON.parse(JSON.stringify(reference)), 'p.json'), withoutShares(reference));
  const prediction = predictProfile(reference, { ...model, works });
  assert.deepEqual(prediction.heads, profile.heads);
  assert.deepEqual(prediction.segments, profile.segments);
  const other = predictProfile(reference, { ...model, hash: 'another', works });
  assert.equal(other.isMeasured, false);
  assert.ok(
    Math.abs(other.heads.at(-1)!.medianMs / sum(profile.segments.map(({ medianMs }) => medianMs)) - 1) < 1e-6,
  );
});

const withoutShares = ({ layers, ...rest }: ReferenceProfile): object => ({
  ...rest,
  layers: layers.map(({ share: _, ...each }: Loose) => each),
});

test('A reference that is broken is refused in one line that names the file and the field.', () => {
  const good = measured(line('convolution', 'other'), () => 2);
  const [first, ...others] = good.layers;
  const without = (key: string): object => {
    const { [key]: _, ...rest } = first as Loose;
    return { ...good, layers: [rest, ...others] };
  };
  const broken: Record<string, [content: unknown, where: RegExp]> = {
    'no object': [[1, 2], /no profile of splitlane profile --json/],
    nothing: [null, /no profile of splitlane profile --json/],
    'no layers': [{ ...good, layers: [] }, /layers/],
    'a layer without a time': [without('medianMs'), /layers\.0\.medianMs/],
    'a time below 0': [{ ...good, layers: [{ ...first, medianMs: -1 }, ...others] }, /layers\.0\.medianMs/],
    'a time that is none': [
      { ...good, layers: [{ ...first, medianMs: Number.NaN }, ...others] },
      /layers\.0\.medianMs/,
    ],
    'endless work': [
      { ...good, layers: [{ ...first, macs: Number.POSITIVE_INFINITY }, ...others] },
      /layers\.0\.macs/,
    ],
    'work that is not whole': [without('macs'), /layers\.0: with its kind it must say macs/],
    'times that are predicted': [
      { ...good, predictedFrom: 'alexnet' },
      /predictedFrom: these times are predicted/,
    ],
    'an unknown kind': [{ ...good, layers: [{ ...first, kind: 'magic' }, ...others] }, /layers\.0\.kind/],
    'a segment that is not there': [
      { ...good, layers: [...others, { ...first, segment: 2 }] },
      /layers\.1\.segment: there are only 2 segments/,
    ],
    'a cut too few': [{ ...good, cuts: good.cuts.slice(1) }, /cuts: there must be one more/],
    'a vehicle without time': [{ ...good, vehicleMs: 0 }, /vehicleMs/],
    'times of a version that counts no work': [
      { ...good, layers: good.layers.map(({ kind: _, ...each }) => each) },
      /layers: none of them says its kind and its work: measure again/,
    ],
  };
  for (const [what, [content, where]] of Object.entries(broken))
    assert.throws(
      () => parseReference(content, 'pi.json'),
      (error: Error) => {
        assert.ok(error instanceof ModelError, what);
        assert.match(error.message, /^pi\.json: [^\n]+$/, what);
        assert.match(error.message, where, what);
        return true;
      },
    );
  assert.deepEqual(parseReference({ ...good, more: 1 }, 'pi.json'), good);
});
