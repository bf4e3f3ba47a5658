import { Command } from 'commander';

export function rsuCommand(version: string): Command {
  return new Command('rsu')
    .description('run a roadside unit until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON')
    .addHelpText('after', '\nExample:\n  splitlane rsu --config rsu.json')
    .action(async ({ config: file }: { config: string }) => {
      const { systemClock } = await import('@splitlane/clock');
      const { EdgeUnit, EdgeUnitConfig } = await import('../edge.ts');
      const { readConfig, runNode, tellParent } = await import('../run-node.ts');
      const config = readConfig(file, EdgeUnitConfig);
      const onProgress = (progress: unknown): void => void tellParent({ kind: 'progress', progress });
      return runNode((onEnd) => new EdgeUnit(config, systemClock, { onEnd, onProgress }), version);
    });
}
