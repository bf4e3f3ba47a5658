import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { editDistance } from '../../libs/dnn/cut-in-two.ts';
import type { CutList } from '../../libs/dnn/index.ts';
import { onnx } from '../../libs/dnn/onnx.ts';
import { SESSION_OPTIONS } from '../../libs/dnn/session-options.ts';
import { Graph, int, save, value } from '../libs/dnn/graphs.ts';
import { inputOf, type Loose, write } from '../libs/dnn/models.ts';
import { splitlane, temporaryFolder } from '../system/splitlane.ts';
import { refusedInOneLine } from './refused.ts';

const SIDE = 12;
const INPUT = [1, 3, SIDE, SIDE];

/** Two branches with a skip, then classes: `stem` and `joined` are articulation tensors. */
function dag(opset = 13): Loose {
  const graph = new Graph(7);
  const stem = graph.add('Relu', [graph.conv('input', 3, 8)], [], 'stem');
  const left = graph.add('Conv', [stem, graph.weight([4, 8, 1, 1])], [], 'left');
  const middle = graph.add('MaxPool', [stem], [{ name: 'kernel_shape', type: 7, ints: [1, 1] }], 'middle');
  const right = graph.add('Conv', [middle, graph.weight([2, 8, 1, 1])], [], 'right');
  const joined = graph.add('Concat', [left, right], [int('axis', 1)], 'joined');
  return graph.model([value('input', INPUT)], [graph.classes(joined, 6, 10)], opset);
}

type Values = Record<string, Tensor>;

async function run(file: string, feeds: Values): Promise<Values> {
  const session = await InferenceSession.create(file, SESSION_OPTIONS);
  const taken = Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!]));
  const found = await session.run(taken);
  await session.release();
  return found as Values;
}

const bytesOf = (tensor: Tensor): Buffer => {
  const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
  return Buffer.from(buffer, byteOffset, byteLength);
};

