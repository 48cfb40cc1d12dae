/** Leaves: tensors whose values come from outside the graph. */
import type { DType, TensorType, TypedArray } from "../dtype.ts";
import type { Variable } from "../variable.ts";
import { notDifferentiable, type OpDefinition } from "./define.ts";

function leaf<Attrs>(name: string, infer: (attrs: Attrs) => TensorType): OpDefinition<Attrs> {
  return {
    name,
    family: "leaf",
    infer: (_inputs, attrs) => infer(attrs),
    reference() {
      throw new Error(`${name} has no inputs to compute from`);
    },
    vjp: notDifferentiable("a leaf has no inputs"),
  };
}

/** A step input, written before each run. */
export interface InputAttrs extends TensorType {
  readonly name: string;
}
export const input = leaf<InputAttrs>("input", ({ shape, dtype }) => ({ shape, dtype }));

/** The value a Variable has when the step begins. */
export interface VariableAttrs {
  readonly variable: Variable;
}
export const variable = leaf<VariableAttrs>("variable", ({ variable: { shape, dtype } }) => ({ shape, dtype }));

/** One number, fixed for ever; `float64` replaces it where f32 is 64 bits wide. */
export interface ConstantAttrs {
  readonly value: number;
  readonly float64?: number;
  readonly dtype: DType;
}
export const constant = leaf<ConstantAttrs>("constant", ({ dtype }) => ({ shape: [], dtype }));

/** Fixed array data. */
export interface ArrayAttrs extends TensorType {
  readonly data: TypedArray;
}
export const array = leaf<ArrayAttrs>("array", ({ shape, dtype }) => ({ shape, dtype }));

/** A number evaluated on the host in float64 before each run. */
export interface HostScalarAttrs {
  readonly name: string;
  readonly dtype: DType;
  readonly evaluate: () => number;
}
export const hostScalar = leaf<HostScalarAttrs>("hostScalar", ({ dtype }) => ({ shape: [], dtype }));

/** The integers 0, 1, 2... in row-major order. */
export const iota = leaf<TensorType>("iota", ({ shape, dtype }) => ({ shape, dtype }));
