import { systemClock } from '@splitlane/clock';
import { VehicleConfig, VehicleNode } from '@splitlane/vehicle-node';
import { Command } from 'commander';
import { readConfig, runNode } from '../run-node.ts';

export function vehicleCommand(version: string): Command {
  return new Command('vehicle')
    .description('run a vehicle node until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON')
    .addHelpText('after', '\nExample:\n  splitlane vehicle --config vehicle-1.json')
    .action(({ config: file }: { config: string }) => {
      const config = readConfig(file, VehicleConfig);
      return runNode((end) => new VehicleNode(config, systemClock, end), version);
    });
}
