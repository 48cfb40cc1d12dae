/**
 * Linear centered kernel alignment (Kornblith et al. 2019): how alike two sets of features of the same
 * samples are, invariant to rotation and scale. With X, Y centered over samples, K = X X^T, L = Y Y^T:
 * CKA = <K, L> / (|K| |L|).
 *
 * Features are centered first (centering Grams loses digits), each Gram is formed once and divided by its
 * trace before anything is squared, so features of scale 1e-12 or 1e10 work in float32.
 */
import { withGradient } from "../ops/custom.ts";
import { withOneSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { where } from "../values.ts";
import { centeredGram, type Gram, requireSameSamples, unit } from "./gram.ts";

/** Gradient of CKA wrt the features of `own`: 2 (L/(|K||L|) - CKA K/|K|^2) X; K and L are centered, so it is too. */
function featureGrad(own: Gram, other: Gram, similarity: Tensor, grad: Tensor): Tensor {
  const pull = other.gram.mul(own.norm.mul(other.norm).reciprocal());
  const stay = own.gram.mul(similarity.div(own.norm.mul(own.norm)));
  const weight = grad.mul(own.scale).mul(2);
  return pull.sub(stay).mul(weight).matmul(own.centered);
}

/**
 * Linear CKA of x [n, ...] and y [n, ...], a scalar in [0, 1] up to rounding. 0 with gradient exactly 0 where
 * either has no variance.
 */
export function linearCka(x: Operand, y: Operand): Tensor {
  requireSameSamples("linearCka", x, y);
  return withOneSite(() => similarity(x.asTensor(), y.asTensor()));
}

function similarity(x: Tensor, y: Tensor): Tensor {
  const [a, b] = [centeredGram(x), centeredGram(y)];
  const defined = a.varies.and(b.varies);
  const cosine = a.gram.mul(b.gram).sum().div(a.norm.mul(b.norm));
  const value = where(defined, cosine, 0);
  return withGradient(value, [x, y], (grad) => {
    const known = where(defined, grad, 0);
    return [featureGrad(a, b, cosine, known).reshape(x.shape), featureGrad(b, a, cosine, known).reshape(y.shape)];
  });
}

/** Relations of features [n, ...] whose inner product is linear CKA: K / |K|, [n, n]. */
export function linearRelations(x: Operand): Tensor {
  const { gram, varies } = centeredGram(x);
  return unit(gram, varies);
}
