import { contiguousStrides, elementCount, LimitError, type View } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DeviceTraits } from "./kernels/dispatch.ts";
import { type Box, splitSpace, unionRange, viewRange, type WindowedOperand, windowBytes } from "./windows.ts";

const traitsWith = (maxBindingBytes: number, offsetAlignment = 32): DeviceTraits => ({
  subgroupSize: 8,
  software: true,
  maxBindingBytes,
  offsetAlignment,
  maxWorkgroupsPerDimension: 65535,
});

/** Every index of a box, as a row-major number in the whole space. */
function indicesOf(sizes: readonly number[], { start, size }: Box): number[] {
  const strides = contiguousStrides(sizes);
  let found = [0];
  sizes.forEach((_, axis) => {
    const along = Array.from({ length: size[axis] }, (_, i) => (start[axis] + i) * strides[axis]);
    found = found.flatMap((base) => along.map((offset) => base + offset));
  });
  return found;
}

const spaces = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 });
const viewsOver = (sizes: readonly number[]) =>
  fc.array(fc.record({ offset: fc.nat({ max: 50 }), strides: fc.tuple(...sizes.map(() => fc.nat({ max: 40 }))) }), {
    minLength: 1,
    maxLength: 3,
  });
const operandOf = (view: View, i: number): WindowedOperand => ({
  label: `operand ${i}`,
  dtype: i === 1 ? "u8" : "f32",
  range: (box) => viewRange(view, box),
});

describe("splitSpace", () => {
  test("covers the space exactly once with boxes whose windows fit", () => {
    const cases = spaces.chain((sizes) =>
      fc.tuple(
        fc.constant(sizes),
        viewsOver(sizes),
        fc.constantFrom(64, 100, 256, 1024),
        fc.constantFrom(4, 16, 32),
        fc.tuple(...sizes.map(() => fc.constantFrom(1, 4))),
      ),
    );
    fc.assert(
      fc.property(cases, ([sizes, views, limit, alignment, granularity]) => {
        const traits = traitsWith(limit, alignment);
        const operands = views.map(operandOf);
        const boxes = splitSpace(sizes, operands, traits, { granularity, label: "test" });
        const indices = boxes.flatMap((box) => indicesOf(sizes, box));
        expect(indices.sort((a, b) => a - b)).toEqual(Array.from({ length: elementCount(sizes) }, (_, i) => i));
        for (const box of boxes) {
          for (const operand of operands) {
            expect(windowBytes(operand.range(box), operand.dtype, traits)).toBeLessThanOrEqual(limit);
          }
        }
      }),
    );
  });

  test("the range of a view is that of its elements", () => {
    const cases = spaces.chain((sizes) => fc.tuple(fc.constant(sizes), viewsOver(sizes)));
    fc.assert(
      fc.property(cases, ([sizes, views]) => {
        const box = {
          start: sizes.map((size) => Math.floor(size / 3)),
          size: sizes.map((size) => size - Math.floor(size / 3)),
        };
        const elements = views.flatMap(({ offset, strides }) => {
          let found = [offset];
          strides.forEach((stride, axis) => {
            found = found.flatMap((base) =>
              Array.from({ length: box.size[axis] }, (_, i) => base + (box.start[axis] + i) * stride),
            );
          });
          return found;
        });
        const expected = { start: Math.min(...elements), end: Math.max(...elements) + 1 };
        expect(unionRange(views.map((view) => viewRange(view, box)))).toEqual(expected);
      }),
    );
  });

  test("cuts along rows where rows fit, in as few pieces as needed", () => {
    // 1.23 GB of weights through windows of 128 MiB: the least possible number is 10
    const sizes = [150528, 2048];
    const operand = operandOf({ offset: 0, strides: [2048, 1] }, 0);
    const boxes = splitSpace(sizes, [operand], traitsWith(2 ** 27), { label: "weight" });
    expect(boxes.length).toBe(10);
    expect(boxes.every(({ size }) => size[1] === 2048)).toBe(true);
  });

  test("what cannot be cut is refused with both numbers", () => {
    const operand = operandOf({ offset: 0, strides: [100, 1] }, 0);
    const options = { granularity: [1, 0], label: "layer.weight pad" };
    const cut = () => splitSpace([5, 100], [operand], traitsWith(256), options);
    expect(cut).toThrow(LimitError);
    expect(cut).toThrow(/layer.weight pad: .*operand 0.*takes 400 bytes, one binding holds 256 bytes/);
  });

  test("an empty space has no boxes", () => {
    expect(splitSpace([3, 0], [], traitsWith(256), { label: "empty" })).toEqual([]);
  });
});
