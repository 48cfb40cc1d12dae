/**
 * Max pooling in three closed ops: `maxPool2dIndex` finds the winners, `poolGather` reads values at
 * them, `poolScatter` adds values back to them. The last two are each other's gradients, and the
 * first winner in row-major order gets the gradient, as in torch.
 * Letters: N batch, C channels, H W input size, P Q output size.
 */
import type { TensorType } from "../dtype.ts";
import { formatShape, ShapeError } from "../errors.ts";
import { FLOATS, OPERANDS, requireDTypes } from "./accept.ts";
import { notDifferentiable, type OpDefinition } from "./define.ts";
import { checkWindow, type Pair } from "./window.ts";

/** Windows of a pooling, each size [vertical, horizontal]. */
export interface PoolAttrs {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}
/** Those of its gradient. */
export interface PoolScatterAttrs extends PoolAttrs {
  /** [H, W] of the pooled input. */
  readonly inputSize: Pair;
}

/** [N, C, P, Q] of a pooling of x [N, C, H, W]. */
export function pooledShape(
  x: TensorType,
  { kernelSize, stride, padding }: PoolAttrs,
): [number, number, number, number] {
  requireDTypes("maxPool2d", [x], OPERANDS);
  checkWindow("maxPool2d", { kernelSize, stride, padding });
  const sizes = [0, 1].map((i) => Math.floor((x.shape[i + 2] + 2 * padding[i] - kernelSize[i]) / stride[i]) + 1);
  if (x.shape.length !== 4 || sizes.some((size) => !(size >= 1)) || padding.some((pad, i) => pad > kernelSize[i] / 2)) {
    throw new ShapeError({
      what: "maxPool2d",
      facts: `x is ${formatShape(x.shape)}, kernel ${formatShape(kernelSize)}, stride ${formatShape(stride)}, padding ${formatShape(padding)}`,
      expected: "x [N,C,H,W], a kernel no larger than the padded input, padding of at most half the kernel",
    });
  }
  return [x.shape[0], x.shape[1], sizes[0], sizes[1]];
}

/** For each window the position h * W + w of its first maximum (NaN wins), as i32. */
export const maxPool2dIndex: OpDefinition<PoolAttrs> = {
  name: "maxPool2dIndex",
  family: "core",
  infer: ([x], attrs) => ({ shape: pooledShape(x, attrs), dtype: "i32" }),
  reference([x], [type], attrs, output) {
    const [, , H, W] = type.shape;
    const [N, C, P, Q] = pooledShape(type, attrs);
    const { kernelSize, stride, padding } = attrs;
    for (let plane = 0; plane < N * C; plane++) {
      for (let p = 0; p < P; p++) {
        for (let q = 0; q < Q; q++) {
          let best = -1;
          for (let r = 0; r < kernelSize[0]; r++) {
            const h = p * stride[0] + r - padding[0];
            if (h < 0 || h >= H) continue;
            for (let s = 0; s < kernelSize[1]; s++) {
              const w = q * stride[1] + s - padding[1];
              if (w < 0 || w >= W) continue;
              const value = x[plane * H * W + h * W + w];
              const leader = x[plane * H * W + best];
              if (best < 0 || value > leader || (Number.isNaN(value) && !Number.isNaN(leader))) best = h * W + w;
            }
          }
          output[(plane * P + p) * Q + q] = best;
        }
      }
    }
  },
  vjp: notDifferentiable("an index has no derivative"),
};

/** out[n,c,p,q] = x[n,c][index[n,c,p,q]]. */
export const poolGather: OpDefinition<PoolAttrs> = {
  name: "poolGather",
  family: "core",
  infer([x, index], attrs) {
    const shape = pooledShape(x, attrs);
    if (index.dtype !== "i32" || index.shape.some((size, axis) => size !== shape[axis])) {
      throw new ShapeError({
        what: "poolGather",
        facts: `x is ${formatShape(x.shape)}, index is ${formatShape(index.shape)} ${index.dtype}`,
        expected: `i32 index ${formatShape(shape)}`,
      });
    }
    return { shape, dtype: "f32" };
  },
  reference([x, index], [type, { shape }], _attrs, output) {
    const input = type.shape[2] * type.shape[3];
    const pooled = shape[2] * shape[3];
    for (let i = 0; i < output.length; i++) output[i] = x[Math.floor(i / pooled) * input + index[i]];
  },
  vjp: (grad, [x, index], _output, attrs) => [
    grad.poolScatter(index, { ...attrs, inputSize: [x.shape[2], x.shape[3]] }),
    null,
  ],
};

/** out[n,c,h,w] = sum of values[n,c,p,q] over the windows whose index is h * W + w. */
export const poolScatter: OpDefinition<PoolScatterAttrs> = {
  name: "poolScatter",
  family: "core",
  infer([values, index], { inputSize }) {
    requireDTypes("poolScatter", [values, index], FLOATS, ["i32"]);
    if (values.shape.length !== 4 || index.shape.some((size, axis) => size !== values.shape[axis])) {
      throw new ShapeError({
        what: "poolScatter",
        facts: `values are ${formatShape(values.shape)}, index is ${formatShape(index.shape)}`,
        expected: "equal shapes [N,C,P,Q]",
      });
    }
    return { shape: [values.shape[0], values.shape[1], ...inputSize], dtype: values.dtype };
  },
  reference([values, index], [{ shape }], { inputSize }, output) {
    const input = inputSize[0] * inputSize[1];
    const pooled = shape[2] * shape[3];
    const sums = new Float64Array(output.length);
    for (let i = 0; i < values.length; i++) sums[Math.floor(i / pooled) * input + index[i]] += values[i];
    output.set(sums);
  },
  vjp(grad, [, index], _output, { kernelSize, stride, padding }) {
    return [grad.poolGather(index, { kernelSize, stride, padding }), null];
  },
};
