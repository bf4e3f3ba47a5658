import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeLine } from '../../../libs/dnn/architectures/write-line.ts';
import { findLine, type Line } from '../../../libs/dnn/line.ts';
import { onnx } from '../../../libs/dnn/onnx.ts';
import { TINY } from '../../tiny-model.ts';
import { int64, isModelError, type Loose } from './models.ts';

const FILE = 'some/model.onnx';

/** The line of the tiny network, changed as told. */
function line(change: (graph: Loose) => void = () => {}): Line {
  const model: Loose = writeLine(TINY);
  change(model.graph);
  const bytes = onnx.ModelProto.encode(model).finish();
  return findLine((onnx.ModelProto.decode(bytes) as Loose).graph, FILE);
}

const PLACES = [
  ...['input', 'conv1/linear', 'conv1', 'pool1', 'conv2/linear', 'conv2', 'pool2'],
  ...['fc3/flat', 'fc3/linear', 'fc3', 'fc4'],
];
const names = (found: Line): string[] => found.places.map(({ tensor }) => tensor);

function refused(change: (graph: Loose) => void, message: RegExp): void {
  assert.throws(
    () => line(change),
    (error) => {
      isModelError(error, FILE, message);
      return isModelError(
        error,
        FILE,
        /only line networks, one chain from input to output, are supported yet$/,
      );
    },
  );
}

const indexOf = (graph: Loose, name: string): number =>
  graph.node.findIndex((node: Loose) => node.output.includes(name));
const inFrontOf = (graph: Loose, name: string, ...nodes: object[]): void => {
  graph.node.splice(indexOf(graph, name), 0, ...nodes);
};

test('The line leads from the input to the output, an operator a place.', () => {
  const found = line();
  assert.deepEqual(names(found), PLACES);
  assert.deepEqual(
    found.places.slice(1).map(({ node }) => node!.opType),
    ['Conv', 'Relu', 'MaxPool', 'Conv', 'Relu', 'MaxPool', 'Flatten', 'Gemm', 'Relu', 'Gemm'],
  );
  assert.equal(found.places[0]!.node, undefined);
  assert.deepEqual(found.constants, []);
});

test('Weights that are listed among the inputs are no inputs.', () => {
  const found = line((graph) => {
    graph.input.push(...graph.initializer.map((tensor: Loose) => ({ name: tensor.name })));
  });
  assert.deepEqual(names(found), PLACES);
});

test('Operators that depend on weights only are set apart, in the file’s order.', () => {
  const found = line((graph) => {
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

test('A weight that is stored sparsely is a weight.', () => {
  const found = line((graph) => {
    const place = graph.initializer.findIndex((tensor: Loose) => tensor.name === 'fc4.bias');
    const [values] = graph.initializer.splice(place, 1);
    graph.sparseInitializer = [{ values, indices: int64('', [0]), dims: [10] }];
  });
  assert.deepEqual(names(found), PLACES);
});

test('An output that nobody uses, such as a mask, does not make a branch.', () => {
  const found = line((graph) => {
    const [gemm] = graph.node.slice(-1);
    gemm.input[0] = 'dropped';
    inFrontOf(graph, 'fc4', { opType: 'Dropout', name: 'drop', input: ['fc3'], output: ['dropped', 'mask'] });
  });
  assert.deepEqual(names(found), [...PLACES.slice(0, -1), 'dropped', 'fc4']);
});

test('An operator that takes the same tensor twice is on the line.', () => {
  const found = line((graph) => {
    graph.node.at(-1).input[0] = 'doubled';
    inFrontOf(graph, 'fc4', { opType: 'Add', name: 'double', input: ['fc3', 'fc3'], output: ['doubled'] });
  });
  assert.equal(names(found).at(-2), 'doubled');
});

test('A network with two inputs or two outputs is refused, and they are named.', () => {
  refused((graph) => graph.input.push({ name: 'mask' }), /it has 2 inputs \(input, mask\)/);
  refused((graph) => graph.output.push({ name: 'pool2' }), /it has 2 outputs \(fc4, pool2\)/);
  refused((graph) => graph.input.splice(0), /it has 0 inputs/);
  refused((graph) => graph.output.splice(0), /it has 0 outputs/);
});

test('A residual connection is a DAG: the operator that joins is named with both tensors.', () => {
  refused((graph) => {
    graph.node[indexOf(graph, 'pool2')].input[0] = 'sum';
    inFrontOf(graph, 'pool2', {
      opType: 'Add',
      name: 'residual',
      input: ['conv2', 'pool1'],
      output: ['sum'],
    });
  }, /it is a DAG: Add \(residual\) joins conv2 and pool1/);
});

test('A branch is a DAG: the tensor that feeds several operators is named with them.', () => {
  refused((graph) => {
    graph.node.push({ opType: 'Sigmoid', name: 'gate', input: ['pool1'], output: ['gated'] });
  }, /it is a DAG: tensor pool1 feeds Conv and Sigmoid/);
});

test('An operator with two outputs that are both used is a DAG.', () => {
  refused((graph) => {
    graph.node[indexOf(graph, 'fc3/flat')].input[0] = 'left';
    inFrontOf(graph, 'fc3/flat', {
      opType: 'Split',
      name: 'halves',
      input: ['pool2'],
      output: ['left', 'right'],
    });
    graph.node.push({ opType: 'Relu', name: 'other', input: ['right'], output: ['lost'] });
  }, /it is a DAG: Split has outputs left and right/);
});

test('An output from the middle of the network is a DAG.', () => {
  refused((graph) => {
    graph.output[0].name = 'fc3';
  }, /it is a DAG: tensor fc3 feeds Gemm/);
});

test('An operator that holds a graph of its own is refused by its name.', () => {
  for (const attribute of [{ g: { name: 'then' } }, { graphs: [{ name: 'then' }] }])
    refused((graph) => {
      graph.node[3].attribute.push({ name: 'body', ...attribute });
      graph.node[3].opType = 'If';
    }, /operator If \(conv2\/conv\) holds a graph of its own/);
});

test('An output that the input does not lead to is refused.', () => {
  refused((graph) => {
    graph.output[0].name = 'nowhere';
  }, /its output nowhere is not reached from its input input/);
  refused((graph) => graph.node.pop(), /its output fc4 is not reached from its input input/);
});

test('Operators in a circle are refused, and do not keep the reader going for ever.', () => {
  refused((graph) => {
    graph.node[1].output[0] = 'conv1/linear';
  }, /stands in a circle|is not reached|feeds/);
});
