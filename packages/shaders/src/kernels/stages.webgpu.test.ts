/** Chained reductions on the GPU against the CPU backend: rows and columns, in every family, and in place. */
import {
  contiguousStrides,
  cpuBackend,
  type Expression,
  elementCount,
  type Kernel,
  overwritableInputs,
} from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, f32, load, runKernel } from "../backend.test.support.ts";
import {
  common,
  dimension,
  expectEqual,
  openForTests,
  output,
  sample,
  seeds,
  valuesOf,
  variants,
} from "./kernels.test.support.ts";

openForTests();

const apply = (op: "add" | "sub" | "mul" | "sqrt" | "div" | "maximum", ...args: number[]): Expression => ({
  kind: "apply",
  op,
  arguments: args,
  dtype: "f32",
});
const result = (number: number): Expression => ({ kind: "core", result: number, dtype: "f32" });
const constant = (value: number): Expression => ({ kind: "constant", value, dtype: "f32" });

/**
 * Normalizes x over its reduced axes: mean and greatest value, then the deviation, storing the centered values, then
 * the normalized ones. `order` says in which order the axes of [...domain, ...reduced] lie in memory. The scale of each
 * row is updated.
 */
function normalization(domain: readonly number[], reduced: readonly number[], order: readonly number[]): Kernel {
  const sizes = [...domain, ...reduced];
  const shape = order.map((axis) => sizes[axis]);
  const steps = contiguousStrides(shape);
  const strides = sizes.map((_, axis) => steps[order.indexOf(axis)]);
  const rows = contiguousStrides(domain);
  const x = load(0, strides);
  const scale = load(1, [...rows, ...reduced.map(() => 0)]);
  const perRow = constant(1 / Math.max(1, elementCount(reduced)));
  const wide = (stage: number, expression: number) => ({
    ...output(shape, expression),
    wide: { stage, view: { offset: 0, strides } },
  });
  return {
    ...common,
    inputs: [f32(...shape), f32(...domain)],
    domain,
    core: {
      op: "stages",
      reduced,
      stages: [
        {
          body: [x, perRow, apply("mul", 0, 1)],
          reductions: [
            { op: "sum", expression: 2 },
            { op: "max", expression: 0 },
          ],
        },
        {
          body: [x, result(0), apply("sub", 0, 1), perRow, apply("mul", 2, 2), apply("mul", 4, 3)],
          reductions: [{ op: "sum", expression: 5 }],
        },
        {
          body: [
            x,
            result(0),
            apply("sub", 0, 1),
            result(2),
            constant(1),
            apply("add", 3, 4),
            apply("sqrt", 5),
            apply("div", 2, 6),
            scale,
            apply("mul", 7, 8),
          ],
          reductions: [],
        },
      ],
    },
    body: [result(0), result(1), load(1, rows), apply("add", 1, 2)],
    outputs: [output(domain, 0), wide(1, 2), wide(2, 9), output(domain, 3)],
  };
}

const spaces = fc
  .record({
    domain: fc.array(dimension, { minLength: 1, maxLength: 2 }),
    reduced: fc.array(fc.oneof(dimension, fc.constantFrom(128, 257)), { minLength: 1, maxLength: 2 }),
  })
  .filter(({ domain, reduced }) => elementCount(domain) * elementCount(reduced) < 30000)
  .chain(({ domain, reduced }) => {
    const axes = [...domain, ...reduced].map((_, axis) => axis);
    const columns = [...axes.slice(domain.length), ...axes.slice(0, domain.length)];
    return fc.constantFrom(axes, columns, [...axes].reverse()).map((order) => normalization(domain, reduced, order));
  });

const backends = () => [variants.whole, variants.direct, variants.hardware];

describe("stages", () => {
  test("agree with the CPU backend", async () => {
    await fc.assert(
      fc.asyncProperty(spaces, seeds, async (kernel, seed) => {
        for (const backend of backends()) await expectEqual(backend, kernel, seed, 1e-5);
      }),
      sample(30),
    );
  });

  test.each([
    ["rows of a few", normalization([70], [5], [0, 1])],
    ["rows of a subgroup or two", normalization([33], [20], [0, 1])],
    ["one long row", normalization([1], [16_000], [0, 1])],
    ["channels of images", normalization([6], [9, 196], [1, 0, 2])],
    ["columns", normalization([128], [64], [1, 0])],
    ["columns that are no multiple of four", normalization([129], [65], [1, 0])],
    ["a few columns", normalization([3], [900], [1, 0])],
  ])("%s, each time with the same bits", async (_, kernel) => {
    for (const backend of backends()) {
      const first = await expectEqual(backend, kernel, 3, 1e-5);
      expect(await runKernel(backend, kernel, valuesOf(kernel, 3))).toEqual(first);
    }
  });

  test("what an output overwrites is read before", async () => {
    for (const kernel of [
      normalization([40], [24], [0, 1]),
      normalization([40], [24], [1, 0]),
      normalization([5], [2000], [0, 1]),
    ]) {
      expect(overwritableInputs(kernel, 1), "a later stage reads x").toEqual([]);
      expect(overwritableInputs(kernel, 2)).toEqual([0]);
      expect(overwritableInputs(kernel, 3)).toEqual([1]);
      const values = valuesOf(kernel, 8);
      const expected = await runKernel(cpuBackend(), kernel, values);
      for (const backend of [cpuBackend(), ...backends()]) {
        const actual = await runKernel(backend, kernel, values, { overwrites: [undefined, undefined, 0, 1] });
        actual.forEach((array, o) => {
          expect(difference(array, expected[o])).toBeLessThanOrEqual(1e-5);
        });
      }
    }
  });
});
