/**
 * Element types. A Plan counts elements and dtypes; a backend turns them into bytes, so one plan
 * serves a float32 GPU and the float64 mode of the CPU backend.
 */

/**
 * `u8` is for step inputs only (cast by the first op); `bool` is stored as a 32-bit 0 or 1; `f16` is how f32 values may be
 * stored inside a step: a cast makes it, casts, movements and products read it, and all arithmetic stays in f32.
 */
export type DType = "f32" | "f16" | "i32" | "u32" | "bool" | "u8";

/** Shape and element type of a dense row-major array. */
export interface TensorType {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Arrays a user may pass for, or receive from, a tensor of the given dtype. */
export type TypedArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** How wide `f32` values are on a backend. */
export type Precision = "float32" | "float64";

/** Bytes of one element of `dtype` at the given precision. */
export function elementBytes(dtype: DType, precision: Precision): number {
  if (dtype === "u8") return 1;
  if (dtype === "f16") return 2;
  return dtype === "f32" && precision === "float64" ? 8 : 4;
}

/** A typed view of `buffer` as elements of `dtype`; the bits of f16 (see half.ts). */
export function viewAs(buffer: ArrayBuffer, dtype: DType, precision: Precision, length?: number): TypedArray {
  switch (dtype) {
    case "f32":
      return precision === "float64" ? new Float64Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
    case "f16":
      return new Uint16Array(buffer, 0, length);
    case "i32":
      return new Int32Array(buffer, 0, length);
    case "u32":
    case "bool":
      return new Uint32Array(buffer, 0, length);
    case "u8":
      return new Uint8Array(buffer, 0, length);
  }
}

/** A fresh zeroed array of `length` elements. */
export function allocateArray(dtype: DType, precision: Precision, length: number): TypedArray {
  return viewAs(
    new ArrayBuffer(Math.ceil((length * elementBytes(dtype, precision)) / 4) * 4),
    dtype,
    precision,
    length,
  );
}
