/** Zero padding on the GPU against the op's reference. */
import { elementCount } from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenedDevice } from "../adapter/device.ts";
import { openDevice } from "../adapter/open.ts";
import { coreKernel, noise, referenceOf, runKernel, traitsOf } from "./conv2d.test.support.ts";
import type { DeviceTraits } from "./dispatch.ts";
import { generatePad, mergePadding } from "./pad.ts";

let opened: OpenedDevice;
beforeAll(async () => {
  opened = await openDevice();
});
afterAll(() => opened.close());

type Axis = [size: number, before: number, after: number];

async function check(axes: readonly Axis[], overrides: Partial<DeviceTraits> = {}): Promise<void> {
  const shape = axes.map(([size]) => size);
  const attrs = { before: axes.map(([, before]) => before), after: axes.map(([, , after]) => after) };
  const kernel = coreKernel("pad", attrs, [{ shape, dtype: "f32" }]);
  const values = noise(elementCount(shape), 3);
  const actual = await runKernel(opened, kernel, [values], generatePad, traitsOf(opened, overrides));
  expect(actual).toEqual(referenceOf(kernel, [values]));
}

const axis: fc.Arbitrary<Axis> = fc.tuple(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 3 }),
);

describe("pad", () => {
  test("axes without padding merge into the one outside", () => {
    expect(mergePadding([2, 3, 4, 5], { before: [0, 1, 0, 2], after: [0, 0, 0, 0] })).toEqual([
      { before: 0, size: 2, after: 0 },
      { before: 4, size: 12, after: 0 },
      { before: 2, size: 5, after: 0 },
    ]);
  });
  test("a scalar", () => check([]));
  test("one axis of many workgroups", () => check([[70_000, 3, 5]]));
  test("random shapes", () =>
    fc.assert(
      fc.asyncProperty(fc.array(axis, { maxLength: 4 }), (axes) => check(axes)),
      { numRuns: 60 },
    ));
  test.each([512, 1024])("binding windows of %i bytes", async (maxBindingBytes) => {
    await check(
      [
        [40, 3, 100],
        [9, 2, 1],
      ],
      { maxBindingBytes, offsetAlignment: 256 },
    );
    await check([[700, 300, 0]], { maxBindingBytes, offsetAlignment: 256 });
  });
});
