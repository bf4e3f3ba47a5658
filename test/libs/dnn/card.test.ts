import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type CardFile, cardOver, cardPath, readCard, resolveCard } from '../../../libs/dnn/card.ts';
import { folder, isModelError } from './models.ts';

const FILE = 'some/model.onnx';
const PICTURE = [1, 3, 224, 224];

function refused(card: CardFile, dims: readonly (number | undefined)[], message: RegExp): void {
  assert.throws(
    () => resolveCard(card, dims, FILE),
    (error) => isModelError(error, 'some/model', message),
  );
}

test('A model without a card is taken for one of ImageNet’s.', () => {
  assert.deepEqual(resolveCard({}, PICTURE, FILE), {
    height: 224,
    width: 224,
    channels: 'rgb',
    layout: 'nchw',
    range: [0, 1],
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    fit: 'stretch',
    labels: [],
  });
});

test('BGR has ImageNet’s figures in its own order, and grey has one of each.', () => {
  const bgr = resolveCard({ channels: 'bgr' }, PICTURE, FILE);
  assert.deepEqual(
    [bgr.mean, bgr.std],
    [
      [0.406, 0.456, 0.485],
      [0.225, 0.224, 0.229],
    ],
  );
  const grey = resolveCard({}, [1, 1, 28, 28], FILE);
  assert.deepEqual([grey.channels, grey.mean, grey.std], ['grey', [0.449], [0.226]]);
});

test('The layout is seen from where the channels are, height and width from the rest.', () => {
  const nhwc = resolveCard({}, [1, 120, 160, 3], FILE);
  assert.deepEqual([nhwc.layout, nhwc.height, nhwc.width], ['nhwc', 120, 160]);
  const nchw = resolveCard({}, [1, 3, 120, 160], FILE);
  assert.deepEqual([nchw.layout, nchw.height, nchw.width], ['nchw', 120, 160]);
  const said = resolveCard({ layout: 'nhwc' }, [1, 3, 5, 3], FILE);
  assert.deepEqual([said.layout, said.height, said.width], ['nhwc', 3, 5]);
});

test('A card answers what the file leaves open: batch, channels, height and width.', () => {
  const open = [undefined, undefined, undefined, undefined];
  const card = resolveCard({ size: [48, 64], channels: 'grey' }, open, FILE);
  assert.deepEqual([card.height, card.width, card.channels, card.layout], [48, 64, 'grey', 'nchw']);
});

test('What a card says is taken over as it is.', () => {
  const said: CardFile = {
    ...{ range: [-1, 1], mean: [0, 0.5, 1], std: [1, 2, 3], fit: 'letterbox', labels: ['car', 'bus'] },
  };
  const { range, mean, std, fit, labels } = resolveCard(said, PICTURE, FILE);
  assert.deepEqual({ range, mean, std, fit, labels }, said);
});

test('A card says how the output is read; without a word its classes are, which leaves the card as it was.', () => {
  assert.deepEqual(resolveCard({ read: 'classify' }, PICTURE, FILE), resolveCard({}, PICTURE, FILE));
  assert.equal(resolveCard({ read: 'raw' }, PICTURE, FILE).read, 'raw');
});

test('A detector’s card has its anchors, and a threshold and an overlap unless it says others.', () => {
  const anchors: [number, number][] = [
    [1.08, 1.19],
    [3.42, 4.41],
  ];
  const reading = (card: CardFile): unknown => {
    const resolved = resolveCard(card, PICTURE, FILE);
    assert.ok(resolved.read === 'detect');
    return [resolved.anchors, resolved.threshold, resolved.overlap];
  };
  assert.deepEqual(reading({ read: 'detect', anchors }), [anchors, 0.3, 0.45]);
  assert.deepEqual(reading({ read: 'detect', anchors, threshold: 0, overlap: 1 }), [anchors, 0, 1]);
});

test('A detector without anchors is refused, and so is what only a detector has.', () => {
  refused(
    { read: 'detect' },
    PICTURE,
    /^some\/model\.yaml: 'read: detect' needs 'anchors: \[\[width, height\], …\]' in grid cells$/,
  );
  refused({ threshold: 0.5 }, PICTURE, /^some\/model\.yaml: threshold is for 'read: detect' only$/);
  refused({ read: 'raw', anchors: [[1, 1]] }, PICTURE, /anchors is for 'read: detect' only$/);
  refused({ read: 'classify', overlap: 0.5 }, PICTURE, /overlap is for 'read: detect' only$/);
});

test('A card stands over the one that a network has of its own; another reading drops what was for boxes.', () => {
  const own: CardFile = {
    fit: 'letterbox',
    labels: ['car'],
    read: 'detect',
    anchors: [[1, 2]],
    threshold: 0.5,
  };
  assert.deepEqual(cardOver(own, {}), own);
  assert.deepEqual(cardOver(own, { threshold: 0.1, labels: [] }), { ...own, threshold: 0.1, labels: [] });
  const raw = cardOver(own, { read: 'raw' });
  assert.deepEqual(raw, { fit: 'letterbox', labels: ['car'], read: 'raw' });
  assert.equal(resolveCard(raw, PICTURE, FILE).read, 'raw');
});