describe('splitlane cuts and splitlane cut', { timeout: 300_000 }, () => {
  const home = temporaryFolder();
  const at = (name: string): string => path.join(home.path, name);
  const cuts = async (...words: string[]): Promise<CutList> => {
    const { code, stdout, stderr } = await splitlane(['cuts', ...words, '--json'], home.path);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as CutList;
  };

  before(() => {
    save(home.path, 'dag', dag());
    write(home.path, 'tiny');
    const graph = new Graph(3);
    const stem = graph.add('Relu', [graph.conv('input', 3, 4)], [], 'stem');
    const scores = graph.classes(graph.pool(stem), 4, 5);
    const mask = graph.add('Sigmoid', [stem], [], 'mask');
    save(home.path, 'heads', graph.model([value('input', INPUT)], [scores, mask]));
    const words = new Graph(3);
    const ids = words.add('Gather', [words.weight([2, 8]), 'ids'], [], 'embedded');
    const sum = words.add('Mul', [ids, words.add('Unsqueeze', ['mask', words.constant([2])])], [], 'masked');
    const last = words.add(
      'MatMul',
      [words.add('Tanh', [sum], [], 'tanh'), words.weight([8, 4])],
      [],
      'scores',
    );
    const inputs = [value('ids', [1, 6], 7), value('mask', ['batch', 6])];
    save(home.path, 'words', words.model(inputs, [last]));
  });
  after(() => {
    home[Symbol.dispose]();
  });

  it('a line has a cut at every tensor, from the input to the output', async () => {
    const { file, kind, cuts: listed, complete } = await cuts('tiny.onnx');
    assert.equal(file, at('tiny.onnx'));
    assert.equal(kind, 'line');
    assert.equal(complete, true);
    assert.equal(listed.length, 11);
    assert.deepEqual(
      listed.filter(({ kept }) => kept).map(({ id }) => id),
      ['input', 'pool1', 'pool2', 'fc3', 'fc4'],
    );
    assert.deepEqual(listed[3], {
      id: 'pool1',
      tensors: ['pool1'],
      shapes: [[1, 8, 16, 16]],
      types: ['float32'],
      bytes: 8192,
      kept: true,
    });
  });

  it('people get a table', async () => {
    const { code, stdout } = await splitlane(['cuts', 'dag.onnx'], home.path);
    assert.equal(code, 0);
    assert.match(stdout, /│ stem +│ 1 × 8 × 12 × 12 │ 4,608 │/);
    assert.match(stdout, /dag\.onnx: dag, 7 cuts, \d of them kept\n$/);
  });

  it('cuts of several tensors are listed where they are asked for', async () => {
    const single = await cuts('dag.onnx');
    assert.ok(single.cuts.every(({ tensors }) => tensors.length === 1));
    const { cuts: listed, complete } = await cuts('dag.onnx', '--max-tensors', '2');
    assert.equal(complete, true);
    const several = listed.filter(({ tensors }) => tensors.length > 1);
    assert.deepEqual(several.map(({ id }) => id).sort(), [
      'left,middle',
      'left,right',
      'stem,left',
      'stem,middle',
      'stem,right',
    ]);
    const both = several.find(({ id }) => id === 'left,right')!;
    assert.deepEqual(both.shapes, [
      [1, 4, 12, 12],
      [1, 2, 12, 12],
    ]);
    assert.equal(both.bytes, 4 * 6 * 144);
    assert.deepEqual(
      listed.filter(({ tensors }) => tensors.length === 1),
      single.cuts,
    );
  });

  it('at every cut of a DAG head and tail are models of their own, and give what the whole gives', async () => {
    const { cuts: listed } = await cuts('dag.onnx', '--max-tensors', '3');
    const inner = listed.slice(1, -1);
    assert.ok(inner.length > 8);
    const input = new Tensor('float32', inputOf(INPUT, 5), INPUT);
    const [expected] = Object.values(await run(at('dag.onnx'), { input }));
    for (const { id, tensors } of inner) {
      const { code, stdout, stderr } = await splitlane(
        ['cut', 'dag.onnx', '--at', id, '--out', 'parts'],
        home.path,
      );
      assert.equal(code, 0, stderr);
      assert.deepEqual(readdirSync(at('parts')).sort(), ['head.onnx', 'tail.onnx']);
      const middle = await run(at('parts/head.onnx'), { input });
      assert.deepEqual(Object.keys(middle).sort(), [...tensors].sort());
      const [found] = Object.values(await run(at('parts/tail.onnx'), middle));
      const same = bytesOf(found!).equals(bytesOf(expected!));
      assert.match(
        stdout,
        same ? /bit for bit/ : /differ from the whole network: .* % of the outputs, by at most/,
        id,
      );
    }
  });

  it('a network with two outputs is a tree, with cuts before its fork, and both outputs come from the tail', async () => {
    const { kind, cuts: listed } = await cuts('heads.onnx');
    assert.equal(kind, 'tree');
    assert.deepEqual(
      listed.map(({ tensors }) => tensors.length),
      [1, 1, 1, 2],
    );
    const { code, stderr } = await splitlane(
      ['cut', 'heads.onnx', '--at', 'stem', '--out', 'heads'],
      home.path,
    );
    assert.equal(code, 0, stderr);
    const input = new Tensor('float32', inputOf(INPUT, 5), INPUT);
    const expected = await run(at('heads.onnx'), { input });
    const found = await run(at('heads/tail.onnx'), await run(at('heads/head.onnx'), { input }));
    for (const [name, tensor] of Object.entries(expected))
      assert.ok(bytesOf(found[name]!).equals(bytesOf(tensor)));
  });

  it('a network with two inputs, one of them whole numbers, is cut behind them', async () => {
    const { cuts: listed } = await cuts('words.onnx');
    assert.deepEqual(
      listed.map(({ id }) => id),
      ['ids,mask', 'masked', 'tanh', 'scores'],
    );
    assert.deepEqual(listed[0]!.types, ['int64', 'float32']);
    const { code, stdout } = await splitlane(
      ['cut', 'words.onnx', '--at', 'embedded,mask', '--out', 'w'],
      home.path,
    );
    assert.equal(code, 0);
    assert.match(stdout, /bit for bit/);
    const head = onnx.ModelProto.decode(readFileSync(at('w/head.onnx')));
    assert.deepEqual(
      head.graph!.input!.map(({ name }) => name),
      ['ids', 'mask'],
    );
  });

  describe('what cannot be', () => {
    const tiny = (name: string, change: (model: Loose) => void): void => {
      write(home.path, name, change);
    };
    before(() => {
      writeFileSync(at('text.onnx'), 'this is no network');
      writeFileSync(at('short.onnx'), readFileSync(at('tiny.onnx')).subarray(0, 5000));
      writeFileSync(at('a-file'), '');
      mkdirSync(at('taken/tail.onnx'), { recursive: true });
      writeFileSync(at('taken/head.onnx'), 'mine');
      tiny('no-opset', (model) => {
        model.opsetImport = [];
      });
      tiny('unheard', ({ graph }) => Object.assign(graph.node[1], { opType: 'Unheard' }));
      tiny('no-data', ({ graph: { initializer } }) => {
        delete initializer[0].rawData;
        initializer[0].externalData = [{ key: 'location', value: 'gone.bin' }];
        initializer[0].dataLocation = 1;
      });
      tiny('open', ({ graph }) => {
        graph.input[0].type.tensorType.shape.dim[2] = { dimParam: 'H' };
      });
      const graph = new Graph(3);
      const text = graph.add('Cast', ['x'], [int('to', 8)], 'text');
      const back = graph.add('Cast', [text], [int('to', 1)], 'back');
      const last = graph.add('Relu', [back], [], 'last');
      save(home.path, 'text-inside', graph.model([value('x', [1, 4])], [last]));
      const sequence = new Graph(3);
      const pair = sequence.add('SequenceConstruct', ['x', 'x'], [], 'pair');
      const joined = sequence.add('ConcatFromSequence', [pair], [int('axis', 1)], 'joined');
      save(home.path, 'sequence', sequence.model([value('x', [1, 4])], [sequence.relu(joined)]));
      const line = new Graph(3);
      save(home.path, 'open-line', line.model([value('x', ['N', 'words', 4])], [line.relu('x')]));
    });

    const cut = (model: string, tensors: string): string[] => [
      'cut',
      model,
      '--at',
      tensors,
      '--out',
      'must-not-be',
    ];
    const refused: readonly (readonly [string, string[], RegExp])[] = [
      ['a model that is not there', ['cuts', 'resnet.onnx'], /neither a built-in network .* nor a file/],
      ['text as model', ['cuts', 'text.onnx'], /text\.onnx: this is not an ONNX file/],
      [
        'a model that is cut short',
        ['cuts', 'short.onnx'],
        /short\.onnx: this is not an ONNX file, or it is cut short/,
      ],
      [
        'weights that are not there',
        ['cuts', 'no-data.onnx'],
        /the weight conv1\.weight lies in gone\.bin, and there is no such file/,
      ],
      ['no operator set', ['cuts', 'no-opset.onnx'], /it names no operator set/],
      ['an unknown operator', ['cuts', 'unheard.onnx'], /operator Unheard is not supported/],
      [
        'an open height',
        ['cuts', 'open.onnx'],
        /does not fix height and width: write 'size: \[H, W\]' into .*open\.yaml/,
      ],
      [
        'an open dimension that no card answers',
        ['cuts', 'open-line.onnx'],
        /its input x leaves dimension 1 \(words\) of 3 open: export it with a fixed one/,
      ],
      [
        'no number of tensors',
        ['cuts', 'tiny.onnx', '--max-tensors', 'two'],
        /--max-tensors two: must be a whole number from 1/,
      ],
      ['no place to cut at', ['cut', 'tiny.onnx', '--out', 'must-not-be'], /--at <tensors>' not specified/],
      [
        'a cut that does not exist',
        cut('tiny.onnx', 'pool3'),
        /it has no tensor pool3; the nearest name is pool1/,
      ],
      [
        'a weight as cut',
        cut('tiny.onnx', 'fc3.weight'),
        /fc3\.weight does not lead from an input to an output/,
      ],
      ['the input as cut', cut('tiny.onnx', 'input'), /leaves nothing for the head/],
      ['the output as cut', cut('tiny.onnx', 'fc4'), /leaves nothing for the tail/],
      [
        'a cut that is gone around',
        cut('dag.onnx', 'left'),
        /left is not a cut: the path .*stem → middle → right → .*goes around it; stem,left is a cut/,
      ],
      [
        'a cut with a tensor too many',
        cut('dag.onnx', 'joined,left'),
        /left is used up before joined; joined alone is one/,
      ],
      ['text inside a network', cut('text-inside.onnx', 'text'), /tensor text is not numeric \(string\)/],
      [
        'a sequence inside a network',
        cut('sequence.onnx', 'pair'),
        /tensor pair is not numeric \(sequence\)/,
      ],
      [
        'a file as folder',
        ['cut', 'tiny.onnx', '--at', 'pool1', '--out', 'a-file/parts'],
        /folder .*a-file\/parts: cannot be written/,
      ],
      [
        'a folder in the place of a part',
        ['cut', 'tiny.onnx', '--at', 'pool1', '--out', 'taken'],
        /tail\.onnx: cannot be written, it is a folder/,
      ],
    ];
    for (const [what, words, message] of refused)
      it(`${what} is refused in one clear line with exit code 2`, async () => {
        refusedInOneLine(await splitlane(words, home.path), message);
        assert.ok(!existsSync(at('must-not-be')), 'nothing is left');
      });

    it('a folder that could not take both parts is as it was', () => {
      assert.deepEqual(readdirSync(at('taken')).sort(), ['head.onnx', 'tail.onnx']);
      assert.equal(readFileSync(at('taken/head.onnx'), 'utf8'), 'mine');
      const caches = readdirSync(path.join(home.path, 'splitlane'));
      assert.deepEqual(
        caches.filter((name) => name.includes('partial')),
        [],
      );
    });
  });

  it('the distance of two names is the least number of letters to change', () => {
    assert.equal(editDistance('kitten', 'sitting'), 3);
    assert.equal(editDistance('', 'abc'), 3);
    assert.equal(editDistance('pool', 'pool'), 0);
  });
});
