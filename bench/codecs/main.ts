/**
 * Codecs for tensors at AlexNet's kept cuts: their bytes and what they do to the answer go to docs/results/codecs.md,
 * how long they take to stdout.
 *
 *   npm run bench:codecs
 *   node bench/codecs/main.ts FOLDER     the same for the pictures of a folder; the document goes to stdout
 */
import { writeFileSync } from 'node:fs';
import { measureCut } from './bytes-and-fidelity.ts';
import { clippedLosses } from './clipping.ts';
import { document } from './document.ts';
import { pictures, SegmentedNetwork } from './network.ts';
import { printRuntimeOperators } from './runtime-operators.ts';
import { printSpeed } from './speed.ts';
import { printLevelTimes, zstdLevels } from './zstd-levels.ts';

const UPLINK_BPS = 54e6;

const [folder] = process.argv.slice(2);
const network = await SegmentedNetwork.load('alexnet');
const jpegs = await pictures(folder);
const frames = await Promise.all(jpegs.map((jpeg) => network.frameOf(jpeg)));
const cuts = [];
for (const cut of network.model.segments.keys()) cuts.push(await measureCut(cut, frames, network));
const detector = await SegmentedNetwork.load('tiny-yolov2');
const clips = [
  ...(await clippedLosses(frames, network)),
  ...(await clippedLosses(await Promise.all(jpegs.map((jpeg) => detector.frameOf(jpeg))), detector)),
];
const text = document(cuts, zstdLevels(frames, network), clips, frames.length);
if (folder === undefined) {
  writeFileSync(`${import.meta.dirname}/../../docs/results/codecs.md`, text);
  console.log('docs/results/codecs.md written');
} else console.log(text);

printSpeed(frames[0]!, network, UPLINK_BPS);
printLevelTimes(frames[0]!, network, UPLINK_BPS);
await printRuntimeOperators(frames[0]!, network);
