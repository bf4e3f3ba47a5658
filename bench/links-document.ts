/** docs/results/links.md: what it is worth to plan for the link as it is. */
import type { LinkResult } from '../field-tests/link-comparison.ts';

export interface ComparedLink {
  readonly name: string;
  /** How long it lasts, and its mean rate. */
  readonly about: string;
  readonly results: readonly LinkResult[];
}

export const HEADER = [
  ...['plans', 'rounds', 'mean, ms', 'median', '95 %', 'longest'],
  ...['local', 'plans made', 'mean ÷ oracle'],
];

const shown = (value: number): string => Math.round(value).toLocaleString('en-US');

/** A row for each policy, under `HEADER`. */
export function rowsOf(results: readonly LinkResult[]): string[][] {
  const oracleMs = results.find(({ policy }) => policy === 'oracle')!.meanMs;
  return results.map(({ policy, rounds, meanMs, medianMs, p95Ms, longestMs, local, plans }) => [
    policy,
    ...[rounds, meanMs, medianMs, p95Ms, longestMs, local, plans].map(shown),
    (meanMs / oracleMs).toFixed(2),
  ]);
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Links that were recorded by others are not part of this project: what was seen on them once, as text. */
const RECORDED = [
  '| link | plans | rounds | mean, ms | 95 % | longest | mean ÷ oracle |',
  '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
  '| an LTE uplink on a drive, 120 s, mean 1.91 Mbit/s | fixed | 77 | 1,463 | 2,738 | 6,206 | 1.29 |',
  '| | adaptive | 80 | 1,329 | 1,623 | 1,623 | 1.17 |',
  '| | oracle | 97 | 1,136 | 1,440 | 1,440 | 1.00 |',
  '| a mobile link in a car, 316 s, mean 1.01 Mbit/s | fixed | 204 | 1,477 | 2,177 | 3,513 | 1.14 |',
  '| | adaptive | 218 | 1,380 | 1,573 | 1,625 | 1.07 |',
  '| | oracle | 233 | 1,292 | 1,410 | 1,440 | 1.00 |',
];

/** On the two recorded links and drawn links 1 to 4: mean and 95th percentile under `adaptive`, in ms. */
const CONSTANTS = [
  '| changed by | transfers that agree | patience | LTE | car | 1 | 2 | 3 | 4 |',
  '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  '| 20 % | 3 | 1 | 1,321 · 1,747 | 1,528 · 1,722 | 1,255 · 1,701 | 1,293 · 1,726 | 1,145 · 1,725 | 1,316 · 1,720 |',
  '| 20 % | 3 | 2 | 1,294 · 1,987 | 1,392 · 1,791 | 1,303 · 2,150 | 1,305 · 2,102 | 1,181 · 2,154 | 1,369 · 2,068 |',
  '| 20 % | 3 | 0.5 | 1,281 · 1,503 | 1,432 · 1,584 | 1,258 · 1,457 | 1,269 · 1,454 | 1,132 · 1,461 | 1,338 · 1,440 |',
  '| 20 % | 3 | 0.25 | 1,368 · 1,440 | 1,390 · 1,440 | 1,333 · 1,440 | 1,340 · 1,440 | 1,209 · 1,440 | 1,364 · 1,440 |',
  '| 20 % | 3 | nobody gives up | 1,478 · 3,007 | 1,396 · 1,824 | 1,464 · 3,319 | 1,352 · 2,218 | 1,323 · 3,198 | 1,571 · 3,717 |',
  '| 10 % | 3 | 1 | 1,264 · 1,723 | 1,382 · 1,700 | 1,277 · 1,797 | 1,258 · 1,771 | 1,133 · 1,767 | 1,322 · 1,783 |',
  '| **10 %** | **3** | **0.5** | 1,274 · 1,606 | 1,380 · 1,574 | 1,238 · 1,646 | 1,261 · 1,618 | 1,135 · 1,536 | 1,303 · 1,632 |',
  '| 10 % | 2 | 0.5 | 1,263 · 1,590 | 1,373 · 1,594 | 1,249 · 1,617 | 1,254 · 1,564 | 1,121 · 1,509 | 1,320 · 1,571 |',
  '| 10 % | 1 | 0.5 | 1,290 · 1,525 | 1,383 · 1,612 | 1,229 · 1,585 | 1,239 · 1,563 | 1,114 · 1,474 | 1,311 · 1,626 |',
];

export function document(links: readonly ComparedLink[]): string {
  return [
    '# Plans on a link that changes',
    '',
    'Made by `npm run bench:links`. A vehicle with 4 cameras that takes 360 ms for AlexNet, round after round, on a link that',
    'is not what it was a second ago. How long until the last result of a round is there?',
    '',
    '- **fixed** is one plan on the mean rate of the whole link. **adaptive** plans on the rate that transfers have had, anew',
    '  where that has changed, and gives up a frame that is late. The **oracle** knows the link: for each round it makes the',
    '  plans for the rates that will hold for an eighth of a second up to eight, and for as long as the round will last, plays',
    '  each on the link as it will be, and takes the one that is done first. It gives up as adaptive does.',
    '- All of it in virtual time, by the very steps that run live (`field-tests/virtual-nodes.ts`): what vehicle, roadside unit',
    '  and cloud worker decide is what they would decide live, every chunk and every message goes through the link in its turn.',
    '- Each plays the link once: what is faster has more rounds. **local** are frames that were to go through the cloud and were',
    '  finished on the vehicle, **plans made** those for the rest of a round too.',
    '- Links are drawn from a seed, 120 s each: a rate that wanders about 2 Mbit/s, fades to a fifth of it for seconds, and is',
    '  gone for four. Head times by share of the multiplications; tensors are sent as float32.',
    '',
    ...links.flatMap(({ name, about, results }) => [
      `## ${name[0]!.toUpperCase()}${name.slice(1)}: ${about}`,
      '',
      line(HEADER),
      line(HEADER.map((_, column) => (column === 0 ? '---' : '---:'))),
      ...rowsOf(results).map(line),
      '',
    ]),
    '## On recorded links',
    '',
    'Tried by hand with `npm run bench:links -- FILE`; the recordings are of others, and not here.',
    '',
    ...RECORDED,
    '',
    'The median of fixed may be shorter than that of adaptive: on the mean rate it sends as if no fade would come, and is right in',
    'most rounds. It pays in the others.',
    '',
    'Live, `splitlane demo` on the LTE uplink, once through, on a machine with much else to do: 77 rounds of fixed have a mean of',
    '1,159 ms and a 95th percentile of 2,337, 84 of adaptive 1,056 and 1,547. Virtual time on the profiles and pauses of the same',
    'runs has the same means within 2 %; its percentiles are 2,125 and 1,453, as rounds that begin elsewhere on the link meet other',
    'fades.',
    '',
    '## The constants, and what they cost',
    '',
    'A plan is made again where so many transfers in a row were faster, or slower, than planned for by this share. Patience is how',
    'long a frame is waited for longer than planned, in parts of what it would take to finish it on the vehicle. Mean · 95th',
    'percentile in ms on the two recorded links and drawn links 1 to 4; the bold line is what is built in. Taken once, when it was',
    'chosen, with a few bytes less for each chunk on the wire: so much is enough to move either by 5 %.',
    '',
    ...CONSTANTS,
    '',
    '- Without giving up, planning anew gains little: a tensor that is under way when the link fades holds up the round.',
    '- A change of 20 % with a patience of 1 is a trap: a transfer that is given up after 1.18 times its planned time is known only',
    '  to be slower than that, which is no change of 20 %, and the same is tried again. On the second recorded link this made',
    '  adaptive slower than fixed.',
    '- The less patience, the shorter the 95th percentile, down to that of all frames on the vehicle (1,440 ms), and the longer the mean.',
    '- More plans (two transfers that agree, or one) are hardly better. That the rest of a running round is planned anew changes the mean by 2 % at',
    '  most: a transfer is confirmed when most heads have begun.',
    '',
  ].join('\n');
}
