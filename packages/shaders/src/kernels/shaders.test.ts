/** The text of a few shaders, and what must not show in it. */
import type { Expression, Kernel, TensorType } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import type { DeviceTraits } from "./dispatch.ts";
import { generateKernel } from "./index.ts";

const lavapipe: DeviceTraits = {
  subgroupSize: 8,
  software: true,
  maxBindingBytes: 2 ** 27,
  offsetAlignment: 16,
  maxWorkgroupsPerDimension: 65535,
};
const gpu: DeviceTraits = { ...lavapipe, software: false, subgroupSize: 32, offsetAlignment: 256 };

const f32 = (...shape: number[]): TensorType => ({ shape, dtype: "f32" });
const load = (input: number, strides: readonly number[], offset = 0): Expression => ({
  kind: "load",
  input,
  view: { offset, strides },
  dtype: "f32",
});
const apply = (op: "add" | "mul" | "relu" | "tanh", ...args: number[]): Expression => ({
  kind: "apply",
  op,
  arguments: args,
  dtype: "f32",
});

/** relu(x * scale + bias) over [rows, columns], scale a constant. */
const affine = (rows: number, columns: number, scale: number): Kernel => ({
  label: "affine",
  path: "",
  inputs: [f32(rows, columns), f32(columns)],
  domain: [rows, columns],
  core: undefined,
  body: [
    load(0, [columns, 1]),
    load(1, [0, 1]),
    { kind: "constant", value: scale, dtype: "f32" },
    apply("mul", 0, 2),
    apply("add", 3, 1),
    apply("relu", 4),
  ],
  outputs: [{ type: f32(rows, columns), expression: 5 }],
});

const product = (M: number, N: number, K: number): Kernel => ({
  label: "product",
  path: "",
  inputs: [f32(M, K), f32(K, N)],
  domain: [M * N],
  core: {
    op: "matmul",
    attrs: { transposeA: false, transposeB: false },
    operands: [f32(M, K), f32(K, N)],
    result: f32(M, N),
  },
  body: [{ kind: "core", result: 0, dtype: "f32" }],
  outputs: [{ type: f32(M, N), expression: 0 }],
});

const rowSum = (rows: number, columns: number): Kernel => ({
  label: "sum",
  path: "",
  inputs: [f32(rows, columns)],
  domain: [rows],
  core: { op: "reduce", reduced: [columns], body: [load(0, [columns, 1])], reductions: [{ op: "sum", expression: 0 }] },
  body: [{ kind: "core", result: 0, dtype: "f32" }],
  outputs: [{ type: f32(rows), expression: 0 }],
});

const shaderOf = (kernel: Kernel, traits = lavapipe, overwrites: (number | undefined)[] = [undefined]) =>
  generateKernel(kernel, overwrites, traits).dispatches.map(({ shader }) => shader);

