/**
 * Sizes of the three convolutions, read from a kernel's core. The op has already checked that they fit.
 * Letters: N batch, C input channels, O output channels, H W input size, P Q output size, R S kernel size.
 */
import type { ConvSizes, OpCore } from "@guidance/tensor";

export type ConvCore = OpCore<"conv2d"> | OpCore<"conv2dInputGrad"> | OpCore<"conv2dWeightGrad">;

export function convSizesOf({ op, operands, result }: ConvCore): ConvSizes {
  // [x, weight, out] in whichever order the op takes two of them and gives the third
  const [a, b] = [operands[0].shape, operands[1].shape];
  const [x, weight, out] =
    op === "conv2d" ? [a, b, result.shape] : op === "conv2dInputGrad" ? [result.shape, b, a] : [a, result.shape, b];
  const [N, C, H, W] = x;
  const [O, , R, S] = weight;
  const [, , P, Q] = out;
  return { N, C, O, H, W, P, Q, R, S };
}
