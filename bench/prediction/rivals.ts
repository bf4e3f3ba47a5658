/** Other ways to tell an operator's time from its work. */
import { predictProfile, type ReferenceProfile } from '@splitlane/dnn';
import { amountOf, type TimedWork, timedWorks } from '../../libs/dnn/predict.ts';
import type { OperatorWork } from '../../libs/dnn/work.ts';
import { leastSquares } from './least-squares.ts';

/** A model with its work and what it was measured to take. */
export interface Measured {
  readonly name: string;
  readonly reference: ReferenceProfile;
  readonly works: readonly OperatorWork[];
  readonly cuts: readonly { readonly id: string; readonly dims: readonly number[]; readonly bytes: number }[];
  /** Side of a convolution's kernel, by segment and node. */
  readonly kernels: ReadonlyMap<string, number>;
}

/** The times in ms of the target's operators, in their order. */
export type Method = (reference: Measured, target: Measured) => readonly number[];

const sum = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((total, value) => total + of(value), 0);

export const byKind: Method = ({ reference }, { name, works, cuts }) => {
  const target = { name, works, cuts: cuts.map((cut) => ({ ...cut, dims: [...cut.dims] })), hash: '' };
  return predictProfile(reference, target).layers.map(({ medianMs }) => medianMs);
};

export const byMacsAlone: Method = ({ reference, works }, target) => {
  const msOfMac = reference.wholeMs / sum(works, ({ macs }) => macs);
  return target.works.map(({ macs }) => macs * msOfMac);
};

/** `byKind`, with another time for convolutions. */
function withConvolutions(
  reference: Measured,
  target: Measured,
  msOf: (work: OperatorWork, known: readonly TimedWork[]) => number,
): number[] {
  const known = timedWorks(reference.reference).filter(({ kind }) => kind === 'convolution');
  const usual = byKind(reference, target);
  return target.works.map((work, index) => (work.kind === 'convolution' ? msOf(work, known) : usual[index]!));
}

const GIGA = 1e9;
const MEGA = 1e6;
type Row = readonly number[];
const rowOf = ({
  macs,
  weightBytes,
  activationBytes,
}: Pick<OperatorWork, 'macs' | 'weightBytes' | 'activationBytes'>): Row => [
  ...[macs / GIGA, weightBytes / MEGA, activationBytes / MEGA],
];
const times = (row: Row, factors: Row): number =>
  sum([...row.keys()], (index) => row[index]! * factors[index]!);

/** Multiply-adds, weight bytes and activation bytes of convolutions at once. */
export const convolutionsJointly: Method = (reference, target) => {
  const known = timedWorks(reference.reference).filter(({ kind }) => kind === 'convolution');
  const factors = leastSquares(
    known.map(rowOf),
    known.map(({ ms }) => ms),
  );
  return withConvolutions(reference, target, (work) => times(rowOf(work), factors));
};

/** The same three of whole segments, without a look at operators. */
export const segmentsJointly: Method = ({ reference, works }, target) => {
  const rows = reference.segments.map((_, segment) => {
    const inside = works.filter((work) => work.segment === segment && work.kind !== 'free').map(rowOf);
    return [0, 1, 2].map((column) => sum(inside, (row) => row[column]!));
  });
  const factors = leastSquares(
    rows,
    reference.segments.map(({ medianMs }) => medianMs),
  );
  return target.works.map((work) => (work.kind === 'free' ? 0 : times(rowOf(work), factors)));
};

/** Convolutions of one kernel size have a rate of their own. */
export const byKernelSize: Method = (reference, target) =>
  withConvolutions(reference, target, (work, known) => {
    const side = target.kernels.get(`${work.segment} ${work.node}`);
    const alike = known.filter(({ segment, node }) => reference.kernels.get(`${segment} ${node}`) === side);
    const like = alike.length > 0 ? alike : known;
    return (amountOf(work) * sum(like, ({ ms }) => ms)) / sum(like, amountOf);
  });

/** A convolution takes as long as its multiply-adds or as its bytes, whichever is longer. */
export const roofline: Method = (reference, target) => {
  const all = timedWorks(reference.reference);
  const streamed = ['fully-connected', 'other'].map((kind) => all.filter((work) => work.kind === kind));
  const memory = streamed.find((works) => works.length > 0) ?? [];
  const msOfByte = sum(memory, ({ ms }) => ms) / Math.max(1, sum(memory, amountOf));
  const bytesMs = ({ weightBytes, activationBytes }: TimedWork | OperatorWork): number =>
    (weightBytes + activationBytes) * msOfByte;
  return withConvolutions(reference, target, (work, known) => {
    const isBound = (each: TimedWork): boolean => bytesMs(each) >= each.ms;
    const free = known.filter((each) => !isBound(each));
    const like = free.length > 0 ? free : known;
    return Math.max((work.macs * sum(like, ({ ms }) => ms)) / sum(like, amountOf), bytesMs(work));
  });
};
