/** Weights of a file into a module. */

import type { DType, nn, SafetensorsDType, SafetensorsType, StateDict } from "@guidance/tensor";
import { checkTensors } from "../run/tensors.ts";
import type { WeightsFile } from "./weights-file.ts";

/** Stored types that each of ours takes, the usual one first. */
const taken: Readonly<Partial<Record<DType, readonly SafetensorsDType[]>>> = {
  f32: ["F32", "F64", "F16"],
  i32: ["I64", "I32"],
  u32: ["I64", "U32"],
};

/** Throws RunError, naming what is missing, unexpected and misshapen, unless `file` has the tensors of `module`. */
export function checkWeights(module: nn.Module, file: WeightsFile): void {
  const expected = module.namedVariables().map(([name, { dtype, shape }]): [string, SafetensorsType] => {
    const stored = file.types.get(name)?.dtype;
    const [usual, ...others] = taken[dtype] ?? [];
    return [name, { dtype: others.find((other) => other === stored) ?? usual, shape }];
  });
  const hint = "Build the model with the sizes of the one whose weights these are";
  checkTensors(`weights file "${file.path}"`, file.types, new Map(expected), hint);
}

/** Replaces all values of `module` by those of `file`; throws as `checkWeights` does, before any value is read or changed. */
export async function loadWeightsInto(module: nn.Module, file: WeightsFile): Promise<void> {
  checkWeights(module, file);
  const state: StateDict = new Map();
  for (const name of file.names) state.set(name, await file.read(name));
  module.loadStateDict(state);
}
