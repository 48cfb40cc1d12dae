// The specification, executed: a tensor's value by each op's `reference` loops, one op after another in float64. No
// planning, no fusion, no buffers, so it can stand against all of them.

import { type DType, elementCount, type Tensor, type TypedArray, type Variable } from "@guidance/tensor";

/** Values of step inputs by name, and of Variables when the step begins. */
export interface Given {
  readonly inputs?: Readonly<Record<string, ArrayLike<number>>>;
  readonly variables?: ReadonlyMap<Variable, ArrayLike<number>>;
}

/** An array that rounds as the dtype does, with floats in float64. */
function storage(dtype: DType, length: number): TypedArray {
  if (dtype === "f32" || dtype === "f16") return new Float64Array(length);
  if (dtype === "i32") return new Int32Array(length);
  return dtype === "u8" ? new Uint8Array(length) : new Uint32Array(length);
}

interface LeafAttrs {
  readonly value?: number;
  readonly float64?: number;
  readonly data?: ArrayLike<number>;
  readonly name?: string;
  readonly variable?: Variable;
  readonly evaluate?: () => number;
}

/** The values of `tensors`, in float64. */
export function referenceValues(tensors: readonly Tensor[], { inputs, variables }: Given = {}): TypedArray[] {
  const known = new Map<Tensor, TypedArray>();
  const fill = ({ op, attrs, size }: Tensor, output: TypedArray): void => {
    const { value = 0, float64 = value, data, name = "", variable, evaluate } = attrs as LeafAttrs;
    if (op.name === "constant") output.fill(float64);
    else if (op.name === "array") output.set(data ?? []);
    else if (op.name === "input") output.set(inputs?.[name] ?? []);
    else if (op.name === "variable") output.set((variable && variables?.get(variable)) ?? []);
    else if (op.name === "hostScalar") output.fill(evaluate?.() ?? 0);
    else for (let i = 0; i < size; i++) output[i] = i;
  };
  const visit = (tensor: Tensor): TypedArray => {
    const value = known.get(tensor);
    if (value) return value;
    const arrays = tensor.inputs.map(visit);
    const output = storage(tensor.dtype, elementCount(tensor.shape));
    if (tensor.op.family === "leaf") fill(tensor, output);
    else tensor.op.reference(arrays, tensor.inputs, tensor.attrs, output);
    known.set(tensor, output);
    return output;
  };
  return tensors.map(visit);
}

/**
 * The largest difference of `actual` from `expected`, relative to the largest expected size (at least 1); infinite where
 * one is not finite and the other differs.
 */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [largest, scale] = [0, 1];
  for (let i = 0; i < expected.length; i++) {
    if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]));
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const distance = Math.abs(actual[i] - expected[i]);
    largest = Math.max(largest, Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY);
  }
  return largest / scale;
}
