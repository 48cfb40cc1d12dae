/** Gradient clipping: between `gradients` and `apply` of an optimizer. */
import { GradientError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import type { Gradients } from "./optimizer.ts";

/** Keeps the division finite where all gradients are 0 (torch's own value). */
const EPSILON = 1e-6;

/**
 * All gradients scaled by min(1, maxNorm / (norm + 1e-6)), with norm that of all of them as one vector
 * (torch.nn.utils.clip_grad_norm_), and that norm before clipping, a scalar.
 */
export function clipGradients(gradients: Gradients, maxNorm: number): { gradients: Gradients; norm: Tensor } {
  const list = [...gradients.values()];
  if (list.length === 0 || !(maxNorm > 0)) {
    throw new GradientError({
      what: "clipGradients",
      facts: `there are ${list.length} gradients and the largest norm is ${maxNorm}`,
      expected: "at least one gradient, and a norm above 0",
    });
  }
  const squares = list.map((gradient) => gradient.mul(gradient).sum());
  const norm = squares.reduce((sum, square) => sum.add(square)).sqrt();
  const scale = norm.add(EPSILON).reciprocal().mul(maxNorm).minimum(1);
  return { gradients: new Map([...gradients].map(([parameter, gradient]) => [parameter, gradient.mul(scale)])), norm };
}
