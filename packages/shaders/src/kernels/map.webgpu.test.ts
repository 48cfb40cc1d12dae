/** Map kernels of random shapes on the GPU against the CPU backend, with and without windows. */
import { contiguousStrides, cpuBackend, type Expression, elementCount, type Kernel } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { f32, load, runKernel } from "../backend.test.support.ts";
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
          body: [...body, { kind: "apply", op: "castF16", arguments: [body.length - 1], dtype: "f32" }],
          outputs: [
            output(domain, body.length - 1),
            output(domain, 0, body[0].dtype === "u8" ? "u32" : body[0].dtype),
            output(domain, body.length, "f16"),
          ],
        }),
      ),
    );

  test("agrees with the CPU backend, and windows change no bit", async () => {
    await fc.assert(
      fc.asyncProperty(kernels, seeds, async (kernel, seed) => {
        const actual = await expectEqual(variants.whole, kernel, seed, 1e-6);
        const cut = await runKernel(variants.windowed, kernel, valuesOf(kernel, seed));
        expect(cut).toEqual(actual);
      }),
      sample(40),
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
      const [expected] = await runKernel(cpuBackend(), kernel, values);
      for (const backend of [variants.whole, variants.windowed]) {
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
    for (const backend of [variants.whole, variants.windowed]) {
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
    expect(variants.whole.lower(kernel).dispatches).toBe(0);
    expect(await runKernel(variants.whole, kernel, [new Float32Array(0)])).toEqual([new Float32Array(0)]);
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
    await expectEqual(variants.whole, kernel, 3, 0);
  });
});