describe("text", () => {
  test("of a map with a broadcast", () => {
    expect(shaderOf(affine(128, 256, 0.5))[0]).toMatchInlineSnapshot(`
      "struct Params {
        period: u32,
        periodReciprocal: f32,
        rows: u32,
        rowStep: u32,
        body0Stride1: u32,
        body2Constant: f32,
        output0Stride1: u32,
      }
      @group(0) @binding(0) var<storage, read> input0: array<vec4<f32>>;
      @group(0) @binding(1) var<storage, read> input1: array<vec4<f32>>;
      @group(0) @binding(2) var<storage, read_write> output0: array<vec4<f32>>;
      @group(0) @binding(3) var<uniform> params: Params;
      struct Division { quotient: u32, remainder: u32 }
      fn divide(value: u32, divisor: u32, reciprocal: f32) -> Division {
        var quotient = u32(f32(value) * reciprocal);
        var remainder = i32(value - quotient * divisor);
        if (remainder < 0) { quotient -= 1u; remainder += i32(divisor); }
        if (remainder >= i32(divisor)) { quotient += 1u; remainder -= i32(divisor); }
        return Division(quotient, u32(remainder));
      }
      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        let period = params.period;
        let periodReciprocal = params.periodReciprocal;
        let rows = params.rows;
        let rowStep = params.rowStep;
        let body0Stride1 = params.body0Stride1;
        let body2Constant = params.body2Constant;
        let output0Stride1 = params.output0Stride1;
        let c_7 = vec4<f32>(body2Constant);
        let thread_0 = group.x * 64u + lane;
        let division_1 = divide(thread_0, period, periodReciprocal);
        let place_2 = division_1.remainder << 2u;
        let base_3 = place_2;
        let base_5 = place_2;
        let x_6 = input1[(base_5) >> 2u];
        let base_11 = place_2;
        for (var row = division_1.quotient; row < rows; row += rowStep) {
          let x_4 = input0[(base_3 + row * body0Stride1) >> 2u];
          let y_8 = x_4 * c_7;
          let y_9 = y_8 + x_6;
          let y_10 = select(y_9, vec4<f32>(0), y_9 <= vec4<f32>(0));
          output0[(base_11 + row * output0Stride1) >> 2u] = y_10;
        }
      }
      "
    `);
  });

  test("of a sum along rows", () => {
    expect(shaderOf(rowSum(64, 100))[0]).toMatchInlineSnapshot(`
      "enable subgroups;
      diagnostic(off, subgroup_uniformity);
      struct Params {
        gridWidth: u32,
        items: u32,
        itemStep: u32,
        reducedCount: u32,
        inner0Stride0: u32,
      }
      @group(0) @binding(0) var<storage, read> input0: array<vec4<f32>>;
      @group(0) @binding(1) var<storage, read_write> output0: array<f32>;
      @group(0) @binding(2) var<uniform> params: Params;
      @compute @workgroup_size(8)
      fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) subgroupLane: u32) {
        let gridWidth = params.gridWidth;
        let items = params.items;
        let itemStep = params.itemStep;
        let reducedCount = params.reducedCount;
        let inner0Stride0 = params.inner0Stride0;
        for (var item = (group.y * gridWidth + group.x); item < items; item += itemStep) {
          let base_2 = item * inner0Stride0;
          var sum_0 = vec4<f32>(0);
          for (var r_1 = subgroupLane * 4u; r_1 < reducedCount; r_1 += 32u) {
            let x_3 = input0[(base_2 + r_1) >> 2u];
            sum_0 = sum_0 + x_3;
          }
          let fold_4 = sum_0.x + sum_0.y;
          let fold_5 = sum_0.z + sum_0.w;
          let fold_6 = fold_4 + fold_5;
          let fold_7 = subgroupAdd(fold_6);
          if (subgroupLane == 0u) {
            output0[item] = fold_7;
          }
        }
      }
      "
    `);
  });

  test("of the second pass of a long sum", () => {
    expect(shaderOf(rowSum(1, 100_000))[1]).toMatchInlineSnapshot(`
      "struct Params {
        gridWidth: u32,
        items: u32,
        itemStep: u32,
        reducedCount: u32,
      }
      @group(0) @binding(0) var<storage, read> input1: array<vec4<u32>>;
      @group(0) @binding(1) var<storage, read_write> output0: array<f32>;
      @group(0) @binding(2) var<uniform> params: Params;
      @compute @workgroup_size(8)
      fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        let gridWidth = params.gridWidth;
        let items = params.items;
        let itemStep = params.itemStep;
        let reducedCount = params.reducedCount;
        for (var item = (group.y * gridWidth + group.x) * 8u + lane; item < items; item += itemStep) {
          let base_2 = 0u;
          var sum_0 = vec4<f32>(0);
          for (var r_1 = 0u; r_1 < reducedCount; r_1 += 4u) {
            let x_3 = bitcast<vec4<f32>>(input1[(base_2 + r_1) >> 2u]);
            sum_0 = sum_0 + x_3;
          }
          let fold_4 = sum_0.x + sum_0.y;
          let fold_5 = sum_0.z + sum_0.w;
          let fold_6 = fold_4 + fold_5;
          output0[0u] = fold_6;
        }
      }
      "
    `);
  });
});

