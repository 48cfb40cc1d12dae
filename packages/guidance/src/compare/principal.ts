/**
 * Similarities that need singular values, on the host in float64: SVCCA, and orthogonal Procrustes exactly.
 *
 * Both follow from the principal components of centered features, X = U S V^T, of which only U and S matter. They come
 * from the smaller of X X^T and X^T X, which costs half of the digits of the smallest singular values and makes layers of
 * any width affordable.
 */
import { ValueError } from "@guidance/tensor";
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";

/** Features [n, d] of n samples, row by row. */
export interface FeatureMatrix {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

/** Principal components of centered features of norm 1, the largest first. */
export interface Principal {
  /** U [n, k], where there is any variance. */
  readonly directions: Matrix | null;
  /** S, whose squares add up to 1; a single NaN where features are not finite. */
  readonly values: readonly number[];
}

/** Squared centered norms below this part of the uncentered are rounding, as for linear CKA. */
const noVariance = (data: FeatureMatrix["data"]): number => (data instanceof Float64Array ? 1e-26 : 1e-12);

/** Squared singular values below this part of their sum are rounding of the products they come from. */
const ROUNDING = 1e-13;

/** The principal components of features [n, ...]. */
export function principal({ data, shape }: FeatureMatrix): Principal {
  const n = shape[0];
  const d = data.length / n;
  const { centered, squares, taken } = center(data, n, d);
  if (!Number.isFinite(squares)) return { directions: null, values: [Number.NaN] };
  if (squares <= noVariance(data) * (squares + taken)) return { directions: null, values: [] };
  // the eigenvectors of X X^T are U, those of X^T X are V
  const samples = n <= d;
  const gram = samples ? rowProducts(centered, n, d) : rowProducts(transposed(centered, n, d), d, n);
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const parts = realEigenvalues.map((value) => value / squares);
  const order = parts.map((_, i) => i).filter((i) => parts[i] > ROUNDING);
  order.sort((a, b) => parts[b] - parts[a]);
  const vectors = eigenvectorMatrix.subMatrixColumn(order);
  const values = order.map((i) => Math.sqrt(parts[i]));
  if (samples) return { directions: vectors, values };
  const directions = Matrix.from1DArray(n, d, centered).mmul(vectors);
  // U = X V / S, of features as they are
  const norm = Math.sqrt(squares);
  return { directions: directions.divRowVector(values.map((value) => value * norm)), values };
}

function center(data: ArrayLike<number>, n: number, d: number) {
  const centered = Float64Array.from(data);
  let [squares, taken] = [0, 0];
  for (let column = 0; column < d; column++) {
    let mean = 0;
    for (let i = column; i < centered.length; i += d) mean += centered[i];
    mean /= n;
    taken += n * mean * mean;
    for (let i = column; i < centered.length; i += d) {
      centered[i] -= mean;
      squares += centered[i] * centered[i];
    }
  }
  return { centered, squares, taken };
}

function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(x, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);
}

/** X X^T of x [rows, columns]. */
function rowProducts(x: Float64Array, rows: number, columns: number): Matrix {
  const products = new Matrix(rows, rows);
  for (let a = 0; a < rows; a++) {
    for (let b = a; b < rows; b++) {
      let sum = 0;
      for (let i = 0; i < columns; i++) sum += x[a * columns + i] * x[b * columns + i];
      products.set(a, b, sum);
      products.set(b, a, sum);
    }
  }
  return products;
}

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
