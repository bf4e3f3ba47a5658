import { systemClock } from '@splitlane/clock';
import { CloudConfig, CloudWorker } from '@splitlane/cloud';
import { Command } from 'commander';
import { readConfig, runNode } from '../run-node.ts';

export function cloudCommand(version: string): Command {
  return new Command('cloud')
    .description('run a cloud worker until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON')
    .addHelpText('after', '\nExample:\n  splitlane cloud --config cloud-1.json')
    .action(({ config: file }: { config: string }) => {
      const config = readConfig(file, CloudConfig);
      return runNode((end) => new CloudWorker(config, systemClock, end), version);
    });
}
