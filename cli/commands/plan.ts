import { Command } from 'commander';
import type { PlanWords } from '../plan/planning.ts';

export function planCommand(): Command {
  return new Command('plan')
    .description('plan on a table of measured cuts, without any node, and compare the policies')
    .requiredOption(
      '--cuts <file>',
      'the table, CSV or JSON: cut, headMs, bytes, tailMs, codec, loss, headJ, local',
    )
    .requiredOption('--cameras <n>', 'cameras, a frame each')
    .requiredOption('--link <rate>', 'uplink: cat1, 3g, 4g, wifi, or a rate in Mbit/s')
    .option('--rtt <ms>', 'round-trip time of the link')
    .option('--policy <names>', 'policies, separated by commas (default: all)')
    .option('--keep-frames-on-board', "without the first cut, the network's input")
    .option('--max-loss <x>', 'the greatest mean loss of the frames (default: 0)')
    .option('--power <watts>', "the vehicle's power model: cpu,radio,idle")
    .option(
      '--max-energy <J>',
      'the most energy of all frames together; needs --power, or headJ of every cut',
    )
    .option('--json', 'the result as one JSON object on stdout')
    .option('--svg <file>', 'the chart of the chosen plan as SVG')
    .addHelpText(
      'after',
      `
Examples:
  splitlane plan --cuts cuts.csv --cameras 4 --link wifi
  splitlane plan --cuts cuts.json --cameras 6 --link 20 --rtt 10 --policy jps,exact --svg plan.svg
  splitlane plan --cuts codecs.csv --cameras 6 --link 4g --max-loss 0.01 --power 10,2,5`,
    )
    .action(async (words: PlanWords) => {
      const { ganttSvg } = await import('../plan/gantt-chart.ts');
      const { makePlanning } = await import('../plan/planning.ts');
      const { cutName, planJson, planText } = await import('../plan/report.ts');
      const planning = makePlanning(words);
      if (words.svg !== undefined) {
        const { cuts, chosen, schedule } = planning;
        const title = `${chosen.policy}: ${Number(chosen.makespanMs.toFixed(2))} ms`;
        const { writeResult } = await import('../result-file.ts');
        writeResult(
          '--svg',
          words.svg,
          ganttSvg(schedule, title, (place) => cutName(cuts[chosen.jobCuts[schedule[place]!.job]!]!)),
        );
      }
      process.stdout.write(
        words.json ? `${JSON.stringify(planJson(planning), null, 2)}\n` : planText(planning),
      );
    });
}
