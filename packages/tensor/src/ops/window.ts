/** Settings of windows over images (convolution, pooling) that no shape can express: whole numbers in range. */
import { formatShape, ShapeError } from "../errors.ts";

/** [height, width] of something. */
export type Pair = readonly [number, number];

export interface WindowAttrs {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly kernelSize?: Pair;
}

/** Throws ShapeError unless strides and kernel sizes are whole numbers from 1 on, and paddings from 0 on. */
export function checkWindow(what: string, { stride, padding, kernelSize = [1, 1] }: WindowAttrs): void {
  const whole = (pair: Pair, least: number) =>
    pair.length === 2 && pair.every((size) => Number.isInteger(size) && size >= least);
  if (whole(stride, 1) && whole(padding, 0) && whole(kernelSize, 1)) return;
  throw new ShapeError({
    what,
    facts: `stride is ${formatShape(stride)}, padding ${formatShape(padding)}, kernel ${formatShape(kernelSize)}`,
    expected: "pairs of whole numbers: stride and kernel at least 1, padding at least 0",
    hint: "Check the layer's options",
  });
}
