// Dtypes: what an op does not take is refused while tracing, with what to do instead.

import { describe, expect, it } from "vitest";
import { cpuBackend } from "../backend/cpu.ts";
import { compile, u8 } from "../step.ts";
import type { Tensor } from "../tensor.ts";
import { tensor, where } from "../values.ts";

const floats = tensor([1, -2, 3]);
const integers = tensor([1, -2, 3], [3], "i32");
const flags = floats.greater(0);
const backend = cpuBackend();

describe("an op refuses dtypes it has no meaning for", () => {
  it.each<[string, () => Tensor, RegExp]>([
    ["a sum of truth values", () => flags.add(flags), /add: a is bool\[3\].*f32, i32 or u32.*cast\("f32"\)/],
    ["a reduction of truth values", () => flags.sum(), /sum: a is bool\[3\].*Cast first/],
    ["an order of truth values", () => flags.less(flags), /less: a is bool/],
    ["logic of numbers", () => floats.and(floats), /and: a is f32\[3\].*bool for a.*Compare first/],
    ["not of a number", () => floats.not(), /not: a is f32\[3\]/],
    ["a choice by numbers", () => where(floats, 1, 2), /where: a is f32\[3\].*bool for a/],
    ["a float function of integers", () => integers.exp(), /exp: a is i32\[3\].*f32 for a.*cast\("f32"\)/],
    ["a power of integers", () => integers.pow(2), /pow: a is i32/],
    ["zeros around truth values", () => flags.pad([1], [0]), /pad: a is bool/],
    ["a mean of integers", () => integers.mean(), /mean: a is i32\[3\].*f32 for a.*cast\("f32"\)/],
    ["a mean of truth values", () => flags.mean(), /mean: a is bool/],
    [
      "a convolution of integers",
      () => integers.reshape([1, 1, 1, 3]).conv2d(floats.reshape([1, 1, 1, 3]), { stride: [1, 1], padding: [0, 0] }),
      /conv2d: a is i32/,
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe("truth values may be", () => {
  it.each<[string, () => Tensor, number[]]>([
    ["combined", () => flags.and(floats.less(2)).or(flags.not()), [1, 1, 0]],
    ["compared", () => flags.equal(floats.less(2)), [1, 0, 0]],
    ["chosen", () => where(flags, flags.not(), flags), [0, 0, 0]],
    ["cast and counted", () => flags.cast("i32").sum(), [2]],
    ["moved", () => flags.reshape([3, 1]).transpose(), [1, 0, 1]],
  ])("%s", async (_, make, expected) => {
    expect([...(await make().data()).data]).toEqual(expected);
  });
});

describe("bytes", () => {
  const traced = (apply: (x: Tensor) => Tensor) => compile(backend, { x: u8(3) }, ({ x }) => ({ y: apply(x) }));

  it("are cast, then used", async () => {
    const step = await traced((x) => x.cast("f32").div(2));
    expect([...(await step({ x: Uint8Array.of(1, 200, 255) })).y.data]).toEqual([0.5, 100, 127.5]);
    step.close();
  });

  it.each<[string, (x: Tensor) => Tensor]>([
    ["added", (x) => x.add(x)],
    ["moved", (x) => x.reshape([3, 1])],
    ["compared", (x) => x.equal(x)],
    ["summed", (x) => x.sum()],
  ])("are not %s", async (_, apply) => {
    await expect(traced(apply)).rejects.toThrow(/is u8\[3\].*Cast first/);
  });

  it("are no output", async () => {
    await expect(traced((x) => x)).rejects.toThrow(/output "y" is u8\[3\].*cast/);
  });
});

describe("a number next to an integer tensor", () => {
  it.each<[string, () => Tensor, RegExp]>([
    ["is no fraction", () => integers.mul(0.5), /mul: 0\.5 was given for i32.*whole numbers.*cast\("f32"\)/],
    ["is no fraction on the left either", () => integers.greater(0.5), /greater: 0\.5 was given for i32/],
    ["is no NaN", () => integers.add(Number.NaN), /add: NaN was given/],
    ["is in the dtype's range", () => tensor([1], [1], "u32").add(-1), /add: -1 was given for u32.*0 to 4294967295/],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  it("as an element of an integer tensor is no fraction", () => {
    expect(() => tensor([1, 2.5], [2], "i32")).toThrow(/tensor: element 1 is 2\.5, for i32/);
  });
});
