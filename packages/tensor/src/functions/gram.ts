/**
 * What all similarities of representations share: features centered over the samples, their Gram matrix, and the rule
 * for features without variance.
 *
 * Several similarities are inner products of two relations: n x n matrices of norm 1, one for each set of features, that
 * say how its samples relate. Whoever compares many layers makes the relations of each once.
 */
import { formatShape, ShapeError } from "../errors.ts";
import { captureSite, currentLayer, describeSite, withOneSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { constant, iota, where } from "../values.ts";

/**
 * Features have no variance when the centered norm is at most this part of the uncentered one: rounding of
 * the mean leaves about one epsilon. (1e-6)^2 and (1e-13)^2, since squared norms are compared.
 */
const noVariance = (): Tensor => constant(1e-12, { float64: 1e-26 });

/** Whether `part`, a squared norm, is more than rounding of `whole`; what is not finite counts, so that it is seen. */
export function counts(part: Tensor, whole: Tensor): Tensor {
  return part.lessEqual(whole.mul(noVariance())).and(part.isFinite()).not();
}

export interface Gram {
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
export const isDiagonal = (n: number): Tensor => iota([n, 1]).equal(iota([n]));

/** Features [n, ...] as a matrix [n, d] with the mean over samples taken off, and what that takes off its squared norm. */
export function center(features: Operand): { readonly centered: Tensor; readonly taken: Tensor } {
  const x = features.flatten();
  const mean = x.mean(0);
  return { centered: x.sub(mean), taken: mean.mul(mean).sum().mul(x.shape[0]) };
}

/** The Gram matrix of features [n, ...]. */
export function centeredGram(features: Operand): Gram {
  const { centered, taken } = center(features);
  const formed = centered.matmul(centered, { transposeB: true });
  const trace = where(isDiagonal(centered.shape[0]), formed, 0).sum();
  const varies = counts(trace, trace.add(taken));
  const scale = where(varies, trace, 1).reciprocal();
  const gram = formed.mul(scale);
  return { centered, gram, scale, varies, norm: where(varies, gram.mul(gram).sum(), 1).sqrt() };
}

/**
 * Squared distances [n, n] between samples, whose mean over all pairs is 2 / (n - 1): of features scaled to a Gram
 * matrix of trace 1. 0 without variance.
 */
export function squaredDistances({ gram, varies }: Gram): Tensor {
  const n = gram.shape[0];
  // rounding alone may be large, and nothing that follows may turn it into what is not finite
  const settled = where(varies, gram, 0);
  const norms = where(isDiagonal(n), settled, 0).sum(1);
  return norms.reshape([n, 1]).add(norms).sub(settled.mul(2));
}

/** The matrix divided by its norm; 0 where it does not count. */
export function unit(matrix: Tensor, varies: Tensor): Tensor {
  const norm = where(varies, matrix.mul(matrix).sum(), 1).sqrt();
  return where(varies, matrix.div(norm), 0);
}

/** Relations of features [n, ...]: a matrix [n, n] of norm 1, or 0 where nothing varies. */
export type Relations = (features: Operand) => Tensor;

/** Throws ShapeError unless x and y are features [n, ...] of the same n samples. */
export function requireSameSamples(what: string, x: Operand, y: Operand): void {
  if (x.rank >= 2 && y.rank >= 2 && x.shape[0] === y.shape[0]) return;
  throw new ShapeError({
    what,
    path: currentLayer(),
    facts: `x is ${formatShape(x.shape)}, y is ${formatShape(y.shape)}`,
    expected: "features [n, ...] of the same n samples",
    site: describeSite(captureSite()),
  });
}

/** The similarity that is the inner product of the relations of two sets of features. */
export function fromRelations(what: string, relations: Relations, x: Operand, y: Operand): Tensor {
  requireSameSamples(what, x, y);
  return withOneSite(() => relations(x.asTensor()).mul(relations(y.asTensor())).sum());
}
