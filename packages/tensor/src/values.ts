/** Tensors made of plain values: constants, arrays, counters, and the choice between two. */
import type { DType, TypedArray } from "./dtype.ts";
import { formatShape, ValueError } from "./errors.ts";
import { requireValues } from "./host-array.ts";
import { leaves } from "./ops/index.ts";
import { captureSite, describeSite } from "./scope.ts";
import { elementCount } from "./shape.ts";
import { create, elementwise, type Operand, type Tensor, type TensorLike } from "./tensor.ts";

/** `condition ? a : b`, elementwise. */
export function where(condition: Operand, a: TensorLike, b: TensorLike): Tensor {
  const model = typeof a !== "number" ? a : b;
  return typeof model === "number"
    ? elementwise("where", condition, constant(a as number), model)
    : elementwise("where", condition, a, b);
}

/**
 * A scalar that never changes; `float64` replaces it on a float64 backend (for thresholds tied to precision).
 * Throws ValueError for a number that an integer dtype cannot hold.
 */
export function constant(
  value: number,
  { dtype = "f32" as DType, float64 = undefined as number | undefined } = {},
): Tensor {
  requireValues("constant", [value], dtype);
  return create(leaves.constant, [], float64 === undefined ? { value, dtype } : { value, float64, dtype });
}

/** Fixed values from the host; throws ValueError where their number does not fit the shape or `dtype` cannot hold one. */
export function tensor(
  values: ArrayLike<number>,
  shape: readonly number[] = [values.length],
  dtype: "f32" | "i32" | "u32" | "bool" = "f32",
): Tensor {
  if (values.length !== elementCount(shape)) {
    throw new ValueError({
      what: "tensor",
      facts: `${values.length} values for shape ${formatShape(shape)}`,
      expected: `${elementCount(shape)} values`,
      site: describeSite(captureSite()),
    });
  }
  requireValues("tensor", values, dtype);
  const data: TypedArray =
    dtype === "f32" ? Float64Array.from(values) : dtype === "i32" ? Int32Array.from(values) : Uint32Array.from(values);
  return create(leaves.array, [], { shape, dtype, data });
}

/** 0, 1, 2... in row-major order. */
export function iota(shape: readonly number[], dtype: "i32" | "u32" = "i32"): Tensor {
  return create(leaves.iota, [], { shape, dtype });
}
