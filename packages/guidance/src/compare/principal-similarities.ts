/**
 * Similarities that need singular values, of principal components: SVCCA, PWCCA, and orthogonal Procrustes exactly.
 */
import { ValueError } from "@guidance/tensor";
import { type Matrix, SingularValueDecomposition } from "ml-matrix";
import {
  type FeatureMatrix,
  type LoadedPrincipal,
  loadedPrincipal,
  type Principal,
  principal,
  spansAll,
} from "./principal.ts";

/** Singular values of A^T B. */
function crossValues(a: Matrix, b: Matrix): number[] {
  const options = { computeLeftSingularVectors: false, computeRightSingularVectors: false, autoTranspose: true };
  return new SingularValueDecomposition(a.transpose().mmul(b), options).diagonal;
}

/** `similarity` of the directions of both; 0 where one has none, NaN where one is not finite. */
function ofDirections(a: Principal, b: Principal, similarity: (a: Matrix, b: Matrix) => number): number {
  if (Number.isNaN(a.values[0]) || Number.isNaN(b.values[0])) return Number.NaN;
  return a.directions && b.directions ? similarity(a.directions, b.directions) : 0;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Part of the variance that SVCCA keeps (Raghu et al. 2017). */
const KEPT_VARIANCE = 0.99;

/** How many components hold that part. */
function keptCount(values: readonly number[]): number {
  let held = 0;
  const last = values.findIndex((value) => {
    held += value * value;
    return held >= KEPT_VARIANCE;
  });
  return last < 0 ? values.length : last + 1;
}

export function principalSvcca(a: Principal, b: Principal): number {
  return ofDirections(a, b, (u, v) => {
    const counts = [keptCount(a.values), keptCount(b.values)];
    const kept = (matrix: Matrix, count: number) => matrix.subMatrix(0, matrix.rows - 1, 0, count - 1);
    return sum(crossValues(kept(u, counts[0]), kept(v, counts[1]))) / Math.min(...counts);
  });
}

/**
 * Canonical correlations are the singular values of U^T V, and its left vectors P say which directions H = U P of x they are
 * of, so that H^T X = P^T U^T X. All are 1 where either spans all there is.
 */
export function principalPwcca(a: LoadedPrincipal, b: Principal): number {
  return ofDirections(a, b, (u, v) => {
    if (!a.loadings || spansAll(v)) return 1; // no loadings: u spans all
    const options = { computeRightSingularVectors: false, autoTranspose: true };
    const { leftSingularVectors, diagonal } = new SingularValueDecomposition(u.transpose().mmul(v), options);
    const projections = leftSingularVectors.transpose().mmul(a.loadings).abs();
    const weights = diagonal.map((_, i) => sum(projections.getRow(i)));
    return sum(diagonal.map((correlation, i) => correlation * weights[i])) / sum(weights);
  });
}

export function principalProcrustes(a: Principal, b: Principal): number {
  return ofDirections(a, b, (u, v) =>
    sum(crossValues(u.clone().mulRowVector([...a.values]), v.clone().mulRowVector([...b.values]))),
  );
}

/**
 * SVCCA of x [n, ...] and y [n, ...], from 0 to 1: the mean correlation of the directions, paired by CCA, that hold 99 % of
 * each one's variance. Invariant to rotation and scale. 0 where either has no variance. It has no gradient: how many
 * directions count is a number. Source: Raghu et al. 2017.
 *
 * Throws ValueError unless both are of the same samples.
 */
export function svcca(x: FeatureMatrix, y: FeatureMatrix): number {
  requireSameSamples("svcca", x, y);
  return principalSvcca(principal(x), principal(y));
}

/**
 * PWCCA of x [n, ...] and y [n, ...], from 0 to 1: the mean of canonical correlations r_i, i up to the smaller rank, in
 * which each counts by how much of x its direction holds,
 *
 *     sum_i w_i r_i / sum_i w_i,   w_i = sum_j |h_i^T x_j|,
 *
 * h_i [n] being the canonical directions of x, of norm 1, and x_j its centered columns. Weights come from x alone, so
 * that it is not symmetric. Invariant to invertible linear maps of y, and to scale and shift of x. 0 where either has no
 * variance. Where either one's features span all n samples (as n <= width + 1 have it) it is 1, whatever the other's are;
 * and it is not well defined where equal correlations are among others, since then directions are any of their span.
 * Source: Morcos, Raghu, Bengio 2018, arXiv 1806.05759.
 *
 * Throws ValueError unless both are of the same samples.
 */
export function pwcca(x: FeatureMatrix, y: FeatureMatrix): number {
  requireSameSamples("pwcca", x, y);
  return principalPwcca(loadedPrincipal(x), principal(y));
}

/** What `procrustes` of the tensor package computes, from singular values. */
export function exactProcrustes(x: FeatureMatrix, y: FeatureMatrix): number {
  requireSameSamples("exactProcrustes", x, y);
  return principalProcrustes(principal(x), principal(y));
}

function requireSameSamples(what: string, x: FeatureMatrix, y: FeatureMatrix): void {
  const fits = ({ data, shape }: FeatureMatrix) =>
    shape.length >= 2 && data.length === shape.reduce((product, size) => product * size, 1);
  if (fits(x) && fits(y) && x.shape[0] === y.shape[0]) return;
  const facts = `x is [${x.shape}] with ${x.data.length} values, y is [${y.shape}] with ${y.data.length}`;
  throw new ValueError({ what, facts, expected: "features [n, ...] of the same n samples" });
}
