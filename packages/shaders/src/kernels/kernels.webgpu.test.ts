/** Map, reduce and matmul kernels of random shapes on the GPU against the CPU backend, with and without windows. */
import {
  type Backend,
  contiguousStrides,
  cpuBackend,
  type DType,
  type Expression,
  elementCount,
  type Kernel,
  type ReductionName,
  type TensorType,
  type TypedArray,
} from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { difference, f32, load, noise, openWith, runKernel } from "../backend.test.support.ts";
import type { WebGpuBackend } from "../backend.ts";

/** A limit of a few kilobytes: everything but the smallest tensors goes through windows. */
const TINY = 2048;
/** Random kernels per property; each new shader costs a driver tens of milliseconds, those of matmul hundreds. */
const RUNS = 40;

const cpu: Backend = cpuBackend();
let whole: WebGpuBackend;
let windowed: WebGpuBackend;
let direct: WebGpuBackend;
/** Chooses kernels as on a GPU: tiles and reductions in workgroup memory, large workgroups. */
let hardware: WebGpuBackend;

beforeAll(async () => {
  whole = await openWith();
  windowed = await openWith({ maxBindingBytes: TINY });
  direct = await openWith({ family: "direct" });
  hardware = await openWith({ software: false });
});
afterAll(() => Promise.all([whole, windowed, direct, hardware].map((backend) => backend?.close())));

const valuesOf = (kernel: Kernel, seed: number): TypedArray[] => kernel.inputs.map((type, i) => noise(type, seed + i));

async function expectEqual(backend: Backend, kernel: Kernel, seed: number, tolerance: number): Promise<TypedArray[]> {
  const values = valuesOf(kernel, seed);
  const expected = await runKernel(cpu, kernel, values);
  const actual = await runKernel(backend, kernel, values);
  const differences = actual.map((array, o) => difference(array, expected[o]));
  expect(Math.max(...differences), `outputs ${differences} off: ${JSON.stringify(kernel)}`).toBeLessThanOrEqual(
    tolerance,
  );
  return actual;
}

const seeds = fc.integer({ min: 0, max: 1000 });
const dimension = fc.oneof(fc.constantFrom(1, 2, 3, 4, 5, 8, 12, 16), fc.integer({ min: 1, max: 40 }));

/** A view of some dense input over a space: broadcasts, permutations and slices. Returns the input's shape too. */
const viewOver = (sizes: readonly number[]) =>
  fc
    .record({
      axes: fc.shuffledSubarray(sizes.map((_, axis) => axis)),
      margin: fc.boolean(),
      sort: fc.boolean(),
      start: fc.nat({ max: 4 }),
    })
    .map(({ axes, margin, sort, start }) => {
      const order = sort ? [...axes].sort((a, b) => a - b) : axes;
      const shape = order.map((axis) => sizes[axis] + (margin ? 4 : 0));
      const strides = contiguousStrides(shape);
      const view = sizes.map((_, axis) => (order.includes(axis) ? strides[order.indexOf(axis)] : 0));
      const offset = margin ? strides.reduce((sum, stride) => sum + stride * start, 0) : 0;
      return { shape, strides: view, offset };
    });

/** Two or three loads over a space, combined; the last expression is the value. */
const bodyOver = (sizes: readonly number[], firstInput: number) =>
  fc
    .record({
      views: fc.array(viewOver(sizes), { minLength: 1, maxLength: 3 }),
      dtypes: fc.array(fc.constantFrom<DType>("f32", "f32", "i32", "u8", "bool"), { minLength: 3, maxLength: 3 }),
      op: fc.constantFrom("add", "mul", "sub", "maximum"),
      index: fc.boolean(),
    })
    .map(({ views, dtypes, op, index }) => {
      const body: Expression[] = [];
      const types: TensorType[] = [];
      let value = -1;
      const push = (expression: Expression) => body.push(expression) - 1;
      const combine = (next: number) => {
        value = value < 0 ? next : push({ kind: "apply", op: op as "add", arguments: [value, next], dtype: "f32" });
      };
      views.forEach(({ shape, strides, offset }, i) => {
        types.push({ shape, dtype: dtypes[i] });
        const loaded = push({ kind: "load", input: firstInput + i, view: { offset, strides }, dtype: dtypes[i] });
        combine(
          dtypes[i] === "f32" ? loaded : push({ kind: "apply", op: "castF32", arguments: [loaded], dtype: "f32" }),
        );
      });
      if (index) {
        const at = push({ kind: "index", view: { offset: 3, strides: contiguousStrides(sizes) }, dtype: "i32" });
        const scaled = push({ kind: "apply", op: "castF32", arguments: [at], dtype: "f32" });
        const small = push({ kind: "constant", value: 1 / 64, dtype: "f32" });
        combine(push({ kind: "apply", op: "mul", arguments: [scaled, small], dtype: "f32" }));
      }
      return { body, types };
    });

const output = (shape: readonly number[], expression: number, dtype: DType = "f32") => ({
  type: { shape, dtype },
  expression,
});
const common = { label: "random", path: "" };

