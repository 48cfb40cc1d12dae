/** Matrix products of random shapes on the GPU against the CPU backend, in every family and through windows. */
import { cpuBackend, type Expression, elementCount, type Kernel } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, f32, load, runKernel } from "../backend.test.support.ts";
import {
  common,
  expectEqual,
  openForTests,
  output,
  sample,
  seeds,
  valuesOf,
  variants,
} from "./kernels.test.support.ts";

openForTests();

describe("matmul", () => {
  interface Product {
    readonly batch: number;
    readonly M: number;
    readonly N: number;
    readonly K: number;
    readonly transposeA: boolean;
    readonly transposeB: boolean;
    readonly epilogue: boolean;
  }

  function productKernel({ batch, M, N, K, transposeA, transposeB, epilogue }: Product): Kernel {
    const lead = batch > 1 ? [batch] : [];
    const operands = [f32(...lead, ...(transposeA ? [K, M] : [M, K])), f32(...lead, ...(transposeB ? [N, K] : [K, N]))];
    const result = f32(...lead, M, N);
    const core = { op: "matmul", attrs: { transposeA, transposeB }, operands, result } as const;
    const plain: Kernel = {
      ...common,
      inputs: operands,
      domain: [elementCount(result.shape)],
      core,
      body: [{ kind: "core", result: 0, dtype: "f32" }],
      outputs: [output(result.shape, 0)],
    };
    if (!epilogue) return plain;
    // relu(product + bias) and that plus a residual read transposed
    const domain = [batch, M, N];
    const body: Expression[] = [
      { kind: "core", result: 0, dtype: "f32" },
      load(2, [0, 0, 1]),
      { kind: "apply", op: "add", arguments: [0, 1], dtype: "f32" },
      { kind: "apply", op: "relu", arguments: [2], dtype: "f32" },
      load(3, [M * N, 1, M]),
      { kind: "apply", op: "add", arguments: [3, 4], dtype: "f32" },
    ];
    return {
      ...plain,
      inputs: [...operands, f32(N), f32(batch, N, M)],
      domain,
      body,
      outputs: [output(result.shape, 3), output(result.shape, 5)],
    };
  }

  const size = fc.oneof(fc.constantFrom(1, 4, 8, 32, 64), fc.integer({ min: 1, max: 90 }));
  const products = fc.record({
    batch: fc.constantFrom(1, 1, 3),
    M: size,
    N: size,
    K: size,
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    epilogue: fc.boolean(),
  });

  test("agrees with the CPU backend in every family and through windows", async () => {
    await fc.assert(
      fc.asyncProperty(products, seeds, async (product, seed) => {
        const kernel = productKernel(product);
        for (const backend of [variants.whole, variants.direct, variants.hardware, variants.windowed])
          await expectEqual(backend, kernel, seed, 2e-6);
      }),
      sample(10),
    );
  });

  const shape = (M: number, N: number, K: number, transposeA: boolean, transposeB: boolean) => ({
    batch: 1,
    M,
    N,
    K,
    transposeA,
    transposeB,
    epilogue: false,
  });

  test.each([
    shape(12, 12, 2048, false, true),
    shape(8, 16, 2500, false, true),
    shape(16, 8, 4001, true, false),
    shape(1, 300, 500, false, false),
    shape(300, 1, 500, true, true),
    shape(520, 516, 33, false, true),
  ])("shapes that break others: %o", async (product) => {
    for (const backend of [variants.whole, variants.direct, variants.hardware])
      await expectEqual(backend, productKernel(product), 9, 3e-6);
  });

  test("what lies beside a factor stays out of the sums", async () => {
    // K = 5: the fourth to eighth element of a row read past its end, into a row of NaN
    const kernel = productKernel(shape(2, 8, 5, false, false));
    const [a, b] = valuesOf(kernel, 1);
    a.fill(Number.NaN, 5);
    for (const backend of [variants.whole, variants.direct, variants.hardware]) {
      const [c] = await runKernel(backend, kernel, [a, b]);
      expect(Array.from(c.slice(0, 8)).some(Number.isNaN)).toBe(false);
      expect(Array.from(c.slice(8)).every(Number.isNaN)).toBe(true);
    }
  });

  test.each([
    { n: 70, d: 33, transposeA: false, epilogue: true },
    { n: 64, d: 100, transposeA: false, epilogue: false },
    { n: 90, d: 5, transposeA: true, epilogue: true },
  ])("a Gram is computed by halves: %o", async ({ n, d, transposeA, epilogue }) => {
    const product = productKernel({ batch: 1, M: n, N: n, K: d, transposeA, transposeB: !transposeA, epilogue });
    const { core } = product;
    if (core?.op !== "matmul") throw new Error("a product was expected");
    const gram: Kernel = { ...product, core: { ...core, attrs: { ...core.attrs, symmetric: true } } };
    const values = valuesOf(product, 5);
    values[1] = values[0];
    const expected = await runKernel(cpuBackend(), product, values);
    for (const backend of [variants.whole, variants.direct, variants.hardware, variants.windowed]) {
      const actual = await runKernel(backend, gram, values);
      actual.forEach((output, o) => {
        expect(difference(output, expected[o])).toBeLessThan(3e-6);
      });
    }
  });

  test("an epilogue may read a factor, transposed too", async () => {
    const product = productKernel(shape(16, 16, 16, false, false));
    const kernel: Kernel = {
      ...product,
      domain: [16, 16],
      body: [
        { kind: "core", result: 0, dtype: "f32" },
        load(0, [1, 16]),
        { kind: "apply", op: "add", arguments: [0, 1], dtype: "f32" },
        load(1, [16, 1]),
        { kind: "apply", op: "mul", arguments: [2, 3], dtype: "f32" },
      ],
      outputs: [output([16, 16], 4)],
    };
    for (const backend of [variants.whole, variants.direct, variants.hardware])
      await expectEqual(backend, kernel, 3, 2e-6);
  });

  test("an empty inner size gives zeros", async () => {
    for (const backend of [variants.whole, variants.direct, variants.hardware])
      await expectEqual(backend, productKernel(shape(3, 4, 0, false, false)), 1, 0);
  });
});
