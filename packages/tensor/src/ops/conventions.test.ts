// Values and gradients where mathematics leaves a choice: torch's choice.

import { describe, expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { argMax } from "../functions/index.ts";
import { grad } from "../grad.ts";
import type { Tensor } from "../tensor.ts";
import { tensor, where } from "../values.ts";
import { erf } from "./erf.ts";

const backend = cpuBackend({ precision: "float64" });
const values = async (x: Tensor): Promise<number[]> => [...(await x.data(backend)).data];
/** Gradient of the sum of `apply(x)` at `x`. */
const slope = (x: number[], apply: (x: Tensor) => Tensor): Promise<number[]> => {
  const input = tensor(x);
  return values(grad(apply(input).sum(), [input])[0]);
};
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

describe("gradients at kinks and ties", () => {
  it.each<[string, number[], (x: Tensor) => Tensor, number[]]>([
    ["relu is flat at 0", [-1, 0, 1], (x) => x.relu(), [0, 0, 1]],
    ["abs is flat at 0", [-2, 0, 2], (x) => x.abs(), [-1, 0, 1]],
    ["maximum shares between equals", [1, 2, 3], (x) => x.maximum(2), [0, 0.5, 1]],
    ["minimum shares between equals", [1, 2, 3], (x) => x.minimum(2), [1, 0.5, 0]],
    ["max over an axis shares among equals", [3, 1, 3, 3], (x) => x.max(), [1 / 3, 0, 1 / 3, 1 / 3]],
    ["min over an axis shares among equals", [3, 1, 1, 3], (x) => x.min(), [0, 0.5, 0.5, 0]],
    ["a square has a slope at 0 and below", [-3, 0, 3], (x) => x.pow(2), [-6, 0, 6]],
    ["the power 1 has slope 1 at 0", [0, 2], (x) => x.pow(1), [1, 1]],
    ["the power 0 is flat at 0", [0, 2], (x) => x.pow(0), [0, 0]],
    [
      "a choice not taken gives no NaN",
      [-1, 4],
      (x) => where(x.greater(0), where(x.greater(0), x, 1).sqrt(), 0),
      [0, 0.25],
    ],
  ])("%s", async (_, x, apply, expected) => {
    expect(await slope(x, apply)).toEqual(expected);
  });

  it("max pooling gives all to the first of equals", async () => {
    const pooled = (x: Tensor) =>
      x.reshape([1, 1, 2, 2]).maxPool2d({ kernelSize: [2, 2], stride: [2, 2], padding: [0, 0] });
    expect(await slope([1, 5, 5, 2], pooled)).toEqual([0, 1, 0, 0]);
  });
});

describe("values that are not numbers", () => {
  it.each<[string, () => Tensor, number[]]>([
    ["pass through relu", () => tensor([nan, -infinity, infinity]).relu(), [nan, 0, infinity]],
    ["win maximum from both sides", () => tensor([nan, 1]).maximum(tensor([1, nan])), [nan, nan]],
    ["win minimum from both sides", () => tensor([nan, 1]).minimum(tensor([1, nan])), [nan, nan]],
    ["win max over an axis", () => tensor([1, nan, 2]).max(), [nan]],
    ["win min over an axis", () => tensor([1, nan, 2]).min(), [nan]],
    ["pass through sign", () => tensor([nan, -0, -3]).sign(), [nan, -0, -1]],
    ["win argMax, the first of them", () => argMax(tensor([1, nan, 2, nan])), [1]],
    ["win argMax row by row", () => argMax(tensor([1, nan, 2, 3, 5, 4], [2, 3])), [1, 1]],
    ["are found by isFinite", () => tensor([nan, infinity, 1]).isFinite(), [0, 0, 1]],
    ["are no order", () => tensor([nan]).lessEqual(nan), [0]],
    [
      "win max pooling",
      () => tensor([1, nan, 9, 2], [1, 1, 2, 2]).maxPool2d({ kernelSize: [2, 2], stride: [2, 2], padding: [0, 0] }),
      [nan],
    ],
    [
      "padding is below everything in max pooling",
      () => tensor([-infinity], [1, 1, 1, 1]).maxPool2d({ kernelSize: [2, 2], stride: [1, 1], padding: [1, 1] }),
      [-infinity, -infinity, -infinity, -infinity],
    ],
  ])("%s", async (_, x, expected) => {
    expect(await values(x())).toEqual(expected);
  });
});

describe("windows that no shape can express are refused", () => {
  const x = tensor(Array(16).fill(1), [1, 1, 4, 4]);
  const weight = tensor(Array(4).fill(1), [1, 1, 2, 2]);
  it.each<[string, () => Tensor]>([
    ["stride 0", () => x.conv2d(weight, { stride: [0, 1], padding: [0, 0] })],
    ["half a stride", () => x.conv2d(weight, { stride: [1, 1.5], padding: [0, 0] })],
    ["negative padding", () => x.conv2d(weight, { stride: [1, 1], padding: [-1, 0] })],
    ["stride 0 of a pooling", () => x.maxPool2d({ kernelSize: [2, 2], stride: [0, 2], padding: [0, 0] })],
    ["half a padding", () => x.maxPool2d({ kernelSize: [2, 2], stride: [1, 1], padding: [0.5, 0] })],
    ["half a kernel", () => x.maxPool2d({ kernelSize: [2.5, 2], stride: [1, 1], padding: [0, 0] })],
  ])("%s", (_, make) => {
    expect(make).toThrow(/(conv2d|maxPool2d): stride is .*whole numbers.*Check the layer's options/);
  });
});

describe("values", () => {
  it.each<[string, () => Tensor, number[]]>([
    ["sigmoid does not overflow", () => tensor([-1000, 1000]).sigmoid(), [0, 1]],
    ["casts to integers truncate", () => tensor([-1.9, 1.9]).cast("i32"), [-1, 1]],
    ["integers wrap", () => tensor([2 ** 31 - 1], [1], "i32").add(1), [-(2 ** 31)]],
    ["unsigned integers wrap", () => tensor([0], [1], "u32").sub(1), [2 ** 32 - 1]],
    ["products of integers wrap", () => tensor([2 ** 20], [1], "i32").mul(2 ** 12 + 1), [2 ** 20]],
    [
      "products of large integers keep their low bits",
      () => tensor([123456789], [1], "i32").mul(tensor([987654321], [1], "i32")),
      [-67153019],
    ],
    [
      "products of large unsigned integers too",
      () => tensor([4000000001], [1], "u32").mul(tensor([4000000003], [1], "u32")),
      [Math.imul(4000000001, 4000000003) >>> 0],
    ],
    ["the sum of nothing is 0", () => tensor([], [0, 2]).sum(0), [0, 0]],
    ["the max of nothing is the smallest value", () => tensor([], [0]).max(), [-infinity]],
    ["the max of no integers too", () => tensor([], [0], "i32").max(), [-(2 ** 31)]],
    ["the mean of nothing is no number", () => tensor([], [0]).mean(), [nan]],
    ["a product over nothing is 0", () => tensor([], [2, 0]).matmul(tensor([], [0, 1])), [0, 0]],
  ])("%s", async (_, x, expected) => {
    expect(await values(x())).toEqual(expected);
  });

  // Abramowitz and Stegun, table 7.1, and 1 - erfc(3) = 1 - 2.209049699858544e-5
  it.each([
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [-1, -0.8427007929497149],
    [7, 1],
  ])("erf(%d)", (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThan(1e-15);
  });
});
