/**
 * Public surface of @guidance/tensor. Re-exports only.
 *
 * @module @guidance/tensor
 */

export * from "./backend/backend.ts";
export { type CpuOptions, cpuBackend } from "./backend/cpu.ts";
export { memoryBudget } from "./backend/memory-budget.ts";
export * from "./compile/kernel.ts";
export type { CompileOptions } from "./compile/pipeline.ts";
export * from "./compile/plan.ts";
export * from "./dtype.ts";
export * from "./errors.ts";
export { exactJson } from "./exact-json.ts";
export * from "./functions/index.ts";
export { grad } from "./grad.ts";
export { floatFromHalf, halfFromFloat } from "./half.ts";
export * as nn from "./nn/index.ts";
export type { StateDict } from "./nn/state-dict.ts";
export * from "./ops/conv2d.ts";
export { withGradient } from "./ops/custom.ts";
export * from "./ops/define.ts";
export type { ElementwiseName, ElementwiseRow } from "./ops/elementwise.ts";
export { type CoreAttrs, type CoreName, coreOps, elementwiseOps, elementwiseRows, reduce } from "./ops/index.ts";
export * from "./ops/matmul.ts";
export type { PadAttrs } from "./ops/pad.ts";
export * from "./ops/pool.ts";
export { reductionInitial, reductionRules } from "./ops/reduce.ts";
export * as optim from "./optim/index.ts";
export * from "./random.ts";
export * from "./safetensors.ts";
export {
  decodeSafetensorsHeader,
  encodeSafetensorsHeader,
  type SafetensorsArray,
  type SafetensorsDType,
  type SafetensorsEntry,
  type SafetensorsHeader,
  type SafetensorsType,
  safetensorsHeaderBytes,
} from "./safetensors-header.ts";
export * from "./shape.ts";
export { compile, f32, HostValue, type InputSpec, type InputValue, i32, type Step, u8, u32 } from "./step.ts";
export { type Axes, Operand, Tensor, type TensorLike } from "./tensor.ts";
export { afterScalars, currentTrace, hostScalar, Trace } from "./trace.ts";
export { constant, iota, tensor, where } from "./values.ts";
export { type InitialValue, Variable, type VariableOptions } from "./variable.ts";
