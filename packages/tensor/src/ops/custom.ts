/**
 * A value with a gradient of its own: where the derived gradient of a formula is right but wasteful
 * (statistics that cancel), the closed form replaces it. The vjp is written in public ops, so it
 * differentiates again; the compiler drops the op itself.
 */
import { create, type Tensor } from "../tensor.ts";
import type { OpDefinition } from "./define.ts";

interface CustomAttrs {
  /** Gradients of the inputs after the value, given that of the value. */
  readonly vjp: (grad: Tensor) => readonly (Tensor | null)[];
}

/** Input 0 is the value; the others are what it is differentiated by. */
export const custom: OpDefinition<CustomAttrs> = {
  name: "custom",
  family: "elementwise",
  infer: ([value]) => ({ shape: value.shape, dtype: value.dtype }),
  reference: ([value], _types, _attrs, output) => output.set(value),
  vjp: (grad, _inputs, _output, attrs) => [null, ...attrs.vjp(grad)],
};

/** `value`, whose gradients with respect to `inputs` are what `vjp` gives instead of the derived ones. */
export function withGradient(value: Tensor, inputs: readonly Tensor[], vjp: CustomAttrs["vjp"]): Tensor {
  return create(custom, [value, ...inputs], { vjp });
}
