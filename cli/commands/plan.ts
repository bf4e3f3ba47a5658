import type { Plan } from '@splitlane/sched';
import { Command } from 'commander';
import type { Planning, PlanWords } from '../plan/planning.ts';

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
    .option('--fps <n>', 'steady streams: frames of each camera a second, instead of one frame each')
    .option('--deadline <ms>', 'with --fps: from the start of a frame to its result')
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
  splitlane plan --cuts cuts.csv --cameras 4 --link wifi --fps 2 --deadline 900
  splitlane plan --cuts codecs.csv --cameras 6 --link 4g --max-loss 0.01 --power 10,2,5`,
    )
    .action(async (words: PlanWords) => {
      const shown = await (words.fps === undefined ? oneRound(words) : streams({ ...words, fps: words.fps }));
      if (words.svg !== undefined) {
        const { ganttSvg } = await import('../plan/gantt-chart.ts');
        const { cutName } = await import('../plan/report.ts');
        const { writeResult } = await import('../result-file.ts');
        const { cuts, chosen, schedule } = shown.planning;
        const nameOf = (place: number): string => cutName(cuts[chosen.jobCuts[schedule[place]!.job]!]!);
        writeResult('--svg', words.svg, ganttSvg(schedule, shown.title, nameOf));
      }
      process.stdout.write(words.json ? `${JSON.stringify(shown.json(), null, 2)}\n` : shown.text());
    });
}

interface Shown {
  readonly planning: Pick<Planning, 'cuts' | 'schedule'> & { readonly chosen: Pick<Plan, 'jobCuts'> };
  readonly title: string;
  readonly text: () => string;
  readonly json: () => object;
}

async function oneRound(words: PlanWords): Promise<Shown> {
  const { makePlanning } = await import('../plan/planning.ts');
  const { planJson, planText } = await import('../plan/report.ts');
  const planning = makePlanning(words);
  const { chosen } = planning;
  return {
    planning,
    title: `${chosen.policy}: ${Number(chosen.makespanMs.toFixed(2))} ms`,
    text: () => planText(planning),
    json: () => planJson(planning),
  };
}

async function streams(words: PlanWords & { readonly fps: string }): Promise<Shown> {
  const { makeStreamPlanning } = await import('../plan/streams.ts');
  const { streamJson, streamText, streamTitle } = await import('../plan/stream-report.ts');
  const planning = makeStreamPlanning(words);
  return {
    planning,
    title: streamTitle(planning),
    text: () => streamText(planning),
    json: () => streamJson(planning),
  };
}
