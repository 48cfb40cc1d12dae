/** Activations and normalized exponentials, as plain functions of ops. */
import type { Operand, Tensor } from "../tensor.ts";
import { constant, iota, where } from "../values.ts";

/** x Phi(x) with the exact erf (torch.nn.functional.gelu, approximate="none"). */
export function gelu(x: Operand): Tensor {
  return x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
}

/** A reduced value with its axis put back, to broadcast against x. */
function keepAxis(reduced: Tensor, x: Operand, axis: number): Tensor {
  return reduced.reshape(x.shape.map((size, i) => (i === axis ? 1 : size)));
}

const positive = (axis: number, x: Operand): number => (axis < 0 ? axis + x.rank : axis);

/** log(softmax(x)) along `axis`, stable for large x (torch.nn.functional.log_softmax). */
export function logSoftmax(x: Operand, axis = -1): Tensor {
  const along = positive(axis, x);
  const shifted = x.sub(keepAxis(x.max(along), x, along).detach());
  return shifted.sub(keepAxis(shifted.exp().sum(along).log(), x, along));
}

/** exp(x) / sum(exp(x)) along `axis` (torch.nn.functional.softmax). */
export function softmax(x: Operand, axis = -1): Tensor {
  const along = positive(axis, x);
  const powers = x.sub(keepAxis(x.max(along), x, along).detach()).exp();
  return powers.div(keepAxis(powers.sum(along), x, along));
}

/** Index of the first maximum along `axis`, as i32; the first NaN wins, as in torch. */
export function argMax(x: Operand, axis = -1): Tensor {
  const along = positive(axis, x);
  const size = x.shape[along];
  const position = iota([size]).reshape(x.shape.map((_, i) => (i === along ? size : 1)));
  // the maximum of values with a NaN among them is NaN, which equals nothing
  const hit = x.equal(keepAxis(x.max(along), x, along)).or(x.equal(x).not());
  return where(hit, position.broadcast(x.shape), constant(size, { dtype: "i32" })).min(along);
}
