import { Command } from 'commander';

export function vehicleCommand(version: string): Command {
  return new Command('vehicle')
    .description('run a vehicle node until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON')
    .addHelpText('after', '\nExample:\n  splitlane vehicle --config vehicle-1.json')
    .action(async ({ config: file }: { config: string }) => {
      const { systemClock } = await import('@splitlane/clock');
      const { VehicleConfig, VehicleNode } = await import('@splitlane/vehicle-node');
      const { readConfig, runNode } = await import('../run-node.ts');
      const config = readConfig(file, VehicleConfig);
      return runNode((end) => new VehicleNode(config, systemClock, end), version);
    });
}
