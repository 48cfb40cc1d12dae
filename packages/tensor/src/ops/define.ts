/**
 * What an op is: one object in one file, forward and gradient side by side.
 *
 * To add an op (what existing ops express is a plain function in `../functions/`; it becomes an op only when a benchmark
 * says so, and then stays as the op's test):
 * 1. Elementwise: one row in the table of `elementwise.ts`, with the dtypes it takes and its value. Movement or core:
 *    one file here with one `OpDefinition`; `infer` refuses shapes and dtypes (`accept.ts`) in the user's words, and
 *    `reference`, plain loops, is the specification and what the CPU backend runs.
 * 2. Its `vjp` stands beside it, in public ops so that it differentiates again, with the formula above it. The only way
 *    out is `notDifferentiable` with the reason.
 * 3. Movement or core: register it in `index.ts`, one line (and its attributes in `CoreAttrs`).
 * 4. A fluent method in `../tensor.ts` (one line), or a function in `../functions/`.
 * 5. What the planner should know: the cost of a dear row in `../compile/realize.ts`, the work of a core in
 *    `kernelFlops` of `../compile/plan.ts`. A faster loop for the CPU backend (`../backend/cpu-loops.ts`,
 *    `cpu-blocked.ts`) only when measured, and tested against `reference`.
 * 6. `tsc` now fails in `shaders/src/kernels` until its WGSL exists: a row in `elementwise.ts`, or a file under the same
 *    name. Sizes go into uniforms, never into the text; tensors larger than one binding go through windows.
 * 7. `tsc` fails in `test/support/generators.ts` until a generator of random cases exists (ragged shapes, ones, empty,
 *    every dtype it takes), and in `cli/src/selftest/cases.ts` until `doctor` can try it. Conformance, gradient and
 *    gradient-of-gradient tests need no edit.
 * 8. If PyTorch has it, add its oracle case to `test/support/oracle-ops.ts`.
 */
import type { TensorType, TypedArray } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";

/**
 * - leaf: no inputs; values come from outside.
 * - elementwise: one value per index from the values at the same index.
 * - movement: the same values at other places; never a kernel of its own where a load can do it.
 * - reduce: sum, max or min over axes.
 * - core: has a kernel of its own.
 */
export type OpFamily = "leaf" | "elementwise" | "movement" | "reduce" | "core";

/** All there is to know of an op but its WGSL. */
export interface OpDefinition<Attrs = unknown> {
  readonly name: string;
  readonly family: OpFamily;
  /** Result type, or a ShapeError in the user's words. */
  infer(inputs: readonly TensorType[], attrs: Attrs): TensorType;
  /** Plain loops over dense arrays: the executable specification. */
  reference(inputs: readonly TypedArray[], types: readonly TensorType[], attrs: Attrs, output: TypedArray): void;
  /** Gradient of each input given the gradient of the output, in public ops so that it differentiates again; null = none. */
  vjp(grad: Tensor, inputs: readonly Tensor[], output: Tensor, attrs: Attrs): readonly (Tensor | null)[];
}

/** The vjp of an op without a gradient: all inputs get none, for the stated reason. */
export function notDifferentiable(_reason: string): () => readonly null[] {
  return () => [];
}
