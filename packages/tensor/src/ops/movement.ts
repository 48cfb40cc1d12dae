/**
 * Movement ops: the same values at other places. A fused kernel reads through them with an affine
 * load; their `reference` exists as specification and for materializing.
 */
import type { TypedArray } from "../dtype.ts";
import { formatShape, ShapeError } from "../errors.ts";
import { broadcastShapes, contiguousStrides, elementCount, sameShape } from "../shape.ts";
import { MOVED, requireDTypes } from "./accept.ts";
import type { OpDefinition } from "./define.ts";

/** Copies `input` through an affine map: output index -> offset + sum(index * strides). */
function gatherAffine(
  input: TypedArray,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
  output: TypedArray,
): void {
  const index = new Array<number>(shape.length).fill(0);
  let source = offset;
  for (let i = 0; i < output.length; i++) {
    output[i] = input[source];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis];
      if (++index[axis] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

export interface ReshapeAttrs {
  readonly shape: readonly number[];
}

export const reshape: OpDefinition<ReshapeAttrs> = {
  name: "reshape",
  family: "movement",
  infer([x], { shape }) {
    requireDTypes("reshape", [x], MOVED);
    if (elementCount(shape) !== elementCount(x.shape)) {
      throw new ShapeError({
        what: "reshape",
        facts: `x is ${formatShape(x.shape)} with ${elementCount(x.shape)} elements, the new shape ${formatShape(shape)} has ${elementCount(shape)}`,
        expected: "the same number of elements",
      });
    }
    return { shape, dtype: x.dtype };
  },
  reference: ([x], _types, _attrs, output) => output.set(x),
  vjp: (grad, [x]) => [grad.reshape(x.shape)],
};

export interface TransposeAttrs {
  /** Output axis i is input axis axes[i]. */
  readonly axes: readonly number[];
}

export const transpose: OpDefinition<TransposeAttrs> = {
  name: "transpose",
  family: "movement",
  infer([x], { axes }) {
    requireDTypes("transpose", [x], MOVED);
    const sorted = [...axes].sort((a, b) => a - b);
    if (axes.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new ShapeError({
        what: "transpose",
        facts: `x is ${formatShape(x.shape)}, axes are ${formatShape(axes)}`,
        expected: "each axis once",
      });
    }
    return { shape: axes.map((axis) => x.shape[axis]), dtype: x.dtype };
  },
  reference([x], [type], { axes }, output) {
    const strides = contiguousStrides(type.shape);
    gatherAffine(
      x,
      axes.map((axis) => type.shape[axis]),
      axes.map((axis) => strides[axis]),
      0,
      output,
    );
  },
  vjp: (grad, _inputs, _output, { axes }) => [grad.transpose(axes.map((_, axis) => axes.indexOf(axis)))],
};

export interface BroadcastAttrs {
  readonly shape: readonly number[];
}

/** Axes of `shape` along which an input of `from` repeats. */
export function repeatedAxes(from: readonly number[], shape: readonly number[]): number[] {
  const lead = shape.length - from.length;
  return shape.flatMap((size, axis) => (axis < lead || (from[axis - lead] === 1 && size !== 1) ? [axis] : []));
}

export const broadcast: OpDefinition<BroadcastAttrs> = {
  name: "broadcast",
  family: "movement",
  infer([x], { shape }) {
    requireDTypes("broadcast", [x], MOVED);
    const result = broadcastShapes(x.shape, shape);
    if (!result || !sameShape(result, shape)) {
      throw new ShapeError({
        what: "broadcast",
        facts: `x is ${formatShape(x.shape)}, the target is ${formatShape(shape)}`,
        expected: "sizes that are equal or 1, aligned at the last axis",
      });
    }
    return { shape, dtype: x.dtype };
  },
  reference([x], [type], { shape }, output) {
    const strides = contiguousStrides(type.shape);
    const lead = shape.length - type.shape.length;
    gatherAffine(
      x,
      shape,
      shape.map((_, axis) => (axis < lead || type.shape[axis - lead] === 1 ? 0 : strides[axis - lead])),
      0,
      output,
    );
  },
  vjp: (grad, [x], _output, { shape }) => [grad.sum(repeatedAxes(x.shape, shape)).reshape(x.shape)],
};

export interface SliceAttrs {
  readonly start: readonly number[];
  readonly end: readonly number[];
}

export const slice: OpDefinition<SliceAttrs> = {
  name: "slice",
  family: "movement",
  infer([x], { start, end }) {
    requireDTypes("slice", [x], MOVED);
    const fits = x.shape.every((size, axis) => start[axis] >= 0 && start[axis] <= end[axis] && end[axis] <= size);
    if (!fits || start.length !== x.shape.length || end.length !== x.shape.length) {
      throw new ShapeError({
        what: "slice",
        facts: `x is ${formatShape(x.shape)}, start ${formatShape(start)}, end ${formatShape(end)}`,
        expected: "0 <= start <= end <= size on every axis",
      });
    }
    return { shape: start.map((from, axis) => end[axis] - from), dtype: x.dtype };
  },
  reference([x], [type], { start, end }, output) {
    const strides = contiguousStrides(type.shape);
    const offset = start.reduce((sum, from, axis) => sum + from * strides[axis], 0);
    gatherAffine(
      x,
      start.map((from, axis) => end[axis] - from),
      strides,
      offset,
      output,
    );
  },
  vjp: (grad, [x], _output, { start, end }) => [
    grad.pad(
      start,
      x.shape.map((size, axis) => size - end[axis]),
    ),
  ],
};
