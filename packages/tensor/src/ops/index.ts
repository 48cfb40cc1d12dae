/** The registry: one line an op. */

import type { ConvAttrs, ConvInputGradAttrs, ConvWeightGradAttrs } from "./conv2d.ts";
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from "./conv2d.ts";
import type { OpDefinition } from "./define.ts";
import { type MatmulAttrs, matmul } from "./matmul.ts";
import { type PadAttrs, pad } from "./pad.ts";
import { maxPool2dIndex, type PoolAttrs, type PoolScatterAttrs, poolGather, poolScatter } from "./pool.ts";

export { elementwiseOps, elementwiseRows } from "./elementwise.ts";
export * as leaves from "./leaf.ts";
export * as movements from "./movement.ts";
export { reduce } from "./reduce.ts";

/** Attributes of every core op. */
export interface CoreAttrs {
  matmul: MatmulAttrs;
  conv2d: ConvAttrs;
  conv2dInputGrad: ConvInputGradAttrs;
  conv2dWeightGrad: ConvWeightGradAttrs;
  maxPool2dIndex: PoolAttrs;
  poolGather: PoolAttrs;
  poolScatter: PoolScatterAttrs;
  pad: PadAttrs;
}

/** Names of the ops that have a kernel of their own. */
export type CoreName = keyof CoreAttrs;

/** Ops with a kernel of their own, by name. */
export const coreOps: { readonly [Name in CoreName]: OpDefinition<CoreAttrs[Name]> } = {
  matmul,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  maxPool2dIndex,
  poolGather,
  poolScatter,
  pad,
};
