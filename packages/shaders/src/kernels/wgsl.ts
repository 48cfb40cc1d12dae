/**
 * How element types look in WGSL: in a storage buffer, in a register, and on the way between them.
 * A `bool` lives in a buffer as a 32-bit 0 or 1, a `u8` as a quarter of a 32-bit word, and an `f16` is an f32 in a register.
 */
import type { DType } from "@guidance/tensor";

/** Lanes of a value: one element, or four neighbours of the innermost dimension. */
export type Width = 1 | 4;

/** Type of one element in a storage buffer. */
export type StorageScalar = "f32" | "f16" | "i32" | "u32";

/** Type of one element in a register. */
export type ValueScalar = "f32" | "i32" | "u32" | "bool";

export function storageScalar(dtype: DType): StorageScalar {
  return dtype === "bool" || dtype === "u8" ? "u32" : dtype;
}

export function valueScalar(dtype: DType): ValueScalar {
  if (dtype === "f16") return "f32";
  return dtype === "u8" ? "u32" : dtype;
}

/** `f32`, or `vec4<f32>` at width 4. */
export function wgslType(scalar: StorageScalar | ValueScalar, width: Width): string {
  return width === 4 ? `vec4<${scalar}>` : scalar;
}

/** Type of a value of `dtype` in a register. */
export function valueType(dtype: DType, width: Width): string {
  return wgslType(valueScalar(dtype), width);
}

/** Turns what a buffer of `stored` type holds into a value of `dtype`. */
export function fromStorage(expression: string, stored: StorageScalar, dtype: DType, width: Width): string {
  if (dtype === "bool") {
    const bits = stored === "u32" ? expression : `bitcast<${wgslType("u32", width)}>(${expression})`;
    return `(${bits} != ${wgslType("u32", width)}(0u))`;
  }
  const scalar = valueScalar(dtype);
  if (stored === "f16") return `${wgslType(scalar, width)}(${expression})`;
  return scalar === stored ? expression : `bitcast<${wgslType(scalar, width)}>(${expression})`;
}

/** Turns a value of `dtype` into what a buffer of `stored` type holds. */
export function toStorage(value: string, dtype: DType, stored: StorageScalar, width: Width): string {
  const scalar = valueScalar(dtype);
  const bits = scalar === "bool" ? `${wgslType("u32", width)}(${value})` : value;
  if (stored === "f16") return `${wgslType(stored, width)}(${bits})`;
  const held = scalar === "bool" ? "u32" : scalar;
  return held === stored ? bits : `bitcast<${wgslType(stored, width)}>(${bits})`;
}

/** The two's complement bits of an integer, for u32 arithmetic that wraps. */
export function wrap(value: number): number {
  // `>>> 0` alone is modulo 2^32 for every integer below 2^53
  return value >>> 0;
}
