/** Cuts for people. */
import type { CutInTwo, CutList, ListedCut } from '@splitlane/dnn';
import { type Column, drawTable, printable } from '../table.ts';

const WIDEST_NAME = 40;

function verdict({ kept, changesBits }: ListedCut): string {
  if (kept) return 'kept';
  return changesBits ? 'changes bits' : '';
}

const columns = (cuts: readonly ListedCut[]): readonly Column<ListedCut>[] => [
  {
    header: 'cut',
    cell: ({ tensors }) => tensors.map(printable).join(',\n'),
    left: true,
    width: nameWidth(cuts),
  },
  {
    header: 'shape',
    cell: ({ shapes, types }) =>
      shapes
        .map(
          (dims, index) =>
            `${dims.join(' × ') || 'scalar'}${types[index] === 'float32' ? '' : ` ${types[index]}`}`,
        )
        .join('\n'),
    left: true,
  },
  { header: 'bytes', cell: ({ bytes }) => bytes.toLocaleString('en-US') },
  { header: '', cell: verdict, left: true },
];

/** What kind of network it is, and its cuts as a table, from the input to the output. */
export function cutListText({ file, kind, cuts, complete, widened }: CutList): string {
  const drawn = drawTable(cuts, columns(cuts));
  const lines = [`${printable(file)}: ${kind}, ${counted(cuts)}`];
  if (cuts.some(({ changesBits }) => changesBits))
    lines.push('changes bits: a cut there was tried and changes the output, so it is not kept');
  if (!complete) lines.push('cut off: there are more cuts of several tensors than were looked for and tried');
  if (widened !== undefined) lines.push(widenedText(widened));
  return `${drawn}${lines.join('\n')}\n`;
}

function nameWidth(cuts: readonly ListedCut[]): number {
  const longest = Math.max(
    3,
    ...cuts.flatMap(({ tensors }) => tensors.map((name) => printable(name).length + 1)),
  );
  return Math.min(WIDEST_NAME, longest);
}

function counted(cuts: readonly ListedCut[]): string {
  const kept = cuts.filter((cut) => cut.kept).length;
  return `${cuts.length} cuts, ${kept} of them kept`;
}

function widenedText(widened: { readonly max: number } | null): string {
  return widened === null
    ? 'float16: cut in float32; the runtime does not run it in float16'
    : `float16: cut in float32; its own output is at most ${amount(widened.max)} from that`;
}

/** What was written, and whether its output is the whole network's. */
export function cutInTwoText({ head, tail, difference, widened }: CutInTwo): string {
  const { identical, max, share } = difference;
  const lines = [
    head,
    tail,
    identical
      ? 'head and tail give the output of the whole network, bit for bit'
      : `head and tail differ from the whole network: ${(100 * share).toPrecision(3)} % of the outputs, by at most ${amount(max)}`,
  ];
  if (widened !== undefined) lines.push(widenedText(widened));
  return `${lines.join('\n')}\n`;
}

const amount = (value: number): string =>
  Number.isFinite(value) ? value.toPrecision(3) : 'a value that is no number';
