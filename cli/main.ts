/**
 * `splitlane`: one sub-command per job, each in a thin file of its own. What a job works with takes most of
 * a second to load (ONNX Runtime, the broker, the pictures), so each command imports it in its action.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { cloudCommand } from './commands/cloud.ts';
import { cutCommand } from './commands/cut.ts';
import { cutsCommand } from './commands/cuts.ts';
import { demoCommand } from './commands/demo.ts';
import { planCommand } from './commands/plan.ts';
import { profileCommand } from './commands/profile.ts';
import { rsuCommand } from './commands/rsu.ts';
import { vehicleCommand } from './commands/vehicle.ts';
import { exitCodeOf, USER_FAULT } from './exit-codes.ts';

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('splitlane')
  .description('Cooperative inference for vehicles with many cameras.')
  .version(version)
  .helpCommand(false)
  .addHelpText(
    'after',
    '\nExit codes: 0 done · 1 a failure of ours · 2 bad input, or stopped before the end.',
  );

for (const command of [
  demoCommand(),
  planCommand(),
  profileCommand(),
  cutsCommand(),
  cutCommand(),
  vehicleCommand(version),
  rsuCommand(version),
  cloudCommand(version),
])
  program.addCommand(command);

for (const command of [program, ...program.commands]) {
  command.exitOverride();
  command.configureOutput({ outputError: () => {} });
  command.showSuggestionAfterError();
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exitCode = 0;
  else if (error instanceof CommanderError && error.code === 'commander.help') process.exitCode = USER_FAULT;
  else if (error instanceof CommanderError) {
    process.stderr.write(`splitlane: ${error.message.replace(/^error: /, '').replaceAll('\n', ' ')}\n`);
    process.exitCode = USER_FAULT;
  } else {
    const code = exitCodeOf(error);
    const text = code === USER_FAULT ? (error as Error).message : ((error as Error).stack ?? String(error));
    process.stderr.write(`splitlane: ${text}\n`);
    process.exitCode = code;
  }
}
