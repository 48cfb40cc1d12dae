/**
 * Principal components of centered features, X = U S V^T, on the host in float64.
 *
 * They come from the smaller of X X^T and X^T X, which costs half of the digits of the smallest singular values and makes
 * layers of any width affordable.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";

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

/** Principal components, and how features are made of them. */
export interface LoadedPrincipal extends Principal {
  /** U^T X [k, d], unless there is no U, or U spans all there is: k = n - 1. */
  readonly loadings: Matrix | null;
}

/** Whether U spans all centered features there can be. */
export const spansAll = (directions: Matrix): boolean => directions.columns >= directions.rows - 1;

/** Squared centered norms below this part of the uncentered are rounding, as for linear CKA. */
const noVariance = (data: FeatureMatrix["data"]): number => (data instanceof Float64Array ? 1e-26 : 1e-12);

/** Squared singular values below this part of their sum are rounding of the products they come from. */
const ROUNDING = 1e-13;

/** The principal components of features [n, ...]. */
export const principal = (features: FeatureMatrix): Principal => principalOf(center(features));

/** The same with loadings. */
export function loadedPrincipal(features: FeatureMatrix): LoadedPrincipal {
  const centered = center(features);
  const { directions, values } = principalOf(centered);
  if (!directions || spansAll(directions)) return { directions, values, loadings: null };
  const { data, n, d } = centered;
  return { directions, values, loadings: directions.transpose().mmul(Matrix.from1DArray(n, d, data)) };
}

function principalOf({ data, n, d, squares, varies }: Centered): Principal {
  if (!Number.isFinite(squares)) return { directions: null, values: [Number.NaN] };
  return varies ? components(data, n, d, squares) : { directions: null, values: [] };
}

/** U, and S over the norm of X, whose square is `squares`. */
function components(centered: Float64Array, n: number, d: number, squares: number) {
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

/** Features [n, d] without the mean of each column. */
interface Centered {
  readonly data: Float64Array;
  readonly n: number;
  readonly d: number;
  /** Sum of the squares. */
  readonly squares: number;
  /** Whether that is more than rounding. */
  readonly varies: boolean;
}

function center({ data: features, shape: [n] }: FeatureMatrix): Centered {
  const data = new Float64Array(features);
  const d = data.length / n;
  let [squares, taken] = [0, 0];
  for (let column = 0; column < d; column++) {
    let mean = 0;
    for (let i = column; i < data.length; i += d) mean += data[i];
    mean /= n;
    taken += n * mean * mean;
    for (let i = column; i < data.length; i += d) {
      data[i] -= mean;
      squares += data[i] * data[i];
    }
  }
  return { data, n, d, squares, varies: squares > noVariance(features) * (squares + taken) };
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
