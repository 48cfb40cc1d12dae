/**
 * CKA with a Gaussian kernel (Kornblith et al. 2019): K_ij = exp(-|x_i - x_j|^2 / (2 s^2)), both kernels centered,
 * CKA = <K, L> / (|K| |L|). It weighs which samples are near each other where linear CKA weighs the main directions.
 *
 * The paper takes for the bandwidth s a part of the median distance between samples. A median has no useful derivative,
 * so it is a part of the root mean square distance here, through which gradients flow as through everything else. Of
 * features scaled to a Gram matrix of trace 1 that distance is sqrt(2 / (n - 1)), so it need not be computed.
 */
import type { Operand, Tensor } from "../tensor.ts";
import { centeredGram, fromRelations, type Gram, squaredDistances, unit } from "./gram.ts";

/** Bandwidth as a part of the root mean square distance; the paper finds 0.8 as good as linear CKA, 0.2 much worse. */
const BANDWIDTH = 0.8;

/** The kernel matrix [n, n] of features, ones on its diagonal. */
export function rbfKernel(gram: Gram): Tensor {
  const n = gram.gram.shape[0];
  // 2 s^2 = 2 BANDWIDTH^2 2 / (n - 1)
  return squaredDistances(gram)
    .mul(-(n - 1) / (4 * BANDWIDTH ** 2))
    .exp();
}

/** A symmetric matrix [n, n] with the means of its rows and columns taken off. */
function doubleCentered(matrix: Tensor): Tensor {
  const n = matrix.shape[0];
  const means = matrix.mean(0);
  return matrix
    .sub(means)
    .sub(means.reshape([n, 1]))
    .add(means.mean());
}

/** Relations of features [n, ...] whose inner product is RBF CKA: the centered kernel over its norm, [n, n]. */
export function rbfRelations(x: Operand): Tensor {
  const gram = centeredGram(x);
  return unit(doubleCentered(rbfKernel(gram)), gram.varies);
}

/**
 * CKA with a Gaussian kernel of x [n, ...] and y [n, ...], a scalar in [0, 1] up to rounding, invariant to rotation and
 * scale. 0 with gradient exactly 0 where either has no variance. Source: Kornblith et al. 2019, section 3.
 */
export function rbfCka(x: Operand, y: Operand): Tensor {
  return fromRelations("rbfCka", rbfRelations, x, y);
}
