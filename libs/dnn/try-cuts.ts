/**
 * Tries cuts in ONNX Runtime. Which operators it fuses, and when that changes the last bits, no list of
 * operators foretells for unknown models: so the parts are run one behind the other, against the whole.
 */
import { ModelError } from './onnx.ts';
import { type OpenNetwork, seededFeeds, wholeOutputs } from './open-network.ts';
import type { RuntimeThread } from './runtime-thread.ts';
import { type CutTensors, segment } from './segments.ts';
import { type Difference, differenceOf, IDENTICAL, type Values, worse } from './tensors.ts';
import { writeModel } from './weights.ts';

type Runs = readonly (readonly Values[])[];

/** Runs the part in `part` on the tensors of `from`. Returns those of `to`, a list a run. */
async function runPart(
  open: OpenNetwork,
  part: { readonly file: string; readonly from: CutTensors; readonly to: CutTensors },
  inputs: Runs,
  thread: RuntimeThread,
): Promise<Values[][]> {
  const taken = takenBy(open, part.from, part.to);
  const feeds = inputs.map((values) =>
    Object.fromEntries(
      part.from.tensors.flatMap((name, index) => (taken.has(name) ? [[name, values[index]!]] : [])),
    ),
  );
  const request = { folder: open.folder, feeds, outputs: 'values', optimise: true } as const;
  const results = await thread.run(open.file, part.file, request);
  return results.map((result) => part.to.tensors.map((name) => result[name]!));
}

/** The tensors of `from` that the segment up to `to` has as inputs. */
function takenBy(open: OpenNetwork, from: CutTensors, to: CutTensors): Set<string> {
  const part = segment(open.model, open.network, from, to);
  return new Set(part.graph!.input!.map((value) => value.name!));
}

/** What a chain of parts gives against the whole network; `cuts` are its ends and all between. */
export async function tryChain(
  open: OpenNetwork,
  cuts: readonly CutTensors[],
  files: readonly string[],
  expected: Runs,
  thread: RuntimeThread,
): Promise<Difference> {
  let values = inputsOf(open, cuts[0]!, expected.length);
  for (const [index, file] of files.entries())
    values = await runPart(open, { file, from: cuts[index]!, to: cuts[index + 1]! }, values, thread);
  return differences(expected, values);
}

function inputsOf(open: OpenNetwork, first: CutTensors, runs: number): Runs {
  return seededFeeds(open, runs).map((feed) => first.tensors.map((name) => feed[name]!));
}

function differences(expected: Runs, found: Runs): Difference {
  return expected.map((outputs, run) => differenceOf(outputs, found[run]!)).reduce(worse, IDENTICAL);
}

/** What cuts are tried with. */
export interface Trial {
  readonly open: OpenNetwork;
  readonly thread: RuntimeThread;
  /** A path for the part that is tried; the caller takes it away. */
  readonly scratch: string;
  /** The whole network's outputs. */
  readonly expected: Runs;
}

async function runScratch(
  { open, thread, scratch }: Trial,
  from: CutTensors,
  to: CutTensors,
  inputs: Runs,
): Promise<Values[][]> {
  writeModel(segment(open.model, open.network, from, to), open.folder, scratch);
  return runPart(open, { file: scratch, from, to }, inputs, thread);
}

/** What one cut between `first` and `last` does to the output. */
export async function tryCut(
  trial: Trial,
  first: CutTensors,
  cut: CutTensors,
  last: CutTensors,
): Promise<Difference> {
  const middle = await runScratch(trial, first, cut, inputsOf(trial.open, first, trial.expected.length));
  return differences(trial.expected, await runScratch(trial, cut, last, middle));
}

/**
 * Which of the inner cuts of a chain change the output, as indices of `cuts`: each is tried behind those
 * before it that do not, so that the others together compose bit for bit.
 */
export async function changingCuts(trial: Trial, cuts: readonly CutTensors[]): Promise<number[]> {
  const last = cuts.at(-1)!;
  const changing: number[] = [];
  let from = cuts[0]!;
  let values = inputsOf(trial.open, from, trial.expected.length);
  for (const [index, cut] of cuts.entries()) {
    if (index === 0 || index === cuts.length - 1) continue;
    const middle = await runScratch(trial, from, cut, values);
    const { identical } = differences(trial.expected, await runScratch(trial, cut, last, middle));
    if (identical) {
      from = cut;
      values = middle;
    } else changing.push(index);
  }
  return changing;
}

/**
 * Makes sure that parts can be measured by the whole network.
 * @throws ModelError where not even the uncut network gives the same bits when it is written again.
 */
export async function checkUncut(trial: Trial, first: CutTensors, last: CutTensors): Promise<void> {
  const { open, thread, expected } = trial;
  const uncut = await runScratch(trial, first, last, inputsOf(open, first, expected.length));
  if (differences(expected, uncut).identical) return;
  if (!differences(expected, await wholeOutputs(open, thread, expected.length)).identical)
    throw unsteady(open.file);
  throw new ModelError(
    `model ${open.file}: written again as ONNX it computes something else; export it without functions`,
  );
}

/** Why nothing can be said of a network that draws random numbers. */
export function unsteady(file: string): ModelError {
  return new ModelError(
    `model ${file}: the same input gives another output in each run, so that no cut can be checked`,
  );
}
