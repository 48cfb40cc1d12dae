import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocateArray, type Precision, type TensorType } from "../dtype.ts";
import type { OpDefinition } from "../ops/define.ts";
import { type CoreAttrs, type CoreName, coreOps } from "../ops/index.ts";
import { elementCount } from "../shape.ts";
import { type BlockedCore, blockedCores } from "./cpu-blocked.ts";

/** Compares the blocked core with the op's reference on random values; both see the same arrays. */
function expectSameBits<Name extends CoreName>(
  op: Name,
  shapes: readonly (readonly number[])[],
  attrs: CoreAttrs[Name],
  precision: Precision,
): void {
  const definition = coreOps[op] as OpDefinition<CoreAttrs[Name]>;
  const blocked = blockedCores[op] as BlockedCore<CoreAttrs[Name]>;
  const types: TensorType[] = shapes.map((shape) => ({ shape, dtype: "f32" }));
  let state = 1;
  const inputs = types.map(({ shape }) => {
    const array = allocateArray("f32", precision, elementCount(shape));
    for (let i = 0; i < array.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      array[i] = state / 2 ** 31 - 1;
    }
    return array;
  });
  const result = definition.infer(types, attrs);
  const expected = allocateArray("f32", precision, elementCount(result.shape));
  definition.reference(inputs, types, attrs, expected);
  const actual = allocateArray("f32", precision, expected.length).fill(Number.NaN);
  blocked(inputs, types, attrs, actual);
  expect([...actual]).toEqual([...expected].map((value) => value + 0));
}

const precision = fc.constantFrom<Precision>("float32", "float64");
const size = (max: number) => fc.oneof(fc.integer({ min: 1, max }), fc.constant(1));

describe("blocked matmul", () => {
  it("gives the bits of the plain loops for all transposes, batches and ragged or empty sizes", () => {
    const dimension = fc.integer({ min: 0, max: 13 });
    fc.assert(
      fc.property(
        fc.record({ M: dimension, N: dimension, K: dimension, batch: fc.option(fc.integer({ min: 0, max: 3 })) }),
        fc.record({ transposeA: fc.boolean(), transposeB: fc.boolean() }),
        precision,
        ({ M, N, K, batch }, attrs, mode) => {
          const lead = batch === null ? [] : [batch];
          const a = attrs.transposeA ? [K, M] : [M, K];
          const b = attrs.transposeB ? [N, K] : [K, N];
          expectSameBits("matmul", [lead.concat(a), lead.concat(b)], attrs, mode);
        },
      ),
    );
  });

  it("gives the bits of the plain loops when operands take several blocks", () => {
    const attrs = { transposeA: true, transposeB: false };
    expectSameBits(
      "matmul",
      [
        [9000, 35],
        [9000, 9],
      ],
      attrs,
      "float32",
    );
  });
});

describe("blocked convolutions", () => {
  const convolution = fc
    .record({
      N: size(3),
      C: size(4),
      O: size(6),
      input: fc.tuple(size(8), size(8)),
      kernel: fc.tuple(size(5), size(5)),
      stride: fc.tuple(size(3), size(3)),
      padding: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
    })
    .map(({ input, kernel, padding, ...rest }) => {
      // a kernel no larger than the padded input
      const fits = [0, 1].map((i) => Math.min(kernel[i], input[i] + 2 * padding[i]));
      return { ...rest, inputSize: input, kernelSize: [fits[0], fits[1]] as [number, number], padding };
    });

  it("give the bits of the plain loops for ragged sizes, strides and paddings", () => {
    fc.assert(
      fc.property(convolution, precision, ({ N, C, O, ...attrs }, mode) => {
        const x = [N, C, ...attrs.inputSize];
        const weight = [O, C, ...attrs.kernelSize];
        const types: TensorType[] = [x, weight].map((shape) => ({ shape, dtype: "f32" }));
        const grad = coreOps.conv2d.infer(types, attrs).shape;
        expectSameBits("conv2d", [x, weight], attrs, mode);
        expectSameBits("conv2dInputGrad", [grad, weight], attrs, mode);
        expectSameBits("conv2dWeightGrad", [x, grad], attrs, mode);
      }),
      { numRuns: 300 },
    );
  });

  it("give nothing for an empty batch", () => {
    const attrs = { stride: [1, 1], padding: [1, 1], inputSize: [4, 4], kernelSize: [3, 3] } as const;
    expectSameBits(
      "conv2d",
      [
        [0, 2, 4, 4],
        [3, 2, 3, 3],
      ],
      attrs,
      "float32",
    );
    expectSameBits(
      "conv2dInputGrad",
      [
        [0, 3, 4, 4],
        [3, 2, 3, 3],
      ],
      attrs,
      "float32",
    );
    expectSameBits(
      "conv2dWeightGrad",
      [
        [0, 2, 4, 4],
        [0, 3, 4, 4],
      ],
      attrs,
      "float32",
    );
  });
});
