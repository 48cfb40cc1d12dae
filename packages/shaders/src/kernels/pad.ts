/** Zero padding: each result reads the element before..before + size away, or is zero. */
import { contiguousStrides, elementCount, type PadAttrs } from "@guidance/tensor";
import type { Box, ElementRange } from "../windows.ts";
import { coreOperand } from "./conv2d-windows.ts";
import type { KernelGenerator } from "./dispatch.ts";
import { walkResults } from "./pool-walk.ts";
import { valueType } from "./wgsl.ts";

/** One axis of the padding. */
interface PaddedAxis {
  readonly before: number;
  readonly size: number;
  readonly after: number;
}

/** The padding with as few axes as possible: one without padding merges into the axis outside it. */
export function mergePadding(shape: readonly number[], { before, after }: PadAttrs): PaddedAxis[] {
  const axes: PaddedAxis[] = [];
  shape.forEach((size, axis) => {
    const outer = axes.at(-1);
    if (outer && before[axis] === 0 && after[axis] === 0) {
      axes[axes.length - 1] = { before: outer.before * size, size: outer.size * size, after: outer.after * size };
    } else axes.push({ before: before[axis], size, after: after[axis] });
  });
  return axes.length > 0 ? axes : [{ before: 0, size: 1, after: 0 }];
}

export const generatePad: KernelGenerator = (kernel, overwrites, traits) => {
  if (kernel.core?.op !== "pad") throw new Error(`${kernel.label} is no pad`);
  const { operands, attrs, result } = kernel.core;
  const axes = mergePadding(operands[0].shape, attrs);
  const strides = contiguousStrides(axes.map(({ size }) => size));
  const sizes = axes.map(({ before, size, after }) => before + size + after);
  const count = elementCount(axes.map(({ size }) => size));
  return walkResults(kernel, overwrites, traits, {
    sizes,
    granularity: sizes.map(() => 1),
    operands: coreOperand(kernel, traits, 0, (box) => virtualRange(axes, strides, box)).map((operand) => ({
      ...operand,
      // among zeros alone any element will do
      window: ({ start, end }) => {
        const first = Math.min(Math.max(0, start), count - 1);
        return { start: first, end: Math.max(first + 1, Math.min(end, count)) };
      },
    })),
    value(shader, coordinates) {
      const type = valueType(result.dtype, 1);
      if (count === 0) return `${type}(0)`;
      const x = shader.input(0);
      const inside: string[] = [];
      const terms = axes.map(({ before, size }, axis) => {
        // below `before` this wraps to a large number, and the comparison fails
        const at = shader.let("at", `${coordinates[axis]} - ${shader.param(`before${axis}`, "u32", before)}`);
        inside.push(`${at} < ${shader.param(`inner${axis}`, "u32", size)}`);
        return strides[axis] === 1 ? at : `${at} * ${shader.param(`innerStride${axis}`, "u32", strides[axis])}`;
      });
      const element = `${terms.join(" + ")} + ${shader.param("operandStart", "u32", -x.origin)}`;
      return shader.let("value", `select(${type}(0), ${x.load(element)}, ${inside.join(" && ")})`);
    },
  });
};

/**
 * The elements under a box of the result, as if the operand went on where the zeros are: a bound that every cut
 * shrinks, even one through the zeros.
 */
function virtualRange(axes: readonly PaddedAxis[], strides: readonly number[], { start, size }: Box): ElementRange {
  let first = 0;
  let last = 0;
  axes.forEach(({ before }, d) => {
    first += (start[d] - before) * strides[d];
    last += (start[d] + size[d] - 1 - before) * strides[d];
  });
  return { start: first, end: last + 1 };
}
