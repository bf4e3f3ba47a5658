import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeLine } from '../../../libs/dnn/architectures/write-line.ts';
import { findCuts } from '../../../libs/dnn/find-cuts.ts';
import { boundaryOf, findNetwork, headOf, type Network } from '../../../libs/dnn/network.ts';
import { inputsOf, onnx } from '../../../libs/dnn/onnx.ts';
import { TINY } from '../../tiny-model.ts';
import { int64, isModelError, type Loose } from './models.ts';

const FILE = 'some/model.onnx';

function networkOf(graph: Loose): Network {
  const bytes = onnx.GraphProto.encode(onnx.GraphProto.create(graph)).finish();
  return findNetwork(onnx.GraphProto.decode(bytes) as Loose, FILE);
}

/** The tiny line network, changed as told. */
function tiny(change: (graph: Loose) => void = () => {}): Network {
  const model: Loose = writeLine(TINY);
  change(model.graph);
  return networkOf(model.graph);
}

/** A network written as `output: Operator(input, …)`; several outputs are parted by blanks. */
function written(lines: readonly string[], inputs: readonly string[], outputs: readonly string[]): Network {
  const node = lines.map((line) => {
    const [, made, opType, taken] = /^(.+): (\w+)\((.*)\)$/.exec(line)!;
    return { name: made, opType, input: taken!.split(', ').filter(Boolean), output: made!.split(' ') };
  });
  const named = (names: readonly string[]) => names.map((name) => ({ name }));
  return networkOf({ name: 'g', node, input: named(inputs), output: named(outputs) });
}

function refused(change: (graph: Loose) => void, message: RegExp): void {
  assert.throws(
    () => tiny(change),
    (error) => isModelError(error, FILE, message),
  );
}

const PLACES = [
  ...['input', 'conv1/linear', 'conv1', 'pool1', 'conv2/linear', 'conv2', 'pool2'],
  ...['fc3/flat', 'fc3/linear', 'fc3', 'fc4'],
];
const names = ({ places }: Network): string[] => places.map(({ tensors }) => tensors.join(','));
const indexOf = (graph: Loose, name: string): number =>
  graph.node.findIndex((node: Loose) => node.output.includes(name));
const inFrontOf = (graph: Loose, name: string, ...nodes: object[]): void => {
  graph.node.splice(indexOf(graph, name), 0, ...nodes);
};

const RESIDUAL = ['a: Conv(x)', 'b: Relu(a)', 'c: Conv(b)', 's: Add(c, a)', 'r: Relu(s)', 'y: Gemm(r)'];

test('The outer line of a line leads from its input to its output, an operator a place.', () => {
  const found = tiny();
  assert.equal(found.kind, 'line');
  assert.deepEqual(names(found), PLACES);
  assert.deepEqual(
    found.places.map(({ nodes }) => nodes.map(({ opType }) => opType).join()),
    ['', 'Conv', 'Relu', 'MaxPool', 'Conv', 'Relu', 'MaxPool', 'Flatten', 'Gemm', 'Relu', 'Gemm'],
  );
  assert.deepEqual(found.constants, []);
});

test('Weights that are listed among the inputs, or stored sparsely, are no inputs.', () => {
  const listed = tiny((graph) => {
    graph.input.push(...graph.initializer.map((tensor: Loose) => ({ name: tensor.name })));
  });
  assert.deepEqual(names(listed), PLACES);
  const sparse = tiny((graph) => {
    const place = graph.initializer.findIndex((tensor: Loose) => tensor.name === 'fc4.bias');
    const [values] = graph.initializer.splice(place, 1);
    graph.sparseInitializer = [{ values, indices: int64('', [0]), dims: [10] }];
  });
  assert.deepEqual(names(sparse), PLACES);
});

test('Operators that depend on weights only are set apart, in the file’s order.', () => {
  const found = tiny((graph) => {
    graph.initializer.push(int64('shape', [64, 512]));
    graph.initializer.find((tensor: Loose) => tensor.name === 'fc3.weight').name = 'fc3.flat';
    inFrontOf(
      graph,
      'fc3/linear',
      { opType: 'Identity', name: 'same', input: ['fc3.flat'], output: ['fc3.same'] },
      { opType: 'Reshape', name: 'reshape', input: ['fc3.same', 'shape'], output: ['fc3.weight'] },
    );
  });
  assert.deepEqual(names(found), PLACES);
  assert.deepEqual(
    found.constants.map(({ name }) => name),
    ['same', 'reshape'],
  );
});

