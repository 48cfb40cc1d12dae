/**
 * Convolutions on the GPU against the op's reference: shapes, epilogues and binding windows, for one kernel family. Each
 * family is a test file of its own, the slowest to compile two, so that workers share the compilations.
 */
import type { CoreName, Kernel, TensorType } from "@guidance/tensor";
import { elementCount } from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenedDevice } from "../adapter/device.ts";
import { openDevice } from "../adapter/open.ts";
import {
  coreKernel,
  epilogueOf,
  noise,
  referenceOf,
  runKernel,
  traitsOf,
  withEpilogue,
  withOperand,
} from "./conv2d.test.support.ts";
import { generateConv2d, generateConv2dInputGrad } from "./conv2d.ts";
import { generateConv2dWeightGrad } from "./conv2d-weight-grad.ts";
import type { DeviceTraits, KernelGenerator } from "./dispatch.ts";

type Pair = [number, number];
/** N C H W, O R S, stride, padding. */
interface Case {
  readonly x: [number, number, number, number];
  readonly weight: [number, number, number];
  readonly stride: Pair;
  readonly padding: Pair;
}

const ops = ["conv2d", "conv2dInputGrad", "conv2dWeightGrad"] as const satisfies readonly CoreName[];
type ConvName = (typeof ops)[number];
const generators: Record<ConvName, KernelGenerator> = {
  conv2d: generateConv2d,
  conv2dInputGrad: generateConv2dInputGrad,
  conv2dWeightGrad: generateConv2dWeightGrad,
};

const f32 = (shape: readonly number[]): TensorType => ({ shape, dtype: "f32" });

function kernelOf(op: ConvName, { x, weight: [O, R, S], stride, padding }: Case): Kernel {
  const [N, C, H, W] = x;
  const weight = [O, C, R, S];
  const out = [
    N,
    O,
    Math.floor((H + 2 * padding[0] - R) / stride[0]) + 1,
    Math.floor((W + 2 * padding[1] - S) / stride[1]) + 1,
  ];
  if (op === "conv2d") return coreKernel(op, { stride, padding }, [f32(x), f32(weight)]);
  if (op === "conv2dInputGrad") return coreKernel(op, { stride, padding, inputSize: [H, W] }, [f32(out), f32(weight)]);
  return coreKernel(op, { stride, padding, kernelSize: [R, S] }, [f32(x), f32(out)]);
}

const square = (
  N: number,
  C: number,
  size: number,
  O: number,
  kernel: number,
  stride: number,
  padding: number,
): Case => ({
  x: [N, C, size, size],
  weight: [O, kernel, kernel],
  stride: [stride, stride],
  padding: [padding, padding],
});

const table: readonly Case[] = [
  square(2, 16, 16, 16, 3, 1, 1),
  square(3, 5, 12, 40, 3, 1, 1),
  square(3, 5, 6, 20, 3, 1, 1),
  square(2, 3, 20, 12, 7, 2, 3),
  { x: [2, 2, 9, 15], weight: [6, 5, 4], stride: [2, 2], padding: [0, 3] },
  square(3, 1, 14, 16, 7, 2, 3),
  square(5, 16, 7, 16, 3, 1, 1),
  square(5, 16, 7, 32, 3, 2, 1),
  square(9, 20, 4, 33, 3, 1, 1),
  square(9, 16, 4, 24, 1, 2, 0),
  square(40, 16, 2, 40, 3, 1, 1),
  square(40, 16, 2, 24, 3, 2, 1),
  square(70, 24, 1, 40, 3, 1, 1),
  square(20, 3, 8, 5, 3, 1, 1),
  square(64, 2, 14, 9, 3, 2, 1),
  square(2, 5, 9, 7, 5, 3, 4),
  square(1, 1, 1, 1, 1, 1, 0),
  square(1, 2, 3, 2, 11, 1, 5),
  { x: [2, 6, 5, 11], weight: [9, 3, 2], stride: [2, 1], padding: [0, 2] },
  { x: [2, 3, 12, 6], weight: [5, 1, 5], stride: [1, 3], padding: [3, 1] },
];

