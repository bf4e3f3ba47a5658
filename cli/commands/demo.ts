import path from 'node:path';
import { RASPBERRY_PI_CLASS } from '@splitlane/field-tests';
import { Command } from 'commander';
import type { DemoWords } from '../demo/options.ts';
import { USER_FAULT } from '../exit-codes.ts';

const { cpuW, radioW, idleW } = RASPBERRY_PI_CLASS;

export function demoCommand(): Command {
  return new Command('demo')
    .description('run a roadside unit, cloud workers and vehicles here, live, and compare the policies')
    .option('--vehicles <n>', 'vehicles, a process each', '2')
    .option('--clouds <n>', 'cloud workers, a process each, that share the tails', '1')
    .option('--cloud-rtt <ms>', 'round-trip time between each cloud worker and the roadside unit', '0')
    .option(
      '--edge [ms]',
      'a worker of the roadside unit itself, beside the cloud workers; with the time that it takes for the whole model',
    )
    .option('--cameras <n>', 'cameras of each vehicle', '4')
    .option(
      '--rounds <n>',
      'measured rounds of each policy; with --fps frames of each camera (default: 10, with --fps 30)',
    )
    .option('--fps <n>', 'steady streams: frames of each camera a second, instead of one round after another')
    .option(
      '--deadline <ms>',
      'from the start of a frame to its answer: who cannot make it any more is dropped',
    )
    .option(
      '--model <model>',
      'alexnet, vgg16, tiny-yolov2, googlenet, resnet18, mobilenet-v2, or an ONNX file',
      'alexnet',
    )
    .option('--frames <dir>', 'pictures instead of the drawn road; sub-folders: one for each vehicle')
    .option(
      '--link <rate>',
      'uplink of each vehicle: cat1, 3g, 4g, wifi, a rate in Mbit/s, or the file of a recorded link (default: wifi)',
    )
    .option(
      '--channel <rate,…>',
      'channels that vehicles share, instead of a link each; several for vehicles in turn, `own` for those with a link of ' +
        'their own, which is --link; rates as for --link',
    )
    .option('--rtt <ms>', 'round-trip time that is added to each link', '0')
    .option('--vehicle-ms <t,…>', 'time that a vehicle takes for the whole model; several in turn', '400')
    .option(
      '--power <cpu,radio,idle>',
      "watts of a vehicle, for its energy: a model, not a measurement; the default is a Raspberry Pi's class",
      `${cpuW},${radioW},${idleW}`,
    )
    .option(
      '--policy <names>',
      'of lo, ro, ro-jpeg, po, jps, jps-mix, exact, fixed, adaptive, uncoordinated, fair-share, separated by ' +
        'commas (default: lo,ro,ro-jpeg,jps,exact; on a recorded link lo,ro-jpeg,fixed,adaptive; on a channel ' +
        'lo,uncoordinated,fair-share,exact)',
    )
    .option(
      '--codecs <names>',
      'what policies choose among: float32, float16, uint8, uint8-channel, each with -zstd or not, and at cut 0 ' +
        'raw-uint8 and jpeg (default: float32; with --max-loss all of them)',
    )
    .option('--max-loss <x>', 'how much of the answer a coded tensor may lose (default: 0)')
    .option('--calibrate <dir>', 'pictures that codecs are measured on (default: the frames of the run)')
    .option('--keep-frames-on-board', 'frames may not leave the vehicle, compressed or not')
    .option('--log <dir>', "the run's own folder, absent or empty (default: a new one in runs/)")
    .option(
      '--save-frames <dir>',
      'a folder, absent or empty, for the frames of the measured rounds, with boxes or classes drawn on them',
    )
    .option('--json', 'the result as one JSON object on stdout')
    .option('--keep-running', 'begin again with the first policy after the last, until Ctrl-C')
    .addHelpText(
      'after',
      `
Examples:
  splitlane demo
  splitlane demo --link 4g --rtt 40 --policy lo,jps
  splitlane demo --vehicles 3 --vehicle-ms 200,400,800 --frames my-pictures --json
  splitlane demo --vehicles 4 --clouds 2
  splitlane demo --fps 2 --deadline 900 --policy lo,jps,exact
  splitlane demo --cloud-rtt 80 --edge 150
  splitlane demo --vehicles 8 --channel 5.4 --vehicle-ms 1000,4000
  splitlane demo --vehicles 6 --channel 5.4,2.7,own --link 4g
  splitlane demo --model tiny-yolov2 --policy lo,exact --save-frames my-boxes`,
    )
    .action(async (words: DemoWords) => {
      const { systemClock } = await import('@splitlane/clock');
      const { parseDemo } = await import('../demo/options.ts');
      const { Interrupted, runDemo } = await import('../demo/run-demo.ts');
      const { summaryTable } = await import('../demo/summary-table.ts');
      const { NodeFailure } = await import('../demo/supervisor.ts');
      const interrupt = new AbortController();
      // A second Ctrl-C does not wait for anybody: the nodes end with the process that started them.
      const onSignal = (): void => (interrupt.signal.aborted ? process.exit(USER_FAULT) : interrupt.abort());
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
      const stamp = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' });
      const folder = stamp.format(systemClock.wallMs()).replaceAll(':', '-').replace(' ', 'T');
      const options = parseDemo(words, path.join('runs', folder));
      try {
        const summary = await runDemo(options, interrupt.signal);
        if (options.json)
          process.stdout.write(`${JSON.stringify({ ...summary, log: options.log }, null, 2)}\n`);
        else process.stdout.write(`${summaryTable(summary)}log: ${options.log}\n`);
        process.exit(0);
      } catch (error) {
        if (!(error instanceof NodeFailure || error instanceof Interrupted)) throw error;
        process.stderr.write(`splitlane: ${error.message}\n`);
        process.exit(error instanceof NodeFailure ? error.exitCode : USER_FAULT);
      }
    });
}
