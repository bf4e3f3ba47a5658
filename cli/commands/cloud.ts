import { Command } from 'commander';

export function cloudCommand(version: string): Command {
  return new Command('cloud')
    .description('run a cloud worker until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON')
    .addHelpText('after', '\nExample:\n  splitlane cloud --config cloud-1.json')
    .action(async ({ config: file }: { config: string }) => {
      const { systemClock } = await import('@splitlane/clock');
      const { CloudConfig, CloudWorker } = await import('@splitlane/cloud');
      const { readConfig, runNode } = await import('../run-node.ts');
      const config = readConfig(file, CloudConfig);
      return runNode((end) => new CloudWorker(config, systemClock, end), version);
    });
}
