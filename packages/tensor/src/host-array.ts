/** Numbers from the host on their way into typed arrays: what a dtype cannot hold is refused, never truncated. */
import { allocateArray, type DType, type Precision, type TypedArray } from "./dtype.ts";
import { ValueError } from "./errors.ts";
import { captureSite, currentLayer, describeSite } from "./scope.ts";

/** Smallest and largest value of the integer dtypes. */
const ranges: Partial<Record<DType, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  bool: [0, 1],
  u8: [0, 255],
};

/** The typed array that can hold nothing but values of `dtype`, so that its elements need no look. */
const ownArrays: Partial<Record<DType, (values: object) => boolean>> = {
  i32: (values) => values instanceof Int32Array,
  u32: (values) => values instanceof Uint32Array,
  u8: (values) => values instanceof Uint8Array || values instanceof Uint8ClampedArray,
};

/** Throws ValueError, naming the first, if `values` has a number that `dtype` cannot hold. */
export function requireValues(what: string, values: ArrayLike<number>, dtype: DType): void {
  const range = ranges[dtype];
  if (!range || ownArrays[dtype]?.(values)) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isInteger(value) && value >= range[0] && value <= range[1]) continue;
    throw new ValueError({
      what,
      path: currentLayer(),
      facts: values.length === 1 ? `${value} was given for ${dtype}` : `element ${i} is ${value}, for ${dtype}`,
      expected: `whole numbers from ${range[0]} to ${range[1]}`,
      hint: 'Round on the host, or cast the tensor first: x.cast("f32")',
      site: describeSite(captureSite()),
    });
  }
}

/** `values` in the storage type of `dtype`: the given array where it already is that, else a copy. */
export function storageArray(what: string, values: ArrayLike<number>, dtype: DType, precision: Precision): TypedArray {
  requireValues(what, values, dtype);
  const empty = allocateArray(dtype, precision, 0);
  const isStored =
    ArrayBuffer.isView(values) &&
    values.constructor === empty.constructor &&
    (values as TypedArray).byteLength % 4 === 0;
  if (isStored) return values as TypedArray;
  const array = allocateArray(dtype, precision, values.length);
  array.set(values);
  // packed bytes are written as whole words
  return dtype === "u8" ? new Uint8Array(array.buffer) : array;
}
