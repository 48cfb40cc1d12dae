/**
 * Representational similarity analysis (Kriegeskorte et al. 2008): describe features by how far apart their samples are,
 * and correlate two such descriptions over all pairs of different samples.
 *
 * Distances are squared Euclidean, since a root has no derivative where two samples agree; the correlation is Pearson's,
 * since ranks have none at all.
 */
import type { Operand, Tensor } from "../tensor.ts";
import { where } from "../values.ts";
import { centeredGram, counts, fromRelations, isDiagonal, squaredDistances, unit } from "./gram.ts";

/** Relations of features [n, ...] whose inner product is RSA: distances less their mean, over their norm, [n, n]. */
export function distanceRelations(x: Operand): Tensor {
  const gram = centeredGram(x);
  const distances = squaredDistances(gram);
  const n = distances.shape[0];
  const mean = distances.sum().mul(1 / Math.max(1, n * (n - 1)));
  const centered = where(isDiagonal(n), 0, distances.sub(mean));
  const differ = counts(centered.mul(centered).sum(), distances.mul(distances).sum());
  return unit(centered, gram.varies.and(differ));
}

/**
 * RSA of x [n, ...] and y [n, ...]: Pearson's correlation of the squared distances between samples, a scalar in [-1, 1]
 * up to rounding, invariant to rotation and scale. 0 with gradient exactly 0 where either has no variance, or all its
 * samples are equally far apart. Source: Kriegeskorte, Mur, Bandettini 2008.
 */
export function rsa(x: Operand, y: Operand): Tensor {
  return fromRelations("rsa", distanceRelations, x, y);
}
