// What becomes one kernel, as plan.describe() tells it. A change here is a change of speed: look before updating.

import { expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { crossEntropy } from "../functions/index.ts";
import * as nn from "../nn/index.ts";
import { Adam } from "../optim/index.ts";
import { compile, f32, i32 } from "../step.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { Variable } from "../variable.ts";

const backend = cpuBackend();

/** The kernels of a step on x [4,6] and y [6], with labels only. */
async function kernels(
  traced: (inputs: { x: Tensor; y: Tensor; labels: Tensor }) => Record<string, Operand>,
): Promise<string[]> {
  const { plan } = await compile(backend, { x: f32(4, 6), y: f32(6), labels: i32(4) }, traced);
  return plan.calls.map(
    ({ kernel: { label, outputs } }) => `${label} -> ${outputs.map(({ type }) => `[${type.shape}]`).join(" ")}`,
  );
}

it("a chain of elementwise ops, broadcasts and movements is one kernel", async () => {
  expect(
    await kernels(({ x, y }) => ({ z: x.mul(y).add(1).tanh().transpose().reshape([2, 3, 4]).neg() })),
  ).toMatchInlineSnapshot(`
    [
      "mul+add+tanh+neg -> [2,3,4]",
    ]
  `);
});

it("two outputs of the same elements come from one kernel", async () => {
  expect(await kernels(({ x }) => ({ a: x.exp(), b: x.exp().add(1) }))).toMatchInlineSnapshot(`
    [
      "exp+add -> [4,6] [4,6]",
    ]
  `);
});

it("elementwise work before a reduction goes into its loads, work after it into its stores", async () => {
  expect(await kernels(({ x }) => ({ norm: x.mul(x).sum(1).sqrt().add(1) }))).toMatchInlineSnapshot(`
    [
      "sum+sqrt+add -> [4]",
    ]
  `);
});

it("reductions of one input over the same axes share one pass", async () => {
  expect(await kernels(({ x }) => ({ sum: x.sum(1), squares: x.mul(x).sum(1), max: x.max(1) }))).toMatchInlineSnapshot(`
    [
      "sum+sum+max -> [4] [4] [4]",
    ]
  `);
});

it("small reductions of one space are one kernel though they share nothing", async () => {
  const weight = new Variable([4, 6], 1, { name: "weight" });
  expect(await kernels(({ x }) => ({ a: x.sum(1), b: weight.sum(1), c: weight.sum(0) }))).toMatchInlineSnapshot(`
    [
      "sum+sum -> [4] [4]",
      "sum -> [6]",
    ]
  `);
});

it("a reduction does not share a kernel with what it needs through others", async () => {
  const weight = new Variable([6, 6], 1, { name: "weight" });
  expect(
    await kernels(({ x }) => ({
      z: x
        .matmul(weight)
        .add(x.sum(1).reshape([4, 1]))
        .sum(1),
    })),
  ).toMatchInlineSnapshot(`
    [
      "sum -> [4]",
      "matmul+add -> [4,6]",
      "sum -> [4]",
    ]
  `);
});

it("bias, activation and residual go into the matmul before them", async () => {
  const weight = new Variable([6, 6], 1, { name: "weight" });
  expect(await kernels(({ x, y }) => ({ z: x.matmul(weight).add(y).relu().add(x) }))).toMatchInlineSnapshot(`
    [
      "matmul+add+relu+add -> [4,6]",
    ]
  `);
});

it("bias and an eval-mode batch norm go into the convolution before them", async () => {
  const model = new nn.Sequential(new nn.Conv2d(1, 2, 3, { bias: false }), new nn.BatchNorm2d(2), new nn.ReLU()).eval();
  expect(await kernels(({ x }) => ({ z: model.call(x.reshape([1, 1, 4, 6])) }))).toMatchInlineSnapshot(`
    [
      "1 add+sqrt+reciprocal+mul -> [2]",
      "2 conv2d+sub+mul+add+relu -> [1,2,2,4]",
    ]
  `);
});

it("a matmul does not share a kernel with what it reads", async () => {
  expect(
    await kernels(({ x }) => ({ z: x.mul(2).matmul(x, { transposeB: true }).add(x.mul(2).sum(1)) })),
  ).toMatchInlineSnapshot(`
    [
      "mul -> [4,6]",
      "sum -> [4]",
      "matmul+add -> [4,4]",
    ]
  `);
});

it("one Adam update is one kernel", async () => {
  const weight = new Variable([6], 1, { name: "weight" });
  const adam = new Adam([weight], { learningRate: 1 });
  expect(
    await kernels(({ x }) => {
      adam.minimize(x.mul(weight).sum());
      return {};
    }),
  ).toMatchInlineSnapshot(`
    [
      "sum+isFinite -> []",
      "sum+mul+mul+add+where+mul+mul+10 more -> [6] [6] [6]",
    ]
  `);
});

it("a training step of a small net", async () => {
  const model = new nn.Sequential(new nn.Linear(6, 5), new nn.ReLU(), new nn.Linear(5, 3));
  const adam = new Adam(model.parameters(), { learningRate: 1 });
  const step = await compile(backend, { x: f32(4, 6), labels: i32(4) }, ({ x, labels }) => {
    const loss = crossEntropy(model.call(x), labels);
    adam.minimize(loss);
    return { loss };
  });
  expect(step.plan.describe()).toMatchInlineSnapshot(`
    "   0  1 matmul+add+relu  (blocked, 0.000 MFLOP, 316 B)  f32[4,6] f32[5,6] f32[5] -> f32[4,5]  b1,b2,b3 -> b4
       1  2 matmul+add  (blocked, 0.000 MFLOP, 200 B)  f32[4,5] f32[3,5] f32[3] -> f32[4,3]  b4,b5,b6 -> b7
       2  max+sum+sum+sum  (loops, 0.000 MFLOP, 128 B)  f32[4,3] i32[4] -> f32[4] f32[4,3]  b7,b8 -> b9,b7
       3  sum+mul+isFinite  (loops, 0.000 MFLOP, 24 B)  f32[4] -> f32[] bool[]  b9 -> b10,b11
       4  2 sum+mul+mul+add+where+mul+mul+10 more  (loops, 0.000 MFLOP, 124 B)  bool[] f32[3] f32[3] f32[3] f32[4,3] -> f32[3] f32[3] f32[3]  b11,b12,b13,b6,b7 -> b12,b13,b6
       5  1 matmul+less+where  (blocked, 0.000 MFLOP, 268 B)  f32[4,3] f32[3,5] f32[4,5] -> f32[4,5]  b7,b5,b4 -> b9
       6  0 matmul+mul+mul+add+where+mul+mul+10 more  (blocked, 0.000 MFLOP, 900 B)  f32[4,5] f32[4,6] bool[] f32[5,6] f32[5,6] f32[5,6] -> f32[5,6] f32[5,6] f32[5,6]  b9,b1,b11,b14,b15,b2 -> b14,b15,b2
       7  0 sum+mul+mul+add+where+mul+mul+10 more  (loops, 0.000 MFLOP, 204 B)  bool[] f32[5] f32[5] f32[5] f32[4,5] -> f32[5] f32[5] f32[5]  b11,b16,b17,b3,b9 -> b16,b17,b3
       8  2 matmul+mul+mul+add+where+mul+mul+10 more  (blocked, 0.000 MFLOP, 492 B)  f32[4,3] f32[4,5] bool[] f32[3,5] f32[3,5] f32[3,5] -> f32[3,5] f32[3,5] f32[3,5]  b7,b4,b11,b18,b19,b5 -> b18,b19,b5
    9 kernels, 0.001 MFLOP, peak 980 B: variables 636 B, temporaries 216 B, inputs 120 B, constants 0 B, staging 8 B"
  `);
});

it("a product of a tensor with its own transpose is known to be symmetric", async () => {
  const marked = async (traced: (x: Tensor) => Tensor) => {
    const { plan } = await compile(backend, { x: f32(4, 6) }, ({ x }) => ({ z: traced(x) }));
    return plan.calls.map(({ kernel: { core } }) => core?.op === "matmul" && core.attrs.symmetric === true);
  };
  expect(await marked((x) => x.matmul(x, { transposeB: true }))).toEqual([true]);
  expect(await marked((x) => x.matmul(x, { transposeA: true }))).toEqual([true]);
  expect(await marked((x) => x.reshape([6, 4]).matmul(x))).toEqual([false]);
  expect(
    await marked((x) => x.reshape([2, 12]).matmul(x.reshape([3, 8]).reshape([2, 12]), { transposeB: true })),
  ).toEqual([true]);
});
