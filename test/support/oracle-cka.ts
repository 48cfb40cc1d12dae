// The cases of cka.json: their features, and how near a value must be.

import { loadFixture, makeTensor, type RealSpec } from "./fixtures.ts";
import { norm } from "./oracle-compare.ts";

/** d(1 - CKA)/dX: all of it, or above 4000 elements its beginning and two summaries. */
export interface StoredGradient {
  readonly shape: readonly [number, number];
  readonly data?: readonly number[];
  readonly first?: readonly number[];
  readonly sum?: number;
  readonly l2?: number;
}

export interface CkaCase {
  readonly id: string;
  readonly n: number;
  readonly dx: number;
  readonly dy: number;
  readonly x: RealSpec | null;
  readonly y: RealSpec | null;
  readonly x_rule?: string;
  readonly y_rule?: string;
  /** The weight of "Y = X @ W". */
  readonly w?: RealSpec;
  /** The vector and the factor of "Y = c X Q", Q = I - 2 v v^T / (v^T v). */
  readonly v?: RealSpec;
  readonly c?: number;
  /** The row that "every row of X equals". */
  readonly row?: RealSpec;
  /** Whether X has variance. */
  readonly defined: boolean;
  readonly cka_f64: number | string;
  readonly grad_x: StoredGradient | null;
}

export interface Tolerance {
  readonly value: number;
  /** Relative to the largest element of the gradient. */
  readonly gradient: number;
}

export const { cases: ckaCases } = loadFixture<{ cases: CkaCase[] }>("cka");

function unknownRule(rule: string | undefined): never {
  throw new Error(`The fixture's rule "${rule}" is unknown. Build it here.`);
}

export function makeX({ n, dx, x, x_rule: rule, row }: CkaCase): ArrayLike<number> {
  if (x) return makeTensor(x).data;
  if (rule === "X = 0") return new Float32Array(n * dx);
  if (rule !== "every row of X equals row" || !row) return unknownRule(rule);
  const { data } = makeTensor(row);
  return Float32Array.from({ length: n * dx }, (_, i) => data[i % dx]);
}

export function makeY({ n, dx, dy, y, y_rule: rule, w, v, c }: CkaCase, x: ArrayLike<number>): ArrayLike<number> {
  if (y) return makeTensor(y).data;
  if (rule?.startsWith("Y = X @ W in float64") && w) {
    const { data } = makeTensor(w);
    return product(x, data, n, dx, dy);
  }
  if (!rule?.startsWith("Y = c X Q in float64") || !v || c === undefined) return unknownRule(rule);
  const { data } = makeTensor(v);
  const square = norm(data) ** 2;
  const reflection = Float64Array.from({ length: dx * dx }, (_, i) => {
    const [row, column] = [Math.floor(i / dx), i % dx];
    return c * (Number(row === column) - (2 * data[row] * data[column]) / square);
  });
  return product(x, reflection, n, dx, dy);
}

/** [rows, inner] times [inner, columns] in float64. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, rows: number, inner: number, columns: number) {
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[row * inner + k] * b[k * columns + column];
    return sum;
  });
}

/**
 * In float32 the README's tolerances, less its 1e-7 on top of the gradient's, which would swallow all of it at scale 1e10;
 * in float64 what nine stored digits and the reference's own rounding allow.
 */
export function toleranceOf(id: string, precision: "float32" | "float64"): Tolerance {
  // centring the Gram matrix, as the original does, costs the reference about offset^2 in digits
  if (precision === "float64") return { value: 1e-11, gradient: 1e-8 };
  if (id === "offset10") return { value: 1e-4, gradient: 1e-3 };
  if (id === "offset100") return { value: 1e-3, gradient: 2e-2 };
  return { value: 1e-5, gradient: 1e-4 };
}
