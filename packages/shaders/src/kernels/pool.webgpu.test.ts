/** Pooling on the GPU against the op's reference. */
import { elementCount, type PoolAttrs, pooledShape, type TensorType } from "@guidance/tensor";
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
} from "./conv2d.test.support.ts";
import type { DeviceTraits } from "./dispatch.ts";
import { generateMaxPool2dIndex, generatePoolGather, generatePoolScatter } from "./pool.ts";

type Shape = [number, number, number, number];
interface Case {
  readonly x: Shape;
  readonly attrs: PoolAttrs;
}

const pool = (x: Shape, kernel: number, stride: number, padding: number): Case => ({
  x,
  attrs: { kernelSize: [kernel, kernel], stride: [stride, stride], padding: [padding, padding] },
});

const table: readonly Case[] = [
  pool([2, 3, 14, 14], 3, 2, 1),
  pool([2, 3, 6, 7], 2, 2, 0),
  pool([1, 2, 5, 5], 3, 1, 1),
  pool([1, 1, 1, 1], 1, 1, 0),
  pool([3, 1, 7, 9], 2, 3, 1),
  { x: [2, 2, 6, 11], attrs: { kernelSize: [1, 4], stride: [2, 3], padding: [0, 2] } },
  pool([0, 3, 4, 4], 2, 2, 0),
];

const cases: fc.Arbitrary<Case> = fc
  .record({
    planes: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    kernelSize: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    half: fc.tuple(fc.boolean(), fc.boolean()),
    extra: fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 })),
  })
  .map(({ planes, kernelSize, stride, half, extra }) => ({
    x: [...planes, kernelSize[0] + extra[0], kernelSize[1] + extra[1]] as Shape,
    attrs: {
      kernelSize,
      stride,
      padding: [0, 1].map((i) => (half[i] ? Math.floor(kernelSize[i] / 2) : 0)) as [number, number],
    },
  }));

let opened: OpenedDevice;
beforeAll(async () => {
  opened = await openDevice();
});
afterAll(() => opened.close());

/** Few distinct values, so that windows hold equal maxima, and NaN, infinities and zeros of both signs. */
function awkward(count: number): Float32Array<ArrayBuffer> {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0];
  return noise(count, 5).map((value, i) => (i % 11 === 3 ? special[i % 5] : Math.round(value * 2)));
}

async function check({ x, attrs }: Case, overrides: Partial<DeviceTraits>): Promise<void> {
  const traits = traitsOf(opened, overrides);
  const image: TensorType = { shape: x, dtype: "f32" };
  const values = awkward(elementCount(x));
  const find = coreKernel("maxPool2dIndex", attrs, [image]);
  const index = referenceOf(find, [values]);
  expect(await runKernel(opened, find, [values], generateMaxPool2dIndex, traits)).toEqual(index);

  const pooled: TensorType = { shape: pooledShape(image, attrs), dtype: "i32" };
  const gather = coreKernel("poolGather", attrs, [image, pooled]);
  expect(await runKernel(opened, gather, [values, index], generatePoolGather, traits)).toEqual(
    referenceOf(gather, [values, index]),
  );

  const scatter = coreKernel("poolScatter", { ...attrs, inputSize: [x[2], x[3]] }, [
    { ...pooled, dtype: "f32" },
    pooled,
  ]);
  // whole numbers: sums are exact in any order
  const grads = noise(index.length, 9).map((value) => Math.round(value * 100));
  const scattered = referenceOf(scatter, [grads, index]);
  expect(await runKernel(opened, scatter, [grads, index], generatePoolScatter, traits)).toEqual(scattered);

  const fused = withEpilogue(scatter);
  const inputs = [grads, index, ...fused.inputs.slice(2).map(({ shape }, i) => noise(elementCount(shape), i))];
  const actual = await runKernel(opened, fused, inputs, generatePoolScatter, traits);
  const expected = epilogueOf(scattered, x, inputs.slice(2));
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 3);
  });
}

describe("pooling", () => {
  test.each(table)("x $x $attrs", (pooling) => check(pooling, {}));
  test("random shapes", () =>
    fc.assert(
      fc.asyncProperty(cases, (pooling) => check(pooling, {})),
      { numRuns: 30 },
    ));
  test.each([512, 1024])("binding windows of %i bytes", async (maxBindingBytes) => {
    for (const pooling of [pool([9, 3, 6, 6], 3, 2, 1), pool([20, 2, 4, 4], 2, 2, 0)]) {
      await check(pooling, { maxBindingBytes, offsetAlignment: 256 });
    }
  });
});
