/**
 * The parts of a reduction whose tensors exceed one binding: boxes over the kept dimensions, and over the reduced
 * ones where that is not enough.
 */
import { contiguousStrides, elementCount, LimitError, type View } from "@guidance/tensor";
import { type Box, fitsWhole, splitSpace, unionRange, viewRange, type WindowedOperand } from "../windows.ts";
import type { BufferReference, DeviceTraits } from "./dispatch.ts";
import type { ReduceKernel } from "./reduce-pass.ts";

/** A buffer too large for one binding, over the space [...domain, ...reduced]. */
export interface ReduceOperand extends WindowedOperand {
  readonly reference: BufferReference;
  readonly stage: "prologue" | "epilogue";
}

export function windowedOperands(
  { inputs, outputs, body, core, domain }: ReduceKernel,
  traits: DeviceTraits,
): ReduceOperand[] {
  const operands: ReduceOperand[] = [];
  const still = core.reduced.map(() => 0);
  const extend = ({ offset, strides }: View): View => ({ offset, strides: [...strides, ...still] });
  const loads = (expressions: ReduceKernel["body"], input: number) =>
    expressions.flatMap((expression) =>
      expression.kind === "load" && expression.input === input ? [expression.view] : [],
    );
  inputs.forEach(({ shape, dtype }, index) => {
    if (fitsWhole(elementCount(shape), dtype, traits)) return;
    const views = { prologue: loads(core.body, index), epilogue: loads(body, index).map(extend) };
    for (const stage of ["prologue", "epilogue"] as const) {
      if (views[stage].length === 0) continue;
      // in a single pass both stages share one binding, so both see the range of both
      const range = (box: Box) =>
        unionRange([...views.prologue, ...views.epilogue].map((view) => viewRange(view, box)));
      operands.push({ reference: { kind: "input", index }, stage, label: `input [${shape.join(", ")}]`, dtype, range });
    }
  });
  const output = extend({ offset: 0, strides: contiguousStrides(domain) });
  outputs.forEach(({ type: { shape, dtype } }, index) => {
    if (fitsWhole(elementCount(shape), dtype, traits)) return;
    operands.push({
      reference: { kind: "output", index },
      stage: "epilogue",
      label: `output [${shape.join(", ")}]`,
      dtype,
      range: (box) => viewRange(output, box),
    });
  });
  return operands;
}

export interface ReduceBoxes {
  readonly boxes: readonly { readonly domain: Box; readonly reduced: readonly Box[] }[];
  readonly cutsReduced: boolean;
}

/** Cuts the kept dimensions only if that is enough, else both, as the product of the two sets of cuts. */
export function cutSpace(kernel: ReduceKernel, operands: readonly ReduceOperand[], traits: DeviceTraits): ReduceBoxes {
  const { domain, core, label } = kernel;
  const sizes = [...domain, ...core.reduced];
  const split = domain.length;
  // an empty reduced space still has outputs: one pass over nothing
  if (elementCount(domain) === 0) return { boxes: [], cutsReduced: false };
  const whole = (from: readonly number[]): Box => ({ start: from.map(() => 0), size: from });
  if (operands.length === 0 || elementCount(core.reduced) === 0) {
    return { boxes: [{ domain: whole(domain), reduced: [whole(core.reduced)] }], cutsReduced: false };
  }
  const fine = sizes.map((size, axis) => ((axis === split - 1 || axis === sizes.length - 1) && size % 4 === 0 ? 4 : 1));
  try {
    const kept = splitSpace(sizes, operands, traits, {
      granularity: fine.map((unit, axis) => (axis < split ? unit : 0)),
      label,
    });
    return {
      boxes: kept.map((box) => ({ domain: cutBox(box, 0, split), reduced: [whole(core.reduced)] })),
      cutsReduced: false,
    };
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
  }
  // partial results of one box of outputs must fit scratch
  const partials: WindowedOperand = {
    label: "partial results",
    dtype: "u32",
    range: ({ size }) => ({ start: 0, end: elementCount(size.slice(0, split)) * core.reductions.length }),
  };
  const boxes = splitSpace(sizes, [...operands, partials], traits, { granularity: fine, label });
  const cuts = sizes.map((_, axis) => [...new Set(boxes.map(({ start }) => start[axis]))].sort((a, b) => a - b));
  return {
    boxes: productBoxes(sizes.slice(0, split), cuts.slice(0, split)).map((box) => ({
      domain: box,
      reduced: productBoxes(sizes.slice(split), cuts.slice(split)),
    })),
    cutsReduced: true,
  };
}

/** The boxes between given cuts along each dimension, in row-major order. */
function productBoxes(sizes: readonly number[], cuts: readonly (readonly number[])[]): Box[] {
  let boxes: Box[] = [{ start: [], size: [] }];
  sizes.forEach((size, axis) => {
    const pieces = cuts[axis].map((start, i) => ({ start, size: (cuts[axis][i + 1] ?? size) - start }));
    boxes = boxes.flatMap((box) =>
      pieces.map((piece) => ({ start: [...box.start, piece.start], size: [...box.size, piece.size] })),
    );
  });
  return boxes;
}

const cutBox = ({ start, size }: Box, from: number, to: number): Box => ({
  start: start.slice(from, to),
  size: size.slice(from, to),
});
export const joinBoxes = (a: Box, b: Box): Box => ({ start: [...a.start, ...b.start], size: [...a.size, ...b.size] });
