/**
 * Linear centered kernel alignment (Kornblith et al. 2019): how alike two sets of features of the same
 * samples are, invariant to rotation and scale. With X, Y centered over samples, K = X X^T, L = Y Y^T:
 * CKA = <K, L> / (|K| |L|).
 *
 * Features are centered first (centering Grams loses digits), each Gram is formed once and divided by its
 * trace before anything is squared, so features of scale 1e-12 or 1e10 work in float32.
 */
import { formatShape, ShapeError } from "../errors.ts";
import { currentLayer } from "../scope.ts";
import { constant, type Operand, type Tensor, where } from "../tensor.ts";

/**
 * Features have no variance when the centered norm is at most this part of the uncentered one: rounding of
 * the mean leaves about one epsilon. (1e-6)^2 and (1e-13)^2, since squared norms are compared.
 */
const noVariance = (): Tensor => constant(1e-12, { float64: 1e-26 });

interface Gram {
  /** Centered Gram matrix [n, n], trace 1. */
  readonly gram: Tensor;
  /** Squared Frobenius norm, or 1 without variance. */
  readonly squaredNorm: Tensor;
  readonly varies: Tensor;
}

function centeredGram(features: Operand): Gram {
  const x = features.flatten();
  const centered = x.sub(x.mean(0));
  const trace = centered.mul(centered).sum();
  const varies = trace.greater(x.mul(x).sum().mul(noVariance()));
  // CKA does not depend on the trace, so no gradient flows through it
  const scale = where(varies, trace, 1).reciprocal().detach();
  const gram = centered.matmul(centered, { transposeB: true }).mul(scale);
  return { gram, squaredNorm: where(varies, gram.mul(gram).sum(), 1), varies };
}

/**
 * Linear CKA of x [n, ...] and y [n, ...], a scalar in [0, 1] up to rounding. 0 with gradient exactly 0 where
 * either has no variance. Gradient of CKA wrt X: 2 (L/(|K||L|) - CKA K/|K|^2) X, centered.
 */
export function linearCka(x: Operand, y: Operand): Tensor {
  if (x.rank < 2 || y.rank < 2 || x.shape[0] !== y.shape[0]) {
    throw new ShapeError({
      what: "linearCka",
      path: currentLayer(),
      facts: `x is ${formatShape(x.shape)}, y is ${formatShape(y.shape)}`,
      expected: "features [n, ...] of the same n samples",
    });
  }
  const [a, b] = [centeredGram(x), centeredGram(y)];
  const similarity = a.gram.mul(b.gram).sum().div(a.squaredNorm.sqrt().mul(b.squaredNorm.sqrt()));
  return where(a.varies.and(b.varies), similarity, 0);
}
