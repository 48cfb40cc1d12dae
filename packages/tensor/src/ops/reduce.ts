/** Reductions over axes: sum, max, min. The reduced axes disappear from the shape. */

import type { ReductionName } from "../compile/kernel.ts";
import { formatShape, ShapeError } from "../errors.ts";
import { contiguousStrides, elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { where } from "../values.ts";
import { NUMBERS, requireDTypes } from "./accept.ts";
import type { OpDefinition } from "./define.ts";

export interface ReduceAttrs {
  readonly op: ReductionName;
  /** Sorted, unique, non-negative. */
  readonly axes: readonly number[];
}

/** How each reduction starts and combines; NaN wins every max and min. */
export const reductionRules: Readonly<
  Record<
    ReductionName,
    {
      initial: number;
      /** Of two elements. */
      combine(a: number, b: number): number;
    }
  >
> = {
  sum: { initial: 0, combine: (a, b) => a + b },
  max: { initial: -Infinity, combine: (a, b) => (b > a || Number.isNaN(b) ? b : a) },
  min: { initial: Infinity, combine: (a, b) => (b < a || Number.isNaN(b) ? b : a) },
};

/** Where an integer max or min starts, since integers have no infinity. */
export function reductionInitial(op: ReductionName, dtype: string): number {
  if (op === "sum" || dtype === "f32") return reductionRules[op].initial;
  if (dtype === "i32") return op === "max" ? -(2 ** 31) : 2 ** 31 - 1;
  return op === "max" ? 0 : 2 ** 32 - 1;
}

/** Puts the reduced axes back with size 1, then repeats along them. */
function restore(reduced: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  return reduced.reshape(x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))).broadcast(x.shape);
}

/** Sum, maximum or minimum over axes, which disappear. */
export const reduce: OpDefinition<ReduceAttrs> = {
  name: "reduce",
  family: "reduce",
  infer([x], { op, axes }) {
    requireDTypes(op, [x], NUMBERS);
    if (axes.some((axis) => axis >= x.shape.length)) {
      throw new ShapeError({
        what: op,
        facts: `x is ${formatShape(x.shape)}, axes are ${formatShape(axes)}`,
        expected: "axes of x",
      });
    }
    return { shape: x.shape.filter((_, axis) => !axes.includes(axis)), dtype: x.dtype };
  },
  reference([x], [type], { op, axes }, output) {
    const kept = type.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const strides = contiguousStrides(type.shape);
    const combine = reductionRules[op].combine;
    const offsets = walkOffsets(
      axes.map((axis) => type.shape[axis]),
      axes.map((axis) => strides[axis]),
    );
    const bases = walkOffsets(
      kept.map((axis) => type.shape[axis]),
      kept.map((axis) => strides[axis]),
    );
    bases.forEach((base, i) => {
      let value = reductionInitial(op, type.dtype);
      for (const offset of offsets) value = combine(value, x[base + offset]);
      output[i] = value;
    });
  },
  vjp(grad, [x], output, { op, axes }) {
    if (op === "sum") return [restore(grad, x, axes)];
    // shared equally among equal extremes, as torch amax does
    const hit = x.equal(restore(output, x, axes)).cast("f32");
    return [where(hit.greater(0), restore(grad.div(hit.sum(axes)), x, axes), 0)];
  },
};

/** The linear offset of every index of `sizes`, in row-major order. */
export function walkOffsets(sizes: readonly number[], strides: readonly number[]): Float64Array {
  const offsets = new Float64Array(elementCount(sizes));
  let filled = 1;
  for (let axis = sizes.length - 1; axis >= 0 && offsets.length > 0; axis--) {
    for (let i = 1; i < sizes[axis]; i++) {
      for (let j = 0; j < filled; j++) offsets[i * filled + j] = offsets[j] + i * strides[axis];
    }
    filled *= sizes[axis];
  }
  return offsets;
}