const cases: fc.Arbitrary<Case> = fc
  .record({
    N: fc.integer({ min: 1, max: 5 }),
    C: fc.integer({ min: 1, max: 9 }),
    O: fc.integer({ min: 1, max: 20 }),
    R: fc.integer({ min: 1, max: 4 }),
    S: fc.integer({ min: 1, max: 4 }),
    extra: fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
  })
  .map(({ N, C, O, R, S, extra, stride, padding }) => ({
    x: [N, C, Math.max(1, R - 2 * padding[0]) + extra[0], Math.max(1, S - 2 * padding[1]) + extra[1]],
    weight: [O, R, S],
    stride,
    padding,
  }));

let opened: OpenedDevice;

/** Opens the device for the tests of the calling file. */
export function openForTests(): void {
  beforeAll(async () => {
    opened = await openDevice();
  });
  afterAll(() => opened.close());
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, terms: number): void {
  // inputs are in [-1, 1): float32 sums of `terms` products, plus what the epilogue adds
  const tolerance = 1e-6 * (terms + 4);
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs(actual[i] - expected[i]) <= tolerance))
      expect.fail(`element ${i} is ${actual[i]}, expected ${expected[i]}`);
  }
}

function termsOf(op: ConvName, { x: [N, C, H, W], weight: [O, R, S] }: Case): number {
  return op === "conv2d" ? C * R * S : op === "conv2dInputGrad" ? O * R * S : N * H * W;
}

/** What is fused behind a core: nothing, what a guide's layer has, or the sum with the core's first operand. */
type Epilogue = "none" | "layer" | "operand";

async function check(
  op: ConvName,
  convolution: Case,
  traits: Partial<DeviceTraits>,
  epilogues: readonly Epilogue[] = ["none"],
): Promise<void> {
  for (const epilogue of epilogues) {
    const bare = kernelOf(op, convolution);
    const kernel = epilogue === "none" ? bare : epilogue === "layer" ? withEpilogue(bare) : withOperand(bare);
    const values = kernel.inputs.map(({ shape }, i) => noise(elementCount(shape), i + 1));
    const result = referenceOf(bare, values);
    const expected =
      epilogue === "none"
        ? result
        : epilogue === "layer"
          ? epilogueOf(result, bare.domain, values.slice(2))
          : Float32Array.from(result, (value, i) => value + values[0][i]);
    const actual = await runKernel(opened, kernel, values, generators[op], traitsOf(opened, traits));
    expectClose(actual, expected, termsOf(op, convolution));
  }
}

/** All shapes in one family, of the ops named or of all three. */
export function testConvolutions(family: "direct" | "subgroup", tested: readonly ConvName[] = ops): void {
  describe.each(tested)("%s", (op) => {
    test.each(table)("$x weight $weight stride $stride padding $padding", async (convolution) => {
      await check(op, convolution, { family }, ["layer"]);
    });

    test("random shapes", async () => {
      await fc.assert(
        fc.asyncProperty(cases, (convolution) => check(op, convolution, { family })),
        // few and always the same: each new shape of shader costs a compilation
        { numRuns: 8, seed: 7 },
      );
    });

    test("an epilogue that reads an operand", async () => {
      await check(op, square(2, 8, 8, 8, 3, 1, 1), { family }, ["operand"]);
    });

    test.each([1024, 2048, 4096])("binding windows of %i bytes", async (maxBindingBytes) => {
      for (const convolution of [
        square(7, 6, 4, 9, 3, 1, 1),
        square(5, 4, 7, 8, 3, 2, 1),
        square(3, 8, 2, 20, 3, 1, 1),
      ]) {
        await check(op, convolution, { family, maxBindingBytes, offsetAlignment: 256 }, ["layer"]);
      }
    });
  });
}

/** The tiled family: a large workgroup with barriers compiles slowly on software drivers, so a few shapes must do. */
export function testTiledConvolutions(): void {
  test.each([square(5, 16, 7, 32, 3, 2, 1), square(2, 3, 20, 70, 7, 2, 3), square(9, 20, 4, 33, 3, 1, 1)])(
    "tiled $x $weight",
    async (convolution) => {
      for (const op of ["conv2d", "conv2dInputGrad"] as const)
        await check(op, convolution, { family: "tiled" }, ["layer"]);
    },
  );
}
