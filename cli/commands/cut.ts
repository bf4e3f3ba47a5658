import { Command } from 'commander';
import { UsageError } from '../exit-codes.ts';

interface CutWords {
  readonly at: string;
  readonly out: string;
}

export function cutCommand(): Command {
  return new Command('cut')
    .description('cut a model in two: head.onnx and tail.onnx, for any other tool')
    .argument('<model>', 'a built-in network, or an ONNX file')
    .requiredOption('--at <tensors>', "the tensor to cut at, or several with commas (see 'splitlane cuts')")
    .requiredOption('--out <dir>', 'the folder for head.onnx and tail.onnx')
    .addHelpText(
      'after',
      `
Examples:
  splitlane cut alexnet --at pool2 --out parts
  splitlane cut net.onnx --at left,right --out parts`,
    )
    .action(async (model: string, { at, out }: CutWords) => {
      const { cutInTwo } = await import('@splitlane/dnn');
      const { ProgressLine } = await import('../progress.ts');
      const { cutInTwoText } = await import('../cuts/cut-list.ts');
      const progress = new ProgressLine();
      // ONNX Runtime aborts where it is interrupted: the work ends at its next step and takes its files away.
      const interrupt = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
      try {
        const done = await cutInTwo(model, at, out, {
          onProgress: (what, fraction) => {
            if (interrupt.signal.aborted) throw new UsageError('stopped before the end; nothing was written');
            progress.show(`preparing the model: ${what}`, fraction);
          },
        });
        progress.clear();
        process.stdout.write(cutInTwoText(done));
      } finally {
        progress.clear();
      }
    });
}
