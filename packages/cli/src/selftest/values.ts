/** Values that self-tests are made of: the same ones on every machine. */
import { type DType, elementCount, type TypedArray, threefry2x32 } from "@guidance/tensor";

/** An input of a self-test. */
export interface TestInput {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly values: TypedArray;
}

/** What the elements of an argument may be. */
export interface Domain {
  readonly dtype: "f32" | "i32" | "u32" | "bool";
  readonly low: number;
  readonly high: number;
}

/** Floats from `low` to `high`. */
export const floats = (low: number, high: number): Domain => ({ dtype: "f32", low, high });
/** Whole numbers from `low` to `high`. */
export const integers = (dtype: "i32" | "u32" | "bool", low: number, high: number): Domain => ({ dtype, low, high });

/** A tensor of `shape` from `domain`; another `seed` gives other values. */
export function input(shape: readonly number[], { dtype, low, high }: Domain, seed: number): TestInput {
  const draw = (index: number) => threefry2x32(index, 0, seed, 0) / 2 ** 32;
  const count = elementCount(shape);
  if (dtype === "f32") {
    return { shape, dtype, values: Float32Array.from({ length: count }, (_, i) => low + (high - low) * draw(i)) };
  }
  const whole = (_: unknown, i: number) => low + Math.floor((high - low + 1) * draw(i));
  const values =
    dtype === "i32" ? Int32Array.from({ length: count }, whole) : Uint32Array.from({ length: count }, whole);
  return { shape, dtype, values };
}
