import { Command } from 'commander';
import { USER_FAULT, UsageError } from '../exit-codes.ts';
import type { ProfileWords } from '../profile/profiling.ts';

export function profileCommand(): Command {
  return new Command('profile')
    .description(
      'measure a model on this machine: what each cut costs, in which codec, and which operators take the time',
    )
    .argument('<model>', 'a built-in network, or an ONNX file')
    .option('--threads <n>', 'threads of each operator (default: 1)')
    .option(
      '--like <file>',
      'times as on the machine of a profile, predicted from it: what profile --json printed there, of any model',
    )
    .option('--vehicle-ms <t>', 'heads as on a vehicle that takes this time for the whole model')
    .option('--link <rate>', 'uplink: cat1, 3g, 4g, wifi, or a rate in Mbit/s', 'wifi')
    .option(
      '--codecs <names>',
      'codecs that tensors are sent in: float32, float16, uint8, uint8-channel, each with -zstd or not, and at ' +
        'the input raw-uint8 and jpeg (default: all)',
    )
    .option('--calibrate <dir>', 'pictures that codecs are measured on (default: a drawn road)')
    .option('--fresh', 'measure again what has been measured here before')
    .option('--out <file>', 'the cuts in each codec as CSV, which splitlane plan --cuts reads')
    .option('--svg <file>', 'the curves of head and uplink as SVG')
    .option('--json', 'the result as one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  splitlane profile alexnet
  splitlane profile my-network.onnx --vehicle-ms 400 --link 4g --svg curves.svg
  splitlane profile my-network.onnx --codecs uint8,uint8-zstd,jpeg --calibrate my-pictures
  splitlane profile vgg16 --like pi.json      # pi.json: splitlane profile alexnet --json, on the other machine
  splitlane profile alexnet --vehicle-ms 400 --out cuts.csv && splitlane plan --cuts cuts.csv --cameras 4 --link wifi`,
    )
    .action(async (model: string, words: ProfileWords) => {
      const { curvesSvg } = await import('../profile/curves-svg.ts');
      const { cutCsv } = await import('../profile/cut-csv.ts');
      const { makeProfiling, parseProfile } = await import('../profile/profiling.ts');
      const { profileJson, profileText } = await import('../profile/report.ts');
      const { checkTarget, writeResult } = await import('../result-file.ts');
      const options = parseProfile(words);
      // Better now than after a minute of measuring.
      if (words.out !== undefined) checkTarget('--out', words.out);
      if (words.svg !== undefined) checkTarget('--svg', words.svg);
      const interrupt = new AbortController();
      const onSignal = (): void => {
        if (interrupt.signal.aborted) process.exit(USER_FAULT);
        interrupt.abort(new UsageError('stopped before the end; nothing was written'));
      };
      const profiling = await makeProfiling(model, options, interrupt.signal, (begun) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const)
          if (begun) process.on(signal, onSignal);
          else process.off(signal, onSignal);
      });
      if (words.out !== undefined) writeResult('--out', words.out, cutCsv(profiling));
      if (words.svg !== undefined) writeResult('--svg', words.svg, curvesSvg(profiling));
      process.stdout.write(
        words.json ? `${JSON.stringify(profileJson(profiling), null, 2)}\n` : profileText(profiling),
      );
    });
}
