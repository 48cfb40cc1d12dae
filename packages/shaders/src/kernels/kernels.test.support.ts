/** Random bodies of kernels, and their comparison with the CPU backend: for the tests of map, reduce and matmul kernels. */
import {
  type Backend,
  contiguousStrides,
  cpuBackend,
  type DType,
  type Expression,
  type Kernel,
  type TensorType,
  type TypedArray,
} from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, expect } from "vitest";
import { difference, noise, openWith, runKernel } from "../backend.test.support.ts";
import type { WebGpuBackend } from "../backend.ts";

/** A limit of a few kilobytes: everything but the smallest tensors goes through windows. */
const TINY = 2048;

/** The ways to run a kernel that tests compare. */
export interface Variants {
  readonly whole: WebGpuBackend;
  readonly windowed: WebGpuBackend;
  /** One thread an element or row. */
  readonly direct: WebGpuBackend;
  /** Chooses kernels as on a GPU: tiles and reductions in workgroup memory, large workgroups. */
  readonly hardware: WebGpuBackend;
}

/** Open while the tests of a file that calls `openForTests` run. */
export const variants = {} as Variants;

/** Opens the variants for the tests of the calling file. */
export function openForTests(): void {
  beforeAll(async () => {
    Object.assign(variants, {
      whole: await openWith(),
      windowed: await openWith({ maxBindingBytes: TINY }),
      direct: await openWith({ family: "direct" }),
      hardware: await openWith({ software: false }),
    } satisfies Variants);
  });
  afterAll(() => Promise.all(Object.values(variants).map((backend: WebGpuBackend) => backend.close())));
}

/** Settings of a property: the same kernels on every run, so that the driver's cache knows their shaders. */
export const sample = (numRuns: number) => ({ numRuns, seed: 20 });

const cpu: Backend = cpuBackend();

export const valuesOf = (kernel: Kernel, seed: number): TypedArray[] =>
  kernel.inputs.map((type, i) => noise(type, seed + i));

/** Runs a kernel on noise and on the CPU backend; returns its outputs. */
export async function expectEqual(
  backend: Backend,
  kernel: Kernel,
  seed: number,
  tolerance: number,
): Promise<TypedArray[]> {
  const values = valuesOf(kernel, seed);
  const expected = await runKernel(cpu, kernel, values);
  const actual = await runKernel(backend, kernel, values);
  const differences = actual.map((array, o) => difference(array, expected[o]));
  expect(Math.max(...differences), `outputs ${differences} off: ${JSON.stringify(kernel)}`).toBeLessThanOrEqual(
    tolerance,
  );
  return actual;
}

export const seeds = fc.integer({ min: 0, max: 1000 });
export const dimension = fc.oneof(fc.constantFrom(1, 2, 3, 4, 5, 8, 12, 16), fc.integer({ min: 1, max: 40 }));

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
export const bodyOver = (sizes: readonly number[], firstInput: number) =>
  fc
    .record({
      views: fc.array(viewOver(sizes), { minLength: 1, maxLength: 3 }),
      dtypes: fc.array(fc.constantFrom<DType>("f32", "f32", "f16", "i32", "u8", "bool"), {
        minLength: 3,
        maxLength: 3,
      }),
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
        const dtype = dtypes[i] === "f16" ? "f32" : dtypes[i];
        const loaded = push({ kind: "load", input: firstInput + i, view: { offset, strides }, dtype });
        combine(dtype === "f32" ? loaded : push({ kind: "apply", op: "castF32", arguments: [loaded], dtype: "f32" }));
      });
      if (index) {
        const at = push({ kind: "index", view: { offset: 3, strides: contiguousStrides(sizes) }, dtype: "i32" });
        const scaled = push({ kind: "apply", op: "castF32", arguments: [at], dtype: "f32" });
        const small = push({ kind: "constant", value: 1 / 64, dtype: "f32" });
        combine(push({ kind: "apply", op: "mul", arguments: [scaled, small], dtype: "f32" }));
      }
      return { body, types };
    });

export const output = (shape: readonly number[], expression: number, dtype: DType = "f32") => ({
  type: { shape, dtype },
  expression,
});
export const common = { label: "random", path: "" };
