import { Command } from 'commander';

interface CutsWords {
  readonly json?: true;
  readonly maxTensors: string;
}

export function cutsCommand(): Command {
  return new Command('cuts')
    .description('list where a model can be cut')
    .argument('<model>', 'a built-in network, or an ONNX file')
    .option('--max-tensors <n>', 'cuts of up to so many tensors, where no single one parts the network', '1')
    .option('--json', 'the list as one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  splitlane cuts alexnet
  splitlane cuts net.onnx --max-tensors 3 --json`,
    )
    .action(async (model: string, words: CutsWords) => {
      const { listCuts } = await import('@splitlane/dnn');
      const { whole } = await import('../options.ts');
      const { ProgressLine } = await import('../progress.ts');
      const { cutListText } = await import('../cuts/cut-list.ts');
      const maxTensors = whole('--max-tensors', words.maxTensors, 16);
      const progress = new ProgressLine();
      try {
        const list = await listCuts(model, maxTensors, {
          onProgress: (what, fraction) => progress.show(`preparing the model: ${what}`, fraction),
        });
        progress.clear();
        process.stdout.write(words.json ? `${JSON.stringify(list, null, 2)}\n` : cutListText(list));
      } finally {
        progress.clear();
      }
    });
}