test('What leads to no output is left out: dead operators, masks, inputs.', () => {
  const found = tiny((graph) => {
    graph.node.at(-1).input[0] = 'dropped';
    inFrontOf(graph, 'fc4', { opType: 'Dropout', name: 'drop', input: ['fc3'], output: ['dropped', 'mask'] });
    graph.node.push({ opType: 'Sigmoid', name: 'gate', input: ['pool1'], output: ['gated'] });
    graph.node.push({ opType: 'Relu', name: 'seen', input: ['mask'], output: ['nobody'] });
    graph.input.push({ name: 'unused' });
  });
  assert.equal(found.kind, 'line');
  assert.deepEqual(names(found), [...PLACES.slice(0, -1), 'dropped', 'fc4']);
});

test('An operator that takes the same tensor twice, or leaves an optional input out, is on the line.', () => {
  assert.equal(written(['a: Add(x, x)', 'y: Relu(a)'], ['x'], ['y']).kind, 'line');
  const clip = tiny((graph) => {
    graph.node.at(-1).input[0] = 'clipped';
    inFrontOf(graph, 'fc4', { opType: 'Clip', name: 'clip', input: ['fc3', '', ''], output: ['clipped'] });
  });
  assert.equal(clip.kind, 'line');
});

test('A block between two articulation tensors is one step of the outer line.', () => {
  const found = written(RESIDUAL, ['x'], ['y']);
  assert.equal(found.kind, 'dag');
  assert.deepEqual(names(found), ['x', 'a', 's', 'r', 'y']);
  assert.deepEqual(
    found.places[2]!.nodes.map(({ name }) => name),
    ['b', 'c', 's'],
  );
});

test('Branches that are joined, halves of a split, and skips over several blocks are blocks.', () => {
  const inception = [
    'a: Conv(x)',
    'l: Conv(a)',
    'm: Conv(a)',
    'n: MaxPool(a)',
    'j: Concat(l, m, n)',
    'y: Gemm(j)',
  ];
  assert.deepEqual(names(written(inception, ['x'], ['y'])), ['x', 'a', 'j', 'y']);
  const split = ['a: Conv(x)', 'l m: Split(a)', 'r: Relu(l)', 'j: Concat(r, m)', 'y: Gemm(j)'];
  assert.deepEqual(names(written(split, ['x'], ['y'])), ['x', 'a', 'j', 'y']);
  const dense = [
    'a: Conv(x)',
    'b: Conv(a)',
    'c: Concat(a, b)',
    'd: Conv(c)',
    'e: Concat(a, d)',
    'y: Gemm(e)',
  ];
  assert.deepEqual(names(written(dense, ['x'], ['y'])), ['x', 'a', 'e', 'y']);
});

test('The kinds are told apart: multi-path, tree, and dag.', () => {
  const branches = ['a: Conv(x)', 'b: Relu(a)', 'c: Conv(x)', 'j: Add(b, c)'];
  assert.equal(written(branches, ['x'], ['j']).kind, 'multi-path');
  assert.equal(written([...branches, 'y: Softmax(j)'], ['x'], ['y']).kind, 'multi-path');
  assert.equal(written([...branches, 'y: Conv(j)'], ['x'], ['y']).kind, 'dag');
  assert.equal(written(['a: Conv(x)', 'b: Conv(z)', 'j: Add(a, b)'], ['x', 'z'], ['j']).kind, 'multi-path');
  const tree = written(['a: Conv(x)', 'b: Relu(a)', 'y: Conv(b)', 'z: Gemm(b)'], ['x'], ['y', 'z']);
  assert.equal(tree.kind, 'tree');
  assert.deepEqual(names(tree), ['x', 'a', 'b', 'y,z']);
  const early = written(['a: Conv(x)', 'b: Relu(a)', 'y: Conv(b)'], ['x'], ['a', 'y']);
  assert.equal(early.kind, 'tree');
  assert.deepEqual(names(early), ['x', 'a', 'a,y']);
  assert.equal(written(RESIDUAL, ['x'], ['y', 'r']).kind, 'dag');
});

test('Nodes in any order are put in one in which they can run.', () => {
  const found = written(RESIDUAL.toReversed(), ['x'], ['y']);
  assert.deepEqual(names(found), ['x', 'a', 's', 'r', 'y']);
});

test('What a graph inside an operator takes from outside is an input of that operator.', () => {
  const found = tiny((graph) => {
    const inner = {
      node: [{ opType: 'Add', name: 'inner', input: ['pool1', 'own'], output: ['sum'] }],
      initializer: [{ name: 'own' }],
      output: [{ name: 'sum' }],
    };
    graph.node[indexOf(graph, 'pool2')].attribute.push({ name: 'then_branch', g: inner });
    graph.node[indexOf(graph, 'pool2')].opType = 'If';
  });
  assert.equal(found.kind, 'dag');
  assert.deepEqual(
    names(found),
    PLACES.filter((name) => !['conv2/linear', 'conv2'].includes(name)),
  );
  assert.deepEqual([...inputsOf(found.places[4]!.nodes.at(-1)!)], ['conv2', 'pool1']);
});

