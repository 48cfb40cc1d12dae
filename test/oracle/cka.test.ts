// Linear CKA and its gradient against the original's code: cka.json, whose float64 values are the reference everywhere.

import { compile, f32, grad, linearCka } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { loadFixture, makeTensor, number, type RealSpec } from "../support/fixtures.ts";
import { openBackends } from "../support/oracle-backends.ts";
import { expectClose, maxAbs, norm } from "../support/oracle-compare.ts";

/** d(1 - CKA)/dX: all of it, or above 4000 elements its beginning and two summaries. */
interface StoredGradient {
  readonly shape: readonly [number, number];
  readonly data?: readonly number[];
  readonly first?: readonly number[];
  readonly sum?: number;
  readonly l2?: number;
}

interface CkaCase {
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

interface Tolerance {
  readonly value: number;
  /** Relative to the largest element of the gradient. */
  readonly gradient: number;
}

const { cases } = loadFixture<{ cases: CkaCase[] }>("cka");

function unknownRule(rule: string | undefined): never {
  throw new Error(`The fixture's rule "${rule}" is unknown. Build it here.`);
}

function makeX({ n, dx, x, x_rule: rule, row }: CkaCase): ArrayLike<number> {
  if (x) return makeTensor(x).data;
  if (rule === "X = 0") return new Float32Array(n * dx);
  if (rule !== "every row of X equals row" || !row) return unknownRule(rule);
  const { data } = makeTensor(row);
  return Float32Array.from({ length: n * dx }, (_, i) => data[i % dx]);
}

function makeY({ n, dx, dy, y, y_rule: rule, w, v, c }: CkaCase, x: ArrayLike<number>): ArrayLike<number> {
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
function toleranceOf(id: string, precision: "float32" | "float64"): Tolerance {
  // centring the Gram matrix, as the original does, costs the reference about offset^2 in digits
  if (precision === "float64") return { value: 1e-11, gradient: 1e-8 };
  if (id === "offset10") return { value: 1e-4, gradient: 1e-3 };
  if (id === "offset100") return { value: 1e-3, gradient: 2e-2 };
  return { value: 1e-5, gradient: 1e-4 };
}

/** CKA is 1 there, so the gradient is 0 but for rounding. */
const vanishing = new Set(["same", "orthogonal", "n2"]);

function expectGradient(actual: ArrayLike<number>, id: string, stored: StoredGradient, tolerance: Tolerance): void {
  const { data, first, sum, l2 } = stored;
  const [rows, columns] = stored.shape;
  expect(actual.length).toBe(rows * columns);
  const head = data ?? first ?? [];
  expect(head.length).toBeGreaterThan(0);
  const bound = tolerance.gradient * maxAbs(head);
  expectClose(Array.from(actual).slice(0, head.length), head, bound, "gradient");
  if (data) return;
  expectClose([norm(actual)], [l2 ?? Number.NaN], tolerance.gradient * (l2 ?? 0), "gradient's norm");
  const total = Array.from(actual).reduce((partial, value) => partial + value, 0);
  expectClose([total], [sum ?? Number.NaN], tolerance.gradient * (l2 ?? 0), "gradient's sum");
}

test("there are cases with and without variance", () => {
  expect(new Set(cases.map(({ defined }) => defined))).toEqual(new Set([true, false]));
  expect(cases.map(({ id }) => id)).toEqual(expect.arrayContaining([...vanishing]));
});

describe.each(await openBackends())("linear CKA on $name", (backend) => {
  test.each(cases)("$id", async (entry) => {
    const { id, n, dx, dy, defined, cka_f64: expected, grad_x: stored } = entry;
    const values = makeX(entry);
    await using step = await compile(backend, { x: f32(n, dx), y: f32(n, dy) }, ({ x, y }) => {
      const similarity = linearCka(x, y);
      const [byX, byY] = grad(similarity.neg().add(1), [x, y]);
      return { similarity, byX, byY };
    });
    const { similarity, byX, byY } = await step({ x: values, y: makeY(entry, values) });

    if (!defined) {
      // Our rule for features without variance, whatever the original's rounding gives there.
      expect(similarity.item()).toBe(0);
      for (const gradient of [byX, byY]) expect(maxAbs(gradient.data)).toBe(0);
      return;
    }
    const tolerance = toleranceOf(id, backend.precision);
    expectClose([similarity.item()], [number(expected)], tolerance.value, "similarity");
    if (vanishing.has(id)) {
      const rounding = backend.precision === "float64" ? 1e-14 : 1e-6;
      expectClose(byX.data, new Float64Array(n * dx), rounding, "gradient");
      expectClose(byY.data, new Float64Array(n * dy), rounding, "gradient of y");
    } else if (stored) {
      expectGradient(byX.data, id, stored, tolerance);
    } else {
      throw new Error(`Case "${id}" has no gradient`);
    }
  });
});
