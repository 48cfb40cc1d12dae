/** Every elementwise op on the GPU against the table's own values, special values included. */
import {
  type DType,
  type ElementwiseName,
  elementwiseRows,
  floatFromHalf,
  halfFromFloat,
  type Kernel,
  type TypedArray,
  viewAs,
} from "@guidance/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWith, runKernel } from "../backend.test.support.ts";
import type { WebGpuBackend } from "../backend.ts";

let backend: WebGpuBackend;
beforeAll(async () => {
  backend = await openWith();
});
afterAll(() => backend.close());

const f = Math.fround;
const specials = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  -2,
  3,
  1e-7,
  -1e-7,
  1e-20,
  88,
  -88,
  100,
  -100,
  1e10,
  -1e10,
  Infinity,
  -Infinity,
  NaN,
].map(f);
const spread = Array.from({ length: 800 }, (_, i) => f(Math.sinh((i - 400) / 60)));
const near = Array.from({ length: 200 }, (_, i) => f((i - 100) / 90));
const floats = Float32Array.from([...specials, ...spread, ...near]);

/** Arguments per op: [dtypes, values of each argument]. */
function argumentsOf(name: ElementwiseName): { dtypes: DType[]; values: TypedArray[] } {
  const { arity } = elementwiseRows[name];
  const integers = (bits: number, seed: number) =>
    Uint32Array.from({ length: 4096 }, (_, i) => Math.imul(i + seed, 2654435761) >>> (32 - bits));
  if (name === "randomBits")
    return { dtypes: ["u32", "u32", "u32", "u32"], values: [1, 2, 3, 4].map((seed) => integers(32, seed)) };
  if (name === "unitFromBits") return { dtypes: ["u32"], values: [integers(32, 9)] };
  if (name === "and" || name === "or") return { dtypes: ["bool", "bool"], values: [integers(1, 1), integers(1, 77)] };
  if (name === "not") return { dtypes: ["bool"], values: [integers(1, 1)] };
  const pairs = (pick: (i: number, j: number) => number) =>
    Float32Array.from({ length: 4096 }, (_, n) => floats[pick(n % 64, n >> 6) % floats.length]);
  const a = pairs((i) => i * 13);
  const b = pairs((_, j) => j * 11 + 1);
  if (name === "where") return { dtypes: ["bool", "f32", "f32"], values: [integers(1, 3), a, b] };
  if (arity === 1) return { dtypes: ["f32"], values: [floats] };
  return { dtypes: ["f32", "f32"], values: [a, b] };
}

function kernelOf(name: ElementwiseName, dtypes: readonly DType[], count: number, axis: "vector" | "scalar"): Kernel {
  // an odd count keeps the kernel at width 1
  const domain = [axis === "vector" ? Math.floor(count / 4) * 4 : Math.floor(count / 4) * 4 - 1];
  const result = elementwiseRows[name].result(dtypes);
  return {
    label: name,
    path: "",
    inputs: dtypes.map((dtype) => ({ shape: domain, dtype })),
    domain,
    core: undefined,
    body: [
      ...dtypes.map((dtype, input) => ({ kind: "load" as const, input, view: { offset: 0, strides: [1] }, dtype })),
      { kind: "apply", op: name, arguments: dtypes.map((_, i) => i), dtype: result === "f16" ? "f32" : result },
    ],
    outputs: [{ type: { shape: domain, dtype: result }, expression: dtypes.length }],
  };
}

/** Relative error allowed, where it is not 1.2e-6. */
const tolerance: Partial<Record<ElementwiseName, number>> = { pow: 1e-5 };

/** sin and cos are checked where their argument still has digits after the point. */
const limited: Partial<Record<ElementwiseName, number>> = { sin: 8000, cos: 8000 };
/** Near the zeros of sin and cos only the absolute error counts. */
const absolute: Partial<Record<ElementwiseName, number>> = { sin: 1.2e-7, cos: 1.2e-7 };

describe.each(Object.keys(elementwiseRows) as ElementwiseName[])("%s", (name) => {
  test.each(["vector", "scalar"] as const)("agrees with the table (%s)", async (axis) => {
    const { dtypes, values } = argumentsOf(name);
    const kernel = kernelOf(name, dtypes, values[0].length, axis);
    const [count] = kernel.domain;
    const inputs = values.map((array) => array.slice(0, count));
    const [{ type }] = kernel.outputs;
    const [stored] = await runKernel(backend, kernel, inputs);
    const actual = type.dtype === "f16" ? Float32Array.from(stored, floatFromHalf) : stored;
    const expected = viewAs(new ArrayBuffer(count * 4), type.dtype === "f16" ? "f32" : type.dtype, "float32");
    const [a, b = a, c = a, d = a] = inputs;
    const { evaluate } = elementwiseRows[name];
    for (let i = 0; i < count; i++) expected[i] = evaluate(a[i], b[i], c[i], d[i]);
    const failures: string[] = [];
    for (let i = 0; i < count; i++) {
      const [got, want] = [actual[i], expected[i]];
      if (Math.abs(a[i]) > (limited[name] ?? Infinity)) continue;
      // integers have no NaN, and how a float beyond their range converts is not specified
      if (
        (name === "castI32" || name === "castU32") &&
        !(Math.abs(a[i]) < 2 ** 31 && (name !== "castU32" || a[i] > -1)) &&
        dtypes[0] === "f32"
      )
        continue;
      // below the smallest normal float, results may be flushed to zero
      const flushed = Math.abs(want) < 2 ** -126 && Math.abs(got) < 2 ** -126;
      const error = Math.max(0, Math.abs(got - want) - (absolute[name] ?? 0)) / Math.abs(want);
      const equal = Object.is(got, want) || got === want || flushed || error <= (tolerance[name] ?? 1.2e-6);
      if (!equal) failures.push(`${name}(${inputs.map((input) => input[i]).join(", ")}) = ${got}, expected ${want}`);
    }
    expect(failures.slice(0, 10)).toEqual([]);
  });
});

test.each([1, 4] as const)(
  "castF16 rounds every half, every middle between two and what is near them (width %i)",
  async (width) => {
    const near = Array.from({ length: 0x7c00 }, (_, bits) => {
      const [half, next] = [floatFromHalf(bits), floatFromHalf(bits + 1)];
      const middle = Number.isFinite(next) ? (half + next) / 2 : 65520;
      return [half, middle, ...[middle, half].flatMap((value) => [value * (1 + 2 ** -23), value * (1 - 2 ** -23)])];
    }).flat();
    // an odd count keeps the kernel at width 1
    const values = Float32Array.from([
      ...near,
      ...near.map((value) => -value),
      Infinity,
      -Infinity,
      ...(width === 1 ? [1] : [1, 2]),
    ]);
    const kernel = kernelOf(
      "castF16",
      ["f32"],
      values.length + (width === 1 ? 1 : 0),
      width === 1 ? "scalar" : "vector",
    );
    const [count] = kernel.domain;
    const [stored] = await runKernel(backend, kernel, [values.slice(0, count)]);
    const wrong = [...stored].flatMap((bits, i) =>
      bits === halfFromFloat(values[i]) ? [] : [`${values[i]}: ${bits}`],
    );
    expect(wrong.slice(0, 10)).toEqual([]);
  },
);
