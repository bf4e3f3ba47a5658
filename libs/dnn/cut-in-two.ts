/** Cuts a model into a head and a tail for other tools, at any tensors that part it. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from './make-folder.ts';
import { findModel, type ModelSource, type PrepareOptions } from './model-source.ts';
import { boundaryOf, headOf, type Network } from './network.ts';
import { inputsOf, ModelError, type ModelWithGraph } from './onnx.ts';
import {
  checkOutputs,
  type OpenNetwork,
  openNetwork,
  runsFor,
  shapesOf,
  wholeOutputs,
} from './open-network.ts';
import { RuntimeThread } from './runtime-thread.ts';
import { type CutTensors, cutName, segment } from './segments.ts';
import { type Difference, isNumeric } from './tensors.ts';
import { checkUncut, tryChain } from './try-cuts.ts';
import { writeModel } from './weights.ts';

const HEAD = 'head.onnx';
const TAIL = 'tail.onnx';
/** Longest cut that is proposed, in tensors, and longest path that is shown whole. */
const MOST_PROPOSED = 4;
const MOST_SHOWN = 7;

/** What was written, and how its output compares with the whole network's. */
export interface CutInTwo {
  readonly head: string;
  readonly tail: string;
  readonly tensors: readonly string[];
  readonly difference: Difference;
  /** Only of a float16 network, which is cut in float32; null where it does not run itself. */
  readonly widened?: Difference | null;
}

/**
 * Writes `head.onnx` and `tail.onnx` into a folder, both or none, and runs them against the whole network.
 * @param at tensors with commas between.
 * @param options what its `onProgress` throws ends the work, and nothing is left of it.
 * @throws ModelError where the model cannot be read, cannot be cut there, or the folder cannot be written.
 */
export async function cutInTwo(
  source: string,
  at: string,
  folder: string,
  options: PrepareOptions = {},
): Promise<CutInTwo> {
  const found = await findModel(source, options);
  const { onProgress = () => {} } = options;
  const what = `cutting ${path.basename(found.file)}`;
  onProgress(what, 0);
  const isNew = !existsSync(folder);
  const work = workFolder(folder);
  inFolder(folder, () => makeFolder(work));
  const thread = new RuntimeThread();
  try {
    const { head, tail, ...report } = await writeParts(found, at, work, thread, (fraction) =>
      onProgress(what, fraction),
    );
    onProgress(what, 1);
    install(folder, work);
    return { head: path.join(folder, head), tail: path.join(folder, tail), ...report };
  } catch (error) {
    if (isNew) rmSync(folder, { recursive: true, force: true });
    throw error;
  } finally {
    await thread.end();
    rmSync(work, { recursive: true, force: true });
  }
}

/** Where the parts lie until both are there. */
function workFolder(folder: string): string {
  return path.join(folder, `.splitlane-${process.pid}.partial`);
}

function inFolder<Result>(folder: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof ModelError || code === undefined) throw error;
    throw new ModelError(`folder ${folder}: cannot be written (${code})`);
  }
}

async function writeParts(
  source: ModelSource,
  at: string,
  work: string,
  thread: RuntimeThread,
  onProgress: (fraction: number) => void,
): Promise<CutInTwo> {
  const open = await openNetwork(source, work, thread);
  const { network, file, model, folder } = open;
  const tensors = cutTensors(open, at);
  const shapes = await shapesOf(open, new Set([...network.inputs, ...tensors, ...network.outputs]), thread);
  checkOutputs(open, shapes);
  for (const name of tensors) {
    const shape = shapes.get(name)!;
    if (!isNumeric(shape))
      throw new ModelError(
        `model ${file}: tensor ${name} is not numeric (${shape.type}): it cannot be cut at`,
      );
  }
  onProgress(0.2);
  const cut = (names: readonly string[]): CutTensors => ({
    tensors: names,
    shapes: names.map((name) => shapes.get(name)!),
  });
  const chain = [cut(network.inputs), cut(tensors), cut(network.outputs)] as const;
  const files = [path.join(work, HEAD), path.join(work, TAIL)] as const;
  for (const [index, target] of files.entries()) {
    const part = segment(model, network, chain[index]!, chain[index + 1]!);
    inFolder(path.dirname(work), () => writeModel(part, folder, target));
    onProgress(0.35 + 0.15 * index);
  }
  const expected = await wholeOutputs(open, thread, runsFor(open, shapes));
  onProgress(0.7);
  const difference = await tryChain(open, chain, files, expected, thread);
  if (!difference.identical)
    await checkUncut(
      { open, thread, expected, scratch: path.join(work, 'scratch.onnx') },
      chain[0],
      chain[2],
    );
  const { widened } = open;
  return { head: HEAD, tail: TAIL, tensors, difference, ...(widened === undefined ? {} : { widened }) };
}

