/** Reductions of random shapes on the GPU against the CPU backend, in every family and through windows. */
import { cpuBackend, type Expression, elementCount, type Kernel, type ReductionName } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, f32, load, noise, runKernel } from "../backend.test.support.ts";
import {
  bodyOver,
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

describe("reduce", () => {
  const sizes = fc
    .record({
      domain: fc.array(dimension, { maxLength: 3 }),
      reduced: fc.array(fc.oneof(dimension, fc.constantFrom(128, 257)), { minLength: 1, maxLength: 2 }),
    })
    .filter(({ domain, reduced }) => elementCount(domain) * elementCount(reduced) < 30000);
  const kernels = sizes.chain(({ domain, reduced }) =>
    fc
      .record({
        inner: bodyOver([...domain, ...reduced], 0),
        ops: fc.array(fc.constantFrom<ReductionName>("sum", "max", "min"), { minLength: 1, maxLength: 2 }),
      })
      .chain(({ inner, ops }) =>
        bodyOver(domain, inner.types.length).map(({ body, types }): Kernel => {
          // the epilogue: (last reduction * 0.5 + loads), and the first reduction as it is
          const first = body.length;
          const epilogue: Expression[] = [
            ...body,
            ...ops.map((_, result): Expression => ({ kind: "core", result, dtype: "f32" })),
            { kind: "apply", op: "add", arguments: [first - 1, first + ops.length - 1], dtype: "f32" },
          ];
          const last = inner.body.length - 1;
          return {
            ...common,
            inputs: [...inner.types, ...types],
            domain,
            core: { op: "reduce", reduced, body: inner.body, reductions: ops.map((op) => ({ op, expression: last })) },
            body: epilogue,
            outputs: [output(domain, first), output(domain, epilogue.length - 1)],
          };
        }),
      ),
  );

  test("agrees with the CPU backend, also through windows and in one thread a row", async () => {
    await fc.assert(
      fc.asyncProperty(kernels, seeds, async (kernel, seed) => {
        // sums that cancel keep the rounding errors of their terms
        for (const backend of Object.values(variants)) await expectEqual(backend, kernel, seed, 3e-5);
      }),
      sample(40),
    );
  });

  const rows = (rowCount: number, length: number, op: ReductionName): Kernel => ({
    ...common,
    inputs: [f32(rowCount, length)],
    domain: rowCount === 1 ? [] : [rowCount],
    core: {
      op: "reduce",
      reduced: [length],
      body: [load(0, rowCount === 1 ? [1] : [length, 1])],
      reductions: [{ op, expression: 0 }],
    },
    body: [{ kind: "core", result: 0, dtype: "f32" }],
    outputs: [output([rowCount], 0)],
  });
  const columns = (length: number, columnCount: number, op: ReductionName): Kernel => ({
    ...rows(columnCount, length, op),
    inputs: [f32(length, columnCount)],
    core: { op: "reduce", reduced: [length], body: [load(0, [1, columnCount])], reductions: [{ op, expression: 0 }] },
  });

  test.each([
    ["one long row", rows(1, 300_001, "sum"), 3e-5],
    ["two long rows", rows(2, 70_000, "max")],
    ["many short rows", rows(70_001, 3, "sum")],
    ["long columns", columns(20_000, 12, "sum")],
    ["ten columns", columns(20_000, 10, "min")],
    ["many columns", columns(7, 60_002, "sum")],
    ["nothing to reduce", rows(6, 0, "max")],
  ])("%s", async (_, kernel, tolerance = 3e-6) => {
    // the sum of 300,001 values in [-1, 1) is small beside what it is made of
    for (const backend of [variants.whole, variants.direct, variants.hardware])
      await expectEqual(backend, kernel, 11, tolerance);
    const first = await runKernel(variants.whole, kernel, valuesOf(kernel, 11));
    expect(await runKernel(variants.whole, kernel, valuesOf(kernel, 11)), "the same bits again").toEqual(first);
  });

  test.each([
    ["one row", rows(1, 1_000_000, "sum")],
    ["rows", rows(3, 300_001, "sum")],
    ["four rows", rows(4, 802_816, "sum")],
    ["columns", columns(50_000, 8, "sum")],
    ["odd columns", columns(50_000, 3, "sum")],
  ])("sums of hundreds of thousands of terms of one sign keep their digits: %s", async (_, kernel) => {
    const [{ shape, dtype }] = kernel.inputs;
    const varied = noise({ shape, dtype }, 7).map((value) => 1 + value / 2);
    // equal terms are the hard case: every addition rounds the same way
    for (const x of [varied, varied.map(() => 0.1)]) {
      const [expected] = await runKernel(cpuBackend(), kernel, [x]);
      for (const backend of [variants.whole, variants.direct, variants.hardware]) {
        const [actual] = await runKernel(backend, kernel, [x]);
        expect(difference(actual, expected)).toBeLessThanOrEqual(2e-6);
      }
    }
  });

  test("NaN wins max and min, everywhere in a row", async () => {
    for (const op of ["max", "min"] as const) {
      for (const at of [0, 5, 31, 32, 99]) {
        const kernel = rows(2, 100, op);
        const x = noise(kernel.inputs[0], 4);
        x[at] = Number.NaN;
        for (const backend of [variants.whole, variants.direct, variants.hardware]) {
          const [[first, second]] = await runKernel(backend, kernel, [x]);
          expect(first).toBeNaN();
          expect(second).not.toBeNaN();
        }
      }
    }
  });

  test("integers and flags", async () => {
    for (const dtype of ["i32", "u32", "bool"] as const) {
      for (const op of ["sum", "max", "min"] as const) {
        if (dtype === "bool" && op === "sum") continue;
        const core = rows(5, 77, op).core!;
        const kernel: Kernel = {
          ...rows(5, 77, op),
          inputs: [{ shape: [5, 77], dtype }],
          core: {
            ...core,
            op: "reduce",
            reduced: [77],
            body: [load(0, [77, 1], 0, dtype)],
            reductions: [{ op, expression: 0 }],
          },
          body: [{ kind: "core", result: 0, dtype }],
          outputs: [output([5], 0, dtype)],
        };
        for (const backend of Object.values(variants)) await expectEqual(backend, kernel, 2, 0);
      }
    }
  });
});
