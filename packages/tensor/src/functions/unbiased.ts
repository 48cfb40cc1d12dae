/**
 * Unbiased estimates of HSIC (HSIC_1 of Song et al. 2012), whose mean over minibatches estimates that of all samples, where
 * CKA of a minibatch is too large by an amount that depends on its size (Nguyen, Raghu, Kornblith 2020, arXiv 2010.15327).
 *
 *     HSIC_1(K, L) = (tr(K L) + sum(K) sum(L) / ((n - 1)(n - 2)) - 2 sum(K L) / (n - 2)) / (n (n - 3)),
 *
 * K and L with zeros on their diagonals. That is an inner product: of U-centered matrices (Szekely, Rizzo 2014)
 * U_ij = K_ij - r_i / (n - 2) - r_j / (n - 2) + s / ((n - 1)(n - 2)) off the diagonal, r being the sums of rows and s of all.
 */
import { formatShape, ShapeError } from "../errors.ts";
import { captureSite, currentLayer, describeSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { where } from "../values.ts";
import { centeredGram, isDiagonal } from "./gram.ts";
import { rbfKernel } from "./rbf-cka.ts";

/** The U-centered matrix [n, n] over sqrt(n (n - 3)): the inner product of two is HSIC_1. */
function unbiased(kernel: Tensor, varies: Tensor): Tensor {
  const n = kernel.shape[0];
  if (n < 4) {
    throw new ShapeError({
      what: "unbiased HSIC",
      path: currentLayer(),
      facts: `features of ${n} samples make a kernel ${formatShape(kernel.shape)}`,
      expected: "at least 4 samples",
      site: describeSite(captureSite()),
    });
  }
  const others = where(isDiagonal(n), 0, kernel);
  const rows = others.sum(0).mul(1 / (n - 2));
  const all = others.sum().mul(1 / ((n - 1) * (n - 2)));
  const centered = others
    .sub(rows)
    .sub(rows.reshape([n, 1]))
    .add(all);
  return where(varies, where(isDiagonal(n), 0, centered).mul(1 / Math.sqrt(n * (n - 3))), 0);
}

/** A matrix [n, n] of features [n, ...]; the inner product of two is HSIC_1 of linear kernels. Throws ShapeError below 4 samples. */
export function unbiasedLinearRelations(x: Operand): Tensor {
  const { gram, scale, varies } = centeredGram(x);
  // batches add up, so they must not be scaled one by one
  return unbiased(gram.div(scale), varies);
}

/**
 * A matrix [n, n] of features [n, ...]; the inner product of two is HSIC_1 of Gaussian kernels, whose bandwidth is that of
 * this batch. Throws ShapeError below 4 samples.
 */
export function unbiasedRbfRelations(x: Operand): Tensor {
  const gram = centeredGram(x);
  return unbiased(rbfKernel(gram), gram.varies);
}
