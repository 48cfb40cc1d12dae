/**
 * Linear centered kernel alignment (Kornblith et al. 2019): how alike two sets of features of the same
 * samples are, invariant to rotation and scale. With X, Y centered over samples, K = X X^T, L = Y Y^T:
 * CKA = <K, L> / (|K| |L|).
 *
 * Features are centered first (centering Grams loses digits), each Gram is formed once and divided by its
 * trace before anything is squared, so features of scale 1e-12 or 1e10 work in float32.
 */
import { formatShape, ShapeError } from "../errors.ts";
import { withGradient } from "../ops/custom.ts";
import { captureSite, currentLayer, describeSite, withOneSite } from "../scope.ts";
import { constant, iota, type Operand, type Tensor, where } from "../tensor.ts";

/**
 * Features have no variance when the centered norm is at most this part of the uncentered one: rounding of
 * the mean leaves about one epsilon. (1e-6)^2 and (1e-13)^2, since squared norms are compared.
 */
const noVariance = (): Tensor => constant(1e-12, { float64: 1e-26 });

interface Gram {
  /** Features with the mean over samples taken off: [n, d]. */
  readonly centered: Tensor;
  /** Centered Gram matrix [n, n], trace 1. */
  readonly gram: Tensor;
  /** 1 / trace of the Gram matrix as formed, or 1 without variance. */
  readonly scale: Tensor;
  /** Frobenius norm, or 1 without variance. */
  readonly norm: Tensor;
  readonly varies: Tensor;
}

/** bool [n, n], true where row and column are the same. */
const isDiagonal = (n: number): Tensor => iota([n, 1]).equal(iota([n]));

function centeredGram(features: Operand): Gram {
  const x = features.flatten();
  const n = x.shape[0];
  const mean = x.mean(0);
  // what centering takes off |X|^2
  const taken = mean.mul(mean).sum().mul(n);
  const centered = x.sub(mean);
  const formed = centered.matmul(centered, { transposeB: true });
  const trace = where(isDiagonal(n), formed, 0).sum();
  // what is not finite counts as varying: it must reach the loss, not hide behind a similarity of 0
  const still = trace.lessEqual(trace.add(taken).mul(noVariance()));
  const varies = still.and(trace.isFinite()).not();
  const scale = where(varies, trace, 1).reciprocal();
  const gram = formed.mul(scale);
  return { centered, gram, scale, varies, norm: where(varies, gram.mul(gram).sum(), 1).sqrt() };
}

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
  if (x.rank < 2 || y.rank < 2 || x.shape[0] !== y.shape[0]) {
    throw new ShapeError({
      what: "linearCka",
      path: currentLayer(),
      facts: `x is ${formatShape(x.shape)}, y is ${formatShape(y.shape)}`,
      expected: "features [n, ...] of the same n samples",
      site: describeSite(captureSite()),
    });
  }
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
