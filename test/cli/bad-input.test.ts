import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { writeLine } from '../../libs/dnn/architectures/write-line.ts';
import { onnx } from '../../libs/dnn/onnx.ts';
import { splitlane, temporaryFolder } from '../system/splitlane.ts';
import { TINY } from '../tiny-model.ts';
import { refusedInOneLine } from './refused.ts';

describe('bad input', { timeout: 120_000 }, () => {
  const home = temporaryFolder();
  const at = (name: string): string => path.join(home.path, name);

  before(async () => {
    const save = (name: string, model: object): void =>
      writeFileSync(at(name), onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish());
    const tiny = writeLine(TINY);
    const graph = tiny.graph!;
    save('no-opset.onnx', { ...tiny, opsetImport: [] });
    save('two-outputs.onnx', {
      ...tiny,
      graph: { ...graph, output: [...graph.output!, { name: 'pool2' }] },
    });
    writeFileSync(at('text.onnx'), 'this is no network');
    writeFileSync(at('a-file'), 'a file');
    writeFileSync(at('empty.up'), '\n');
    writeFileSync(at('falls.up'), '0\n20\n10\n');
    writeFileSync(at('text.up'), '0\nsoon\n');
    mkdirSync(at('no-pictures'));
    mkdirSync(at('broken-pictures'));
    writeFileSync(path.join(at('broken-pictures'), 'one.jpg'), 'no picture');
    mkdirSync(at('log-with-something'));
    writeFileSync(path.join(at('log-with-something'), 'note.txt'), 'mine');
    const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
    await picture.jpeg().toFile(at('picture.onnx'));
    writeFileSync(at('tiny.onnx'), onnx.ModelProto.encode(tiny).finish());
    save('odd-card.onnx', tiny);
    writeFileSync(at('odd-card.yaml'), 'sise: [1, 1]\n');
  });
  after(() => {
    home[Symbol.dispose]();
  });

  const refused: readonly (readonly [string, string[], RegExp])[] = [
    ['an unknown command', ['drive'], /unknown command 'drive'/],
    ['an unknown option', ['demo', '--fast'], /unknown option '--fast'/],
    [
      'an unknown policy',
      ['demo', '--policy', 'lo,best'],
      /--policy best: there is no such policy; there are lo, ro/,
    ],
    [
      'an unknown model',
      ['demo', '--model', 'resnet'],
      /model resnet: neither a built-in network \(alexnet, vgg16, .*mobilenet-v2\)/,
    ],
    ['an unknown link', ['demo', '--link', '5g'], /--link 5g: must be cat1, 3g, 4g, wifi, or a rate/],
    ['a rate of 0', ['demo', '--link', '0'], /--link 0: must be .* above 0/],
    ['a negative rate', ['demo', '--link', '-3'], /--link -3: must be .* above 0/],
    ['a rate that is no number', ['demo', '--link', 'NaN'], /--link NaN: must be/],
    ['a recorded link that is empty', ['demo', '--link', at('empty.up')], /empty.up: there is no line in it/],
    [
      'a recorded link whose times fall',
      ['demo', '--link', at('falls.up')],
      /falls.up: line 3 falls from 20 to 10; times must rise/,
    ],
    [
      'a recorded link with text in it',
      ['demo', '--link', at('text.up')],
      /text.up: line 2: 'soon' is no number of 0 or more/,
    ],
    ['a rate of no frames', ['demo', '--fps', '0'], /--fps 0: must be frames a second, above 0/],
    ['a rate of frames that is none', ['demo', '--fps', 'often'], /--fps often: must be frames a second/],
    ['a deadline of 0', ['demo', '--deadline', '0'], /--deadline 0: must be a time in ms, above 0/],
    [
      'streams on a channel',
      ['demo', '--fps', '2', '--channel', '5'],
      /--channel and --fps: steady streams are planned for a link of each vehicle only/,
    ],
    ['a channel of 0', ['demo', '--channel', '0'], /--channel 0: must be .* above 0/],
    ['an edge worker that takes no time', ['demo', '--edge', '0'], /--edge 0: must be a time in ms, above 0/],
    ['a cloud nearer than near', ['demo', '--cloud-rtt', '-1'], /--cloud-rtt -1: must be a time in ms, 0 or/],
    [
      'a channel and a link',
      ['demo', '--channel', '5', '--link', 'wifi'],
      /--channel and --link: vehicles share a channel, or have a link each, or both with --channel 5,own/,
    ],
    ['one of several channels of 0', ['demo', '--channel', '5,0'], /--channel 0: must be .* above 0/],
    [
      'a channel with a gap',
      ['demo', '--channel', '5,,2'],
      /--channel : must be cat1, 3g, 4g, wifi, or a rate/,
    ],
    [
      'channels of which none is shared',
      ['demo', '--channel', 'own,own'],
      /--channel own,own: no channel is named; leave it out where every vehicle has a link of its own/,
    ],
    [
      'an unknown link beside a channel',
      ['demo', '--channel', '5,own', '--link', '5g'],
      /--link 5g: must be cat1, 3g, 4g, wifi, or a rate/,
    ],
    [
      'a policy for a channel without one',
      ['demo', '--policy', 'lo,fair-share'],
      /--policy fair-share: it is for vehicles that share a --channel/,
    ],
    ['no cloud worker', ['demo', '--clouds', '0'], /--clouds 0: must be a whole number from 1 to 16/],
    ['no vehicle', ['demo', '--vehicles', '0'], /--vehicles 0: must be a whole number from 1/],
    ['half a camera', ['demo', '--cameras', '1.5'], /--cameras 1.5: must be a whole number from 1/],
    ['no round', ['demo', '--rounds', '0'], /--rounds 0: must be a whole number from 1/],
    ['a negative round-trip time', ['demo', '--rtt', '-1'], /--rtt -1: must be a time in ms, 0 or more/],
    [
      'a vehicle that takes no time',
      ['demo', '--vehicle-ms', '400,0'],
      /--vehicle-ms 0: must be a time in ms, above 0/,
    ],
    [
      'a power model of two numbers',
      ['demo', '--power', '3,1'],
      /--power 3,1: must be cpu,radio,idle in watts, three numbers of 0 or more/,
    ],
    ['a power model with a gap', ['demo', '--power', '3,,2'], /--power 3,,2: must be cpu,radio,idle/],
    ['a negative power', ['demo', '--power', '-3,1,2'], /--power -3,1,2: must be .* of 0 or more/],
    ['a power that is no number', ['demo', '--power', '3,1,low'], /--power 3,1,low: must be cpu,radio,idle/],
    ['a power without end', ['demo', '--power', '3,Infinity,2'], /--power 3,Infinity,2: must be .* at most/],
    [
      'frames that are to stay on board and to be sent',
      ['demo', '--keep-frames-on-board', '--policy', 'ro-jpeg'],
      /--policy ro-jpeg: it sends frames, which --keep-frames-on-board forbids/,
    ],
    [
      'a folder of frames that is not there',
      ['demo', '--frames', at('nowhere')],
      /--frames .*nowhere: there is no such folder/,
    ],
    [
      'a file as folder of frames',
      ['demo', '--frames', at('a-file')],
      /--frames .*a-file: this is a file, not a folder/,
    ],
    [
      'a folder without pictures',
      ['demo', '--frames', at('no-pictures')],
      /frames .*no-pictures: there is no picture in this folder/,
    ],
    [
      'a folder of broken pictures only',
      ['demo', '--model', at('tiny.onnx'), '--frames', at('broken-pictures')],
      /frames .*broken-pictures: none of its 1 pictures can be read/,
    ],
    ['text as model', ['demo', '--model', at('text.onnx')], /model .*text.onnx: this is not an ONNX file/],
    [
      'a picture as model',
      ['demo', '--model', at('picture.onnx')],
      /model .*picture.onnx: this is not an ONNX file/,
    ],
    [
      'a folder as model',
      ['demo', '--model', at('no-pictures')],
      /model .*no-pictures: cannot be read \(EISDIR\)/,
    ],
    [
      'a model without operator set',
      ['demo', '--model', at('no-opset.onnx')],
      /model .*no-opset.onnx: it names no operator set/,
    ],
    [
      'a model with two outputs',
      ['demo', '--model', at('two-outputs.onnx')],
      /model .*two-outputs.onnx: it has 2 outputs \(fc4, pool2\); nodes run networks with one of each/,
    ],
    ['a card with a wrong key', ['demo', '--model', at('odd-card.onnx')], /odd-card.yaml: .*sise/],
    [
      'a log folder with something in it',
      ['demo', '--log', at('log-with-something')],
      /--log .*: the folder is not empty/,
    ],
    ['a file as log folder', ['demo', '--log', at('a-file')], /--log .*a-file: this is a file, not a folder/],
    [
      'a log folder where none can be',
      ['demo', '--model', at('tiny.onnx'), '--log', '/proc/splitlane'],
      /--log \/proc\/splitlane: cannot be written/,
    ],
  ];
  for (const [what, words, message] of refused)
    it(`${what} is refused in one clear line with exit code 2`, async () => {
      const log = at('must-not-be');
      const named = words[0] === 'demo' && !words.includes('--log') ? [...words, '--log', log] : words;
      refusedInOneLine(await splitlane(named, home.path), message);
      assert.ok(!existsSync(log), 'no log is begun');
    });

  it('help is no error', async () => {
    for (const words of [
      ['--help'],
      ['demo', '--help'],
      ['cuts', '--help'],
      ['cut', '--help'],
      ['vehicle', '--help'],
      ['rsu', '--help'],
      ['cloud', '--help'],
    ]) {
      const { code, stdout } = await splitlane(words, home.path);
      assert.equal(code, 0);
      assert.match(stdout, /Usage: splitlane/);
    }
    const { stdout } = await splitlane(['demo', '--help'], home.path);
    const options = [
      '--vehicles',
      '--cameras',
      '--rounds',
      '--model',
      '--frames',
      '--link',
      '--rtt',
      '--vehicle-ms',
      '--power',
    ];
    for (const option of [...options, '--policy', '--log', '--save-frames', '--json', '--keep-running'])
      assert.ok(stdout.includes(option));
  });
});
