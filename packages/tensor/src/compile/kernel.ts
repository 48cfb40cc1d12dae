/**
 * A fused kernel as plain data: at most one core (a reduction, matmul, convolution...) and a body of
 * elementwise expressions evaluated at every index of the output domain. A backend either interprets
 * it (CPU) or prints it as a shader (WebGPU). Nothing here knows about devices.
 *
 * Loads are affine: element = offset + sum(index[d] * strides[d]) over the domain, so broadcasts,
 * transposes, slices and reshapes cost no kernel of their own.
 */
import { type DType, elementBytes, type TensorType } from "../dtype.ts";
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
  /** Element of kernel input `input` (a u8 element loads as u32, an f16 element as f32). */
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

/** How a reduction combines elements. */
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

/**
 * Reductions over one space that need each other's results, e.g. a variance after its mean, and tensors of the whole
 * space made from them, e.g. what a batch norm returns. For each index of the domain the stages run one after another;
 * results count over all of them. All tensors are read whole (no windows).
 */
export interface StagesCore {
  readonly op: "stages";
  readonly reduced: readonly number[];
  readonly stages: readonly Stage[];
}

/** One pass over [...kernel.domain, ...reduced]; its `core` expressions are results of earlier stages. */
export interface Stage {
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

/** The one part of a kernel that is more than elementwise. */
export type Core = ReduceCore | StagesCore | { [Name in CoreName]: OpCore<Name> }[CoreName];

/** A fused kernel as data: at most one core, and elementwise expressions around it. */
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
  readonly outputs: readonly KernelOutput[];
}

/** A tensor that a kernel stores: dense over the domain, the value of one expression of its body. */
export interface KernelOutput {
  /** The tensor's own shape, with as many elements as the domain (or, if wide, the whole space). */
  readonly type: TensorType;
  readonly expression: number;
  /** Of a `stages` core: stored during a stage, over its whole space at `view`; `expression` is one of the stage's body. */
  readonly wide?: { readonly stage: number; readonly view: View };
}

/** Expressions that a kernel evaluates over more than its domain, a body for each pass. */
export function innerBodies({ core }: Kernel): (readonly Expression[])[] {
  if (core?.op === "reduce") return [core.body];
  return core?.op === "stages" ? core.stages.map(({ body }) => body) : [];
}

/** Sizes of the dimensions that a kernel's core reduces away. */
export function reducedSizes({ core }: Kernel): readonly number[] {
  return core?.op === "reduce" || core?.op === "stages" ? core.reduced : [];
}

/** Whether a core is an op with operands of its own. */
export function isOpCore(core: Core | undefined): core is { [Name in CoreName]: OpCore<Name> }[CoreName] {
  return core !== undefined && core.op !== "reduce" && core.op !== "stages";
}

/** Operands of a kernel's core op; they are its first inputs. */
export function operandsOf({ core }: Kernel): readonly TensorType[] {
  return isOpCore(core) ? core.operands : [];
}

/** The views of expressions, in order. */
export function viewsOf(expressions: readonly Expression[]): View[] {
  return expressions.flatMap((expression) => ("view" in expression ? [expression.view] : []));
}

/** The same expressions with every view replaced. */
export function mapViews(expressions: readonly Expression[], change: (view: View) => View): Expression[] {
  return expressions.map((expression) =>
    "view" in expression ? { ...expression, view: change(expression.view) } : expression,
  );
}

/** Whether a view walks its domain element by element from 0. */
export function isIdentity(view: View, domain: readonly number[]): boolean {
  if (view.offset !== 0) return false;
  const strides = contiguousStrides(domain);
  return domain.every((size, axis) => size === 1 || view.strides[axis] === strides[axis]);
}

/**
 * Whether output number `output` may overwrite an input: it has as many elements, and the kernel reads it nowhere but
 * where the output is stored, and not after it is.
 */
export function mayOverwrite(kernel: Kernel, output: number, input: number): boolean {
  const { wide } = kernel.outputs[output];
  const { domain } = kernel;
  const still = reducedSizes(kernel);
  const { shape, dtype } = kernel.inputs[input];
  const count = elementCount(domain) * (wide ? elementCount(still) : 1);
  if (input < operandsOf(kernel).length || elementCount(shape) !== count) return false;
  const bytes = (of: DType) => elementBytes(of, "float32");
  if (bytes(dtype) !== bytes(kernel.outputs[output].type.dtype)) return false;
  if (wide) {
    const space = [...domain, ...still];
    return (
      !loads(kernel.body, input) &&
      innerBodies(kernel).every((body, stage) =>
        stage <= wide.stage ? loadsOnly(body, input, wide.view, space) : !loads(body, input),
      )
    );
  }
  const own = { offset: 0, strides: contiguousStrides(domain) };
  if (!loadsOnly(kernel.body, input, own, domain)) return false;
  const bodies = innerBodies(kernel);
  // a team's members read a row at different times, but chained stages store a row's output after all of them
  if (kernel.core?.op !== "stages") return !bodies.some((body) => loads(body, input));
  const row = { offset: 0, strides: [...own.strides, ...still.map(() => 0)] };
  return bodies.every((body) => loadsOnly(body, input, row, [...domain, ...still]));
}

function loads(body: readonly Expression[], input: number): boolean {
  return body.some((expression) => expression.kind === "load" && expression.input === input);
}

/** Whether every load of an input is at `view` over a space of `sizes`. */
function loadsOnly(body: readonly Expression[], input: number, view: View, sizes: readonly number[]): boolean {
  return body.every(
    (expression) => expression.kind !== "load" || expression.input !== input || sameView(expression.view, view, sizes),
  );
}

/** The inputs that output number `output` may overwrite. */
export function overwritableInputs(kernel: Kernel, output: number): number[] {
  return kernel.inputs.flatMap((_, input) => (mayOverwrite(kernel, output, input) ? [input] : []));
}

function sameView(a: View, b: View, sizes: readonly number[]): boolean {
  return a.offset === b.offset && sizes.every((size, axis) => size === 1 || a.strides[axis] === b.strides[axis]);
}

/** Whether the kernel reads host scalars. */
export function readsScalars(kernel: Kernel): boolean {
  const bodies = [...innerBodies(kernel), kernel.body];
  return bodies.some((body) => body.some(({ kind }) => kind === "scalar"));
}
