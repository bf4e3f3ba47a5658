import { systemClock } from '@splitlane/clock';
import { RoadsideUnit, RoadsideUnitConfig } from '@splitlane/roadside-unit';
import { Command } from 'commander';
import { readConfig, runNode, tellParent } from '../run-node.ts';

export function rsuCommand(version: string): Command {
  return new Command('rsu')
    .description('run a roadside unit until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON')
    .addHelpText('after', '\nExample:\n  splitlane rsu --config rsu.json')
    .action(({ config: file }: { config: string }) => {
      const config = readConfig(file, RoadsideUnitConfig);
      const onProgress = (progress: unknown): void => void tellParent({ kind: 'progress', progress });
      return runNode((onEnd) => new RoadsideUnit(config, systemClock, { onEnd, onProgress }), version);
    });
}