describe("map", () => {
  const kernels = fc
    .array(dimension, { maxLength: 4 })
    .filter((domain) => elementCount(domain) < 20000)
    .chain((domain) =>
      bodyOver(domain, 0).map(
        ({ body, types }): Kernel => ({
          ...common,
          inputs: types,
          domain,
          core: undefined,
          body,
          outputs: [output(domain, body.length - 1), output(domain, 0, body[0].dtype === "u8" ? "u32" : body[0].dtype)],
        }),
      ),
    );

  test("agrees with the CPU backend, and windows change no bit", async () => {
    await fc.assert(
      fc.asyncProperty(kernels, seeds, async (kernel, seed) => {
        const actual = await expectEqual(whole, kernel, seed, 1e-6);
        const cut = await runKernel(windowed, kernel, valuesOf(kernel, seed));
        expect(cut).toEqual(actual);
      }),
      { numRuns: RUNS },
    );
  });

  test("overwrites an input in place", async () => {
    for (const domain of [[], [7], [64], [1000], [30, 20]]) {
      const strides = contiguousStrides(domain);
      const inputs = [f32(...domain), f32(...domain.slice(-1))];
      const body: Expression[] = [
        load(0, strides),
        load(
          1,
          strides.map((stride, axis) => (axis === strides.length - 1 ? stride : 0)),
        ),
        { kind: "apply", op: "mul", arguments: [0, 1], dtype: "f32" },
      ];
      const kernel: Kernel = { ...common, inputs, domain, core: undefined, body, outputs: [output(domain, 2)] };
      const values = valuesOf(kernel, 5);
      const [expected] = await runKernel(cpu, kernel, values);
      for (const backend of [whole, windowed]) {
        const [actual] = await runKernel(backend, kernel, values, { overwrites: [0] });
        expect(actual).toEqual(expected);
      }
    }
  });

  test("reads host scalars, and a matrix beside its transpose through windows", async () => {
    const domain = [50, 50];
    const body: Expression[] = [
      load(0, [50, 1]),
      load(0, [1, 50]),
      { kind: "scalar", slot: 1, dtype: "f32" },
      { kind: "apply", op: "mul", arguments: [1, 2], dtype: "f32" },
      { kind: "apply", op: "add", arguments: [0, 3], dtype: "f32" },
    ];
    const kernel: Kernel = {
      ...common,
      inputs: [f32(50, 50)],
      domain,
      core: undefined,
      body,
      outputs: [output(domain, 4)],
    };
    const [x] = valuesOf(kernel, 1);
    const expected = Float32Array.from(
      { length: 2500 },
      (_, i) => x[i] + Math.fround(x[(i % 50) * 50 + Math.floor(i / 50)] * 0.25),
    );
    for (const backend of [whole, windowed]) {
      const [actual] = await runKernel(backend, kernel, [x], { scalars: [7, 0.25] });
      expect(actual).toEqual(expected);
    }
  });

  test("an empty tensor takes no dispatch", async () => {
    const kernel: Kernel = {
      ...common,
      inputs: [f32(0, 3)],
      domain: [0, 3],
      core: undefined,
      body: [load(0, [3, 1])],
      outputs: [output([0, 3], 0)],
    };
    expect(whole.lower(kernel).dispatches).toBe(0);
    expect(await runKernel(whole, kernel, [new Float32Array(0)])).toEqual([new Float32Array(0)]);
  });

  test("goes beyond 65,535 workgroups of elements", async () => {
    const kernel: Kernel = {
      ...common,
      inputs: [f32(5_000_001)],
      domain: [5_000_001],
      core: undefined,
      body: [load(0, [1]), { kind: "apply", op: "neg", arguments: [0], dtype: "f32" }],
      outputs: [output([5_000_001], 1)],
    };
    await expectEqual(whole, kernel, 3, 0);
  });
});

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
        for (const backend of [whole, windowed, direct, hardware]) await expectEqual(backend, kernel, seed, 3e-5);
      }),
      { numRuns: RUNS },
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
    for (const backend of [whole, direct, hardware]) await expectEqual(backend, kernel, 11, tolerance);
    const first = await runKernel(whole, kernel, valuesOf(kernel, 11));
    expect(await runKernel(whole, kernel, valuesOf(kernel, 11)), "the same bits again").toEqual(first);
  });

  test("NaN wins max and min, everywhere in a row", async () => {
    for (const op of ["max", "min"] as const) {
      for (const at of [0, 5, 31, 32, 99]) {
        const kernel = rows(2, 100, op);
        const x = noise(kernel.inputs[0], 4);
        x[at] = Number.NaN;
        for (const backend of [whole, direct, hardware]) {
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
        for (const backend of [whole, windowed, direct, hardware]) await expectEqual(backend, kernel, 2, 0);
      }
    }
  });
});

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
        for (const backend of [whole, direct, hardware, windowed]) await expectEqual(backend, kernel, seed, 2e-6);
      }),
      { numRuns: RUNS / 4 },
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
    for (const backend of [whole, direct, hardware]) await expectEqual(backend, productKernel(product), 9, 3e-6);
  });

  test("what lies beside a factor stays out of the sums", async () => {
    // K = 5: the fourth to eighth element of a row read past its end, into a row of NaN
    const kernel = productKernel(shape(2, 8, 5, false, false));
    const [a, b] = valuesOf(kernel, 1);
    a.fill(Number.NaN, 5);
    for (const backend of [whole, direct, hardware]) {
      const [c] = await runKernel(backend, kernel, [a, b]);
      expect(Array.from(c.slice(0, 8)).some(Number.isNaN)).toBe(false);
      expect(Array.from(c.slice(8)).every(Number.isNaN)).toBe(true);
    }
  });

  test("an empty inner size gives zeros", async () => {
    for (const backend of [whole, direct, hardware])
      await expectEqual(backend, productKernel(shape(3, 4, 0, false, false)), 1, 0);
  });
});