/** Moves the finished parts to their places; on any error what was there before is there again. */
function install(folder: string, work: string): void {
  const names = [`${HEAD}.data`, HEAD, `${TAIL}.data`, TAIL].filter((name) =>
    existsSync(path.join(work, name)),
  );
  const undo: (() => void)[] = [];
  try {
    inFolder(folder, () => {
      for (const name of names) {
        const target = path.join(folder, name);
        const old = path.join(work, `old-${name}`);
        if (statSync(target, { throwIfNoEntry: false })?.isDirectory())
          throw new ModelError(`${target}: cannot be written, it is a folder`);
        if (existsSync(target)) {
          renameSync(target, old);
          undo.push(() => renameSync(old, target));
        }
        renameSync(path.join(work, name), target);
        undo.push(() => rmSync(target, { force: true }));
      }
    });
  } catch (error) {
    for (const step of undo.toReversed()) step();
    throw error;
  }
}

/** The tensors of a cut by their names. @throws ModelError that says what would be right. */
function cutTensors(open: OpenNetwork, at: string): string[] {
  const { network, file, model } = open;
  const no = (what: string): never => {
    throw new ModelError(`model ${file}: ${what}`);
  };
  const known = new Set([...network.inputs, ...network.producer.keys()]);
  const names = known.has(at) ? [at] : [...new Set(at.split(',').map((name) => name.trim()))];
  for (const name of names) if (!known.has(name)) no(whyUnknown(name, known, model));
  const head = headOf(network, names);
  if (head.length === 0) no(`a cut at its input ${names.join(',')} leaves nothing for the head`);
  if (head.length === network.nodes.length)
    no(`a cut at its output ${names.join(',')} leaves nothing for the tail`);
  const boundary = boundaryOf(network, head);
  const around = boundary.find((name) => !names.includes(name));
  if (around !== undefined) {
    const whole = boundary.length <= MOST_PROPOSED ? `; ${cutName({ tensors: boundary })} is a cut` : '';
    no(
      `${names.join(',')} is not a cut: the path ${pathThrough(network, around, head, names)} goes around it${whole}`,
    );
  }
  const spent = names.find((name) => !boundary.includes(name));
  if (spent !== undefined) {
    const others = names.filter((name) => boundary.includes(name)).join(',');
    no(`${names.join(',')} is not a cut: ${spent} is used up before ${others}; ${others} alone is one`);
  }
  return names;
}

function whyUnknown(name: string, known: ReadonlySet<string>, { graph }: ModelWithGraph): string {
  const made = graph.node.some(({ output }) => output.includes(name));
  if (name !== '' && (made || graph.initializer.some((tensor) => tensor.name === name)))
    return `tensor ${name} does not lead from an input to an output: there is nothing to cut`;
  const nearest = [...known]
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .reduce((best, each) => (each.distance < best.distance ? each : best));
  return `it has no tensor ${name || "''"}; the nearest name is ${nearest.other}`;
}

/** Levenshtein's distance: the least number of letters to insert, delete or replace. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
  }
  return row.at(-1)!;
}

/** A path from an input to an output that goes through `tensor`, by tensors, around the cut where it can. */
function pathThrough(
  network: Network,
  tensor: string,
  head: readonly number[],
  cut: readonly string[],
): string {
  const inside = new Set(head);
  const up: string[] = [];
  for (let name: string | undefined = tensor; name !== undefined; ) {
    up.unshift(name);
    const maker: number | undefined = network.producer.get(name);
    if (maker === undefined) break;
    const inputs: string[] = [...inputsOf(network.nodes[maker]!)].filter((input) =>
      network.consumers.has(input),
    );
    name = inputs.find((input) => !cut.includes(input)) ?? inputs[0];
  }
  const down: string[] = [];
  for (let name: string = tensor; !network.outputs.includes(name); ) {
    const users: readonly number[] = network.consumers.get(name) ?? [];
    const user: number | undefined = users.find((index) => !inside.has(index));
    const next: string | undefined =
      user === undefined
        ? undefined
        : network.nodes[user]!.output.find(
            (output) => network.consumers.has(output) || network.outputs.includes(output),
          );
    if (next === undefined) break;
    down.push(next);
    name = next;
  }
  const whole = [...up, ...down];
  if (whole.length <= MOST_SHOWN) return whole.join(' → ');
  const shown = new Set([whole[0]!, ...up.slice(-2), ...down.slice(0, 2), whole.at(-1)!]);
  const parts: string[] = [];
  for (const name of whole) {
    if (shown.has(name)) parts.push(name);
    else if (parts.at(-1) !== '…') parts.push('…');
  }
  return parts.join(' → ');
}
