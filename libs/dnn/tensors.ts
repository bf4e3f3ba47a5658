/** Tensors as ONNX Runtime names their types, and as ONNX numbers them. */
import { seededRandom } from '@splitlane/clock';
import type { Tensor } from 'onnxruntime-node';
import { onnx } from './onnx.ts';

const { DataType } = onnx.TensorProto;

interface ElementType {
  /** ONNX's number. */
  readonly onnx: number;
  readonly bytes: number;
  readonly array: new (length: number) => Tensor.DataType & { fill(value: never): unknown };
}

/** Types that can be cut at, by ONNX Runtime's names; float16 is widened before. */
const NUMERIC: Readonly<Record<string, ElementType>> = {
  float32: { onnx: DataType.FLOAT, bytes: 4, array: Float32Array },
  float64: { onnx: DataType.DOUBLE, bytes: 8, array: Float64Array },
  int8: { onnx: DataType.INT8, bytes: 1, array: Int8Array },
  uint8: { onnx: DataType.UINT8, bytes: 1, array: Uint8Array },
  int16: { onnx: DataType.INT16, bytes: 2, array: Int16Array },
  uint16: { onnx: DataType.UINT16, bytes: 2, array: Uint16Array },
  int32: { onnx: DataType.INT32, bytes: 4, array: Int32Array },
  uint32: { onnx: DataType.UINT32, bytes: 4, array: Uint32Array },
  int64: { onnx: DataType.INT64, bytes: 8, array: BigInt64Array },
  uint64: { onnx: DataType.UINT64, bytes: 8, array: BigUint64Array },
  bool: { onnx: DataType.BOOL, bytes: 1, array: Uint8Array },
};

/** Shape of a tensor; `type` is ONNX Runtime's name of its elements' type. */
export interface TensorShape {
  readonly type: string;
  readonly dims: readonly number[];
  /** The dimensions are others for other inputs. */
  readonly varies?: boolean;
  /**
   * What the runtime knows of the dimensions before a run where the file leaves some open: a name, or '' for
   * one without. Empty where it does not know how many there are.
   */
  readonly known?: readonly (number | string)[];
}

/** A tensor's values, as they go from thread to thread. */
export interface Values extends TensorShape {
  readonly data: Tensor.DataType;
}

export function isNumeric({ type }: TensorShape): boolean {
  return Object.hasOwn(NUMERIC, type);
}

/** Bytes of a tensor; 0 for one that is not numeric. */
export function bytesOf({ type, dims }: TensorShape): number {
  return dims.reduce((product, dim) => product * dim, NUMERIC[type]?.bytes ?? 0);
}

/** ONNX's number of a numeric type. */
export function elementType({ type }: TensorShape): number {
  return NUMERIC[type]!.onnx;
}

/** ONNX Runtime's name of a type by ONNX's number; undefined for one that is not numeric. */
export function typeName(number: number): string | undefined {
  return Object.keys(NUMERIC).find((name) => NUMERIC[name]!.onnx === number);
}

/** Values like those of a normalised picture, up to `reach`, where the type has fractions; 0 and 1 elsewhere. */
export function seededValues({ type, dims }: TensorShape, seed: number, reach = 2): Values {
  const random = seededRandom(seed);
  const data = new NUMERIC[type]!.array(dims.reduce((product, dim) => product * dim, 1));
  const isFloat = type.startsWith('float');
  const isBig = type.endsWith('int64');
  for (let index = 0; index < data.length; index++) {
    const drawn = random();
    const value = isFloat ? reach * (2 * drawn - 1) : Math.round(drawn);
    data[index] = isBig ? BigInt(value) : value;
  }
  return { type, dims, data };
}

/** How far two results are apart. */
export interface Difference {
  /** Whether they are the same bit for bit. */
  readonly identical: boolean;
  /** The greatest absolute difference of two elements; infinite where a number stands against none. */
  readonly max: number;
  /** Share of the elements that are not the same, from 0 to 1. */
  readonly share: number;
}

export const IDENTICAL: Difference = { identical: true, max: 0, share: 0 };

/** Compares two lists of tensors, element by element. */
export function differenceOf(expected: readonly Values[], found: readonly Values[]): Difference {
  let elements = 0;
  let differing = 0;
  let max = 0;
  let identical = true;
  expected.forEach((one, which) => {
    const other = found[which]!;
    if (sameBits(one, other)) {
      elements += one.data.length;
      return;
    }
    identical = false;
    const length = Math.max(one.data.length, other.data.length);
    elements += length;
    for (let index = 0; index < length; index++) {
      const [a, b] = [one.data[index], other.data[index]];
      if (Object.is(a, b)) continue;
      differing++;
      const apart = Math.abs(Number(a) - Number(b));
      max = Math.max(max, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
    }
  });
  return { identical, max, share: elements === 0 ? 0 : differing / elements };
}

/** The greater of two differences in each respect. */
export function worse(a: Difference, b: Difference): Difference {
  return {
    identical: a.identical && b.identical,
    max: Math.max(a.max, b.max),
    share: Math.max(a.share, b.share),
  };
}

function sameBits(one: Values, other: Values): boolean {
  if (one.type !== other.type || `${one.dims}` !== `${other.dims}`) return false;
  if (!ArrayBuffer.isView(one.data) || !ArrayBuffer.isView(other.data))
    return JSON.stringify(one.data) === JSON.stringify(other.data);
  const [a, b] = [one.data, other.data].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  ) as [Uint8Array, Uint8Array];
  return Buffer.compare(a, b) === 0;
}
