/**
 * A fused kernel as plain data: at most one core (a reduction, matmul, convolution...) and a body of
 * elementwise expressions evaluated at every index of the output domain. A backend either interprets
 * it (CPU) or prints it as a shader (WebGPU). Nothing here knows about devices.
 *
 * Loads are affine: element = offset + sum(index[d] * strides[d]) over the domain, so broadcasts,
 * transposes, slices and reshapes cost no kernel of their own.
 */
import type { DType, TensorType } from "../dtype.ts";
import type { ElementwiseName } from "../ops/elementwise.ts";
import type { CoreAttrs, CoreName } from "../ops/index.ts";
import { contiguousStrides, elementCount } from "../shape.ts";

/** Affine map from a domain index to an element of a dense buffer; a stride of 0 broadcasts. */
export interface View {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** One value per domain index; `arguments` point to earlier expressions of the same body. */
export type Expression =
  /** Element of kernel input `input` (a u8 element loads as u32). */
  | { readonly kind: "load"; readonly input: number; readonly view: View; readonly dtype: DType }
  /** Host scalar number `slot` of the plan: written anew before each run. */
  | { readonly kind: "scalar"; readonly slot: number; readonly dtype: DType }
  /** A constant; backends pass it as a uniform, never as shader text. `float64` replaces it where f32 is 64 bits wide. */
  | { readonly kind: "constant"; readonly value: number; readonly float64?: number; readonly dtype: DType }
  /** The integer `view.offset + sum(index * view.strides)`. */
  | { readonly kind: "index"; readonly view: View; readonly dtype: DType }
  /** Result number `result` of the kernel's core at this output index. */
  | { readonly kind: "core"; readonly result: number; readonly dtype: DType }
  | {
      readonly kind: "apply";
      readonly op: ElementwiseName;
      readonly arguments: readonly number[];
      readonly dtype: DType;
    };

export type ReductionName = "sum" | "max" | "min";

/**
 * Reductions that share one pass. `body` is evaluated over [...kernel.domain, ...reduced] (the last
 * dimensions are reduced); reduction r becomes core result r. An empty reduced space gives 0 for sum,
 * and the smallest / largest value for max / min.
 */
export interface ReduceCore {
  readonly op: "reduce";
  readonly reduced: readonly number[];
  readonly body: readonly Expression[];
  readonly reductions: readonly { readonly op: ReductionName; readonly expression: number }[];
}

/** A core op with its operands: kernel inputs 0..operands-1, dense, in the op's own shapes. One result. */
export interface OpCore<Name extends CoreName = CoreName> {
  readonly op: Name;
  readonly attrs: CoreAttrs[Name];
  /** Types of the operands; operand i is kernel input i. */
  readonly operands: readonly TensorType[];
  /** Type of the result; the kernel's domain holds the same elements in the same order. */
  readonly result: TensorType;
}

export type Core = ReduceCore | { [Name in CoreName]: OpCore<Name> }[CoreName];

export interface Kernel {
  /** E.g. `student.fc1 matmul+add+relu`. */
  readonly label: string;
  /** Layer path the kernel belongs to, or "". */
  readonly path: string;
  /** Distinct dense inputs; the core's operands come first (an operand may repeat an input's buffer, never its index). */
  readonly inputs: readonly TensorType[];
  /** Sizes of the output index space, row-major; adjacent dimensions are merged where no load tells them apart. Scalars have domain []. */
  readonly domain: readonly number[];
  readonly core: Core | undefined;
  readonly body: readonly Expression[];
  /** Each output is dense over the domain (its type keeps the tensor's own shape) and stores the value of one expression. */
  readonly outputs: readonly { readonly type: TensorType; readonly expression: number }[];
}

/** Whether a view walks its domain element by element from 0. */
export function isIdentity(view: View, domain: readonly number[]): boolean {
  if (view.offset !== 0) return false;
  const strides = contiguousStrides(domain);
  return domain.every((size, axis) => size === 1 || view.strides[axis] === strides[axis]);
}

/**
 * Inputs that an output may overwrite: same number of elements as the domain and every load of them,
 * in the whole kernel, is the identity over the output domain.
 */
export function overwritableInputs(kernel: Kernel): number[] {
  const count = elementCount(kernel.domain);
  const operandCount = kernel.core && kernel.core.op !== "reduce" ? kernel.core.operands.length : 0;
  const prologue = kernel.core?.op === "reduce" ? kernel.core.body : [];
  return kernel.inputs.flatMap((type, input) => {
    if (input < operandCount || type.dtype === "u8" || elementCount(type.shape) !== count) return [];
    if (prologue.some((expression) => expression.kind === "load" && expression.input === input)) return [];
    const loads = kernel.body.filter((expression) => expression.kind === "load" && expression.input === input);
    return loads.every((load) => load.kind === "load" && isIdentity(load.view, kernel.domain)) ? [input] : [];
  });
}

/** Whether the kernel reads host scalars. */
export function readsScalars(kernel: Kernel): boolean {
  const prologue = kernel.core?.op === "reduce" ? kernel.core.body : [];
  return [...prologue, ...kernel.body].some((expression) => expression.kind === "scalar");
}
