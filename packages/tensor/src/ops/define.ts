/**
 * What an op is: one object in one file, forward and gradient side by side.
 *
 * To add an op:
 * 1. Elementwise: add one row to the table in `elementwise.ts`. Movement or core: one file here with one
 *    `OpDefinition`, and one line in `index.ts`.
 * 2. Add the fluent method in `../tensor.ts` (one line), or a function in `../functions/`.
 * 3. `tsc` now fails in `shaders/src/kernels` until a kernel exists, and in `test/support/generators.ts` until a
 *    generator of random cases exists. Conformance, gradient and gradient-of-gradient tests need no edit.
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
