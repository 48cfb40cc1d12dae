// Linear CKA and its gradient against the original's code: cka.json, whose float64 values are the reference everywhere.

import { compile, f32, grad, linearCka } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { number } from "../support/fixtures.ts";
import { openBackends } from "../support/oracle-backends.ts";
import {
  ckaCases as cases,
  makeX,
  makeY,
  type StoredGradient,
  type Tolerance,
  toleranceOf,
} from "../support/oracle-cka.ts";
import { expectClose, maxAbs, norm } from "../support/oracle-compare.ts";

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
