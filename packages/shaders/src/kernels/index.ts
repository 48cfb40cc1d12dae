/** The kernel table: one line a core. A core without a kernel does not compile. */
import type { CoreName, Kernel } from "@guidance/tensor";
import { traitsFor } from "./choices.ts";
import { generateConv2d, generateConv2dInputGrad } from "./conv2d.ts";
import { generateConv2dWeightGrad } from "./conv2d-weight-grad.ts";
import type { DeviceTraits, GeneratedKernel, KernelGenerator } from "./dispatch.ts";
import { generateMap } from "./map.ts";
import { generateMatmul } from "./matmul.ts";
import { generatePad } from "./pad.ts";
import { generateMaxPool2dIndex, generatePoolGather, generatePoolScatter } from "./pool.ts";
import { generateReduce } from "./reduce.ts";
import { generateStages } from "./stages.ts";

export const kernelGenerators: { readonly [Name in CoreName | "map" | "reduce" | "stages"]: KernelGenerator } = {
  map: generateMap,
  reduce: generateReduce,
  stages: generateStages,
  matmul: generateMatmul,
  conv2d: generateConv2d,
  conv2dInputGrad: generateConv2dInputGrad,
  conv2dWeightGrad: generateConv2dWeightGrad,
  maxPool2dIndex: generateMaxPool2dIndex,
  poolGather: generatePoolGather,
  poolScatter: generatePoolScatter,
  pad: generatePad,
};

/** The dispatches of any kernel. */
export function generateKernel(
  kernel: Kernel,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
): GeneratedKernel {
  return kernelGenerators[kernel.core?.op ?? "map"](kernel, overwrites, traitsFor(kernel, traits));
}