test('A batch that is fixed to another size than 1 is refused.', () => {
  refused({}, [4, 3, 224, 224], /^model some\/model\.onnx: its batch size is fixed to 4; export it with 1$/);
});

test('An input that is no picture is refused.', () => {
  refused({}, [1, 1000], /its input has 2 dimensions; pictures need 4/);
  refused({}, [], /its input has 0 dimensions/);
});

test('An input whose size nobody says is refused, and the user is told where to write it.', () => {
  refused(
    {},
    [1, 3, undefined, 224],
    /does not fix height and width: write 'size: \[H, W\]' into some\/model\.yaml$/,
  );
});

test('A card that contradicts its model is refused with both figures.', () => {
  refused({ size: [200, 224] }, PICTURE, /its input has height 224, its card says 200$/);
  refused({ size: [224, 200] }, PICTURE, /its input has width 224, its card says 200$/);
  refused({ channels: 'grey' }, PICTURE, /its input has channels 3, its card says 1$/);
  refused({}, [1, 2, 224, 224], /its input has channels 2, its card says 3$/);
});

test('A mean or std of another length than the channels is refused.', () => {
  refused({ mean: [0.5] }, PICTURE, /^some\/model\.yaml: mean has 1 values for 3 channels$/);
  refused({ std: [1, 1] }, PICTURE, /^some\/model\.yaml: std has 2 values for 3 channels$/);
  refused({ mean: [0, 0, 0] }, [1, 1, 28, 28], /^some\/model\.yaml: mean has 3 values for 1 channel$/);
});

test('A std of 0 is refused.', () => {
  refused({ std: [1, 0, 1] }, PICTURE, /^some\/model\.yaml: std must not be 0$/);
});

test('The card of a model has its name and ends in .yaml.', () => {
  assert.equal(cardPath('a/model.onnx'), 'a/model.yaml');
  assert.equal(cardPath('a/model.ONNX'), 'a/model.yaml');
  assert.equal(cardPath('a/model.v2'), 'a/model.v2.yaml');
});

test('A card is read from beside its model; without one it is empty, as is an empty file.', (context) => {
  const place = folder(context);
  const model = path.join(place, 'model.onnx');
  assert.deepEqual(readCard(model), {});
  writeFileSync(cardPath(model), '# nothing yet\n');
  assert.deepEqual(readCard(model), {});
  writeFileSync(cardPath(model), 'size: [32, 48]\nchannels: bgr\nlabels: [car, bus]\nfit: letterbox\n');
  assert.deepEqual(readCard(model), {
    size: [32, 48],
    channels: 'bgr',
    labels: ['car', 'bus'],
    fit: 'letterbox',
  });
});

test('Labels may stand in a file of their own, one a line, whatever ends the lines.', (context) => {
  const place = folder(context);
  const model = path.join(place, 'model.onnx');
  writeFileSync(cardPath(model), 'labels: classes.txt\n');
  writeFileSync(path.join(place, 'classes.txt'), 'car\r\nfire engine\r\nbus\r\n');
  assert.deepEqual(readCard(model).labels, ['car', 'fire engine', 'bus']);
});

test('Every fault of a card is told at once, in one line that names it.', (context) => {
  const model = path.join(folder(context), 'model.onnx');
  const file = cardPath(model);
  const faulty = (text: string, ...faults: RegExp[]): void => {
    writeFileSync(file, text);
    for (const fault of faults)
      assert.throws(
        () => readCard(model),
        (error) => isModelError(error, file, fault),
      );
  };
  faulty('size: 224\nchannels: cmyk\ncolour: red\n', /size: /, /channels: /, /colour/);
  faulty('size: [0, 224]\n', /size\.0: /);
  faulty('size: [224]\n', /size/);
  faulty('mean: [a]\n', /mean\.0: /);
  faulty('std: [.inf, 1, 1]\n', /std\.0: /);
  faulty('read: boxes\nthreshold: 1.5\noverlap: -1\n', /read: /, /threshold: /, /overlap: /);
  faulty('anchors: []\n', /anchors: /);
  faulty('anchors: [1, 2]\n', /anchors\.0: /);
  faulty('anchors: [[1, 0]]\n', /anchors\.0\.1: /);
  faulty('anchors: [[1, 2, 3]]\n', /anchors\.0: /);
  faulty('- a list\n', /card: /);
  faulty('size: [1, 2\nmean: {', /not YAML: /);
  faulty('labels: missing.txt\n', /labels: .*missing\.txt cannot be read/);
});

test('A label that is too long for the wire is refused where it stands.', (context) => {
  const place = folder(context);
  const model = path.join(place, 'model.onnx');
  const file = cardPath(model);
  const refusedAt = (fault: RegExp): void =>
    assert.throws(
      () => readCard(model),
      (error) => isModelError(error, file, fault),
    );
  writeFileSync(file, `labels: [car, ${'x'.repeat(201)}]\n`);
  refusedAt(/labels/);
  writeFileSync(file, 'labels: classes.txt\n');
  writeFileSync(path.join(place, 'classes.txt'), `car\n${'x'.repeat(201)}\n`);
  refusedAt(/labels: line 2 of .*classes\.txt is longer than 200 characters/);
  writeFileSync(path.join(place, 'classes.txt'), `car\n${'x'.repeat(200)}\n`);
  assert.equal(readCard(model).labels!.length, 2);
});
