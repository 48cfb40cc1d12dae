/** Zero padding: the gradient of `slice`, and what `concat` is made of. */
import { formatShape, ShapeError } from "../errors.ts";
import { contiguousStrides } from "../shape.ts";
import { NUMBERS, requireDTypes } from "./accept.ts";
import type { OpDefinition } from "./define.ts";
import { walkOffsets } from "./reduce.ts";

/** How much is added to each axis. */
export interface PadAttrs {
  /** Zeros before and after, per axis. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export const pad: OpDefinition<PadAttrs> = {
  name: "pad",
  family: "core",
  infer([x], { before, after }) {
    requireDTypes("pad", [x], NUMBERS);
    const rank = x.shape.length;
    if (before.length !== rank || after.length !== rank || [...before, ...after].some((count) => !(count >= 0))) {
      throw new ShapeError({
        what: "pad",
        facts: `x is ${formatShape(x.shape)}, before ${formatShape(before)}, after ${formatShape(after)}`,
        expected: "one count >= 0 per axis",
      });
    }
    return { shape: x.shape.map((size, axis) => before[axis] + size + after[axis]), dtype: x.dtype };
  },
  reference([x], [{ shape }], { before, after }, output) {
    const strides = contiguousStrides(shape.map((size, axis) => before[axis] + size + after[axis]));
    const start = before.reduce((sum, count, axis) => sum + count * strides[axis], 0);
    output.fill(0);
    walkOffsets(shape, strides).forEach((offset, i) => {
      output[start + offset] = x[i];
    });
  },
  vjp: (grad, [x], _output, { before }) => [
    grad.slice(
      before,
      x.shape.map((size, axis) => before[axis] + size),
    ),
  ],
};