test('A graph without inputs or outputs, or whose output is not reached, is refused.', () => {
  refused((graph) => graph.input.splice(0), /it has no input/);
  refused((graph) => graph.output.splice(0), /it has no output/);
  refused((graph) => {
    graph.output[0].name = 'nowhere';
  }, /its output nowhere is not reached from its input input/);
  refused((graph) => graph.output.push({ name: 'fc3.bias' }), /its output fc3.bias is not reached/);
});

test('An operator that takes what nothing makes, or stands in a circle, is named.', () => {
  refused((graph) => {
    graph.node[1].input[0] = 'lost';
  }, /operator Relu \(conv1\/relu\) takes lost, which nothing makes/);
  refused((graph) => {
    graph.node[0].input[0] = 'fc4';
  }, /operator Conv \(conv1\/conv\) stands in a circle/);
});

/** Random networks: each operator takes one or two of the tensors before it; the last ones are the outputs. */
const random = fc
  .record({
    takes: fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 9 }),
    near: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ takes, near }) => {
    const lines: string[] = [];
    const unused = new Set(['x']);
    takes.forEach((pair, index) => {
      const known = ['x', ...lines.map((_, i) => `t${i}`)].slice(-near);
      const taken = [...new Set(pair.map((each) => known[each % known.length]!))];
      for (const name of taken) unused.delete(name);
      lines.push(`t${index}: Op(${taken.join(', ')})`);
      unused.add(`t${index}`);
    });
    return written(
      lines,
      ['x'],
      [...unused].filter((name) => name !== 'x'),
    );
  });

/** Whether an output is reached from the input without a tensor, by search. */
function goesAround(network: Network, avoided: string): boolean {
  const reached = new Set(network.inputs.filter((name) => name !== avoided));
  for (const node of network.nodes)
    if ([...inputsOf(node)].some((name) => reached.has(name)))
      for (const name of node.output) if (name !== avoided) reached.add(name);
  return network.outputs.some((name) => reached.has(name));
}

test('The places of the outer line are the tensors that no path goes around, whatever the network.', () => {
  fc.assert(
    fc.property(random, (network) => {
      const all = [...network.inputs, ...network.producer.keys()];
      const onEveryPath = all.filter((name) => !goesAround(network, name));
      const ends = network.outputs.length > 1 ? [network.outputs.join(',')] : [];
      // An articulation tensor that is an output too leaves the network before its end.
      const inner = onEveryPath.filter(
        (name) => network.outputs.length === 1 || !network.outputs.includes(name),
      );
      assert.deepEqual(
        names(network)
          .filter((name) => !network.outputs.includes(name) || ends.length === 0)
          .sort(),
        [...inner, ...ends].sort(),
      );
      assert.equal(
        network.places.reduce((sum, { nodes }) => sum + nodes.length, 0),
        network.nodes.length,
      );
    }),
    { numRuns: 500 },
  );
});

test('The cuts of several tensors are all the heads that are closed downwards, each once.', () => {
  fc.assert(
    fc.property(random, fc.integer({ min: 2, max: 4 }), (network, most) => {
      const count = network.nodes.length;
      const expected = new Set<string>();
      for (let bits = 1; bits < 2 ** count - 1; bits++) {
        const head = network.nodes.flatMap((_, index) => ((bits >> index) & 1 ? [index] : []));
        const closed = head.every((index) =>
          [...inputsOf(network.nodes[index]!)].every((name) => {
            const maker = network.producer.get(name);
            return maker === undefined || head.includes(maker);
          }),
        );
        const boundary = boundaryOf(network, head);
        if (closed && boundary.length > 1 && boundary.length <= most)
          expected.add(boundary.toSorted().join());
      }
      const { cuts, complete } = findCuts(network, most);
      const found = cuts.map(({ tensors }) => tensors.toSorted().join());
      assert.ok(complete);
      assert.deepEqual(found.toSorted(), [...expected].sort());
      for (const { tensors, head } of cuts)
        assert.deepEqual(
          headOf(network, tensors),
          [...head].sort((a, b) => a - b),
        );
    }),
    { numRuns: 300 },
  );
});

test('The search for cuts of several tensors ends where it is told to, and says so.', () => {
  const lines = Array.from({ length: 12 }, (_, i) => `t${i}: Op(x)`);
  lines.push(`y: Concat(${lines.map((_, i) => `t${i}`).join(', ')})`);
  const { complete, cuts } = findCuts(written(lines, ['x'], ['y']), 12, 100);
  assert.equal(complete, false);
  assert.ok(cuts.length < 100);
});