describe("pipelines", () => {
  test("sizes and constants are not part of the text", () => {
    expect(shaderOf(affine(64, 128, 0.5))).toEqual(shaderOf(affine(300, 1024, -2)));
    expect(shaderOf(product(512, 256, 128))).toEqual(shaderOf(product(1024, 2048, 512)));
    expect(shaderOf(product(2048, 4096, 128), gpu)).toEqual(shaderOf(product(8192, 2048, 512), gpu));
    expect(shaderOf(rowSum(64, 100))).toEqual(shaderOf(rowSum(80, 400)));
  });

  test("elementwise text divides nothing", () => {
    const kernel = {
      ...affine(64, 64, 1),
      body: [load(0, [64, 1]), load(1, [0, 0]), apply("add", 0, 1)],
      outputs: [{ type: f32(64, 64), expression: 2 }],
    };
    expect(shaderOf(kernel)[0]).not.toMatch(/divide| % /);
  });

  test("an overwritten input is bound once", () => {
    const [dispatch] = generateKernel(affine(8, 8, 1), [0], lavapipe).dispatches;
    expect(dispatch.bindings.map(({ buffer, access }) => [buffer.kind, access])).toEqual([
      ["output", "read_write"],
      ["input", "read"],
    ]);
  });
});

describe("dispatches", () => {
  test("software devices get at least two workgroups, and few", () => {
    for (const kernel of [
      affine(4, 16, 1),
      affine(512, 512, 1),
      product(64, 64, 64),
      product(16, 64, 4),
      rowSum(2, 64),
      rowSum(5000, 64),
    ]) {
      for (const { workgroups } of generateKernel(kernel, [undefined], lavapipe).dispatches) {
        const count = workgroups.reduce((all, one) => all * one, 1);
        expect(count).toBeGreaterThanOrEqual(2);
        expect(count).toBeLessThanOrEqual(64);
      }
    }
  });

  test("no grid is wider than the device allows", () => {
    for (const traits of [lavapipe, gpu]) {
      for (const kernel of [
        affine(70_000, 4096, 1),
        rowSum(3_000_000, 100),
        product(1_000_000, 8, 8),
        product(8, 3_000_000, 8),
      ]) {
        for (const { workgroups } of generateKernel(kernel, [undefined], { ...traits, maxBindingBytes: 2 ** 31 })
          .dispatches) {
          expect(Math.max(...workgroups)).toBeLessThanOrEqual(65535);
        }
      }
    }
  });

  test("a kernel that binds as much as the device allows takes no scratch", () => {
    const wide = rowSum(1, 100_000);
    const buffers = ({ bindings }: { bindings: readonly unknown[] }) => bindings.length;
    expect(generateKernel(wide, [undefined], lavapipe).dispatches.map(buffers)).toEqual([2, 2]);
    expect(generateKernel(wide, [undefined], { ...lavapipe, maxStorageBuffers: 1 }).dispatches.length).toBe(1);
    const deep = product(64, 2048, 150528);
    const residual: Kernel = {
      ...deep,
      inputs: [...deep.inputs, f32(64, 2048)],
      body: [{ kind: "core", result: 0, dtype: "f32" }, load(2, [1]), apply("add", 0, 1)],
      outputs: [{ type: f32(64, 2048), expression: 2 }],
    };
    const { dispatches, scratch } = generateKernel(residual, [undefined], { ...lavapipe, maxStorageBuffers: 4 });
    expect(Math.max(...dispatches.map(buffers))).toBeLessThanOrEqual(4);
    expect(scratch.length).toBe(2);
  });

  test("a weight of 1.23 GB is multiplied through windows, adding up over K", () => {
    const { dispatches, scratch } = generateKernel(product(64, 2048, 150528), [undefined], lavapipe);
    expect(scratch).toEqual([64 * 2048 * 4]);
    for (const { bindings } of dispatches) for (const { size } of bindings) expect(size).toBeLessThanOrEqual(2 ** 27);
    const depth = dispatches.map(({ params }) => params.length);
    expect(depth.length).toBeGreaterThanOrEqual(10);
  });
});
